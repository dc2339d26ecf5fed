-- What `sync` has to know, and how a deleted text is found in other messages.

-- visited_at: all threads that were born in the guild until then were found and worked on.
ALTER TABLE junkie.guilds ADD COLUMN visited_at timestamptz;

-- Messages that hold a copy of another one's content: forwards, and the results of polls (type 46).
CREATE INDEX messages_copies ON junkie.messages ((extra #>> '{message_reference,message_id}'))
WHERE extra ? 'message_snapshots' OR type = 46;
