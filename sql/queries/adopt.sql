-- What `db adopt` asks. {source} is the original's table `messages`, which is only ever read.

-- source_table --
-- The table `messages` of a schema: whether there is such a schema and table, whether we may read it, its columns.
SELECT
    n.oid IS NOT NULL AS has_schema,
    c.oid::bigint AS source,
    has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
    ARRAY(
        SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ) AS names,
    ARRAY(
        SELECT pg_catalog.format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ) AS types
FROM (SELECT %(schema)s::text AS name) AS wanted
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = wanted.name
LEFT JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = n.oid AND c.relname = 'messages' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')

-- source_schemas --
-- The schemas whose table `messages` has the original's columns by name.
SELECT n.nspname::text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = 'messages' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'junkie'
    AND ARRAY(
        SELECT a.attname::text FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND NOT a.attisdropped
    ) @> %(columns)s::text[]
ORDER BY n.nspname

-- begin_adoption --
-- Begin anew, unless the last adoption of this very table was interrupted. Ids below 1 are no snowflakes, so they are
-- counted at once and last_id begins at 0.
INSERT INTO junkie.adoptions AS a (schema_name, source, bad_message_id)
SELECT
    %(schema)s,
    %(source)s,
    (SELECT count(*) FROM {source} AS o WHERE o.message_id <= 0)
    + (SELECT count(*) FROM {source} AS o WHERE o.message_id IS NULL)
ON CONFLICT (schema_name) DO UPDATE
SET source = excluded.source, started_at = clock_timestamp(), finished_at = NULL, last_id = 0, adopted = 0, held = 0,
    deleted = 0, forgotten = 0, absent = 0, bad_message_id = excluded.bad_message_id, bad_channel_id = 0,
    bad_author_id = 0
WHERE a.finished_at IS NOT NULL OR a.source <> excluded.source

-- read_adoption --
-- How far an adoption has got, and what became of the rows.
SELECT
    a.started_at, a.last_id, a.adopted, a.held, a.deleted, a.forgotten, a.absent,
    a.bad_message_id, a.bad_channel_id, a.bad_author_id
FROM junkie.adoptions AS a
WHERE a.schema_name = %(schema)s

-- rows_to_adopt --
-- How many rows are still to be dealt with.
SELECT count(*) FROM {source} AS o WHERE o.message_id > %(last_id)s

-- lock_adoption --
-- Where to go on; no row where another command has finished what we began. Two commands take turns at it.
SELECT a.last_id
FROM junkie.adoptions AS a
WHERE a.schema_name = %(schema)s AND a.started_at = %(started_at)s AND a.finished_at IS NULL
FOR UPDATE

-- without_jit --
-- Compiling a statement that deals with one batch takes longer than the batch.
SET LOCAL jit = off

-- next_rows --
-- The last id of the next batch, and the channels that its rows name; no row where there is none.
SELECT
    last.message_id,
    coalesce(
        array_agg(DISTINCT o.channel_id) FILTER (WHERE o.channel_id BETWEEN 1 AND 9223372036854775806), ARRAY[]::bigint[]
    ) AS channel_ids
FROM (
    SELECT max(b.message_id) AS message_id
    FROM (
        SELECT n.message_id FROM {source} AS n
        WHERE n.message_id > %(last_id)s
        ORDER BY n.message_id
        LIMIT %(most)s
    ) AS b
) AS last
JOIN {source} AS o ON o.message_id > %(last_id)s AND o.message_id <= last.message_id
GROUP BY last.message_id

