"""Whole guilds from a seed: the same seed, preset and end give the same guild, to the byte."""

import re
from datetime import datetime

from junkie_cli import snowflake
from junkie_cli.emulator import chatter, hostile, kinds
from junkie_cli.emulator.entities import Channel, ChannelType, Member, Message, User
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.scribe import DAY_MS, Cast, Scribe, moments
from junkie_cli.emulator.state import REFERENCE
from junkie_cli.emulator.world import World

PRESETS = ("tiny", "demo", "hostile")
_SHAPE = re.compile(r"([1-9]\d{0,4})x(\d{1,8})")
_BOT_ROLE = Right.VIEW_CHANNEL | Right.READ_MESSAGE_HISTORY


def generate(seed: int = 0, preset: str = "tiny", *, end: datetime = REFERENCE) -> World:
    """Return a world of one guild whose history ends shortly before `end`.

    tiny: every sort of channel and kind of message, about 500 messages; demo: a guild to show, about 9,000; hostile:
    tiny, and text and payloads that break things; NxM: N text channels of M plain messages of about 80 characters.
    Raises ValueError for anything else.
    """
    world = World(seed=seed, end=end)
    if preset == "demo":
        _demo(world)
    elif preset in {"tiny", "hostile"}:
        _tiny(world)
        if preset == "hostile":
            hostile.infest(world)
    elif shape := _SHAPE.fullmatch(preset):
        _shape(world, int(shape[1]), int(shape[2]))
    else:
        raise ValueError(f"'{preset}' is no preset: there are {', '.join(PRESETS)}, and shapes such as 20x1000")
    return world


def _found(world: World, name: str, people: int, *, days: int) -> Cast:
    """Found a guild so many days before the end, with so many people, a bot role, an application and a webhook."""
    born_ms = world.end_ms - days * DAY_MS
    accounts = [
        world.add_user(username, global_name, at_ms=born_ms - (people - n) * 3 * DAY_MS)
        for n, (username, global_name) in enumerate(chatter.PEOPLE[:people])
    ]
    guild = world.add_guild(name, owner_id=accounts[0].id, at_ms=born_ms)
    for n, account in enumerate(accounts):
        nick = f"{account.username} 🌲" if n % 7 == 3 else None
        guild.members[account.id] = Member(account, born_ms + n * 3_600_000, nick)
    reader = world.add_role(guild.id, "Archivist", _BOT_ROLE, color=0x3498DB)
    testers = world.add_role(guild.id, "Playtesters", 0, color=0x2ECC71)
    guild.members[world.bot.id].roles = [reader.id]
    for account in accounts[::3]:
        guild.members[account.id].roles = [testers.id]
    application = world.add_user("dicebot", None, at_ms=born_ms, bot=True, discriminator="1703")
    guild.members[application.id] = Member(application, born_ms)
    return Cast(guild, accounts, application, User(world.id_at(born_ms), "GitHub", bot=True, discriminator="0000"))


def _channel(
    world: World,
    cast: Cast,
    name: str,
    kind: int = ChannelType.TEXT,
    *,
    parent: Channel | None = None,
    topic: str | None = None,
) -> Channel:
    """Create a channel soon after those before it."""
    at_ms = snowflake.to_ms(cast.guild.id) + (1 + len(cast.guild.channels)) * 60_000
    parent_id = None if parent is None else parent.id
    return world.add_channel(cast.guild.id, name, kind, parent_id=parent_id, topic=topic, at_ms=at_ms)


def _scribe(world: World, cast: Cast, channel: Channel, count: int, subject: str, *, days: float = 0) -> Scribe:
    """Return a scribe whose messages fill a channel's life, or the given days after its creation."""
    start_ms = snowflake.to_ms(channel.id) + 5000
    end_ms = world.end_ms - 60_000 - world.random.randrange(3_600_000)
    if days:
        end_ms = min(end_ms, start_ms + int(days * DAY_MS))
    return Scribe(world, cast, channel, moments(world.random, start_ms, end_ms, count), subject)


