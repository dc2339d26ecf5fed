-- What the commands ask of the server itself.

-- client_backends --
-- Everyone who is connected, besides the connection that asks. Who is not let in yet has no name, and may have gone away since.
SELECT pid, application_name
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid() AND state IS DISTINCT FROM 'starting'

-- set_application_name --
-- How this connection shows in the server's list.
SELECT pg_catalog.set_config('application_name', %(name)s, false)

-- set_session --
-- What every connection of junkie's relies on.
SELECT
    pg_catalog.set_config('TimeZone', 'UTC', false),
    pg_catalog.set_config('default_transaction_isolation', 'read committed', false)

-- database_exists --
-- Whether the server has a database of that name.
SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = %(name)s)
