"""What a prompt says of what it lacks: gaps, edits and deletions since, names, budgets; and the errors of what isn't there."""

import json
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from junkie_cli import snowflake
from junkie_cli.cli.context import Given
from junkie_cli.db.history import Snapshot, Stretch, open_history
from junkie_cli.db.reconcile import Key
from junkie_cli.errors import PARTIAL
from junkie_cli.models import User
from tests.integration.answers import CHANNEL, NOW, Archive, at, bodies, current, message, talk

GAP = "[history between 2026-03-04 19:09:00 and 2026-03-04 19:13:00 is not archived]"
OTHER = CHANNEL + 1


async def archive_with_a_gap(archive: Archive) -> None:
    await archive.channel()
    messages = talk(20)
    await archive.store(messages[:10], covered=(CHANNEL, messages[9].message_id))
    await archive.store(messages[13:], covered=(messages[13].message_id, messages[-1].message_id + 1))
    await archive.store(messages[9:10], covered=(messages[9].message_id, messages[9].message_id + 1))


class TestGaps:
    async def test_one_inside_the_window_is_a_line_of_its_own(self, archive: Archive) -> None:
        await archive_with_a_gap(archive)
        lines = bodies(await archive.context(offline=True))
        assert lines[9:12] == ["line 9", GAP, "line 13"]

    async def test_with_strict_it_is_an_error_and_nothing_is_written(self, archive: Archive) -> None:
        await archive_with_a_gap(archive)
        answer = await archive.context(strict=True, offline=True)
        assert (answer.code, answer.stdout) == (PARTIAL, "")
        assert GAP[1:-1] in answer.error
        assert f"junkie backfill --channel {CHANNEL}" in answer.error

    async def test_one_below_the_window_is_none_of_its_business(self, archive: Archive) -> None:
        await archive_with_a_gap(archive)
        answer = await archive.context(limit=6, strict=True, offline=True)
        assert (answer.code, bodies(answer)) == (0, [f"line {n}" for n in range(13, 19)])
        assert len(bodies(await archive.context(limit=7, offline=True))) == 8

    async def test_one_that_the_budget_cuts_off_is_none_either(self, archive: Archive) -> None:
        await archive_with_a_gap(archive)
        answer = await archive.context(max_tokens=160, strict=True, offline=True)
        assert answer.code == 0
        assert bodies(answer)[0].endswith("earlier messages omitted]")

    async def test_messages_newer_than_the_current_one(self, archive: Archive) -> None:
        messages = talk(5)
        await archive.channel(last_message_id=messages[4].message_id)
        await archive.whole(messages[:4])
        answer = await archive.context(offline=True)
        assert (bodies(answer), current(answer)) == (["line 0", "line 1", "line 2"], "line 3")
        assert "newer messages than the current one" in answer.stderr
        assert (await archive.context(strict=True, offline=True)).code == PARTIAL
        (left_out,) = json.loads((await archive.context(style="json", offline=True)).stdout)["left_out"]
        assert (left_out["from_id"], left_out["to_id"]) == (
            str(messages[3].message_id + 1),
            str(messages[4].message_id + 1),
        )
        # A text that is given now stands above them.
        answer = await archive.context(given=Given(text="hm"), offline=True)
        assert bodies(answer)[-1].startswith("[history between 2026-03-04 19:03:00 and")

    async def test_rows_without_coverage_show_as_partly_archived(self, archive: Archive) -> None:
        await archive.channel()
        await archive.store(talk(3))
        answer = await archive.context(offline=True)
        assert bodies(answer)[0].endswith("is only partly archived]")
        assert bodies(answer)[1:] == ["line 0", "line 1"]
        assert (await archive.context(offline=True, limit=1, strict=True)).code == PARTIAL


