-- What `forget` asks. A rule's NULLs match everything.

-- forget_scope --
-- The channels that a rule concerns, threads too.
SELECT s.channel_id
FROM junkie.channel_status AS s
LEFT JOIN junkie.channels AS c ON c.channel_id = s.channel_id
WHERE (%(channel_id)s::bigint IS NULL OR s.channel_id = %(channel_id)s OR c.parent_id = %(channel_id)s)
    AND (%(guild_id)s::bigint IS NULL OR c.guild_id = %(guild_id)s)
ORDER BY s.channel_id

-- count_doomed --
-- How many messages a rule deletes, and in how many channels.
SELECT count(*), count(DISTINCT m.channel_id)
FROM junkie.messages AS m
LEFT JOIN junkie.channels AS c ON c.channel_id = m.channel_id
WHERE (%(user_id)s::bigint IS NULL OR m.author_id = %(user_id)s)
    AND (%(channel_id)s::bigint IS NULL OR m.channel_id = %(channel_id)s OR c.parent_id = %(channel_id)s)
    AND (%(guild_id)s::bigint IS NULL OR c.guild_id = %(guild_id)s)
    AND (%(before_id)s::bigint IS NULL OR m.message_id < %(before_id)s)

-- names_of --
-- What people call those whom a rule names, as far as the archive knows them.
SELECT
    (SELECT coalesce(u.global_name, u.username) FROM junkie.users AS u WHERE u.user_id = %(user_id)s::bigint),
    (SELECT c.name FROM junkie.channels AS c WHERE c.channel_id = %(channel_id)s::bigint),
    (SELECT g.name FROM junkie.guilds AS g WHERE g.guild_id = %(guild_id)s::bigint)

-- find_rule --
-- A rule that keeps all of this out: it says exactly this, or differs only in that it reaches further.
SELECT e.exclusion_id
FROM junkie.exclusions AS e
WHERE (e.user_id, e.channel_id, e.guild_id)
    IS NOT DISTINCT FROM (%(user_id)s::bigint, %(channel_id)s::bigint, %(guild_id)s::bigint)
    AND (e.before_id IS NULL OR e.before_id >= %(before_id)s::bigint)
ORDER BY e.exclusion_id
LIMIT 1

-- drop_contained_rules --
-- The rules that this one makes superfluous, being the same but for reaching less far.
DELETE FROM junkie.exclusions AS e
WHERE (e.user_id, e.channel_id, e.guild_id)
    IS NOT DISTINCT FROM (%(user_id)s::bigint, %(channel_id)s::bigint, %(guild_id)s::bigint)
    AND (%(before_id)s::bigint IS NULL OR e.before_id < %(before_id)s::bigint)
RETURNING e.exclusion_id

-- add_rule --
-- From this transaction's end on, nothing that matches is stored.
INSERT INTO junkie.exclusions (user_id, channel_id, guild_id, before_id)
VALUES (%(user_id)s, %(channel_id)s, %(guild_id)s, %(before_id)s)
RETURNING exclusion_id

-- doomed --
-- The next rows of a locked channel that a rule deletes, and whether readers see them; a `seen` for their tombstones.
SELECT
    m.message_id,
    NOT EXISTS (
        SELECT FROM junkie.tombstones AS t WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
    ) AS visible,
    (SELECT nextval('junkie.seen')) AS seen
FROM junkie.messages AS m
WHERE m.channel_id = %(in_channel)s AND m.message_id > %(after)s
    AND (%(user_id)s::bigint IS NULL OR m.author_id = %(user_id)s)
    AND (%(before_id)s::bigint IS NULL OR m.message_id < %(before_id)s)
ORDER BY m.message_id
LIMIT %(most)s

-- purge_foreign_copies --
-- Drop what forwards repeat of channels that a rule closes, archived or not, and what their earlier texts repeat.
WITH repeating AS (
    SELECT
        m.channel_id, m.message_id, CASE WHEN m.type = 46 THEN 'embeds' ELSE 'message_snapshots' END AS part
    FROM junkie.messages AS m
    WHERE (m.extra ? 'message_snapshots' OR m.type = 46)
        AND (%(channel_id)s::bigint IS NULL
            OR m.extra #>> '{message_reference,channel_id}' = ANY(%(scope)s::text[]))
        AND (%(guild_id)s::bigint IS NULL
            OR m.extra #>> '{message_reference,channel_id}' = ANY(%(scope)s::text[])
            OR m.extra #>> '{message_reference,guild_id}' = %(guild_id)s::bigint::text)
        AND (%(before_id)s::bigint IS NULL
            OR CASE WHEN m.extra #>> '{message_reference,message_id}' ~ '^[0-9]{1,19}$'
                THEN (m.extra #>> '{message_reference,message_id}')::numeric < %(before_id)s::bigint END)
), earlier AS (
    UPDATE junkie.revisions AS r SET extra = r.extra - c.part
    FROM repeating AS c
    WHERE r.channel_id = c.channel_id AND r.message_id = c.message_id
)
UPDATE junkie.messages AS m SET extra = m.extra - c.part
FROM repeating AS c
WHERE m.channel_id = c.channel_id AND m.message_id = c.message_id

-- every_rule --
-- The rules of `forget`, with the names of those whom they concern as far as the archive knows them.
SELECT
    e.exclusion_id, e.created_at, e.user_id, e.channel_id, e.guild_id, e.before_id,
    coalesce(u.global_name, u.username), c.name, g.name
FROM junkie.exclusions AS e
LEFT JOIN junkie.users AS u ON u.user_id = e.user_id
LEFT JOIN junkie.channels AS c ON c.channel_id = e.channel_id
LEFT JOIN junkie.guilds AS g ON g.guild_id = e.guild_id
ORDER BY e.exclusion_id

-- lock_rule --
-- One rule, so that it is undone once.
SELECT e.user_id, e.channel_id, e.guild_id, e.before_id
FROM junkie.exclusions AS e
WHERE e.exclusion_id = %(rule_id)s
FOR UPDATE

-- remove_rule --
-- What matched may be stored again.
DELETE FROM junkie.exclusions WHERE exclusion_id = %(rule_id)s

-- withdraw --
-- Remove the marks of what a rule may have kept out of these locked channels, and the coverage over all of them, so that
-- it is fetched again.
WITH unmarked AS (
    DELETE FROM junkie.tombstones AS t
    WHERE t.channel_id = ANY(%(channel_ids)s::bigint[]) AND t.cause = 'forget'
        AND (%(before_id)s::bigint IS NULL OR t.message_id < %(before_id)s)
    RETURNING t.channel_id, t.message_id
), left_over AS (
    SELECT
        s.channel_id,
        u.messages,
        s.covered - int8multirange(int8range(u.lowest, u.highest + 1)) AS covered
    FROM (
        SELECT channel_id, count(*) AS messages, min(message_id) AS lowest, max(message_id) AS highest
        FROM unmarked GROUP BY channel_id
    ) AS u
    JOIN junkie.channel_status AS s ON s.channel_id = u.channel_id
)
UPDATE junkie.channel_status AS s
SET covered = n.covered,
    is_fully_backfilled = n.covered @> int8range(least(s.channel_id, upper(n.covered)), upper(n.covered)) AND NOT isempty(n.covered),
    last_updated = now()
FROM left_over AS n
WHERE s.channel_id = n.channel_id
RETURNING s.channel_id, n.messages

-- count_down --
-- So many messages less that readers see.
UPDATE junkie.channel_status AS s
SET message_count = s.message_count - %(fewer)s, last_updated = now()
WHERE s.channel_id = %(channel_id)s
