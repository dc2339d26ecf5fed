"""Which message is answered, what stands before it, and what never shows: on an archive that is whole."""

from dataclasses import replace
from datetime import timedelta

import pytest

from junkie_cli.cli.context import Given
from tests.example import EXAMPLE
from tests.integration.answers import CHANNEL, Archive, at, bodies, current, message, message_id, talk


async def test_the_originals_example_to_the_byte(archive: Archive) -> None:
    await archive.channel()
    target = message("Bob", 222, "Should be ready in an hour", age=timedelta(minutes=30))
    await archive.whole(
        [
            message("Alice", 111, "Hey, how's the project going?", age=timedelta(hours=2, minutes=5)),
            message("Bob", 222, "Pretty good, just finishing up the API", age=timedelta(hours=2)),
            message("Alice", 111, "Nice! When can we test it?", age=timedelta(hours=1)),
            target,
            message("Alice", 111, "Great! Let me know when it's ready", type=19, reply_to=target.message_id),
        ]
    )
    answer = await archive.context(offline=True)
    assert answer.stdout == EXAMPLE
    assert (answer.code, answer.stderr) == (0, "")
    given = Given(
        text="Great! Let me know when it's ready", author_name="Alice", author_id=111, reply_to=str(target.message_id)
    )
    await archive.delete(message_id())
    assert (await archive.context(given=given, offline=True)).stdout == EXAMPLE


class TestCurrentMessage:
    async def test_the_newest_and_it_is_not_in_the_history(self, archive: Archive) -> None:
        await archive.channel()
        await archive.whole(talk(5))
        answer = await archive.context(offline=True)
        assert bodies(answer) == [f"line {n}" for n in range(4)]
        assert current(answer) == "line 4"

    async def test_a_named_one_has_nothing_later_beside_it(self, archive: Archive) -> None:
        await archive.channel()
        messages = await archive.whole(talk(9))
        for named in (
            str(messages[5].message_id),
            f"https://discord.com/channels/77/{CHANNEL}/{messages[5].message_id}",
        ):
            answer = await archive.context(message=named, limit=3, offline=True)
            assert bodies(answer) == ["line 2", "line 3", "line 4"]
            assert current(answer) == "line 5"
            assert all(f"line {n}" not in answer.stdout for n in (6, 7, 8))

    async def test_a_given_text_comes_after_everything(self, archive: Archive) -> None:
        await archive.channel()
        await archive.whole(talk(3))
        answer = await archive.context(
            given=Given(text="and I?\nhm", author_name="Eve: (5)", author_id=7), offline=True
        )
        assert bodies(answer) == ["line 0", "line 1", "line 2"]
        assert "[just now] Eve： （5）(7) says: and I?\n  hm\n" in answer.stdout  # noqa: RUF001  as it is shown

    async def test_the_first_of_all_has_no_history(self, archive: Archive) -> None:
        await archive.channel()
        (first, *_) = await archive.whole(talk(3))
        answer = await archive.context(message=str(first.message_id), offline=True)
        assert bodies(answer) == []
        assert current(answer) == "line 0"

    async def test_what_it_answers_is_not_named_when_it_lies_ahead(self, archive: Archive) -> None:
        await archive.channel()
        one, two, three = talk(3)
        await archive.whole([one, replace(two, type=19, reply_to=three.message_id), three])
        answer = await archive.context(message=str(two.message_id), offline=True)
        assert "line 2" not in answer.stdout
        assert "is not archived]" in answer.stdout


class TestReplyTarget:
    async def ask(self, archive: Archive, target: int, **how: bool) -> str:
        """Answer a reply to that message with a short history, and return the block of its target."""
        await archive.channel()
        messages = talk(9)
        messages[-1] = replace(messages[-1], type=19, reply_to=target)
        if how.get("covered", True):
            await archive.whole(messages)
        else:
            await archive.store(messages, covered=(messages[5].message_id, messages[-1].message_id + 1))
        if how.get("deleted"):
            await archive.delete(target, purge=not how.get("keep"))
        if how.get("ruled"):
            # The rule is there, and a row that it should have removed.
            await archive.execute("INSERT INTO junkie.exclusions (user_id) VALUES (222)")
        answer = await archive.context(limit=2, offline=True)
        return answer.stdout.split("The user is replying to:\n")[1].split("\n----")[0]

    async def test_outside_the_window_it_is_found(self, archive: Archive) -> None:
        assert await self.ask(archive, talk(9)[1].message_id) == "[1h ago] Bob(222): line 1"

    @pytest.mark.parametrize("keep", [False, True])
    async def test_deleted(self, archive: Archive, keep: bool) -> None:  # noqa: FBT001  a parameter
        target = talk(9)[1].message_id
        assert await self.ask(archive, target, deleted=True, keep=keep) == f"[message {target} was deleted]"

    async def test_one_that_coverage_would_have_shown_was_deleted(self, archive: Archive) -> None:
        target = talk(9)[1].message_id + 1
        assert await self.ask(archive, target) == f"[message {target} was deleted]"

    async def test_of_one_that_the_user_names_a_tombstone_alone_says_that_it_was_deleted(
        self, archive: Archive
    ) -> None:
        await archive.channel()
        messages = await archive.whole(talk(9))
        never, once = messages[1].message_id + 1, messages[3].message_id
        await archive.delete(once)
        for target, shown in ((never, "is not archived"), (once, "was deleted")):
            answer = await archive.context(given=Given(text="hm", reply_to=str(target)), offline=True)
            assert f"[message {target} {shown}]" in answer.stdout

    async def test_one_in_a_gap_is_not_archived(self, archive: Archive) -> None:
        target = talk(9)[1].message_id + 1
        assert await self.ask(archive, target, covered=False) == f"[message {target} is not archived]"

    async def test_one_that_was_to_be_forgotten_is_not_archived(self, archive: Archive) -> None:
        target = talk(9)[3].message_id
        assert await self.ask(archive, target, ruled=True) == f"[message {target} is not archived]"


