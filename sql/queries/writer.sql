-- ensure_status --
-- Give each channel its status row, so that there is something to lock.
INSERT INTO junkie.channel_status (channel_id)
SELECT u.channel_id FROM unnest(%(channel_ids)s::bigint[]) AS u (channel_id)
ORDER BY u.channel_id
ON CONFLICT (channel_id) DO NOTHING

-- lock_channels --
-- Lock the channels of a batch, in id order; tombstones, rules and rows are read only after that.
SELECT s.channel_id, c.guild_id, c.parent_id, s.adopted
FROM junkie.channel_status AS s
LEFT JOIN junkie.channels AS c ON c.channel_id = s.channel_id
WHERE s.channel_id = ANY(%(channel_ids)s::bigint[])
ORDER BY s.channel_id
FOR UPDATE OF s

-- lock_copies --
-- Lock those messages of a batch that repeat another one, where the batch does not show it: what `purge_copies` drops of
-- them meanwhile is not written back.
SELECT
FROM junkie.messages AS m
JOIN unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[]) AS u (channel_id, message_id)
    ON m.channel_id = u.channel_id AND m.message_id = u.message_id
WHERE m.extra ? 'message_snapshots' OR m.type = 46
ORDER BY m.channel_id, m.message_id
FOR UPDATE OF m

-- meet --
-- What the archive has of a batch's messages: rows and tombstones; and in every row, even if there are none, whether
-- `forget` has rules.
SELECT
    r.any, u.channel_id, u.message_id, t.cause, t.seen,
    m.channel_id, m.message_id, m.author_id, m.author_name, m.content, m.edited_at, m.type, m.reply_to, m.extra, m.seen
FROM (SELECT EXISTS (SELECT FROM junkie.exclusions) AS any) AS r
LEFT JOIN (
    unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[]) AS u (channel_id, message_id)
    LEFT JOIN junkie.tombstones AS t ON t.channel_id = u.channel_id AND t.message_id = u.message_id
    LEFT JOIN junkie.messages AS m ON m.channel_id = u.channel_id AND m.message_id = u.message_id
) ON t.message_id IS NOT NULL OR m.message_id IS NOT NULL

-- read_rules --
-- The rules of `forget`.
SELECT e.user_id, e.channel_id, e.guild_id, e.before_id
FROM junkie.exclusions AS e

-- count_unshown --
-- How many visible rows of another program lie, by channel, within a page's claims, without those that it shows or that
-- are spoken of otherwise.
SELECT m.channel_id, count(*)
FROM unnest(%(channel_ids)s::bigint[], %(los)s::bigint[], %(his)s::bigint[]) AS u (channel_id, lo, hi)
JOIN junkie.messages AS m
    ON m.channel_id = u.channel_id AND m.message_id >= u.lo AND m.message_id < u.hi AND m.seen = 0
WHERE NOT EXISTS (
        SELECT FROM junkie.tombstones AS t WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
    )
    AND NOT EXISTS (
        SELECT FROM unnest(%(told_channel_ids)s::bigint[], %(told_ids)s::bigint[]) AS told (channel_id, message_id)
        WHERE told.channel_id = m.channel_id AND told.message_id = m.message_id
    )
GROUP BY m.channel_id

-- next_unshown --
-- The next of them in one stretch of a channel, from `lo` on.
SELECT m.message_id
FROM junkie.messages AS m
WHERE m.channel_id = %(channel_id)s AND m.message_id >= %(lo)s AND m.message_id < %(hi)s AND m.seen = 0
    AND m.message_id <> ALL(%(told_ids)s::bigint[])
    AND NOT EXISTS (
        SELECT FROM junkie.tombstones AS t WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
    )
ORDER BY m.message_id
LIMIT %(most)s

-- store --
-- Insert messages that the archive lacks, their authors and what they prove; see the function's own words.
SELECT f.stored_in, f.held
FROM junkie.store(
    %(unless_known)s,
    %(batch_channel_ids)s::bigint[], %(batch_grown)s::bigint[],
    %(channel_ids)s::bigint[], %(message_ids)s::bigint[], %(author_ids)s::bigint[], %(seens)s::bigint[],
    %(edited_ats)s::timestamptz[], %(reply_tos)s::bigint[], %(types)s::integer[],
    %(author_names)s::text[], %(contents)s::text[], %(extras)s::text[],
    %(user_ids)s::bigint[], %(usernames)s::text[], %(global_names)s::text[], %(bots)s::boolean[],
    %(user_seen)s::bigint, %(user_extras)s::text[],
    %(claimed_ids)s::bigint[], %(los)s::bigint[], %(his)s::bigint[], %(asked_at)s::timestamptz,
    extract(epoch FROM now() - %(heard_at)s::timestamptz)::double precision
) AS f

