-- What a prompt is made of. The queries of one prompt run in one REPEATABLE READ snapshot. Messages with a tombstone, and
-- those that a rule of `forget` keeps out, show nowhere.

-- history_place --
-- Where a channel hangs (and of what type its parent is) and stands, what the time is, whether a `serve` of everything that
-- hears all has kept it up to date since it was checked, whether `forget` has rules, and whether anything of the channel may
-- be hidden.
SELECT
    now() AS at,
    EXISTS (
        SELECT FROM junkie.workers AS w
        WHERE w.command = 'serve'
            AND w.live_at > now() - interval '15 seconds'
            AND w.started_at <= s.checked_at
            AND EXISTS (
                SELECT FROM pg_catalog.pg_stat_get_activity(w.backend_pid) AS a
                WHERE a.datid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
            )
    ) AS served,
    EXISTS (SELECT FROM junkie.exclusions) AS ruled,
    EXISTS (SELECT FROM junkie.tombstones AS t WHERE t.channel_id = one.channel_id) AS buried,
    c.channel_id, c.guild_id, c.parent_id, c.type, c.name, c.last_message_id, c.archived_at,
    p.type AS parent_type, g.name AS guild_name,
    s.covered, s.message_count, s.is_fully_backfilled, s.unreadable, s.gone_at, s.unwatched_since, s.last_updated,
    s.checked_at
FROM (VALUES (%(channel_id)s::bigint)) AS one (channel_id)
LEFT JOIN junkie.channels AS c ON c.channel_id = one.channel_id
LEFT JOIN junkie.channels AS p ON p.channel_id = c.parent_id
LEFT JOIN junkie.guilds AS g ON g.guild_id = c.guild_id
LEFT JOIN junkie.channel_status AS s ON s.channel_id = one.channel_id

-- history_messages --
-- The newest `most` (NULL: all) messages with ids in [lo, hi) of a channel of which nothing is hidden, newest first.
SELECT m.message_id, m.author_id, m.author_name, m.content, m.edited_at, m.type, m.reply_to, m.extra
FROM junkie.messages AS m
WHERE m.channel_id = %(channel_id)s AND m.message_id >= %(lo)s AND m.message_id < %(hi)s
ORDER BY m.message_id DESC
LIMIT %(most)s

-- history_rules --
-- Whose messages of a channel `forget` keeps out (NULL: everybody's), below which id.
SELECT e.user_id, max(coalesce(e.before_id, 9223372036854775807)) AS before_id
FROM junkie.exclusions AS e
LEFT JOIN junkie.channels AS c ON c.channel_id = %(channel_id)s
WHERE (e.channel_id IS NULL OR e.channel_id IN (%(channel_id)s, c.parent_id))
    AND (e.guild_id IS NULL OR e.guild_id = c.guild_id)
GROUP BY e.user_id

-- history_visible_messages --
-- The same for any channel; what the authors wrote below the id beside each is kept out. OFFSET 0 keeps the subqueries from
-- becoming joins, for which all of a channel might be sorted: so the newest are read, and no more.
SELECT m.message_id, m.author_id, m.author_name, m.content, m.edited_at, m.type, m.reply_to, m.extra
FROM junkie.messages AS m
WHERE m.channel_id = %(channel_id)s AND m.message_id >= %(lo)s AND m.message_id < %(hi)s
    AND NOT EXISTS (
        SELECT FROM junkie.tombstones AS t
        WHERE t.channel_id = %(channel_id)s AND t.message_id = m.message_id OFFSET 0
    )
    AND (
        m.author_id <> ALL(%(authors)s::bigint[])
        OR NOT EXISTS (
            SELECT FROM unnest(%(authors)s::bigint[], %(befores)s::bigint[]) AS r (user_id, before_id)
            WHERE r.user_id = m.author_id AND m.message_id < r.before_id OFFSET 0
        )
    )
ORDER BY m.message_id DESC
LIMIT %(most)s

-- history_singles --
-- Messages by their keys: the visible ones, and of the others only that they were deleted.
SELECT
    t.message_id IS NOT NULL AS deleted, u.channel_id, u.message_id,
    m.author_id, m.author_name, m.content, m.edited_at, m.type, m.reply_to, m.extra
FROM unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[]) AS u (channel_id, message_id)
LEFT JOIN junkie.tombstones AS t ON t.channel_id = u.channel_id AND t.message_id = u.message_id
LEFT JOIN junkie.messages AS m
    ON t.message_id IS NULL AND m.channel_id = u.channel_id AND m.message_id = u.message_id
    AND NOT EXISTS (
        SELECT FROM junkie.exclusions AS e
        LEFT JOIN junkie.channels AS c ON c.channel_id = m.channel_id
        WHERE (e.user_id IS NULL OR e.user_id = m.author_id)
            AND (e.before_id IS NULL OR m.message_id < e.before_id)
            AND (e.channel_id IS NULL OR e.channel_id IN (m.channel_id, c.parent_id))
            AND (e.guild_id IS NULL OR e.guild_id = c.guild_id)
    )
WHERE t.message_id IS NOT NULL OR m.message_id IS NOT NULL

-- history_names --
-- Names as people see them, of accounts (and whether each is a bot's), channels and roles.
SELECT 'user' AS kind, k.user_id AS id, coalesce(nullif(k.global_name, ''), k.username) AS name, k.bot
FROM junkie.users AS k WHERE k.user_id = ANY(%(user_ids)s::bigint[])
UNION ALL
SELECT 'channel', c.channel_id, c.name, false
FROM junkie.channels AS c WHERE c.channel_id = ANY(%(channel_ids)s::bigint[])
UNION ALL
SELECT 'role', r.role_id, r.name, false
FROM junkie.roles AS r WHERE r.role_id = ANY(%(role_ids)s::bigint[])

-- history_revisions --
-- The earlier texts of messages, oldest first.
SELECT r.message_id, r.replaced_at, r.edited_at, r.content, r.extra
FROM junkie.revisions AS r
WHERE r.channel_id = %(channel_id)s AND r.message_id = ANY(%(message_ids)s::bigint[])
ORDER BY r.message_id, r.replaced_seen

-- history_deleted_since --
-- How many messages with ids in [lo, hi) were deleted after a moment.
SELECT count(*) FROM junkie.tombstones AS t
WHERE t.channel_id = %(channel_id)s AND t.message_id >= %(lo)s AND t.message_id < %(hi)s AND t.deleted_at > %(moment)s

-- history_elsewhere --
-- Which other channel holds a message. OFFSET 0 makes it a probe for each channel that the archive knows; as a join it might
-- go through the whole index of messages.
SELECT c.channel_id, c.name
FROM junkie.channels AS c
WHERE c.channel_id <> %(channel_id)s AND EXISTS (
    SELECT FROM junkie.messages AS m
    WHERE m.channel_id = c.channel_id AND m.message_id = %(message_id)s OFFSET 0
)
LIMIT 1