def _tiny(world: World) -> None:
    cast = _found(world, "Pixel & Pine", 8, days=120)
    guild = cast.guild
    community = _channel(world, cast, "Community", ChannelType.CATEGORY)
    general = _channel(world, cast, "general", parent=community, topic="Everything else")
    scribe = _scribe(world, cast, general, 230, "general")
    for write in kinds.KINDS.values():
        write(scribe)
    kinds.talk(scribe)
    for name, kind, count, subject in (
        ("announcements", ChannelType.ANNOUNCEMENT, 12, "general"),
        ("dev", ChannelType.TEXT, 105, "dev"),
        ("Lounge", ChannelType.VOICE, 9, "music"),
        ("Town hall", ChannelType.STAGE, 5, "general"),
        ("staff", ChannelType.TEXT, 20, "general"),
        ("write-only", ChannelType.TEXT, 15, "general"),
        ("empty", ChannelType.TEXT, 0, "general"),
    ):
        channel = _channel(world, cast, name, kind, parent=community)
        kinds.talk(_scribe(world, cast, channel, count, subject))
        if name == "staff":
            world.set_overwrite(channel.id, guild.id, deny=Right.VIEW_CHANNEL)
            world.set_overwrite(channel.id, world.bot.id, deny=Right.VIEW_CHANNEL)
        if name == "write-only":
            world.set_overwrite(channel.id, world.bot.id, deny=Right.READ_MESSAGE_HISTORY)
    forum = _channel(world, cast, "help", ChannelType.FORUM, parent=community, topic="One post per problem")
    media = _channel(world, cast, "gallery", ChannelType.MEDIA, parent=community)
    forum.tags = {world.id_at(snowflake.to_ms(forum.id)): "solved", world.id_at(snowflake.to_ms(forum.id)): "bug"}
    for n, name in enumerate(("Crash on start", "Where are the saves?", "Old question")):
        post = _thread(world, cast, forum, name, count=10, subject="help", day=20 + 9 * n, archive=n == 2)
        assert post.thread is not None
        post.thread.tags = list(forum.tags)[:n]
    _thread(world, cast, media, "Sunrise over the lake", count=4, subject="art", day=30)
    dev = next(channel for channel in guild.channels.values() if channel.name == "dev")
    _thread(world, cast, dev, "Save format", count=40, subject="dev", day=15, begun=dev.messages[10])
    _thread(world, cast, dev, "Shader cache", count=14, subject="dev", day=35, archive=True)
    _thread(world, cast, dev, "Old netcode", count=8, subject="dev", day=12, begun=dev.messages[3], archive=True)
    _thread(world, cast, dev, "Release plan", count=7, subject="dev", day=40, private=True, joined=True)
    _thread(world, cast, dev, "Crunch", count=6, subject="dev", day=22, private=True, joined=True, archive=True)
    _thread(world, cast, dev, "Secret santa", count=6, subject="general", day=24, private=True, archive=True)
    dm = world.open_dm(cast.people[1].id, at_ms=world.end_ms - 40 * DAY_MS)
    chat = _scribe(world, Cast(guild, cast.people[1:2], cast.application, cast.webhook), dm, 6, "general")
    kinds.call(chat)
    while chat.left > 0:
        chat.say(author=chat.rng.choice((cast.people[1], world.bot)))


def _demo(world: World) -> None:
    cast = _found(world, "Pixel & Pine", len(chatter.PEOPLE), days=540)
    for category, channels in {
        "Welcome": (
            ("announcements", ChannelType.ANNOUNCEMENT, 90, "general", "News from the studio"),
            ("introductions", ChannelType.TEXT, 420, "general", "Say hello"),
        ),
        "Community": (
            ("general", ChannelType.TEXT, 2600, "general", "Be kind"),
            ("art", ChannelType.TEXT, 1100, "art", "Works in progress"),
            ("music", ChannelType.TEXT, 640, "music", None),
            ("Lounge", ChannelType.VOICE, 150, "music", None),
        ),
        "Workshop": (
            ("dev", ChannelType.TEXT, 2100, "dev", "Engine and tools"),
            ("playtests", ChannelType.TEXT, 900, "dev", "Fridays at 20:00 UTC"),
        ),
    }.items():
        parent = _channel(world, cast, category, ChannelType.CATEGORY)
        for name, kind, count, subject, topic in channels:
            channel = _channel(world, cast, name, kind, parent=parent, topic=topic)
            kinds.talk(_scribe(world, cast, channel, count, subject))
    forum = _channel(world, cast, "help", ChannelType.FORUM, topic="One post per problem")
    for n, name in enumerate(("Crash on start", "Where are the saves?", "Controller drifts", "Steam Deck settings")):
        _thread(world, cast, forum, name, count=35 + 12 * n, subject="help", day=60 + 70 * n, archive=n < 2)
    named = {channel.name: channel for channel in cast.guild.channels.values()}
    dev, art = named["dev"], named["art"]
    _thread(world, cast, dev, "Save format", count=310, subject="dev", day=200, begun=dev.messages[700])
    _thread(
        world, cast, dev, "Netcode rewrite", count=260, subject="dev", day=90, begun=dev.messages[200], archive=True
    )
    _thread(
        world,
        cast,
        art,
        "Palette for the winter",
        count=120,
        subject="art",
        day=150,
        begun=art.messages[300],
        archive=True,
    )


def _thread(
    world: World,
    cast: Cast,
    parent: Channel,
    name: str,
    *,
    count: int,
    subject: str,
    day: int,
    begun: Message | None = None,
    private: bool = False,
    joined: bool = False,
    archive: bool = False,
) -> Channel:
    """Make a thread of that many messages, begun so many days into the guild's life, or from a message."""
    at_ms = snowflake.to_ms(cast.guild.id) + day * DAY_MS if begun is None else snowflake.to_ms(begun.id) + 3000
    thread = world.add_thread(
        parent.id,
        name,
        content=chatter.line(world.random, subject),
        message_id=None if begun is None else begun.id,
        private=private,
        joined=joined,
        owner_id=cast.people[day % len(cast.people)].id,
        at_ms=at_ms,
    )
    scribe = _scribe(world, cast, thread, count, subject, days=6)
    kinds.talk(scribe)
    if archive:
        world.archive(thread.id, at_ms=scribe.now_ms + DAY_MS)
    return thread


def _shape(world: World, channels: int, messages: int) -> None:
    cast = _found(world, f"{channels} x {messages}", 12, days=max(messages // 2000, 30))
    guild, rng = cast.guild, world.random
    for n in range(channels):
        channel = world.add_channel(guild.id, f"channel-{n}", at_ms=snowflake.to_ms(guild.id) + (n + 1) * 1000)
        times = moments(rng, snowflake.to_ms(channel.id) + 1000, world.end_ms - 60_000, messages)
        authors = rng.choices(cast.people, k=messages)
        channel.messages = [
            Message(world.id_at(at_ms), author, text)
            for at_ms, author, text in zip(times, authors, chatter.plain(rng, messages), strict=True)
        ]
        channel.last_message_id = channel.messages[-1].id if messages else None
