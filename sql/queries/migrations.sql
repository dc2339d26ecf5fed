-- The keeping of the schema's own history. The table is made by the runner, not by a migration, since the first
-- migration must be recorded too.

-- applied_migrations --
-- What was applied, in order. Fails where the table does not exist yet.
SELECT version, name, checksum, applied_at
FROM junkie.schema_migrations
ORDER BY version

-- limit_lock_wait --
-- Give up waiting for a lock after that long, in this transaction alone.
SELECT pg_catalog.set_config('lock_timeout', %(timeout)s, true)

-- lock_migrations --
-- One runner at a time, until its session ends.
SELECT pg_catalog.pg_advisory_lock(%(key)s)

-- unlock_migrations --
-- Let the next runner go on.
SELECT pg_catalog.pg_advisory_unlock(%(key)s)

-- schema_contents --
-- Whether the schema exists, how much it holds, and whether a table of migrations is among it.
SELECT
    n.oid IS NOT NULL AS schema_exists,
    (SELECT count(*) FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid)
    + (SELECT count(*) FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = n.oid)
    + (SELECT count(*) FROM pg_catalog.pg_type AS t WHERE t.typnamespace = n.oid) AS objects,
    EXISTS (
        SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = 'schema_migrations'
    ) AS has_history
FROM (VALUES (1)) AS one (row)
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'junkie'

-- create_schema --
-- The schema that holds all that is junkie's.
CREATE SCHEMA junkie

-- create_history --
-- The table of migrations.
CREATE TABLE junkie.schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- record_migration --
-- In the transaction that applied it.
INSERT INTO junkie.schema_migrations (version, name, checksum)
VALUES (%(version)s, %(name)s, %(checksum)s)
