"""Two-tier retrieval: what the archive lacks of a window comes from Discord, is stored, and nothing else is asked for."""

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from junkie_cli.cli.context import Given
from junkie_cli.client import session
from junkie_cli.config import Settings
from junkie_cli.db.reader import ChannelState, Reader
from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import running
from junkie_cli.errors import PARTIAL
from tests.integration.answers import Answer, Archive, bodies, current
from tests.integration.ingest.scene import PATIENCE, Scene
from tests.truth import archived, assert_claims_hold, assert_equals_truth, coverage

ALWAYS = timedelta()


@dataclass
class Context(Scene):
    """A scene in which prompts are asked for."""

    archive: Archive | None = None

    async def context(self, channel: int, **options: Any) -> Answer:
        """Run the command with the emulator's token, and count its requests from 0."""
        assert self.archive is not None
        self.control.reset_counts()
        environ = {"DISCORD_TOKEN": self.emulator.token, "DISCORD_API_URL": self.emulator.api_url}
        return await self.archive.context(channel, **({"environ": environ} | options))

    @property
    def pages(self) -> int:
        return self.control.counts().messages

    @property
    def requests(self) -> int:
        return self.control.counts().total

    def texts(self, channel: int, *, below: int | None = None) -> list[str]:
        return [m["content"] for m in self.control.truth(channel) if below is None or int(m["id"]) < below]


async def state(s: Context, channel: int) -> ChannelState:
    return (await Reader(s.database).channel_states([channel]))[channel]


MakeContext = Callable[..., Any]


@pytest.fixture
def scene(archive: Archive, make_settings: Callable[..., Settings]) -> MakeContext:
    @asynccontextmanager
    async def make(preset: str = "1x250") -> AsyncIterator[Context]:
        archive.now = datetime.now(UTC)
        async with running(generate(seed=1, preset=preset), limits=Limits.off()) as emulator:
            yield Context(emulator, archive.database, make_settings, archive=archive)

    return make


async def test_a_fresh_archive_is_not_refreshed(scene: MakeContext) -> None:
    async with scene() as s:
        await s.backfill()
        answer = await s.context(s.first_channel)
        assert (s.requests, answer.code, answer.stderr) == (0, 0, "")
        assert [*bodies(answer), current(answer)] == s.texts(s.first_channel)


async def test_a_stale_one_is_refreshed_and_then_fresh(scene: MakeContext) -> None:
    async with scene() as s:
        await s.backfill()
        channel = s.first_channel
        s.control.post(channel, "one more")
        s.control.post(channel, "and another")
        assert current(await s.context(channel)) != "and another"
        answer = await s.context(channel, max_age=ALWAYS)
        assert (bodies(answer)[-1], current(answer)) == ("one more", "and another")
        assert (s.pages, answer.stderr) == (1, "")
        await s.context(channel)
        assert s.requests == 0
        await assert_equals_truth(s.database, s.truths())


async def test_a_stale_channel_in_which_nothing_happened_costs_no_message_request(scene: MakeContext) -> None:
    async with scene() as s:
        await s.backfill()
        await s.archive.execute("UPDATE junkie.channel_status SET checked_at = now() - interval '1 hour'")
        await s.context(s.first_channel)
        assert (s.pages, s.requests > 0) == (0, True)
        await s.context(s.first_channel)
        assert s.requests == 0


async def test_offline_never_asks(scene: MakeContext) -> None:
    async with scene() as s:
        answer = await s.context(s.first_channel, offline=True)
        assert (answer.code, s.requests) == (2, 0)
        await s.backfill()
        s.control.post(s.first_channel, "one more")
        answer = await s.context(s.first_channel, max_age=ALWAYS, offline=True)
        assert (current(answer) == "one more", s.requests) == (False, 0)
        assert "this is the archive as of 20" in answer.stderr


