from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.client.dispatches import WHOLE, Dispatches
from junkie_cli.client.live_events import (
    AccessChanged,
    ChannelGone,
    ChannelSeen,
    GuildAvailable,
    GuildGone,
    LiveEvent,
    MessageSeen,
    Skipped,
)
from junkie_cli.client.permissions import ADMINISTRATOR, CONNECT, MANAGE_THREADS, READ_MESSAGE_HISTORY, VIEW_CHANNEL
from junkie_cli.models import Access, ChannelType

Json = dict[str, Any]

ME = 10**18
GUILD = 5 * 10**17
ROLE = GUILD + 1
TEXT, VOICE, CLOSED, THREAD, PRIVATE = (GUILD + n for n in range(10, 15))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
USUAL = VIEW_CHANNEL | READ_MESSAGE_HISTORY | CONNECT


def role(role_id: int, permissions: int) -> Json:
    return {"id": str(role_id), "name": "role", "permissions": str(permissions)}


def overwrite(target: int, *, allow: int = 0, deny: int = 0) -> Json:
    return {"id": str(target), "type": int(target == ME), "allow": str(allow), "deny": str(deny)}


def channel(channel_id: int, *overwrites: Json, kind: int = ChannelType.TEXT) -> Json:
    common = {"id": str(channel_id), "guild_id": str(GUILD), "type": kind, "name": f"channel {channel_id}"}
    return common | {"permission_overwrites": list(overwrites)}


def thread(thread_id: int, kind: int = ChannelType.PUBLIC_THREAD, parent: int = TEXT, **more: Any) -> Json:
    return {"id": str(thread_id), "guild_id": str(GUILD), "type": kind, "parent_id": str(parent), "name": "t"} | more


def guild(**more: Any) -> Json:
    whole: Json = {
        "id": str(GUILD),
        "name": "guild",
        "owner_id": "77",
        "roles": [role(GUILD, USUAL), role(ROLE, 0)],
        "members": [{"user": {"id": str(ME)}, "roles": [str(ROLE)]}],
        "channels": [
            channel(TEXT),
            channel(VOICE, kind=ChannelType.VOICE),
            channel(CLOSED, overwrite(GUILD, deny=VIEW_CHANNEL)),
        ],
        "threads": [thread(THREAD)],
    }
    return whole | more


@pytest.fixture
def dispatches() -> Dispatches:
    made = Dispatches(3, ME, of_no_interest=["TYPING_START"], now=lambda: NOW)
    (available,) = made.read("GUILD_CREATE", guild())
    assert isinstance(available, GuildAvailable)
    assert [found.access.readable for found in available.channels] == [True, True, False, True]
    return made


def touched(events: Any) -> list[int | None]:
    return [event.channel_id for event in events if isinstance(event, AccessChanged)]


def of_guild(**data: Any) -> Json:
    return {"guild_id": str(GUILD)} | data


def set_role(role_id: int, permissions: int) -> tuple[str, Json]:
    return "GUILD_ROLE_UPDATE", of_guild(role=role(role_id, permissions))


def member(*roles: int, until: datetime | None = None, user: int = ME) -> tuple[str, Json]:
    timeout = None if until is None else until.isoformat()
    held = [str(each) for each in roles]
    return "GUILD_MEMBER_UPDATE", of_guild(user={"id": str(user)}, roles=held, communication_disabled_until=timeout)


