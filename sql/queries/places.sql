-- upsert_guilds --
-- Guilds as Discord shows them; one that is back is no longer gone.
INSERT INTO junkie.guilds AS g (guild_id, name)
SELECT u.guild_id, u.name
FROM unnest(%(guild_ids)s::bigint[], %(names)s::text[]) AS u (guild_id, name)
ORDER BY u.guild_id
ON CONFLICT (guild_id) DO UPDATE SET name = excluded.name, gone_at = NULL, updated_at = now()
WHERE g.name IS DISTINCT FROM excluded.name OR g.gone_at IS NOT NULL

-- upsert_roles --
-- Role names, for prompts.
INSERT INTO junkie.roles AS r (role_id, guild_id, name)
SELECT u.role_id, u.guild_id, u.name
FROM unnest(%(role_ids)s::bigint[], %(guild_ids)s::bigint[], %(names)s::text[]) AS u (role_id, guild_id, name)
ORDER BY u.role_id
ON CONFLICT (role_id) DO UPDATE SET guild_id = excluded.guild_id, name = excluded.name
WHERE r.name IS DISTINCT FROM excluded.name

-- upsert_channels --
-- Channels and threads as Discord shows them; the last message id never falls.
INSERT INTO junkie.channels AS c
    (channel_id, guild_id, parent_id, type, name, position, last_message_id, archived_at)
SELECT u.channel_id, u.guild_id, u.parent_id, u.type, u.name, u.position, u.last_message_id, u.archived_at
FROM unnest(
    %(channel_ids)s::bigint[], %(guild_ids)s::bigint[], %(parent_ids)s::bigint[], %(types)s::integer[],
    %(names)s::text[], %(positions)s::integer[], %(last_message_ids)s::bigint[], %(archived_ats)s::timestamptz[]
) AS u (channel_id, guild_id, parent_id, type, name, position, last_message_id, archived_at)
ORDER BY u.channel_id
ON CONFLICT (channel_id) DO UPDATE
SET guild_id = excluded.guild_id, parent_id = excluded.parent_id, type = excluded.type, name = excluded.name,
    position = excluded.position, archived_at = excluded.archived_at,
    last_message_id = greatest(c.last_message_id, excluded.last_message_id), updated_at = now()
WHERE (c.guild_id, c.parent_id, c.type, c.name, c.position, c.archived_at, c.last_message_id)
    IS DISTINCT FROM
    (excluded.guild_id, excluded.parent_id, excluded.type, excluded.name, excluded.position, excluded.archived_at,
     greatest(c.last_message_id, excluded.last_message_id))

-- set_access --
-- Channels that Discord lists are not gone, and those that may be read are not unreadable.
UPDATE junkie.channel_status AS s
SET gone_at = NULL, unreadable = u.reason, last_updated = now()
FROM unnest(%(channel_ids)s::bigint[], %(reasons)s::text[]) AS u (channel_id, reason)
WHERE s.channel_id = u.channel_id AND (s.gone_at IS NOT NULL OR s.unreadable IS DISTINCT FROM u.reason)

-- knows_guild --
-- Whether a guild's name is known.
SELECT EXISTS (SELECT FROM junkie.guilds AS g WHERE g.guild_id = %(guild_id)s)

-- type_of_channel --
-- Of what type a channel is.
SELECT c.type FROM junkie.channels AS c WHERE c.channel_id = %(channel_id)s

-- note_checked --
-- Discord was asked for the newest messages of these channels at that moment, and the archive has them. Edits and deletions
-- were not asked for. Who listens has heard and written all that happened until heard_at. Beside a live `serve`
-- only that one says how far it has heard: should it miss something, nothing later counts as the last that is known. And
-- where nobody listens, edits and deletions may be missing since the time before.
WITH asked AS (
    SELECT s.channel_id
    FROM junkie.channel_status AS s
    WHERE s.channel_id = ANY(%(channel_ids)s::bigint[])
    ORDER BY s.channel_id
    FOR UPDATE OF s
), watched AS (
    SELECT %(heard_at)s::timestamptz IS NOT NULL AS here, EXISTS (
        SELECT FROM junkie.workers AS w
        WHERE w.command = 'serve' AND w.live_at > now() - interval '15 seconds'
            AND EXISTS (
                SELECT FROM pg_catalog.pg_stat_get_activity(w.backend_pid) AS a
                WHERE a.datid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
            )
    ) AS live
)
UPDATE junkie.channel_status AS s
SET checked_at = CASE
        WHEN s.unwatched_since IS NULL AND NOT isempty(s.covered) AND watched.live AND NOT watched.here THEN s.checked_at
        ELSE greatest(s.checked_at, least(%(asked_at)s::timestamptz, %(heard_at)s::timestamptz))
    END,
    unwatched_since = CASE
        WHEN s.unwatched_since IS NULL AND NOT isempty(s.covered) AND NOT watched.live AND NOT watched.here
            THEN coalesce(s.checked_at, s.last_updated) - make_interval(secs => %(late)s)
        ELSE s.unwatched_since
    END
FROM asked, watched
WHERE s.channel_id = asked.channel_id

-- mark_unreadable --
-- The bot may not read this channel now; nothing of it is dropped.
UPDATE junkie.channel_status SET unreadable = %(reason)s, last_updated = now() WHERE channel_id = %(channel_id)s

-- mark_gone --
-- Discord no longer knows this channel, and so its threads; nothing of them is dropped. Locked in id order, as a batch of
-- messages is.
WITH gone AS (
    SELECT s.channel_id
    FROM junkie.channel_status AS s
    WHERE s.gone_at IS NULL
        AND (
            s.channel_id = %(channel_id)s
            OR s.channel_id IN (SELECT c.channel_id FROM junkie.channels AS c WHERE c.parent_id = %(channel_id)s)
        )
    ORDER BY s.channel_id
    FOR UPDATE OF s
), lists AS (
    DELETE FROM junkie.thread_lists AS l WHERE l.parent_id = %(channel_id)s
)
UPDATE junkie.channel_status AS s
SET gone_at = now(), last_updated = now()
FROM gone
WHERE s.channel_id = gone.channel_id