-- update_messages --
-- Rows that Discord now shows otherwise.
UPDATE junkie.messages AS m
SET author_id = u.author_id,
    seen = u.seen,
    edited_at = u.edited_at,
    reply_to = u.reply_to,
    type = u.type,
    author_name = u.author_name,
    content = u.content,
    extra = u.extra::jsonb
FROM unnest(
    %(channel_ids)s::bigint[], %(message_ids)s::bigint[], %(author_ids)s::bigint[], %(seens)s::bigint[],
    %(edited_ats)s::timestamptz[], %(reply_tos)s::bigint[], %(types)s::integer[],
    %(author_names)s::text[], %(contents)s::text[], %(extras)s::text[]
) AS u (channel_id, message_id, author_id, seen, edited_at, reply_to, type, author_name, content, extra)
WHERE m.channel_id = u.channel_id AND m.message_id = u.message_id

-- insert_revisions --
-- The text that an edit replaces; replaced_seen is the seen of the edit.
INSERT INTO junkie.revisions (channel_id, message_id, replaced_seen, edited_at, content, extra)
SELECT m.channel_id, m.message_id, u.seen, m.edited_at, m.content, m.extra
FROM unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[], %(seens)s::bigint[]) AS u (channel_id, message_id, seen)
JOIN junkie.messages AS m ON m.channel_id = u.channel_id AND m.message_id = u.message_id
ON CONFLICT (channel_id, message_id, replaced_seen) DO NOTHING

-- delete_messages --
-- Drop rows whose messages were deleted.
DELETE FROM junkie.messages AS m
USING unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[]) AS u (channel_id, message_id)
WHERE m.channel_id = u.channel_id AND m.message_id = u.message_id

-- delete_revisions --
-- Drop the earlier texts of messages that were deleted.
DELETE FROM junkie.revisions AS r
USING unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[]) AS u (channel_id, message_id)
WHERE r.channel_id = u.channel_id AND r.message_id = u.message_id

-- purge_copies --
-- Drop what forwards, and the results of polls, repeat of messages whose content is dropped.
UPDATE junkie.messages AS m
SET extra = m.extra - CASE WHEN m.type = 46 THEN 'embeds' ELSE 'message_snapshots' END
WHERE (m.extra ? 'message_snapshots' OR m.type = 46)
    AND m.extra #>> '{message_reference,message_id}' = ANY(%(originals)s::text[])

-- purge_copies_in_revisions --
-- The same in their earlier texts.
UPDATE junkie.revisions AS r
SET extra = r.extra - CASE WHEN m.type = 46 THEN 'embeds' ELSE 'message_snapshots' END
FROM junkie.messages AS m
WHERE (m.extra ? 'message_snapshots' OR m.type = 46)
    AND m.extra #>> '{message_reference,message_id}' = ANY(%(originals)s::text[])
    AND r.channel_id = m.channel_id AND r.message_id = m.message_id

-- upsert_tombstones --
-- Mark messages as deleted; what is final stays, what was inferred may become final.
INSERT INTO junkie.tombstones AS t (channel_id, message_id, seen, cause)
SELECT u.channel_id, u.message_id, u.seen, u.cause
FROM unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[], %(seens)s::bigint[], %(causes)s::text[])
    AS u (channel_id, message_id, seen, cause)
ON CONFLICT (channel_id, message_id) DO UPDATE
SET seen = excluded.seen, cause = excluded.cause
WHERE t.cause = 'inferred'

-- delete_tombstones --
-- Take back what was only inferred: the messages were shown again.
DELETE FROM junkie.tombstones AS t
USING unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[]) AS u (channel_id, message_id)
WHERE t.channel_id = u.channel_id AND t.message_id = u.message_id AND t.cause = 'inferred'
