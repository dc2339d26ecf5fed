-- How a batch is stored: rows, their authors and what they prove, in one statement.

-- Insert messages that the archive lacks, upsert their authors, add claims and count changes to the channels of the batch,
-- and return what each of them holds. is_fully_backfilled is derived from the result.
--
-- With `unless_known` the batch is what no one has looked up yet: its channels are locked first, in id order, in a statement of its
-- own, and if one of them is unknown, or if anything stands where the messages belong (rows, tombstones, a rule of
-- `forget`, rows of another program), nothing is written and no row is returned. Each statement in here has a snapshot of
-- its own, as READ COMMITTED and VOLATILE have it, so that what is looked for is looked for under the locks.
CREATE FUNCTION junkie.store(
    unless_known boolean,
    batch_channel_ids bigint[],
    batch_grown bigint[],
    channel_ids bigint[],
    message_ids bigint[],
    author_ids bigint[],
    seens bigint[],
    edited_ats timestamptz[],
    reply_tos bigint[],
    types integer[],
    author_names text[],
    contents text[],
    extras text[],
    user_ids bigint[],
    usernames text[],
    global_names text[],
    bots boolean[],
    user_seen bigint,
    user_extras text[],
    claimed_ids bigint[],
    los bigint[],
    his bigint[],
    asked_at timestamptz,
    heard_ago double precision
) RETURNS TABLE (stored_in bigint, held bigint)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    locked bigint;
BEGIN
    IF unless_known THEN
        PERFORM FROM junkie.channel_status AS s
        WHERE s.channel_id = ANY(batch_channel_ids)
        ORDER BY s.channel_id
        FOR UPDATE;
        GET DIAGNOSTICS locked = ROW_COUNT;
        IF locked < cardinality(batch_channel_ids)
            OR EXISTS (SELECT FROM junkie.exclusions)
            OR EXISTS (
                SELECT FROM junkie.channel_status AS s WHERE s.channel_id = ANY(claimed_ids) AND s.adopted
            )
            OR EXISTS (
                SELECT FROM (
                    SELECT u.channel_id, min(u.message_id) AS lowest, max(u.message_id) AS highest
                    FROM unnest(channel_ids, message_ids) AS u (channel_id, message_id)
                    GROUP BY u.channel_id
                ) AS span
                WHERE EXISTS (
                        SELECT FROM junkie.messages AS m
                        WHERE m.channel_id = span.channel_id AND m.message_id BETWEEN span.lowest AND span.highest
                    )
                    OR EXISTS (
                        SELECT FROM junkie.tombstones AS t
                        WHERE t.channel_id = span.channel_id AND t.message_id BETWEEN span.lowest AND span.highest
                    )
            )
        THEN
            RETURN;
        END IF;
    END IF;

    IF cardinality(message_ids) > 0 THEN
        INSERT INTO junkie.messages
            (channel_id, message_id, author_id, seen, edited_at, reply_to, type, author_name, content, extra)
        SELECT u.channel_id, u.message_id, u.author_id, u.seen, u.edited_at, u.reply_to, u.type, u.author_name, u.content, u.extra::jsonb
        FROM unnest(
            channel_ids, message_ids, author_ids, seens, edited_ats, reply_tos, types, author_names, contents, extras
        ) AS u (channel_id, message_id, author_id, seen, edited_at, reply_to, type, author_name, content, extra);
    END IF;

    IF cardinality(user_ids) > 0 THEN
        -- Accounts as Discord last showed them; an unchanged one is not written.
        INSERT INTO junkie.users AS k (user_id, username, global_name, bot, seen, extra)
        SELECT u.user_id, u.username, u.global_name, u.bot, user_seen, u.extra::jsonb
        FROM unnest(user_ids, usernames, global_names, bots, user_extras)
            AS u (user_id, username, global_name, bot, extra)
        ORDER BY u.user_id
        ON CONFLICT (user_id) DO UPDATE
        SET username = excluded.username, global_name = excluded.global_name, bot = excluded.bot,
            seen = excluded.seen, extra = excluded.extra
        WHERE k.seen <= excluded.seen
            AND (k.username, k.global_name, k.bot, k.extra)
            IS DISTINCT FROM (excluded.username, excluded.global_name, excluded.bot, excluded.extra);
    END IF;

    IF cardinality(claimed_ids) > 0 THEN
        -- A page may have shown newer messages than the channel's own object did.
        UPDATE junkie.channels AS c
        SET last_message_id = u.message_id
        FROM (
            SELECT r.channel_id, max(r.hi) - 1 AS message_id
            FROM unnest(claimed_ids, his) AS r (channel_id, hi)
            GROUP BY r.channel_id
        ) AS u
        WHERE c.channel_id = u.channel_id AND (c.last_message_id IS NULL OR c.last_message_id < u.message_id);
    END IF;

    -- Edits and deletions may be missed from the moment on at which the first page was asked for. heard_ago: so many
    -- seconds ago the gateway had told of all that had happened in the channels claimed; NULL for a page.
    RETURN QUERY
    UPDATE junkie.channel_status AS s
    SET covered = n.covered,
        is_fully_backfilled = n.covered @> int8range(least(s.channel_id, upper(n.covered)), upper(n.covered)) AND NOT isempty(n.covered),
        message_count = s.message_count + n.grown,
        unreadable = CASE WHEN n.claimed THEN NULL ELSE s.unreadable END,
        unwatched_since = CASE WHEN n.claimed AND isempty(s.covered) THEN asked_at ELSE s.unwatched_since END,
        checked_at = CASE
            WHEN n.claimed THEN greatest(s.checked_at, now() - make_interval(secs => heard_ago))
            ELSE s.checked_at
        END,
        last_updated = now()
    FROM (
        SELECT
            o.channel_id,
            u.grown,
            c.claimed IS NOT NULL AS claimed,
            o.covered + coalesce(c.claimed, '{}'::int8multirange) AS covered
        FROM unnest(batch_channel_ids, batch_grown) AS u (channel_id, grown)
        JOIN junkie.channel_status AS o ON o.channel_id = u.channel_id
        LEFT JOIN (
            SELECT r.channel_id, range_agg(int8range(r.lo, r.hi)) AS claimed
            FROM unnest(claimed_ids, los, his) AS r (channel_id, lo, hi)
            GROUP BY r.channel_id
        ) AS c ON c.channel_id = u.channel_id
    ) AS n
    WHERE s.channel_id = n.channel_id
    RETURNING s.channel_id, s.message_count;
END
$$;