-- unlisted_channels --
-- Channels of a guild, no threads, that Discord does not list, less those that are known to be gone.
SELECT c.channel_id, c.guild_id, c.parent_id, c.type, c.name, c.last_message_id, c.position, c.archived_at, s.unreadable
FROM junkie.channels AS c
JOIN junkie.channel_status AS s ON s.channel_id = c.channel_id
WHERE c.guild_id = %(guild_id)s
    AND c.type <> ALL(%(thread_types)s::integer[])
    AND c.channel_id <> ALL(%(listed)s::bigint[])
    AND s.gone_at IS NULL
ORDER BY c.channel_id

-- departed_guilds --
-- Guilds that are not known to be gone, and that the bot is not in any more.
SELECT g.guild_id FROM junkie.guilds AS g WHERE g.gone_at IS NULL AND g.guild_id <> ALL(%(member_of)s::bigint[])

-- mark_guilds_gone --
-- The bot is not in these guilds any more: they are gone, and with them their channels. Should they come back, their lists
-- of archived threads are walked whole.
WITH gone AS (
    UPDATE junkie.guilds AS g SET gone_at = coalesce(g.gone_at, now()), updated_at = now()
    WHERE g.guild_id = ANY(%(guild_ids)s::bigint[])
    RETURNING g.guild_id
), lists AS (
    DELETE FROM junkie.thread_lists AS l USING junkie.channels AS c, gone
    WHERE l.parent_id = c.channel_id AND c.guild_id = gone.guild_id
), missing AS (
    SELECT s.channel_id
    FROM junkie.channel_status AS s
    JOIN junkie.channels AS c ON c.channel_id = s.channel_id
    JOIN gone ON gone.guild_id = c.guild_id
    WHERE s.gone_at IS NULL
    ORDER BY s.channel_id
    FOR UPDATE OF s
)
UPDATE junkie.channel_status AS s
SET gone_at = now(), last_updated = now()
FROM missing
WHERE s.channel_id = missing.channel_id

-- advance_thread_lists --
-- A list of archived threads was walked down to where the last walk began; its threads are stored in this transaction.
INSERT INTO junkie.thread_lists AS l (parent_id, listing, newest)
SELECT u.parent_id, u.listing, u.newest
FROM unnest(%(parent_ids)s::bigint[], %(listings)s::text[], %(newests)s::timestamptz[]) AS u (parent_id, listing, newest)
ORDER BY u.parent_id, u.listing
ON CONFLICT (parent_id, listing) DO UPDATE SET newest = excluded.newest
WHERE l.newest < excluded.newest

-- thread_lists --
-- How far each list of archived threads was walked.
SELECT l.parent_id, l.listing, l.newest FROM junkie.thread_lists AS l

-- threads_of --
-- The threads of a guild that the archive knows and that are not gone.
SELECT c.channel_id, c.guild_id, c.parent_id, c.type, c.name, c.last_message_id, c.position, c.archived_at
FROM junkie.channels AS c
LEFT JOIN junkie.channel_status AS s ON s.channel_id = c.channel_id
WHERE c.guild_id = %(guild_id)s AND c.type = ANY(%(types)s::integer[]) AND s.gone_at IS NULL
ORDER BY c.channel_id

-- now --
-- The database's time.
SELECT now()

-- visits --
-- Up to which moment all threads that were born in a guild have been worked on.
SELECT g.guild_id, g.visited_at FROM junkie.guilds AS g WHERE g.visited_at IS NOT NULL

-- note_visit --
-- All threads that were born in these guilds until then were found and worked on.
UPDATE junkie.guilds AS g SET visited_at = greatest(g.visited_at, %(until)s)
WHERE g.guild_id = ANY(%(guild_ids)s::bigint[])

-- note_watched --
-- All that is covered was compared with Discord: no edit or deletion before that moment is missing. NULL: none is, since
-- all of that time was listened to, and heard until heard_at.
UPDATE junkie.channel_status AS s
SET unwatched_since = %(since)s::timestamptz,
    checked_at = least(s.checked_at, %(heard_at)s::timestamptz)
WHERE s.channel_id = %(channel_id)s AND (%(since)s::timestamptz IS NULL OR s.unwatched_since < %(since)s::timestamptz)

-- channels_of_guilds --
-- The channels of these guilds, threads too, and those that are in no guild as far as is known.
SELECT s.channel_id
FROM junkie.channel_status AS s
LEFT JOIN junkie.channels AS c ON c.channel_id = s.channel_id
WHERE c.guild_id IS NULL OR c.guild_id = ANY(%(guild_ids)s::bigint[])

-- note_unwatched --
-- Of these channels (NULL: any) events may have been missed: where nothing was missing before, edits and deletions may be
-- missing since the last that is known, or some seconds before: what happened then may not have been told yet.
WITH missed AS (
    SELECT s.channel_id
    FROM junkie.channel_status AS s
    WHERE s.unwatched_since IS NULL AND NOT isempty(s.covered)
        AND (%(channel_ids)s::bigint[] IS NULL OR s.channel_id = ANY(%(channel_ids)s::bigint[]))
    ORDER BY s.channel_id
    FOR UPDATE OF s
)
UPDATE junkie.channel_status AS s
SET unwatched_since = coalesce(s.checked_at, s.last_updated) - make_interval(secs => %(late)s)
FROM missed
WHERE s.channel_id = missed.channel_id