async def test_without_a_token_it_says_as_of_when(scene: MakeContext) -> None:
    async with scene() as s:
        await s.backfill()
        answer = await s.context(s.first_channel, environ={}, max_age=ALWAYS)
        assert (answer.code, s.requests) == (0, 0)
        assert answer.stderr.startswith("no bot token is set; this is the archive as of 20")


@pytest.mark.parametrize(
    ("command", "alive", "hearing", "fresh"),
    [
        ("serve", True, True, True),
        ("serve", True, False, False),
        ("serve", False, True, False),
        ("serve in part", True, True, False),
        ("backfill", True, True, False),
    ],
)
async def test_a_live_serve_of_everything_keeps_it_fresh(
    scene: MakeContext,
    command: str,
    alive: bool,  # noqa: FBT001  a parameter
    hearing: bool,  # noqa: FBT001  a parameter
    fresh: bool,  # noqa: FBT001  a parameter
) -> None:
    async with scene() as s:
        await s.backfill()
        await s.archive.execute("UPDATE junkie.channel_status SET checked_at = now() - interval '1 hour'")
        async with s.database.connection() as connection:
            await connection.execute(
                "INSERT INTO junkie.workers (command, bot_id, host, pid, backend_pid, started_at, live_at)"
                " VALUES (%s, 1, 'here', 1, pg_backend_pid() + %s, now() - interval '2 hours', now() - %s)",
                [command, 0 if alive else 1_000_000, timedelta(seconds=0 if hearing else 20)],
            )
            await s.context(s.first_channel)
        assert (s.requests == 0) is fresh


async def test_what_nobody_watched_stays_on_record_when_it_is_fresh_again(scene: MakeContext) -> None:
    async with scene() as s:
        await s.backfill()
        await s.archive.execute(
            "UPDATE junkie.channel_status SET checked_at = now() - interval '1 hour', unwatched_since = NULL"
        )
        await s.context(s.first_channel)
        stands = await state(s, s.first_channel)
        assert stands.unwatched_since is not None
        assert stands.checked_at is not None
        assert stands.checked_at - stands.unwatched_since > timedelta(minutes=59)


