-- Makes every table of junkie whose primary key holds channel_id a table partitioned by its hash, as an engine that
-- distributes rows would: PostgreSQL refuses that where a unique key lacks the column. Tables that are partitioned already
-- stay as they are, views are made anew. What the tables hold is carried over.
DO $$
DECLARE
    plain record;
    view record;
    columns text;
BEGIN
    CREATE TEMP TABLE views ON COMMIT DROP AS
    SELECT c.oid, c.relname, pg_get_viewdef(c.oid) AS definition
    FROM pg_class AS c WHERE c.relnamespace = 'junkie'::regnamespace AND c.relkind = 'v';
    FOR view IN SELECT relname FROM views ORDER BY oid DESC LOOP
        EXECUTE format('DROP VIEW junkie.%I', view.relname);
    END LOOP;
    FOR plain IN
        SELECT c.oid, c.relname
        FROM pg_class AS c
        JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) AND a.attname = 'channel_id'
        WHERE c.relnamespace = 'junkie'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
    LOOP
        SELECT string_agg(quote_ident(attname), ', ') INTO columns
        FROM pg_attribute WHERE attrelid = plain.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        EXECUTE format('ALTER TABLE junkie.%I RENAME TO plain', plain.relname);
        EXECUTE format(
            'CREATE TABLE junkie.%I (LIKE junkie.plain INCLUDING ALL) PARTITION BY HASH (channel_id)', plain.relname
        );
        FOR remainder IN 0..3 LOOP
            EXECUTE format(
                'CREATE TABLE junkie.%I PARTITION OF junkie.%I FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
                plain.relname || '_' || remainder, plain.relname, remainder
            );
        END LOOP;
        EXECUTE format('INSERT INTO junkie.%I (%s) SELECT %2$s FROM junkie.plain', plain.relname, columns);
        DROP TABLE junkie.plain;
    END LOOP;
    FOR view IN SELECT relname, definition FROM views ORDER BY oid LOOP
        EXECUTE format('CREATE VIEW junkie.%I AS %s', view.relname, view.definition);
    END LOOP;
END
$$
