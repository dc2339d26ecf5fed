-- register_worker --
-- A command begins; its heartbeat comes over the connection that this runs on.
INSERT INTO junkie.workers (command, bot_id, host, pid, backend_pid)
VALUES (%(command)s, %(bot_id)s, %(host)s, %(pid)s, pg_backend_pid())
RETURNING worker_id

-- beat --
-- A command is alive; `progressed` says that it stored something since it last said so, `live` that it hears of all that
-- happens.
UPDATE junkie.workers
SET heartbeat_at = now(),
    uses_discord = %(uses_discord)s,
    progress_at = CASE WHEN %(progressed)s THEN now() ELSE progress_at END,
    live_at = CASE WHEN %(live)s THEN now() ELSE live_at END
WHERE worker_id = %(worker_id)s

-- count_workers --
-- How many live commands share a bot's rate limit. One whose connection is gone is dead, whatever its heartbeat says;
-- so is one whose process id now serves another database, such as the one that this was copied from.
SELECT count(*)
FROM junkie.workers AS w
WHERE w.bot_id = %(bot_id)s
    AND w.uses_discord
    AND w.heartbeat_at > now() - interval '15 seconds'
    AND EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = w.backend_pid AND a.datname = current_database())

-- remove_worker --
-- A command ends.
DELETE FROM junkie.workers WHERE worker_id = %(worker_id)s

-- remove_dead_workers --
-- Commands that ended without saying so. One whose connection stands and that does not beat may be stopped, or its machine
-- asleep: it counts as alive again with its next heartbeat, and what it holds until then is on record.
DELETE FROM junkie.workers AS w
WHERE NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = w.backend_pid AND a.datname = current_database())

-- try_lock_channel --
-- Take a channel for this connection, unless another command has it.
SELECT pg_try_advisory_lock(%(channel_id)s)

-- unlock_channel --
-- Give a channel back.
SELECT pg_advisory_unlock(%(channel_id)s)

-- try_lock_command --
-- Be the only one of a bot's that runs a command, as long as this connection lasts.
SELECT pg_try_advisory_lock(hashtext('junkie ' || %(command)s::text), (%(bot_id)s::bigint %% 2147483647)::integer)

-- idle_seconds --
-- How long ago the one that holds the lock on a command last got on.
SELECT coalesce(min(extract(epoch FROM now() - w.progress_at)), 0)::double precision
FROM junkie.workers AS w
JOIN pg_locks AS l ON l.pid = w.backend_pid AND l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
WHERE l.classid::bigint = (hashtext('junkie ' || %(command)s::text)::bigint & 4294967295)
    AND l.objid::bigint = %(bot_id)s::bigint %% 2147483647
    AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
