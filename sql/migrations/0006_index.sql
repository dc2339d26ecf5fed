-- Rows are added at one end of a channel and never move: an index page need not keep room for others. It saves three
-- bytes a message. (An index of a partitioned table has no pages of its own.)
DO $$
DECLARE
    index_name text;
BEGIN
    SELECT i.indexrelid::regclass::text INTO index_name
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'junkie.messages'::regclass AND i.indisprimary AND c.relkind = 'i';
    IF FOUND THEN
        EXECUTE 'ALTER INDEX ' || index_name || ' SET (fillfactor = 100)';
    END IF;
END
$$;