class TestAsOf:
    async def test_it_is_the_clock_and_the_upper_bound(self, archive: Archive) -> None:
        await archive.channel()
        messages = await archive.whole(talk(9))
        then = messages[5].created_at
        answer = await archive.context(as_of=then, offline=True)
        assert (bodies(answer)[-1], current(answer)) == ("line 3", "line 4")
        assert "Current Time: 2026-03-04 13:35:00 UTC\n" in answer.stdout
        assert "[1m ago] Alice(111) says: line 4" in answer.stdout
        answer = await archive.context(as_of=then, given=Given(text="hm"), offline=True)
        assert (bodies(answer)[-1], current(answer)) == ("line 4", "hm")
        answer = await archive.context(as_of=then, message=str(messages[5].message_id), offline=True)
        assert answer.code == 2

    async def test_without_revisions_it_says_that_later_edits_and_deletions_show(self, archive: Archive) -> None:
        await archive.channel()
        messages = talk(9)
        messages[2] = replace(messages[2], content="edited", edited_at=NOW - timedelta(minutes=1))
        await archive.whole(messages)
        await archive.delete(messages[3].message_id)
        answer = await archive.context(as_of=messages[8].created_at, offline=True)
        assert "edited" in answer.stdout
        assert "later edits and deletions show: 1 edited, 1 deleted since" in answer.stderr

    async def test_with_revisions_texts_are_as_they_were(self, archive: Archive) -> None:
        await archive.channel()
        messages = await archive.whole(talk(9))
        edits = [(timedelta(minutes=60), "second"), (timedelta(minutes=30), "third")]
        for seen, (age, text) in enumerate(edits, start=2):
            edited = replace(messages[2], content=text, edited_at=NOW - age)
            await archive.store([edited], seen=seen, keep_revisions=True)
        kept = {"JUNKIE_KEEP_REVISIONS": "1"}
        for minutes, text in ((61, "line 2"), (59, "second"), (31, "second"), (29, "third")):
            answer = await archive.context(as_of=NOW - timedelta(minutes=minutes), environ=kept, offline=True)
            assert bodies(answer)[2] == text
            assert answer.stderr == ""
        await archive.store([replace(messages[1], content="new", edited_at=NOW)], seen=9)
        answer = await archive.context(as_of=NOW - timedelta(minutes=1), environ=kept, offline=True)
        assert "not every earlier text was kept" in answer.stderr

    async def test_what_was_said_of_a_message_later_does_not_show(self, archive: Archive) -> None:
        await archive.channel()
        results = {"is_finalized": True, "answer_counts": [{"id": 1, "count": 3}]}
        poll = {"question": {"text": "Q"}, "answers": [], "expiry": NOW.isoformat(), "results": results}
        one, two = talk(2)
        target = replace(one, extra={"poll": poll, "reactions": [{"emoji": {"name": "🔥"}, "count": 1}]})
        reply = replace(two, type=19, reply_to=one.message_id)
        await archive.whole([target, reply])
        answer = await archive.context(as_of=NOW - timedelta(minutes=1), offline=True)
        shown = "[Poll: Q | votes not known, open until 2026-03-04 21:00:00]"
        assert answer.stdout.count(shown) == 2
        document = json.loads(
            (await archive.context(as_of=NOW - timedelta(minutes=1), style="json", offline=True)).stdout
        )
        assert "reactions" not in document["history"][0]