CHANGES: dict[str, tuple[tuple[str, Json], list[int]]] = {
    "everyone may not view": (set_role(GUILD, READ_MESSAGE_HISTORY), [TEXT, VOICE, THREAD]),
    "everyone may not connect": (set_role(GUILD, USUAL & ~CONNECT), [VOICE]),
    "everyone may do what is no matter": (set_role(GUILD, USUAL | 1 << 11), []),
    "the bot's role becomes mighty": (set_role(ROLE, ADMINISTRATOR), [CLOSED]),
    "the bot's role is renamed": (set_role(ROLE, 0), []),
    "a role of others": (set_role(ROLE + 1, ADMINISTRATOR), []),
    "the bot's role goes": (("GUILD_ROLE_DELETE", of_guild(role_id=str(ROLE))), []),
    "the bot is timed out": (member(ROLE, until=NOW + timedelta(hours=1)), [VOICE]),
    "a time-out that is over": (member(ROLE, until=NOW - timedelta(hours=1)), []),
    "another member": (member(user=ME + 1), []),
    "the guild is the bot's own": (("GUILD_UPDATE", {"id": str(GUILD), "owner_id": str(ME)}), [CLOSED]),
    "the guild gets a name": (("GUILD_UPDATE", guild(name="other")), []),
    "an overwrite on the way": (
        ("CHANNEL_UPDATE", channel(TEXT, overwrite(ME, deny=READ_MESSAGE_HISTORY))),
        [TEXT, THREAD],
    ),
    "an overwrite of no matter": (("CHANNEL_UPDATE", channel(TEXT, overwrite(ROLE + 1, deny=VIEW_CHANNEL))), []),
    "threads of a channel": (("THREAD_LIST_SYNC", of_guild(channel_ids=[str(TEXT)], threads=[])), [TEXT, THREAD]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_touches_what_it_may_hide(dispatches: Dispatches, what: str) -> None:
    (name, data), expected = CHANGES[what]
    assert touched(dispatches.read(name, data)) == expected
    assert touched(dispatches.read(name, data)) == (expected if name == "THREAD_LIST_SYNC" else [])


@pytest.mark.parametrize("what", [name for name, (told, _) in CHANGES.items() if told[0].startswith("GUILD_ROLE_")])
def test_a_change_of_roles_touches_what_was_never_introduced(dispatches: Dispatches, what: str) -> None:
    """Nobody knows which overwrites it has."""
    stray = 777
    dispatches.read("MESSAGE_DELETE", of_guild(channel_id=str(stray), id="1"))
    assert stray in touched(dispatches.read(*CHANGES[what][0]))


def test_all_threads_of_a_guild(dispatches: Dispatches) -> None:
    told = dispatches.read("THREAD_LIST_SYNC", of_guild(threads=[thread(THREAD + 9)]))
    assert touched(told) == [None]
    assert [event.found.channel.channel_id for event in told if isinstance(event, ChannelSeen)] == [THREAD + 9]


def test_a_role_is_held_and_lost(dispatches: Dispatches) -> None:
    dispatches.read("CHANNEL_UPDATE", channel(CLOSED, overwrite(GUILD, deny=1 << 10), overwrite(ROLE, allow=1 << 10)))
    lost = dispatches.read(*member())
    assert touched(lost) == [CLOSED]
    assert isinstance(lost[0], AccessChanged)
    assert lost[0].access == Access(readable=False, reason="lacks View Channel")
    assert touched(dispatches.read(*member(ROLE))) == [CLOSED]


def test_private_threads(dispatches: Dispatches) -> None:
    private = thread(PRIVATE, ChannelType.PRIVATE_THREAD)
    added, seen = dispatches.read("THREAD_CREATE", private | {"member": {}})
    assert isinstance(added, AccessChanged)
    assert isinstance(seen, ChannelSeen)
    assert (seen.new, seen.found.access.readable) == (False, True)
    mine = of_guild(id=str(PRIVATE), added_members=[{"user_id": str(ME)}])
    assert not dispatches.read("THREAD_MEMBERS_UPDATE", mine)
    assert not dispatches.read("THREAD_MEMBER_UPDATE", of_guild(id=str(PRIVATE), user_id=str(ME)))
    assert not dispatches.read(*set_role(GUILD, USUAL | MANAGE_THREADS))[:-1]
    others = of_guild(id=str(PRIVATE), removed_member_ids=["1"], added_members=[{"user_id": "2"}])
    assert not dispatches.read("THREAD_MEMBERS_UPDATE", others)
    dispatches.read(*set_role(GUILD, USUAL))
    (left,) = dispatches.read("THREAD_MEMBERS_UPDATE", of_guild(id=str(PRIVATE), removed_member_ids=[str(ME)]))
    assert isinstance(left, AccessChanged)
    assert left.access is not None
    assert not left.access.readable
    assert touched(dispatches.read(*set_role(GUILD, USUAL | MANAGE_THREADS))) == [PRIVATE]
    (back,) = dispatches.read("THREAD_MEMBER_UPDATE", of_guild(id=str(PRIVATE), user_id=str(ME)))
    assert touched([back]) == [PRIVATE]
    # Of a public thread it is no matter who is in it.
    assert not dispatches.read("THREAD_MEMBER_UPDATE", of_guild(id=str(THREAD), user_id=str(ME)))


def test_a_deleted_channel_takes_its_threads_along(dispatches: Dispatches) -> None:
    gone = dispatches.read("CHANNEL_DELETE", channel(TEXT))
    assert gone == (ChannelGone(3, TEXT, GUILD), ChannelGone(3, THREAD, GUILD))
    assert dispatches.read("THREAD_DELETE", thread(THREAD)) == (ChannelGone(3, THREAD, GUILD),)


def test_a_guild_that_comes_unavailable(dispatches: Dispatches) -> None:
    told = dispatches.read("GUILD_CREATE", {"id": str(GUILD), "unavailable": True})
    assert told == (GuildGone(3, GUILD, unavailable=True),)
    (skipped,) = dispatches.read("CHANNEL_UPDATE", channel(TEXT))
    assert isinstance(skipped, Skipped)
    assert (skipped.channel_id, skipped.guild_id) == (TEXT, GUILD)


def test_messages_of_what_was_not_introduced(dispatches: Dispatches) -> None:
    def say(guild_id: int, channel_id: int) -> Any:
        return dispatches.read("MESSAGE_CREATE", {"id": "9", "channel_id": str(channel_id), "guild_id": str(guild_id)})

    assert touched(say(GUILD, 42)) == [42]
    assert touched(say(GUILD, 42)) == []
    assert touched(dispatches.read(*set_role(GUILD, 0))) == [TEXT, VOICE, THREAD, 42]
    assert touched(dispatches.read("CHANNEL_UPDATE", channel(42))) == [42]
    assert touched(dispatches.read("CHANNEL_UPDATE", channel(42))) == []
    # With nothing known of the guild, nothing can be said to still hold.
    assert touched(say(GUILD + 1, 43)) == [43]
    assert touched(say(GUILD + 1, 43)) == [43]


def test_an_update_is_partial_if_it_lacks_anything(dispatches: Dispatches) -> None:
    whole: Json = dict.fromkeys(WHOLE) | {"id": "9", "channel_id": str(TEXT), "guild_id": str(GUILD)}
    for lacking in ["", *sorted(WHOLE - {"id", "channel_id"})]:
        data = {key: value for key, value in whole.items() if key != lacking}
        (seen,) = dispatches.read("MESSAGE_UPDATE", data)
        assert isinstance(seen, MessageSeen)
        assert seen.partial == (data if lacking else None)


def test_a_new_session_knows_nothing_of_the_last(dispatches: Dispatches) -> None:
    dispatches.read("READY", {"guilds": "?"})
    (skipped,) = dispatches.read("CHANNEL_UPDATE", channel(TEXT))
    assert isinstance(skipped, Skipped)


NAMES = [
    *("READY", "RESUMED", "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "GUILD_CREATE"),
    *("GUILD_UPDATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_UPDATE"),
    *("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE"),
    *("THREAD_LIST_SYNC", "THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE", "TYPING_START", "SOMETHING_NEW"),
]

_IDS = st.sampled_from([str(each) for each in (ME, GUILD, ROLE, TEXT, CLOSED, THREAD, PRIVATE)])
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), _IDS)
_KEYS = st.sampled_from(
    [
        *("id", "guild_id", "channel_id", "ids", "role", "role_id", "roles", "user", "user_id", "members", "threads"),
        *("type", "parent_id", "permission_overwrites", "permissions", "allow", "deny", "channel_ids", "flags", "name"),
        *("owner_id", "unavailable", "newly_created", "member", "added_members", "removed_member_ids", "channels"),
    ]
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)
_PLAUSIBLE = st.fixed_dictionaries(
    {}, optional={"id": _IDS, "guild_id": st.just(str(GUILD)), "channel_id": _IDS, "type": st.integers(0, 16)}
)
_DATA = st.one_of(_VALUES, st.builds(lambda a, b: a | b, st.dictionaries(_KEYS, _VALUES, max_size=6), _PLAUSIBLE))


@given(st.lists(st.tuples(st.sampled_from(NAMES), _DATA), max_size=12))
def test_nothing_raises(told: list[tuple[str, Any]]) -> None:
    made = Dispatches(0, ME, of_no_interest=["TYPING_START"], now=lambda: NOW)
    made.read("GUILD_CREATE", guild())
    for name, data in told:
        events: list[LiveEvent] = list(made.read(name, data))
        assert not any(isinstance(event, Skipped) and "Error" in event.reason for event in events), events
