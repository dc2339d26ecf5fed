-- How fresh the archive is, and how it is known.

-- checked_at: whatever was posted until then is in the archive or a gap in covered, since Discord was asked for the newest
-- messages at that moment or told of all as it happened. Older pages do not move it, as they do last_updated.
ALTER TABLE junkie.channel_status ADD COLUMN checked_at timestamptz;

-- live_at: when a `serve` last said that it heard of all that happens, and had nothing to make up for.
ALTER TABLE junkie.workers ADD COLUMN live_at timestamptz;