class TestWindow:
    async def test_of_an_unknown_channel_only_what_is_wanted_is_fetched(self, scene: MakeContext) -> None:
        async with scene("1x950") as s:
            channel = s.first_channel
            answer = await s.context(channel, limit=150)
            texts = s.texts(channel)
            assert [*bodies(answer), current(answer)] == texts[-151:]
            assert (s.pages, answer.stderr) == (2, "")
            assert "\nGuild: 1 x 950\n" in answer.stdout
            await assert_claims_hold(s.database, {channel: s.control.truth(channel)})
            await s.context(channel, limit=150)
            assert s.requests == 0

    async def test_a_long_absence_costs_no_more_than_the_window(self, scene: MakeContext) -> None:
        async with scene("1x50") as s:
            await s.backfill()
            channel = s.first_channel
            for n in range(700):
                s.control.post(channel, f"new {n}")
            answer = await s.context(channel, limit=20, max_age=ALWAYS)
            assert (bodies(answer), current(answer)) == ([f"new {n}" for n in range(679, 699)], "new 699")
            assert s.pages == 1
            # What lies between is a gap on record, which the next run closes.
            assert len(tuple(await coverage(s.database, channel))) == 2
            await s.backfill()
            await assert_equals_truth(s.database, s.truths())

    async def test_a_message_in_the_past_is_fetched_with_what_stands_before_it_alone(self, scene: MakeContext) -> None:
        async with scene("1x950") as s:
            channel = s.first_channel
            ids = s.control.ids(channel)
            answer = await s.context(channel, message=str(ids[500]), limit=120)
            assert [*bodies(answer), current(answer)] == s.texts(channel)[380:501]
            assert s.pages == 2
            assert set(await archived(s.database, channel)) == set(ids[300:501])
            await assert_claims_hold(s.database, {channel: s.control.truth(channel)})
            await s.context(channel, message=str(ids[450]), limit=100)
            assert s.requests == 0

    async def test_a_message_that_the_channel_itself_does_not_tell_of_yet(self, scene: MakeContext) -> None:
        async with scene("1x50") as s:
            channel = s.first_channel
            ids = s.control.ids(channel)
            for last in (ids[-4], None):
                s.control.world.channels[channel].last_message_id = last
                answer = await s.context(channel, message=str(ids[-1]), limit=5, strict=True)
                assert [*bodies(answer), current(answer)] == s.texts(channel)[-6:]
                await s.archive.execute("DELETE FROM junkie.messages")
                await s.archive.execute("DELETE FROM junkie.channel_status")
                await s.archive.execute("DELETE FROM junkie.channels")

    async def test_as_of_a_moment_fetches_what_stands_before_it_alone(self, scene: MakeContext) -> None:
        async with scene("1x950") as s:
            channel = s.first_channel
            truth = s.control.truth(channel)
            answer = await s.context(channel, as_of=datetime.fromisoformat(truth[500]["timestamp"]), limit=120)
            assert [*bodies(answer), current(answer)] == s.texts(channel)[379:500]
            assert s.pages == 2

    async def test_the_answered_message_is_found_below_since(self, scene: MakeContext) -> None:
        async with scene() as s:
            channel = s.first_channel
            answer = await s.context(channel, since=s.control.ids(channel)[-1] + 1)
            assert (bodies(answer), current(answer)) == ([], s.texts(channel)[-1])
            assert s.pages == 1

    async def test_an_edit_and_a_deletion_on_a_fetched_page_are_seen(self, scene: MakeContext) -> None:
        async with scene() as s:
            await s.backfill()
            channel = s.first_channel
            ids = s.control.ids(channel)
            s.control.edit(channel, ids[-3], "edited")
            s.control.delete(channel, ids[-2])
            s.control.post(channel, "new")
            answer = await s.context(channel, max_age=ALWAYS)
            assert bodies(answer)[-2:] == ["edited", s.texts(channel)[-2]]
            assert current(answer) == "new"

    @pytest.mark.parametrize("seed", range(3))
    async def test_whatever_is_archived_the_prompt_is_the_truth(self, scene: MakeContext, seed: int) -> None:
        chance = random.Random(seed)
        async with scene("1x430") as s:
            channel = s.first_channel
            ids, texts = s.control.ids(channel), s.texts(channel)
            for _ in range(8):
                most = chance.choice([1, 30, 100, 250])
                index = chance.randrange(len(ids))
                if chance.random() < 0.3:
                    answer, index = await s.context(channel, limit=most), len(ids) - 1
                else:
                    answer = await s.context(channel, message=str(ids[index]), limit=most, strict=True)
                assert [*bodies(answer), current(answer)] == texts[max(index - most, 0) : index + 1]
                await assert_claims_hold(s.database, {channel: s.control.truth(channel)})
            await s.backfill()
            await assert_equals_truth(s.database, s.truths())


