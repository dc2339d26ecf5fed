-- Rows that another program wrote: `db adopt` copies the table `messages` of the original into ours.

-- adopted: such rows (their seen is 0) may stand among the channel's messages.
ALTER TABLE junkie.channel_status ADD COLUMN adopted boolean NOT NULL DEFAULT false;

-- How far the adoption of a schema has got: its rows up to last_id are dealt with, each counted in the column that says
-- how. source is the table's oid: a table that was made anew is read from its start.
CREATE TABLE junkie.adoptions (
    schema_name text PRIMARY KEY,
    source bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    last_id bigint NOT NULL DEFAULT 0,
    adopted bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    forgotten bigint NOT NULL DEFAULT 0,
    absent bigint NOT NULL DEFAULT 0,
    bad_message_id bigint NOT NULL DEFAULT 0,
    bad_channel_id bigint NOT NULL DEFAULT 0,
    bad_author_id bigint NOT NULL DEFAULT 0
);
