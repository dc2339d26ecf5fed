-- What `doctor` looks at. Nothing here changes anything, but for how long a statement of this session may take.

-- limit_statement --
-- No check may take longer, in this session alone.
SELECT pg_catalog.set_config('statement_timeout', %(timeout)s, false)

-- server_state --
-- The server, whether it takes writes, what its clock says, and what the database takes on disk, in bytes.
SELECT
    pg_catalog.current_setting('server_version') AS version,
    pg_catalog.pg_is_in_recovery() AS standby,
    pg_catalog.current_setting('transaction_read_only')::boolean AS read_only,
    clock_timestamp() AS clock,
    pg_catalog.pg_database_size(pg_catalog.current_database()) AS size

-- missing_rights --
-- What this role may not do with junkie's tables and sequences, as far as a command that writes needs it.
SELECT c.relname, r.needed
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('USAGE')) AS r (needed)
WHERE n.nspname = 'junkie'
    AND CASE
        WHEN c.relkind = 'S' THEN r.needed = 'USAGE' AND NOT pg_catalog.has_sequence_privilege(c.oid, r.needed)
        WHEN c.relkind NOT IN ('r', 'p') OR r.needed = 'USAGE' THEN false
        WHEN c.relname = 'schema_migrations' AND r.needed <> 'SELECT' THEN false
        ELSE NOT pg_catalog.has_table_privilege(c.oid, r.needed)
    END
ORDER BY c.relname, r.needed

-- advisory_locks --
-- Who holds advisory locks of this database: of junkie's commands, on channels (objsubid 1, the id in two halves) and on
-- what runs only once (2).
SELECT
    l.pid,
    coalesce(a.application_name, '') AS program,
    l.objsubid::integer AS form,
    (l.classid::bigint << 32) | l.objid::bigint AS number
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory'
    AND l.granted
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
ORDER BY l.pid

-- blocked --
-- Who waits for whom, and for how many seconds, as far as this role may know it.
SELECT
    a.pid,
    coalesce(a.application_name, '') AS program,
    b.pid AS blocker,
    coalesce(h.application_name, '') AS blocker_program,
    coalesce(extract(epoch FROM clock_timestamp() - coalesce(w.waitstart, a.query_start)), 0)::double precision AS seconds
FROM pg_catalog.pg_stat_activity AS a
JOIN pg_catalog.pg_locks AS w ON w.pid = a.pid AND NOT w.granted
CROSS JOIN LATERAL unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b (pid)
LEFT JOIN pg_catalog.pg_stat_activity AS h ON h.pid = b.pid
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
ORDER BY 5 DESC

-- idle_transactions --
-- Who has begun a transaction and does nothing in it, for how many seconds: autovacuum can't remove what it may yet see.
SELECT
    a.pid,
    coalesce(a.application_name, '') AS program,
    extract(epoch FROM clock_timestamp() - a.state_change)::double precision AS seconds
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database() AND a.state LIKE 'idle in transaction%%'
ORDER BY 3 DESC

-- stale_workers --
-- Commands that have ended without saying so, or whose connection stands and that don't beat any more. A process id may
-- have passed to a connection of somebody else.
SELECT
    w.command,
    w.host,
    w.pid,
    extract(epoch FROM now() - w.heartbeat_at)::double precision AS seconds,
    c.connected
FROM junkie.workers AS w
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_stat_activity AS a
        WHERE a.pid = w.backend_pid
            AND a.datname = pg_catalog.current_database()
            AND a.application_name LIKE 'junkie%%'
    ) AS connected
) AS c
WHERE w.heartbeat_at < now() - interval '15 seconds' OR NOT c.connected
ORDER BY w.worker_id

-- dead_rows --
-- Per table: its dead rows, how many of them autovacuum lets come together, when it was last vacuumed, and whether
-- autovacuum looks after it at all.
SELECT
    s.relname,
    s.n_dead_tup,
    least(
        coalesce(o.threshold, pg_catalog.current_setting('autovacuum_vacuum_threshold')::double precision)
        + coalesce(o.scale, pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::double precision)
        * greatest(c.reltuples, s.n_live_tup)::double precision,
        nullif(pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true)::double precision, -1)
    ) AS due,
    greatest(s.last_autovacuum, s.last_vacuum) AS vacuumed,
    pg_catalog.current_setting('autovacuum')::boolean
    AND pg_catalog.current_setting('track_counts')::boolean
    AND coalesce(o.enabled, true) AS automatic
FROM pg_catalog.pg_stat_all_tables AS s
JOIN pg_catalog.pg_class AS c ON c.oid = s.relid
CROSS JOIN LATERAL (
    SELECT
        max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_threshold')::double precision AS threshold,
        max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_scale_factor')::double precision AS scale,
        bool_and(r.option_value::boolean) FILTER (WHERE r.option_name = 'autovacuum_enabled') AS enabled
    FROM pg_catalog.pg_options_to_table(c.reloptions) AS r
) AS o
WHERE s.schemaname = 'junkie'
ORDER BY s.relname
