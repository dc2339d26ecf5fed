-- The archive. Tables that grow with messages have channel_id in every primary and unique key, so that they can be
-- distributed by it.

CREATE TABLE junkie.guilds (
    guild_id bigint PRIMARY KEY,
    name text NOT NULL,
    gone_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE junkie.roles (
    role_id bigint PRIMARY KEY,
    guild_id bigint NOT NULL,
    name text NOT NULL
);

-- Threads too. last_message_id is what Discord last said; it may name a message that was deleted since.
CREATE TABLE junkie.channels (
    channel_id bigint PRIMARY KEY,
    guild_id bigint,
    parent_id bigint,
    type integer NOT NULL,
    name text NOT NULL,
    position integer NOT NULL DEFAULT 0,
    last_message_id bigint,
    archived_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX channels_guild ON junkie.channels (guild_id);
CREATE INDEX channels_parent ON junkie.channels (parent_id);

-- extra is what else Discord's user object said.
CREATE TABLE junkie.users (
    user_id bigint PRIMARY KEY,
    username text NOT NULL,
    global_name text,
    bot boolean NOT NULL,
    seen bigint NOT NULL,
    extra jsonb
);

-- Drawn before a request is sent, and when a batch of events is written: what has the larger one is newer.
CREATE SEQUENCE junkie.seen;

-- extra is all else of Discord's payload that is neither in a column nor empty nor a default; NULL for a plain message.
-- seen is negative for a copy that came inside a reply, 0 for a row of another program. Columns are ordered so that a row
-- needs no padding.
CREATE TABLE junkie.messages (
    channel_id bigint NOT NULL,
    message_id bigint NOT NULL,
    author_id bigint NOT NULL,
    seen bigint NOT NULL,
    edited_at timestamptz,
    reply_to bigint,
    type integer NOT NULL DEFAULT 0,
    author_name text NOT NULL,
    content text NOT NULL,
    extra jsonb,
    PRIMARY KEY (channel_id, message_id)
);

-- created_at follows from the id. Since PostgreSQL 18 it need not be stored: 8 bytes less in each row.
DO $$
BEGIN
    EXECUTE 'ALTER TABLE junkie.messages ADD COLUMN created_at timestamptz GENERATED ALWAYS AS '
        '(to_timestamp(((message_id >> 22) + 1420070400000) / 1000.0::double precision)) '
        || CASE WHEN current_setting('server_version_num')::integer >= 180000 THEN 'VIRTUAL' ELSE 'STORED' END;
END
$$;

-- Down to which moment a channel's list of archived threads was walked: newest is when the newest thread found had been
-- archived. Listing every archived thread on each run takes hours on old servers.
CREATE TABLE junkie.thread_lists (
    parent_id bigint NOT NULL,
    listing text NOT NULL,
    newest timestamptz NOT NULL,
    PRIMARY KEY (parent_id, listing)
);

-- covered: the half-open id ranges in which every message that Discord has is held, tombstoned or excluded.
-- is_fully_backfilled: no gap from the channel's own id to its newest covered id; derived in the transaction that
-- changes covered. message_count: rows that readers see. unwatched_since: edits and deletions may be missing since then.
CREATE TABLE junkie.channel_status (
    channel_id bigint PRIMARY KEY,
    is_fully_backfilled boolean NOT NULL DEFAULT false,
    last_updated timestamptz NOT NULL DEFAULT now(),
    covered int8multirange NOT NULL DEFAULT '{}',
    message_count bigint NOT NULL DEFAULT 0,
    unreadable text,
    gone_at timestamptz,
    unwatched_since timestamptz
);

-- That a message was deleted, and how we know: 'event' and 'forget' are final; 'inferred' yields to a page that was
-- asked for later (a larger seen) and shows the message.
CREATE TABLE junkie.tombstones (
    channel_id bigint NOT NULL,
    message_id bigint NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    seen bigint NOT NULL,
    cause text NOT NULL CHECK (cause IN ('event', 'forget', 'inferred')),
    PRIMARY KEY (channel_id, message_id)
);

-- The rules of `forget`: what the writer must not store. A rule concerns messages that match all its non-null columns:
-- by author, in a channel (its threads too), in a guild, with an id below before_id.
CREATE TABLE junkie.exclusions (
    exclusion_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint,
    channel_id bigint,
    guild_id bigint,
    before_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(user_id, channel_id, guild_id, before_id) >= 1)
);

-- Earlier texts of edited messages, kept only with JUNKIE_KEEP_REVISIONS=1. replaced_seen is the seen of what replaced it.
CREATE TABLE junkie.revisions (
    channel_id bigint NOT NULL,
    message_id bigint NOT NULL,
    replaced_seen bigint NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now(),
    edited_at timestamptz,
    content text NOT NULL,
    extra jsonb,
    PRIMARY KEY (channel_id, message_id, replaced_seen)
);

-- Heartbeat of every running command. backend_pid is its connection of its own, which dies with it. Workers with one
-- bot share its rate limit while uses_discord; progress_at is when one last stored anything.
CREATE TABLE junkie.workers (
    worker_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    command text NOT NULL,
    bot_id bigint NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    backend_pid integer NOT NULL,
    uses_discord boolean NOT NULL DEFAULT true,
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    progress_at timestamptz NOT NULL DEFAULT now()
);

-- The table `messages` of the original, column for column. A row hidden by a tombstone does not show.
CREATE VIEW junkie.original_messages AS
SELECT
    m.message_id,
    m.channel_id,
    m.author_id,
    m.author_name,
    m.content,
    m.created_at,
    to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS timestamp_str
FROM junkie.messages AS m
WHERE NOT EXISTS (
    SELECT FROM junkie.tombstones AS t
    WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
);
