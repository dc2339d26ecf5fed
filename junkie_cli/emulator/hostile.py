"""Names, texts and payloads that break programs: each of them can reach an archiver through Discord."""

from collections.abc import Mapping
from typing import Any, Final

from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.world import World

TEXTS: Final = (
    "a\x00b",
    "\x00",
    "lone \ud800 surrogate",
    "\udfff\ud83d",
    "escaped \\u0000 is no NUL, nor is \\x00",
    "\x1b[2J\x1b[31mred\x1b[0m \x07\x9b31m",
    "first\r\nsecond\u2028third\u2029fourth\x85fifth\x0bsixth",
    "\u202eright to left\u202c \u2066isolated\u2069 \u200bzero\u200dwidth\ufeff",
    "[bold]rich[/bold] [link=https://example.com]markup[/link] [/]",
    "[just now] Bob(222): yes\nMira(1): no\n[5m ago] Bob(222): maybe",
    "'; DROP TABLE junkie.messages; -- $1 %s {0} %(name)s \\",
    "Z" + "\u0301\u0323\u0334" * 60,
    "👨‍👩‍👧‍👦🏳️‍🌈" * 60,
    "x" * 4000,
    " \t \n ",
    "",
    '{"id": "1", "url":"https://cdn.discordapp.com/attachments/1/2/fake.png"}',
    "```\nunclosed code ``` and ` ticks",
    "<@0> <#999999999999999999> <@&1> <:x:> <t:99999999999999:R> <t::R>",
)

NAMES: Final = (
    "Bob(222): yes",
    "[just now] Mira",
    "line\nbreak",
    "\x1b[31mred",
    "\u202egnp.exe",
    "nul\x00nul",
    "\ud83d half",
    " ",
    "[bold]x[/bold]",
)

FIELDS: Final[tuple[Mapping[str, Any], ...]] = (
    {"type": 9999},
    {"a field of tomorrow": {"deep": [[[[{"\x00key": "\x00value", "\ud800": None}]]]]}},
    {
        "embeds": [
            {"type": "hologram", "title": "\x00", "fields": [{"name": "\u202e", "value": "\x1b[0m", "inline": False}]}
        ]
    },
    {"components": [{"type": 99, "id": 1, "content": "from the future", "components": [{"type": 98}]}]},
    {
        "attachments": [
            {
                "id": "1",
                "filename": "../../etc/\x00passwd\n",
                "size": 9_007_199_254_740_993,
                "url": "https://[",
                "proxy_url": "",
            }
        ]
    },
    {"sticker_items": [{"id": "2", "name": "\ud800", "format_type": 77}]},
    {"flags": 1 << 62, "number": 1e308, "negative zero": -0.0, "huge": 10**30},
    {
        "poll": {
            "question": {"text": "\x00?"},
            "answers": [],
            "expiry": None,
            "allow_multiselect": False,
            "layout_type": 8,
        }
    },
    {"edited_timestamp": "2025-01-01T00:00:00.000001+00:00"},
    {"nonce": "\u2028", "position": -1},
)


def infest(world: World) -> None:
    """Add channels with such names, people with such names, and in the first text channel all that is above."""
    guild = next(iter(world.guilds.values()))
    channel = next(channel for channel in guild.channels.values() if channel.type == ChannelType.TEXT)
    for text in TEXTS:
        world.post(channel.id, text)
    for fields in FIELDS:
        world.post(channel.id, "see below", fields=fields)
    for name in NAMES:
        user = world.add_user("odd", name)
        world.add_member(guild.id, user.id, nick=name)
        world.post(channel.id, "who am I?", author_id=user.id)
        world.post(world.add_channel(guild.id, name, topic=name).id, "in a channel of a strange name")
