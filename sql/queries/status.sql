-- What `junkie status` shows. Its queries run in one REPEATABLE READ snapshot, and none of them costs more for more
-- messages: counts are kept by the writer, the ends of a channel are found by its primary key.

-- status_session --
-- Only an index that is read in order stops at the first row, whatever statistics say or lack; and compiling these queries
-- would take longer than running them.
SELECT
    pg_catalog.set_config('enable_bitmapscan', 'off', true),
    pg_catalog.set_config('enable_seqscan', 'off', true),
    pg_catalog.set_config('jit', 'off', true)

-- status_archive --
-- What the time is, and how many bytes the schema has on disk, indexes and all.
SELECT
    now() AS at,
    (
        SELECT coalesce(sum(pg_catalog.pg_total_relation_size(r.oid)), 0)::bigint
        FROM pg_catalog.pg_class AS r
        JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
        WHERE n.nspname = 'junkie' AND r.relkind IN ('r', 'm', 'S')
    ) AS size

-- status_guilds --
-- Every guild.
SELECT g.guild_id, g.name, g.gone_at FROM junkie.guilds AS g

-- status_channels --
-- Every channel, category and thread, also those of which only rows are known, and its oldest and newest visible message.
-- A tombstone is looked up for one row at a time: joined, all of them might be read.
SELECT
    coalesce(c.channel_id, s.channel_id) AS channel_id,
    c.channel_id IS NOT NULL AS known,
    c.guild_id, c.parent_id, coalesce(c.type, 0) AS type, coalesce(c.name, '') AS name, c.last_message_id,
    coalesce(c.position, 0) AS position, c.archived_at,
    s.covered::text AS covered, coalesce(s.message_count, 0) AS message_count, coalesce(s.is_fully_backfilled, false) AS is_fully_backfilled,
    s.unreadable, s.gone_at,
    -- Of a serve that was killed nobody has recorded the end, nor what it was about to be told.
    coalesce(
        s.unwatched_since,
        CASE WHEN NOT watched.live AND NOT isempty(s.covered) THEN coalesce(s.checked_at, s.last_updated) - make_interval(secs => %(late)s) END
    ) AS unwatched_since,
    s.last_updated, s.checked_at,
    CASE WHEN s.message_count > 0 THEN (
        SELECT m.message_id FROM junkie.messages AS m
        WHERE m.channel_id = s.channel_id
            AND (
                SELECT t.message_id FROM junkie.tombstones AS t
                WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
            ) IS NULL
        ORDER BY m.message_id
        LIMIT 1
    ) END AS oldest,
    CASE WHEN s.message_count > 0 THEN (
        SELECT m.message_id FROM junkie.messages AS m
        WHERE m.channel_id = s.channel_id
            AND (
                SELECT t.message_id FROM junkie.tombstones AS t
                WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
            ) IS NULL
        ORDER BY m.message_id DESC
        LIMIT 1
    ) END AS newest
FROM junkie.channels AS c
FULL JOIN junkie.channel_status AS s ON s.channel_id = c.channel_id
CROSS JOIN (
    SELECT EXISTS (
        SELECT FROM junkie.workers AS w
        WHERE w.command IN ('serve', 'serve in part') AND w.heartbeat_at > now() - interval '15 seconds'
            AND EXISTS (
                SELECT FROM pg_catalog.pg_stat_get_activity(w.backend_pid) AS a
                WHERE a.datid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
            )
    ) AS live
) AS watched

-- status_counts --
-- Whether ranges of channels hold `most` visible messages: how many they hold, up to that.
SELECT u.channel_id, counted.messages
FROM unnest(%(channel_ids)s::bigint[], %(los)s::bigint[], %(his)s::bigint[]) AS u (channel_id, lo, hi)
CROSS JOIN LATERAL (
    SELECT count(*) AS messages FROM (
        SELECT FROM junkie.messages AS m
        WHERE m.channel_id = u.channel_id AND m.message_id >= u.lo AND m.message_id < u.hi
            AND (
                SELECT t.message_id FROM junkie.tombstones AS t
                WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
            ) IS NULL
        LIMIT %(most)s
    ) AS found
) AS counted

-- status_workers --
-- The commands that are alive. One whose connection is gone is dead, whatever its heartbeat says.
SELECT w.command, w.bot_id, w.host, w.pid, w.started_at, w.heartbeat_at, w.progress_at, w.uses_discord
FROM junkie.workers AS w
WHERE w.heartbeat_at > now() - interval '15 seconds'
    AND EXISTS (
        SELECT FROM pg_catalog.pg_stat_get_activity(w.backend_pid) AS a
        WHERE a.datid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
    )
ORDER BY w.started_at, w.worker_id
