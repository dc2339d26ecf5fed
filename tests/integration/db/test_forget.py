"""What is forgotten is gone in every form, stays away, and comes back only when the rule is undone."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.database import Database
from junkie_cli.db.forget import Extent, Forgetting, Names, rules, undo
from junkie_cli.db.places import Places
from junkie_cli.db.reader import Reader
from junkie_cli.db.reconcile import Incoming, Key, Rule
from junkie_cli.db.writer import Batch, Deletion, Writer, page_batch
from junkie_cli.errors import UsageError
from junkie_cli.models import Channel, Guild, Message, Page, PageRequest, User

GUILD, OTHER_GUILD = 1, 2
CHANNEL, THREAD, OTHER = 1_000, 1_100, 1_200


def message(channel_id: int, message_id: int, author_id: int = 7) -> Message:
    return Message(channel_id, message_id, author_id, "Ann", f"secret {message_id}")


def page(*messages: Message) -> Page:
    newest_first = tuple(sorted(messages, key=lambda m: -m.message_id))
    return Page(
        PageRequest(messages[0].channel_id, before=9_000), tuple(m.message_id for m in newest_first), newest_first
    )


ALL = [
    *(message(CHANNEL, 2_000 + n, 7 + n % 2) for n in range(10)),
    *(message(THREAD, 3_000 + n, 7 + n % 2) for n in range(10)),
    *(message(OTHER, 4_000 + n, 7 + n % 2) for n in range(10)),
]


async def archive(database: Database, seen: int = 1, **how: Any) -> None:
    """Store all as pages that cover everything."""
    channels = [
        Channel(CHANNEL, GUILD, None, 0, "general", None),
        Channel(THREAD, GUILD, CHANNEL, 11, "thread", None),
        Channel(OTHER, OTHER_GUILD, None, 0, "other", None),
    ]
    await Places(database).store([Guild(GUILD, "one"), Guild(OTHER_GUILD, "two")], [], channels, {})
    writer = Writer(database, **how)
    for channel in channels:
        shown = [m for m in ALL if m.channel_id == channel.channel_id]
        await writer.write(page_batch(page(*shown), seen=seen, claim=Range(channel.channel_id, 9_000)))
    await writer.write(Batch(users=[User(7, "ann", "Ann", bot=False)]))


async def left(database: Database) -> set[int]:
    return {row[0] for row in await database.fetch("SELECT message_id FROM junkie.messages")}


async def assert_counts_hold(database: Database) -> None:
    rows = await database.fetch(
        "SELECT s.channel_id, s.message_count, (SELECT count(*) FROM junkie.original_messages AS m"
        " WHERE m.channel_id = s.channel_id) FROM junkie.channel_status AS s"
    )
    assert all(count == true for _, count, true in rows), rows


MATCHES = [
    (Rule(user_id=7), lambda m: m.author_id == 7),
    (Rule(channel_id=CHANNEL), lambda m: m.channel_id in {CHANNEL, THREAD}),
    (Rule(channel_id=THREAD), lambda m: m.channel_id == THREAD),
    (Rule(guild_id=GUILD), lambda m: m.channel_id != OTHER),
    (Rule(before_id=3_005), lambda m: m.message_id < 3_005),
    (Rule(user_id=8, guild_id=OTHER_GUILD, before_id=4_004), lambda m: m.message_id in {4_001, 4_003}),
    (Rule(user_id=99), lambda _: False),
    (Rule(channel_id=5), lambda _: False),
]


@pytest.mark.parametrize(("rule", "matches"), MATCHES)
@pytest.mark.parametrize("on_delete", ["purge", "keep"])
async def test_what_matches_goes_stays_away_and_comes_back_when_undone(
    database: Database, rule: Rule, matches: Any, on_delete: Any
) -> None:
    await archive(database)
    kept = {m.message_id for m in ALL if not matches(m)}
    gone = len(ALL) - len(kept)
    forgetting = Forgetting(database, rule, batch=3)
    assert (await forgetting.count()).messages == gone
    told: list[int] = []
    extent = await forgetting.run(told.append)
    assert extent.messages == gone == (told[-1] if told else 0)
    assert await left(database) == kept
    await assert_counts_hold(database)
    # What it covered it still covers; and pages bring nothing back.
    for seen in (1, 50):
        await archive(database, seen=seen, on_delete=on_delete)
        assert await left(database) == kept
    await assert_counts_hold(database)
    before = await Reader(database).channel_states([CHANNEL, THREAD, OTHER])
    assert all(state.is_fully_backfilled for state in before.values())

    (standing,) = await rules(database)
    assert (standing.rule_id, standing.rule) == (forgetting.rule_id, rule)
    withdrawn = await undo(database, standing.rule_id)
    assert withdrawn == Extent(gone, len({m.channel_id for m in ALL if matches(m)}))
    assert await rules(database) == []
    after = await Reader(database).channel_states([CHANNEL, THREAD, OTHER])
    for channel_id, state in after.items():
        away = [m.message_id for m in ALL if m.channel_id == channel_id and matches(m)]
        whole = before[channel_id].covered
        expected = (
            Coverage.of([(whole.ranges[0].lo, min(away)), (max(away) + 1, whole.ranges[0].hi)]) if away else whole
        )
        assert state.covered == expected
        assert state.is_fully_backfilled == (not away)
    await archive(database, seen=100)
    assert await left(database) == {m.message_id for m in ALL}
    await assert_counts_hold(database)


async def test_the_same_again_deletes_the_rest_and_writes_no_second_rule(database: Database) -> None:
    await archive(database)
    cut_off = Forgetting(database, Rule(user_id=7), batch=3)

    def stop(deleted: int) -> None:
        if deleted >= 6:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await cut_off.run(stop)
    assert len(await left(database)) == 30 - 8
    # The rule stands: what is shown in between does not come back, and what was left goes.
    await archive(database, seen=9)
    assert not {m.message_id for m in ALL if m.channel_id == OTHER and m.author_id == 7} & await left(database)
    again = Forgetting(database, Rule(user_id=7))
    await again.run()
    assert again.rule_id == cut_off.rule_id
    assert len(await rules(database)) == 1
    assert await left(database) == {m.message_id for m in ALL if m.author_id != 7}
    await assert_counts_hold(database)


async def test_rows_that_are_hidden_and_earlier_texts_go_too(database: Database) -> None:
    writer = Writer(database, on_delete="keep", keep_revisions=True)
    await writer.write(Batch(messages=[Incoming(ALL[0], 1), Incoming(ALL[2], 1)]))
    await writer.write(Batch(messages=[Incoming(replace(ALL[0], content="now"), 2)]))
    await writer.write(Batch(deletions=[Deletion(Key(CHANNEL, 2_000), 3, "event")]))
    await writer.write(Batch(deletions=[Deletion(Key(CHANNEL, 2_002), 3, "inferred")]))
    assert (await Forgetting(database, Rule(user_id=7)).run()).messages == 2
    assert await left(database) == set()
    assert await database.fetch("SELECT * FROM junkie.revisions") == []
    causes = await database.fetch("SELECT message_id, cause FROM junkie.tombstones ORDER BY message_id")
    assert causes == [(2_000, "event"), (2_002, "forget")]
    await assert_counts_hold(database)


async def test_what_forwards_repeat_goes_even_of_channels_that_were_never_archived(database: Database) -> None:
    def forward(message_id: int, channel_id: str, guild_id: str, of: str) -> Incoming:
        reference = {"type": 1, "channel_id": channel_id, "guild_id": guild_id, "message_id": of}
        extra = {"message_reference": reference, "message_snapshots": [{"message": {"content": "secret"}}]}
        return Incoming(replace(message(OTHER, message_id, 8), content="", extra=extra), 1)

    await archive(database)
    await Writer(database).write(
        Batch(
            messages=[
                forward(5_000, "1000", "1", "2000"),
                forward(5_001, "777", "1", "2777"),
                forward(5_002, "1200", "2", "4000"),
                forward(5_003, "778", "3", "x"),
            ]
        )
    )

    async def repeating() -> set[int]:
        rows = await database.fetch("SELECT message_id FROM junkie.messages WHERE extra ? 'message_snapshots'")
        return {row[0] for row in rows}

    await Forgetting(database, Rule(guild_id=1)).run()
    assert await repeating() == {5_002, 5_003}
    await Forgetting(database, Rule(before_id=4_001)).run()
    assert await repeating() == {5_003}


async def test_what_earlier_texts_of_forwards_repeat_goes_too(database: Database) -> None:
    writer = Writer(database, keep_revisions=True)
    reference = {"type": 1, "channel_id": str(CHANNEL), "guild_id": "1", "message_id": "2000"}
    for seen, flags in ((1, 1), (2, 5)):
        extra = {
            "message_reference": reference,
            "message_snapshots": [{"message": {"content": "secret"}}],
            "flags": flags,
        }
        await writer.write(Batch(messages=[Incoming(replace(message(OTHER, 5_000), content="", extra=extra), seen)]))
    kept = "SELECT r.extra ? 'message_snapshots', r.extra ->> 'flags' FROM junkie.revisions AS r"
    assert await database.fetch(kept) == [(True, "1")]
    await Forgetting(database, Rule(channel_id=CHANNEL)).run()
    assert await database.fetch(kept) == [(False, "1")]


@pytest.mark.parametrize("delay", range(4))
async def test_pages_in_flight_bring_nothing_back(database: Database, delay: int) -> None:
    await archive(database)
    writers = [Writer(database) for _ in range(3)]

    async def go_on(writer: Writer) -> None:
        for seen in range(2, 14):
            for channel_id in (CHANNEL, THREAD, OTHER):
                shown = [m for m in ALL if m.channel_id == channel_id]
                await writer.write(page_batch(page(*shown), seen=seen, claim=Range(channel_id, 9_000)))

    async def forget() -> None:
        await asyncio.sleep(0.01 * delay)
        await Forgetting(database, Rule(user_id=7), batch=2).run()

    await asyncio.gather(forget(), *(go_on(writer) for writer in writers))
    assert await left(database) == {m.message_id for m in ALL if m.author_id != 7}
    await assert_counts_hold(database)


async def test_names_are_shown_as_far_as_they_are_known(database: Database) -> None:
    await archive(database)
    known = Forgetting(database, Rule(user_id=7, channel_id=CHANNEL, guild_id=GUILD))
    assert await known.names() == Names("Ann", "general", "one")
    assert await Forgetting(database, Rule(user_id=70)).names() == Names()


async def test_a_rule_that_does_not_stand_can_not_be_undone(database: Database) -> None:
    with pytest.raises(UsageError, match="no rule 5"):
        await undo(database, 5)


async def test_what_another_rule_keeps_out_stays_out_when_one_is_undone(database: Database) -> None:
    await archive(database)
    await Forgetting(database, Rule(user_id=7)).run()
    by_channel = Forgetting(database, Rule(channel_id=CHANNEL))
    await by_channel.run()
    assert by_channel.rule_id is not None
    await undo(database, by_channel.rule_id)
    await archive(database, seen=60)
    assert await left(database) == {m.message_id for m in ALL if m.author_id != 7}


async def test_a_rule_takes_the_place_of_those_that_it_contains(database: Database) -> None:
    await archive(database)
    first = Forgetting(database, Rule(channel_id=CHANNEL, before_id=2_003))
    await first.run()
    others = [
        Rule(user_id=7, channel_id=CHANNEL, before_id=2_001),
        Rule(channel_id=OTHER, before_id=2_001),
        Rule(guild_id=OTHER_GUILD, before_id=2_001),
        Rule(before_id=2_001),
    ]
    for other in others:
        await Forgetting(database, other).run()
    before = await Reader(database).channel_states([CHANNEL, THREAD, OTHER])
    later = Forgetting(database, Rule(channel_id=CHANNEL, before_id=2_006), batch=1)
    assert await later.run() == Extent(3, 1)
    assert later.replaced == [first.rule_id]
    assert [standing.rule for standing in await rules(database)] == [
        *others,
        Rule(channel_id=CHANNEL, before_id=2_006),
    ]
    # What is covered stays covered, and no page brings anything back.
    after = await Reader(database).channel_states([CHANNEL, THREAD, OTHER])
    assert {each: state.covered for each, state in after.items()} == {
        each: state.covered for each, state in before.items()
    }
    kept = {m.message_id for m in ALL if m.channel_id != CHANNEL or m.message_id >= 2_006}
    await archive(database, seen=50)
    assert await left(database) == kept
    whole = Forgetting(database, Rule(channel_id=CHANNEL))
    await whole.run()
    assert whole.replaced == [later.rule_id]
    # Undone, all of it comes back: what the first one kept out, too.
    assert whole.rule_id is not None
    await undo(database, whole.rule_id)
    await archive(database, seen=100)
    assert await left(database) == {m.message_id for m in ALL} - {2_000}


async def test_what_a_rule_contains_needs_no_rule_of_its_own(database: Database) -> None:
    await archive(database)
    wide = Forgetting(database, Rule(user_id=7))
    await wide.run()
    narrow = Forgetting(database, Rule(user_id=7, before_id=3_000))
    await narrow.run()
    assert (narrow.rule_id, narrow.replaced) == (wide.rule_id, [])
    assert [standing.rule for standing in await rules(database)] == [Rule(user_id=7)]


class _Overtaken(Forgetting):
    """Messages come in with a page that was read before the rule, just before the rule is written."""

    async def _finish(self, connection: Any, scope: Collection[int]) -> None:
        if not scope:
            await archive(self._database)
        await super()._finish(connection, scope)


async def test_a_channel_that_comes_in_while_the_rule_is_written_is_cleaned_up_too(database: Database) -> None:
    assert await _Overtaken(database, Rule(user_id=7)).run() == Extent(15, 3)
    assert await left(database) == {m.message_id for m in ALL if m.author_id != 7}
    await assert_counts_hold(database)
