-- What `db upgrade` compares: whether the new data folder holds what the old one held.

-- tables --
-- The tables of junkie's schema, as far as there are any yet.
SELECT c.relname
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'junkie' AND c.relkind IN ('r', 'p')
ORDER BY c.relname

-- count_rows --
-- How many rows a table has.
SELECT count(*) FROM {source}

-- total_size --
-- What all databases of the server take, in bytes.
SELECT sum(pg_catalog.pg_database_size(d.oid))::bigint
FROM pg_catalog.pg_database AS d
WHERE d.datallowconn

-- checksums --
-- Whether the pages of the data folder bear checksums: both of an upgrade must agree on it.
SELECT pg_catalog.current_setting('data_checksums')
