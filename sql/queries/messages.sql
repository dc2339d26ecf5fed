-- newest_messages --
-- The newest visible messages of a channel, newest first.
SELECT m.channel_id, m.message_id, m.author_id, m.author_name, m.content, m.edited_at, m.type, m.reply_to, m.extra
FROM junkie.messages AS m
WHERE m.channel_id = %(channel_id)s
    AND NOT EXISTS (
        SELECT FROM junkie.tombstones AS t WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
    )
ORDER BY m.message_id DESC
LIMIT %(most)s
