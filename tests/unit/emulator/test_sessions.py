import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junkie_cli.emulator.dispatch import Dispatch
from junkie_cli.emulator.intents import Intent
from junkie_cli.emulator.sessions import Session, Shard

GUILDS = Intent.GUILDS


def session(intents: int = GUILDS, shard: Shard = Shard(0, 1), keep: int = 5) -> Session:  # noqa: B008  # a named tuple
    return Session("id", shard, intents, keep=keep)


@settings(deadline=None)
@given(told=st.integers(0, 12), heard=st.integers(-2, 14), keep=st.integers(1, 12))
def test_a_session_knows_what_was_missed_or_that_it_does_not(told: int, heard: int, keep: int) -> None:
    one = session(keep=keep)
    for n in range(told):
        one.tell("EVENT", b"%d" % n)
    missed = one.missed(heard)
    if heard < 0 or heard > told or told - heard > keep:
        assert missed is None
    else:
        assert missed is not None
        assert [json.loads(payload)["s"] for payload in missed] == list(range(heard + 1, told + 1))


def test_what_is_told_is_heard_at_once_by_whoever_listens() -> None:
    one, heard = session(), list[bytes]()
    one.tell("UNHEARD", b"null")
    one.listen(heard.append)
    one.tell("HEARD", b'{"a":1}')
    one.listen(None)
    one.tell("UNHEARD", b"null")
    assert [json.loads(payload) for payload in heard] == [{"t": "HEARD", "s": 2, "op": 0, "d": {"a": 1}}]
    assert one.sequence == 3


def test_only_what_was_asked_for_is_heard() -> None:
    one = session(GUILDS | Intent.GUILD_MESSAGES)
    assert one.hear(Dispatch("A", b"1", 7, GUILDS))
    assert one.hear(Dispatch("B", b"1", 7, Intent.GUILD_MESSAGES | Intent.DIRECT_MESSAGES))
    assert one.hear(Dispatch("C", b"1", 7, 0))
    assert not one.hear(Dispatch("D", b"1", 7, Intent.GUILD_MEMBERS))
    assert one.sequence == 3


@pytest.mark.parametrize("sees", [True, False])
def test_who_sees_no_content_gets_it_blank(*, sees: bool) -> None:
    one = session(GUILDS | (Intent.MESSAGE_CONTENT if sees else 0))
    one.hear(Dispatch("A", b'"text"', 7, GUILDS, b'""'))
    one.hear(Dispatch("A", b'"plain"', 7, GUILDS))
    missed = one.missed(0)
    assert missed is not None
    assert [json.loads(payload)["d"] for payload in missed] == ["text" if sees else "", "plain"]


def test_each_guild_has_one_shard_and_direct_messages_the_first() -> None:
    shards = [Shard(number, 3) for number in range(3)]
    for guild_id in (0, 1 << 22, 5 << 22, 1345727338908791707):
        assert [shard.has(guild_id) for shard in shards].count(True) == 1
        assert shards[(guild_id >> 22) % 3].has(guild_id)
    assert [shard.has(None) for shard in shards] == [True, False, False]