-- adopt_rows --
-- Copy the rows of a batch that nothing speaks against, under the locks of its channels, and count what became of all.
-- What the archive covers and does not hold is not on Discord. A DLE is doubled, as escaped text has it. Rows that the
-- original just added for a channel that is not locked wait for the next adoption.
WITH judged AS (
    SELECT
        o.message_id, o.channel_id, o.author_id, o.author_name, o.content,
        CASE
            WHEN o.message_id > 9223372036854775806 THEN 'bad_message_id'
            WHEN (o.channel_id BETWEEN 1 AND 9223372036854775806) IS NOT TRUE THEN 'bad_channel_id'
            WHEN (o.author_id BETWEEN 1 AND 9223372036854775806) IS NOT TRUE THEN 'bad_author_id'
            WHEN t.message_id IS NOT NULL THEN 'deleted'
            WHEN EXISTS (
                SELECT FROM junkie.exclusions AS e
                WHERE (e.user_id IS NULL OR e.user_id = o.author_id)
                    AND (e.channel_id IS NULL OR e.channel_id = o.channel_id OR e.channel_id = c.parent_id)
                    AND (e.guild_id IS NULL OR e.guild_id = c.guild_id)
                    AND (e.before_id IS NULL OR o.message_id < e.before_id)
            ) THEN 'forgotten'
            WHEN m.message_id IS NOT NULL THEN 'held'
            WHEN s.covered @> o.message_id THEN 'absent'
            ELSE 'wanted'
        END AS verdict
    FROM {source} AS o
    LEFT JOIN junkie.channel_status AS s ON s.channel_id = o.channel_id
    LEFT JOIN junkie.channels AS c ON c.channel_id = o.channel_id
    LEFT JOIN junkie.tombstones AS t ON t.channel_id = o.channel_id AND t.message_id = o.message_id
    LEFT JOIN junkie.messages AS m ON m.channel_id = o.channel_id AND m.message_id = o.message_id
    WHERE o.message_id > %(last_id)s AND o.message_id <= %(to_id)s
        AND (
            o.channel_id = ANY(%(channel_ids)s::bigint[])
            OR (o.channel_id BETWEEN 1 AND 9223372036854775806) IS NOT TRUE
        )
), inserted AS (
    INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, author_name, content)
    -- Without its primary key the original's table may hold a message twice.
    SELECT DISTINCT ON (j.channel_id, j.message_id)
        j.channel_id, j.message_id, j.author_id, 0,
        replace(coalesce(j.author_name, ''), chr(16), repeat(chr(16), 2)),
        replace(coalesce(j.content, ''), chr(16), repeat(chr(16), 2))
    FROM judged AS j
    WHERE j.verdict = 'wanted'
    ORDER BY j.channel_id, j.message_id
    RETURNING channel_id
), counted AS (
    UPDATE junkie.channel_status AS s
    SET message_count = s.message_count + i.messages, adopted = true, last_updated = now()
    FROM (SELECT channel_id, count(*) AS messages FROM inserted GROUP BY channel_id) AS i
    WHERE s.channel_id = i.channel_id
)
SELECT
    (SELECT count(*) FROM inserted) AS adopted,
    count(*) FILTER (WHERE verdict IN ('held', 'wanted')) - (SELECT count(*) FROM inserted) AS held,
    count(*) FILTER (WHERE verdict = 'deleted') AS deleted,
    count(*) FILTER (WHERE verdict = 'forgotten') AS forgotten,
    count(*) FILTER (WHERE verdict = 'absent') AS absent,
    count(*) FILTER (WHERE verdict = 'bad_message_id') AS bad_message_id,
    count(*) FILTER (WHERE verdict = 'bad_channel_id') AS bad_channel_id,
    count(*) FILTER (WHERE verdict = 'bad_author_id') AS bad_author_id
FROM judged

-- advance_adoption --
-- Note in the transaction of a batch that its rows are dealt with, and how.
UPDATE junkie.adoptions
SET last_id = %(to_id)s,
    adopted = adopted + %(adopted)s,
    held = held + %(held)s,
    deleted = deleted + %(deleted)s,
    forgotten = forgotten + %(forgotten)s,
    absent = absent + %(absent)s,
    bad_message_id = bad_message_id + %(bad_message_id)s,
    bad_channel_id = bad_channel_id + %(bad_channel_id)s,
    bad_author_id = bad_author_id + %(bad_author_id)s
WHERE schema_name = %(schema)s

-- finish_adoption --
-- All rows are dealt with; the next adoption begins anew.
UPDATE junkie.adoptions SET finished_at = clock_timestamp() WHERE schema_name = %(schema)s
