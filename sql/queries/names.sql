-- named_guilds --
-- Every guild that the archive knows, and whether it is gone.
SELECT g.guild_id, g.name, g.gone_at IS NOT NULL AS gone FROM junkie.guilds AS g ORDER BY g.guild_id

-- named_channels --
-- Every category, channel and thread that the archive knows, and whether it is gone.
SELECT c.channel_id, c.guild_id, c.parent_id, c.type, c.name, s.gone_at IS NOT NULL AS gone
FROM junkie.channels AS c
LEFT JOIN junkie.channel_status AS s ON s.channel_id = c.channel_id
ORDER BY c.channel_id

-- named_accounts --
-- Every account that the archive knows.
SELECT u.user_id, u.username, u.global_name FROM junkie.users AS u ORDER BY u.user_id

-- hurry --
-- Whoever waits for the next statements is typing.
SET LOCAL statement_timeout = '2s'