class TestNames:
    async def test_markup_becomes_the_archives_names(self, archive: Archive) -> None:
        await archive.channel()
        await archive.channel(OTHER, "off-topic")
        text = "<@333> look at <#1234567891> with <@&3>, <@99999999999999999999>"
        await archive.whole(
            [message("Bob", 222, text), message("Bob", 222, "hm", number=1)],
            users=[User(333, "carol", "Carol", bot=False)],
        )
        assert bodies(await archive.context(offline=True)) == [
            "@Carol look at #off-topic with @Mods, @unknown-user(99999999999999999999)"
        ]

    async def test_a_reply_target_and_a_pinned_message_are_named(self, archive: Archive) -> None:
        await archive.channel()
        old = replace(message("Bob", 222, "ask <@333>", age=timedelta(hours=5)))
        pin = {"message_reference": {"message_id": str(old.message_id), "channel_id": str(CHANNEL)}}
        rest = [
            message("Alice", 111, "", type=6, extra=pin, age=timedelta(minutes=2)),
            message("Alice", 111, "why?", type=19, reply_to=old.message_id, age=timedelta(minutes=1)),
        ]
        await archive.whole([old, *rest], users=[User(333, "carol", "Carol", bot=False)])
        answer = await archive.context(limit=1, offline=True)
        assert bodies(answer) == ["[Event: pinned a message of Bob(222), 5h ago]"]
        assert "[5h ago] Bob(222): ask @Carol\n" in answer.stdout

    async def test_text_that_postgresql_refuses_comes_back(self, archive: Archive) -> None:
        await archive.channel(name="gen\x00eral\x10")
        await archive.whole([message("\ud800Bob\x00", 222, "a\x00b\x10c"), message("Bob", 222, "d", number=1)])
        document = json.loads((await archive.context(style="json", offline=True)).stdout)
        assert document["channel"]["name"] == "gen\x00eral\x10"
        (shown,) = document["history"]
        assert (shown["author"]["name"], shown["text"]) == ("\ud800Bob\x00", "a\x00b\x10c")