class TestSingles:
    async def test_a_reply_target_outside_the_window_is_fetched(self, scene: MakeContext) -> None:
        async with scene("1x400") as s:
            channel = s.first_channel
            ids = s.control.ids(channel)
            reply = s.control.post(channel, "yes", reply_to=ids[5])
            answer = await s.context(channel, limit=3)
            assert f": {s.texts(channel)[5]}\n-----" in answer.stdout
            given = Given(text="and that?", reply_to=str(ids[7]))
            answer = await s.context(channel, limit=3, given=given)
            assert f": {s.texts(channel)[7]}\n-----" in answer.stdout
            assert (reply in await archived(s.database, channel), s.pages) == (True, 0)

    async def test_one_that_discord_has_no_more_was_deleted(self, scene: MakeContext) -> None:
        async with scene("1x400") as s:
            channel = s.first_channel
            target = s.control.ids(channel)[5]
            s.control.post(channel, "yes", reply_to=target)
            s.control.delete(channel, target)
            answer = await s.context(channel, limit=3)
            assert f"[message {target} was deleted]" in answer.stdout

    async def test_one_that_nobody_but_the_user_names_need_not_have_been_there(self, scene: MakeContext) -> None:
        async with scene("1x50") as s:
            given = Given(text="and that?", reply_to="5")
            for pages in (1, 0):
                answer = await s.context(s.first_channel, given=given)
                assert (answer.code, "[message 5 is not archived]" in answer.stdout, s.pages) == (0, True, pages)

    async def test_a_threads_starter(self, scene: MakeContext) -> None:
        async with scene("1x400") as s:
            started = s.control.ids(s.first_channel)[5]
            thread = s.control.add_thread(s.first_channel, "Plans", message_id=started).id
            for n in range(150):
                s.control.post(thread, f"line {n}")
            answer = await s.context(thread, limit=2)
            assert bodies(answer) == [f"{s.texts(s.first_channel)[5]} [Thread: Plans]", "line 147", "line 148"]
            await s.context(thread, limit=2)
            assert s.requests == 0

    async def test_a_message_of_the_parent_that_a_text_in_a_thread_answers(self, scene: MakeContext) -> None:
        async with scene("1x400") as s:
            parent = s.first_channel
            ids = s.control.ids(parent)
            thread = s.control.add_thread(parent, "Plans", message_id=ids[5]).id
            s.control.post(thread, "hm")
            answer = await s.context(thread, given=Given(text="and that?", reply_to=str(ids[3])))
            assert f": {s.texts(parent)[3]}\n-----" in answer.stdout

    async def test_a_forum_posts_first_message(self, scene: MakeContext) -> None:
        async with scene() as s:
            (guild,) = s.control.world.guilds
            forum = s.control.add_channel(guild, "help", ChannelType.FORUM).id
            post = s.control.add_thread(forum, "How?", content="how do I?").id
            for n in range(150):
                s.control.post(post, f"line {n}")
            answer = await s.context(post, limit=2)
            assert (bodies(answer), answer.stderr) == (["how do I?", "line 147", "line 148"], "")

    async def test_a_starter_that_a_rule_keeps_out_is_not_stored(self, scene: MakeContext) -> None:
        async with scene() as s:
            (guild,) = s.control.world.guilds
            parent = s.first_channel
            thread = s.control.add_thread(parent, "Plans", message_id=s.control.ids(parent)[5]).id
            s.control.post(thread, "hm")
            await s.archive.execute("INSERT INTO junkie.exclusions (guild_id) VALUES (%s)", guild)
            answer = await s.context(thread, given=Given(text="and?"), limit=1)
            assert bodies(answer) == []
            assert await archived(s.database, parent) == {}

    async def test_a_message_of_another_channel(self, scene: MakeContext) -> None:
        async with scene("2x50") as s:
            one, other = s.control.readable()[:2]
            answer = await s.context(one, message=str(s.control.ids(other)[5]))
            assert (answer.code, answer.stdout) == (2, "")
            await s.backfill()
            answer = await s.context(one, message=str(s.control.ids(other)[5]))
            assert (answer.code, str(other) in answer.error) == (2, True)


