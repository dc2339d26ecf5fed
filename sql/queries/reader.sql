-- draw --
-- Draw a `seen` and the time before a request is sent, the archived ids below `hi` that the answer may span, newest first, and
-- so many a `seen` more for the requests after it.
SELECT
    nextval('junkie.seen') AS seen,
    now() AS at,
    ARRAY(
        SELECT m.message_id FROM junkie.messages AS m
        WHERE m.channel_id = %(channel_id)s AND m.message_id >= %(lo)s AND m.message_id < %(hi)s
        ORDER BY m.message_id DESC
        LIMIT %(most)s
    ) AS known,
    ARRAY(SELECT nextval('junkie.seen') FROM generate_series(1, %(spare)s)) AS spare

-- draw_ascending --
-- The same for the archived ids from `lo` upwards, oldest first.
SELECT
    nextval('junkie.seen') AS seen,
    now() AS at,
    ARRAY(
        SELECT m.message_id FROM junkie.messages AS m
        WHERE m.channel_id = %(channel_id)s AND m.message_id >= %(lo)s AND m.message_id < %(hi)s
        ORDER BY m.message_id
        LIMIT %(most)s
    ) AS known,
    ARRAY(SELECT nextval('junkie.seen') FROM generate_series(1, %(spare)s)) AS spare

-- channels_with_gaps --
-- How many channels have holes between what is covered.
SELECT count(*) FROM junkie.channel_status AS s
WHERE s.gone_at IS NULL AND NOT isempty(s.covered)
    AND s.covered <> int8multirange(int8range(lower(s.covered), upper(s.covered)))

-- draw_seen --
-- Draw a `seen` for a batch of events, with the time.
SELECT nextval('junkie.seen') AS seen, now() AS at

-- known_above --
-- The nearest archived message at or above an id.
SELECT m.message_id FROM junkie.messages AS m
WHERE m.channel_id = %(channel_id)s AND m.message_id >= %(snowflake)s AND m.message_id <> ALL(%(but_not)s::bigint[])
ORDER BY m.message_id
LIMIT 1

-- known_below --
-- The nearest archived message at or below an id.
SELECT m.message_id FROM junkie.messages AS m
WHERE m.channel_id = %(channel_id)s AND m.message_id <= %(snowflake)s AND m.message_id <> ALL(%(but_not)s::bigint[])
ORDER BY m.message_id DESC
LIMIT 1

-- count_between --
-- How many visible messages lie in [lo, hi), up to `most`.
SELECT count(*) FROM (
    SELECT FROM junkie.messages AS m
    WHERE m.channel_id = %(channel_id)s AND m.message_id >= %(lo)s AND m.message_id < %(hi)s
        AND NOT EXISTS (
            SELECT FROM junkie.tombstones AS t WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
        )
    LIMIT %(most)s
) AS counted

-- channel_states --
-- Where each channel of a list stands.
SELECT s.channel_id, s.covered, s.message_count, s.is_fully_backfilled, s.unreadable, s.gone_at, s.unwatched_since, s.last_updated,
    s.checked_at
FROM junkie.channel_status AS s
WHERE s.channel_id = ANY(%(channel_ids)s::bigint[])

-- totals --
-- What the archive holds in all.
SELECT
    (SELECT count(*) FROM junkie.guilds) AS guilds,
    count(*) AS channels,
    coalesce(sum(s.message_count), 0)::bigint AS messages,
    count(*) FILTER (WHERE s.is_fully_backfilled) AS complete
FROM junkie.channel_status AS s