class TestFormats:
    BOT = User(900, "helper", None, bot=True)
    OTHER_BOT = User(901, "dice", None, bot=True)

    async def roles(self, archive: Archive, *bots: User, **options: Any) -> list[str]:
        await archive.channel()
        said = [message(bot.username, bot.user_id, "beep", number=n) for n, bot in enumerate(bots)]
        await archive.whole([*talk(2), *said, message("Bob", 222, "thanks", number=9)], users=bots)
        answer = await archive.context(style="messages", offline=True, **options)
        return [each["role"] for each in json.loads(answer.stdout)]

    async def test_the_only_bot_that_speaks_is_the_assistant(self, archive: Archive) -> None:
        assert await self.roles(archive, self.BOT) == ["system", "user", "user", "assistant", "user"]

    async def test_of_several_none_is(self, archive: Archive) -> None:
        assert set(await self.roles(archive, self.BOT, self.OTHER_BOT)) == {"system", "user"}

    async def test_unless_it_is_named(self, archive: Archive) -> None:
        roles = await self.roles(archive, self.BOT, self.OTHER_BOT, bot_ids=frozenset({901}))
        assert roles == ["system", "user", "user", "user", "assistant", "user"]

    async def test_or_is_the_tokens(self, archive: Archive) -> None:
        roles = await self.roles(archive, self.BOT, self.OTHER_BOT, environ={"DISCORD_TOKEN": "OTAw.x.y"})
        assert roles == ["system", "user", "user", "assistant", "user", "user"]

    async def test_count(self, archive: Archive) -> None:
        await archive.channel()
        await archive.whole(talk(5))
        answer = await archive.context(count=True, offline=True)
        prompt = await archive.context(offline=True)
        messages, characters, tokens = answer.stdout.splitlines()
        assert (messages, characters) == ("messages: 5", f"characters: {len(prompt.stdout)}")
        assert tokens.startswith("tokens: ")
        (count,) = json.loads(f"[{tokens.split()[1]}]")
        assert (await archive.context(max_tokens=count, offline=True)).stdout == prompt.stdout
        less = await archive.context(max_tokens=count - 1, offline=True)
        assert bodies(less)[0] == "[1 earlier message omitted]"

    async def test_a_budget_that_is_too_small_names_the_smallest(self, archive: Archive) -> None:
        await archive.channel()
        await archive.whole(talk(5))
        answer = await archive.context(max_tokens=5, offline=True)
        assert (answer.code, answer.stdout) == (2, "")
        assert "give at least that" in answer.error

    async def test_an_estimate_is_announced(self, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        await archive.channel()
        await archive.whole(talk(2))
        monkeypatch.setitem(sys.modules, "toktok", None)
        for options in ({"count": True}, {"max_tokens": 1}, {"max_tokens": 10_000}):
            assert "tokens are estimated" in (await archive.context(offline=True, **options)).stderr
        assert (await archive.context(offline=True)).stderr == ""


class TestWhichChannel:
    async def test_by_name_and_by_link(self, archive: Archive) -> None:
        await archive.channel()
        await archive.whole(talk(2))
        for named in (
            "general",
            "#General",
            "My Server/general",
            "my server/#general",
            f"https://discord.com/channels/77/{CHANNEL}",
        ):
            assert current(await archive.context(named, offline=True)) == "line 1", named

    async def test_an_ambiguous_name_lists_the_candidates(self, archive: Archive) -> None:
        await archive.channel()
        await archive.channel(OTHER, "general")
        await archive.channel(CHANNEL + 2, "general", type=4)
        answer = await archive.context("general", offline=True)
        assert answer.code == 2
        assert str(CHANNEL) in answer.error
        assert str(OTHER) in answer.error

    async def test_a_channel_outweighs_a_thread_of_its_name(self, archive: Archive) -> None:
        await archive.channel()
        await archive.channel(OTHER, "general", parent_id=CHANNEL, type=11)
        await archive.whole(talk(2))
        await archive.whole(talk(3, channel_id=OTHER))
        assert current(await archive.context("general", offline=True)) == "line 1"
        assert current(await archive.context("general/general", offline=True)) == "line 2"

    @pytest.mark.parametrize(
        "named", ["nowhere", "123456789012345678", "https://discord.com/channels/77", "0", "9" * 19]
    )
    async def test_none(self, archive: Archive, named: str) -> None:
        await archive.channel()
        answer = await archive.context(named, offline=True)
        assert (answer.code, answer.stdout) == (2, "")

    @pytest.mark.parametrize("kind", [4, 15, 16])
    async def test_one_that_holds_no_messages(self, archive: Archive, kind: int) -> None:
        await archive.channel(type=kind)
        answer = await archive.context(given=Given(text="hm"), offline=True)
        assert answer.code == 2
        assert "holds no messages of its own" in answer.error


class TestWhatIsNotThere:
    async def test_an_empty_channel(self, archive: Archive) -> None:
        await archive.channel()
        answer = await archive.context(offline=True)
        assert (answer.code, answer.stdout) == (2, "")
        assert "has no message to answer" in answer.error
        answer = await archive.context(given=Given(text="anybody?"), offline=True)
        assert (answer.code, bodies(answer), current(answer)) == (0, [], "anybody?")

    async def test_a_channel_of_which_nothing_is_archived(self, archive: Archive) -> None:
        await archive.channel(last_message_id=talk(1)[0].message_id)
        answer = await archive.context(offline=True)
        assert (answer.code, answer.stdout) == (PARTIAL, "")
        assert "is archived" in answer.error
        answer = await archive.context(given=Given(text="anybody?"), offline=True)
        assert bodies(answer)[0].endswith("is not archived]")

    async def test_an_unreadable_one(self, archive: Archive) -> None:
        await archive.channel(last_message_id=talk(1)[0].message_id)
        await archive.execute("UPDATE junkie.channel_status SET unreadable = 'lacks Read Message History'")
        answer = await archive.context(offline=True)
        assert answer.code == PARTIAL
        assert "lacks Read Message History" in answer.error

    async def test_a_message_of_another_channel(self, archive: Archive) -> None:
        await archive.channel()
        await archive.channel(OTHER, "off-topic")
        await archive.whole(talk(3))
        elsewhere = await archive.whole(
            [replace(message("Bob", 222, "hm", age=timedelta(hours=2), number=5), channel_id=OTHER)]
        )
        for named in (elsewhere[0].message_id, f"https://discord.com/channels/77/{OTHER}/{elsewhere[0].message_id}"):
            answer = await archive.context(message=str(named), offline=True)
            assert (answer.code, answer.stdout) == (2, "")
            assert str(OTHER) in answer.error

    async def test_a_message_that_the_archive_has_in_another_channel_is_no_gap(self, archive: Archive) -> None:
        await archive.channel()
        await archive.channel(OTHER, "off-topic")
        await archive.store(talk(3))
        other = replace(message("Bob", 222, "hm", age=timedelta(hours=1), number=5), channel_id=OTHER)
        await archive.whole([other])
        given = Given(text="and?", reply_to=str(other.message_id))
        for options in ({"message": str(other.message_id)}, {"given": given}):
            answer = await archive.context(offline=True, **options)
            assert (answer.code, answer.stdout) == (2, "")
            assert f"it is one of #off-topic ({OTHER})" in answer.error

    async def test_a_channel_of_which_one_message_alone_is_known(self, archive: Archive) -> None:
        # As one comes along in a reply.
        single = message("Bob", 222, "hm", extra={"sticker_items": [{"name": "Wave"}]})
        await archive.store([single])
        answer = await archive.context(message=str(single.message_id), offline=True)
        assert (answer.code, answer.error) == (0, "")
        assert current(answer) == "hm [Sticker: Wave]"
        assert answer.stdout.startswith(f"Channel ID: {CHANNEL}\nChannel: unknown\nGuild: unknown\n")

    async def test_a_deleted_message(self, archive: Archive) -> None:
        await archive.channel()
        messages = await archive.whole(talk(3))
        await archive.delete(messages[1].message_id, purge=False)
        answer = await archive.context(message=str(messages[1].message_id), offline=True)
        assert (answer.code, answer.stdout) == (2, "")

    async def test_a_message_that_is_not_archived(self, archive: Archive) -> None:
        await archive.channel()
        await archive.whole(talk(3))
        answer = await archive.context(message=str(at(timedelta())), offline=True)
        assert (answer.code, answer.stdout) == (PARTIAL, "")


class TestOneMoment:
    async def test_what_is_written_meanwhile_does_not_show(self, archive: Archive) -> None:
        await archive.channel()
        messages = await archive.whole(talk(3))
        async with open_history(archive.settings()) as history, history.snapshot() as snapshot:
            stretch = Stretch(CHANNEL, CHANNEL, snowflake.MAX, 10)
            _, first, _ = await snapshot.stretch(stretch)
            await archive.delete(messages[0].message_id)
            await archive.store([message("Bob", 222, "late")], covered=(CHANNEL, snowflake.MAX))
            place, again, _ = await snapshot.stretch(stretch)
            assert again == first == messages
            assert place.state.covered.top == (CHANNEL, messages[-1].message_id + 1)
            singles, _ = await snapshot.look_up([Key(CHANNEL, messages[0].message_id)])
            assert list(singles.messages.values()) == messages[:1]

    async def test_whenever_a_writer_comes_the_prompt_is_as_it_was_or_as_it_is_then(
        self, archive: Archive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await archive.channel()
        messages = talk(9)
        messages[-1] = replace(messages[-1], content="why, <@333>?", type=19, reply_to=messages[1].message_id)
        await archive.whole(messages, users=[User(333, "carol", "Carol", bot=False)])
        before = await archive.context(limit=3, offline=True)
        assert "Bob(222): line 1\n-----" in before.stdout
        rows, asked, interrupted = Snapshot._rows, 0, 0

        async def interrupting(self: Snapshot, name: str, **parameters: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked == interrupted + 1 and interrupted:
                await change()
            return await rows(self, name, **parameters)

        async def change() -> None:
            await archive.delete(messages[1].message_id)
            await archive.store([message("Bob", 222, "late")], covered=(CHANNEL, snowflake.MAX))
            await archive.store([], users=[User(333, "carol", "Caroline", bot=False)], seen=2)

        monkeypatch.setattr(Snapshot, "_rows", interrupting)
        await archive.context(limit=3, offline=True)
        queries = asked
        assert queries > 2
        for interrupted in range(1, queries):
            asked = 0
            assert (await archive.context(limit=3, offline=True)).stdout == before.stdout
            # As it was before the writer came.
            await archive.execute("DELETE FROM junkie.tombstones")
            await archive.execute("DELETE FROM junkie.messages WHERE content = 'late'")
            await archive.execute("UPDATE junkie.channel_status SET covered = '{}'")
            await archive.whole(messages, users=[User(333, "carol", "Carol", bot=False)], seen=3 + interrupted)
        interrupted = 0
        await change()
        assert current(await archive.context(limit=3, offline=True)) == "late"