class TestRefusals:
    async def test_an_unknown_channel(self, scene: MakeContext) -> None:
        async with scene() as s:
            answer = await s.context(123456789012345678)
            assert (answer.code, answer.stdout) == (2, "")
            assert "does not exist" in answer.error

    async def test_an_unreadable_one_shows_what_is_archived(self, scene: MakeContext) -> None:
        async with scene() as s:
            channel = s.first_channel
            s.control.revoke(channel, Right.READ_MESSAGE_HISTORY)
            answer = await s.context(channel)
            assert (answer.code, answer.stdout, "Read Message History" in answer.error) == (PARTIAL, "", True)
            s.control.grant(channel, Right.READ_MESSAGE_HISTORY)
            await s.backfill()
            s.control.revoke(channel, Right.READ_MESSAGE_HISTORY)
            answer = await s.context(channel, max_age=ALWAYS)
            assert current(answer) == s.texts(channel)[-1]
            assert "Read Message History" in answer.stderr
            # So it is for a while: it is not asked each time.
            assert "Read Message History" in (await s.context(channel)).stderr
            assert s.requests == 0

    async def test_one_that_is_gone_shows_what_is_archived(self, scene: MakeContext) -> None:
        async with scene("2x50") as s:
            await s.backfill()
            channel = s.first_channel
            last = s.texts(channel)[-1]
            s.control.delete_channel(channel)
            answer = await s.context(channel, max_age=ALWAYS)
            assert (answer.code, current(answer)) == (0, last)
            assert f"channel {channel}" in answer.stderr
            assert (await state(s, channel)).gone_at is not None

    async def test_one_wrong_404_does_not_make_it_gone(self, scene: MakeContext) -> None:
        async with scene("2x50") as s:
            channel = s.first_channel
            await s.backfill()
            s.control.post(channel, "the newest")
            s.control.fault("404", channel_id=channel)
            answer = await s.context(channel, max_age=ALWAYS)
            assert (answer.code, f"channel {channel}" in answer.stderr) == (0, True)
            assert (await state(s, channel)).gone_at is None
            # Nor does one that is said of the channel itself; what is asked for once more is there.
            fault = s.control.fault("404", route="channel", channel_id=channel)
            answer = await s.context(channel, max_age=ALWAYS)
            assert (answer.code, current(answer), fault.struck) == (0, "the newest", 1)
            assert (await state(s, channel)).gone_at is None

    async def test_an_empty_one(self, scene: MakeContext) -> None:
        async with scene() as s:
            (guild,) = s.control.world.guilds
            empty = s.control.add_channel(guild, "empty").id
            answer = await s.context(empty)
            assert (answer.code, answer.stdout) == (2, "")
            assert "no message to answer" in answer.error
            forum = s.control.add_channel(guild, "forum", ChannelType.FORUM).id
            assert "name one of its posts" in (await s.context(forum)).error

    async def test_discord_out_of_reach_leaves_the_archive(
        self, scene: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "LOGIN", PATIENCE)
        async with scene() as s:
            s.control.fault("500", route="*", times=None)
            answer = await s.context(s.first_channel)
            assert (answer.code, answer.stdout) == (1, "")
            s.control.clear_faults()
            await s.backfill()
            s.control.fault("500", route="*", times=None)
            answer = await s.context(s.first_channel, max_age=ALWAYS)
            assert (answer.code, current(answer)) == (0, s.texts(s.first_channel)[-1])
            assert "this is the archive as of 20" in answer.stderr

    async def test_a_wrong_token(self, scene: MakeContext) -> None:
        async with scene() as s:
            environ = {"DISCORD_TOKEN": "MTIz.no.body", "DISCORD_API_URL": s.emulator.api_url}
            answer = await s.context(s.first_channel, environ=environ)
            assert (answer.code, answer.stdout) == (4, "")

    async def test_without_the_content_intent_nothing_blank_is_stored(self, scene: MakeContext) -> None:
        async with scene() as s:
            s.control.set_intents(content=False)
            answer = await s.context(s.first_channel)
            assert (answer.code, answer.stdout, s.pages) == (4, "", 0)


async def test_every_kind_of_message_and_channel_has_a_prompt(scene: MakeContext) -> None:
    async with scene("hostile") as s:
        await s.backfill()
        for channel in s.control.readable():
            if s.control.ids(channel):
                answer = await s.context(channel, style="json", limit=None)
                document = json.loads(answer.stdout)
                shown = [int(message["id"]) for message in (*document["history"], document["current"])]
                own = [number for number in shown if number in set(s.control.ids(channel))]
                assert own == s.control.ids(channel)
                assert document["left_out"] == []
        assert s.requests == 0