class TestHidden:
    async def test_a_kept_row_with_a_tombstone_shows_nowhere(self, archive: Archive) -> None:
        await archive.channel()
        messages = await archive.whole(talk(6))
        await archive.delete(messages[2].message_id, messages[5].message_id, purge=False)
        answer = await archive.context(limit=3, offline=True)
        assert bodies(answer) == ["line 0", "line 1", "line 3"]
        assert current(answer) == "line 4"

    @pytest.mark.parametrize(
        ("rule", "shown"),
        [
            ("user_id = 222", ["line 0", "line 2"]),
            ("channel_id = 1234567890", None),
            ("guild_id = 77", None),
            ("user_id = 222, guild_id = 78", ["line 0", "line 1", "line 2", "line 3"]),
            (f"before_id = {talk(5)[2].message_id}", ["line 2", "line 3"]),
            (f"user_id = 222, before_id = {talk(5)[3].message_id}", ["line 0", "line 2", "line 3"]),
        ],
    )
    async def test_what_forget_keeps_out_shows_nowhere(
        self, archive: Archive, rule: str, shown: list[str] | None
    ) -> None:
        await archive.channel()
        await archive.whole(talk(5))
        await archive.execute("INSERT INTO junkie.exclusions (user_id) VALUES (0)")
        await archive.execute(f"UPDATE junkie.exclusions SET {'' if 'user' in rule else 'user_id = NULL, '}{rule}")
        answer = await archive.context(offline=True)
        if shown is None:
            assert answer.code == 2
        else:
            assert bodies(answer) == shown

    async def test_of_several_rules_for_one_the_widest_holds_in_threads_too(self, archive: Archive) -> None:
        messages = talk(9)
        thread = messages[0].message_id - 1
        await archive.channel()
        await archive.channel(thread, "Plans", type=11, parent_id=CHANNEL)
        await archive.whole([replace(each, channel_id=thread) for each in messages])
        rules = "INSERT INTO junkie.exclusions (user_id, channel_id, before_id) VALUES (%s, %s, %s)"
        for rule in (
            (222, CHANNEL, messages[2].message_id),
            (222, thread, messages[6].message_id),
            (111, CHANNEL + 1, None),
            (None, CHANNEL, messages[1].message_id),
        ):
            await archive.execute(rules, *rule)
        assert bodies(await archive.context(thread, offline=True)) == ["line 2", "line 4", "line 6", "line 7"]


class TestWindow:
    async def test_limit_and_since(self, archive: Archive) -> None:
        await archive.channel()
        messages = await archive.whole(talk(9))
        assert bodies(await archive.context(limit=2, offline=True)) == ["line 6", "line 7"]
        answer = await archive.context(since=messages[5].message_id, offline=True)
        assert bodies(answer) == ["line 5", "line 6", "line 7"]

    async def test_the_newest_is_answered_even_if_it_is_older_than_since(self, archive: Archive) -> None:
        await archive.channel()
        await archive.whole(talk(3))
        answer = await archive.context(since=at(timedelta(minutes=1)), offline=True)
        assert bodies(answer) == []
        assert current(answer) == "line 2"
        assert answer.stderr == ""

    async def test_all(self, archive: Archive) -> None:
        await archive.channel()
        await archive.whole(talk(700, start=timedelta(days=6)))
        assert len(bodies(await archive.context(offline=True))) == 500
        assert len(bodies(await archive.context(limit=None, offline=True))) == 699


