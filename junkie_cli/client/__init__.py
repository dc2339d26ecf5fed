"""REST reads and gateway events of Discord, and payloads turned into models. The only importer of discord.py."""