class TestThread:
    THREAD = message_id(timedelta(hours=3))

    async def thread(self, archive: Archive, kind: int = 11) -> None:
        await archive.channel()
        starter = replace(message("Carol", 333, "shall we?", age=timedelta(hours=3)), message_id=self.THREAD)
        await archive.store([starter])
        await archive.channel(self.THREAD, "Plans", type=kind, parent_id=CHANNEL)
        await archive.whole(talk(4, channel_id=self.THREAD))

    async def test_it_begins_with_its_starter(self, archive: Archive) -> None:
        await self.thread(archive)
        answer = await archive.context(self.THREAD, limit=2, offline=True)
        assert bodies(answer) == ["shall we?", "line 1", "line 2"]
        assert f"Channel ID: {self.THREAD}\nChannel: Plans\nGuild: My Server\n" in answer.stdout
        assert bodies(await archive.context(self.THREAD, limit=2, starter=False, offline=True)) == ["line 1", "line 2"]

    async def test_a_private_one_has_none(self, archive: Archive) -> None:
        await self.thread(archive, kind=12)
        assert bodies(await archive.context(self.THREAD, limit=2, offline=True)) == ["line 1", "line 2"]

    async def test_a_deleted_starter_does_not_show(self, archive: Archive) -> None:
        await self.thread(archive)
        await archive.delete(self.THREAD, purge=False)
        assert bodies(await archive.context(self.THREAD, limit=2, offline=True)) == ["line 1", "line 2"]

    async def test_a_forum_posts_first_message_is_its_starter(self, archive: Archive) -> None:
        await archive.channel(type=15)
        await archive.channel(self.THREAD, "Help!", type=11, parent_id=CHANNEL)
        post = replace(message("Carol", 333, "help!"), channel_id=self.THREAD, message_id=self.THREAD)
        messages = await archive.whole([post, *talk(4, channel_id=self.THREAD)])
        assert bodies(await archive.context(self.THREAD, limit=1, offline=True)) == ["help!", "line 2"]
        assert bodies(await archive.context(self.THREAD, offline=True))[:2] == ["help!", "line 0"]
        answer = await archive.context(self.THREAD, message=str(self.THREAD), offline=True)
        assert (bodies(answer), current(answer)) == ([], "help!")
        answer = await archive.context(self.THREAD, message=str(messages[1].message_id), limit=1, offline=True)
        assert (bodies(answer), current(answer)) == (["help!"], "line 0")

    async def test_a_reply_to_the_starter_finds_it_in_the_parent(self, archive: Archive) -> None:
        await self.thread(archive)
        reply = replace(message("Bob", 222, "yes", type=19, reply_to=self.THREAD), channel_id=self.THREAD)
        await archive.store([reply])
        answer = await archive.context(self.THREAD, limit=1, starter=False, offline=True)
        assert "replying to:\n[3h ago] Carol(333): shall we?\n" in answer.stdout

    async def test_a_starter_that_is_not_archived_was_not_deleted(self, archive: Archive) -> None:
        # The thread is whole, and the starter none of its messages although it bears its id.
        await archive.channel()
        await archive.channel(self.THREAD, "Plans", type=11, parent_id=CHANNEL)
        begun = {"message_reference": {"message_id": str(self.THREAD), "channel_id": str(CHANNEL)}}
        answer = replace(message("Bob", 222, "yes", type=19, reply_to=self.THREAD), channel_id=self.THREAD)
        event = replace(message("Carol", 333, type=21, extra=begun, age=timedelta(hours=1)), channel_id=self.THREAD)
        await archive.whole([event, answer])
        shown = await archive.context(self.THREAD, offline=True)
        assert bodies(shown) == ["[Event: this thread was started from a message that is not archived]"]
        assert f"replying to:\n[message {self.THREAD} is not archived]\n" in shown.stdout
        await archive.delete(self.THREAD)
        shown = await archive.context(self.THREAD, offline=True)
        assert bodies(shown) == ["[Event: this thread was started from a deleted message]"]
        assert f"replying to:\n[message {self.THREAD} was deleted]\n" in shown.stdout

    async def test_a_forum_posts_first_message_that_the_whole_post_lacks_was_deleted(self, archive: Archive) -> None:
        await archive.channel(type=15)
        await archive.channel(self.THREAD, "Help!", type=11, parent_id=CHANNEL)
        reply = replace(message("Bob", 222, "yes", type=19, reply_to=self.THREAD), channel_id=self.THREAD)
        await archive.whole([reply])
        answer = await archive.context(self.THREAD, offline=True)
        assert f"replying to:\n[message {self.THREAD} was deleted]\n" in answer.stdout


async def test_a_direct_message_has_neither_name(archive: Archive) -> None:
    await archive.channel(type=1, guild_id=None, name="Alice")
    await archive.whole(talk(2))
    answer = await archive.context(offline=True, style="text")
    assert "\nChannel: DM\nGuild: DM\n" in answer.stdout
