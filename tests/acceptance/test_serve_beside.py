"""A serve while pages are in flight, and other commands beside it."""

from collections import Counter
from typing import Any

from junkie_cli.db.database import Database, open_database
from junkie_cli.emulator.control import Control
from tests.acceptance.test_serve import Stage, stage
from tests.command import Started
from tests.truth import archived

__all__ = ["stage"]


async def rows(s: Stage, channel: int) -> dict[int, str]:
    database: Database
    async with open_database(s.settings) as database:
        return {message_id: row.content for message_id, row in (await archived(database, channel)).items()}


async def stop(s: Stage, started: Started) -> None:
    started.process.terminate()
    done = await s.command.wait(started)
    assert done.code == 0, done.stderr


def change(control: Control, channel: int) -> tuple[int, int]:
    """Edit a message and delete another; return their ids."""
    edited, deleted = control.ids(channel)[-5], control.ids(channel)[-6]
    control.edit(channel, edited, "the newer text")
    control.delete(channel, deleted)
    return edited, deleted


async def test_a_page_in_flight_while_its_messages_change(stage: Any) -> None:
    async with stage() as s:
        channel = min(s.emulator.control.readable())
        held = s.emulator.control.hold(channel)
        started = await s.command.start("serve", "--health", f"127.0.0.1:{s.port}")
        await held.arrived.wait()
        await s.until(lambda state: state["status"] == "well", started)
        edited, deleted = change(s.emulator.control, channel)
        s.emulator.control.post(channel, "after both")
        await s.until(lambda state: state["written"]["new"] == 2, started)
        held.release()
        await s.assert_true()
        found = await rows(s, channel)
        assert found[edited] == "the newer text"
        assert deleted not in found
        await stop(s, started)


async def test_a_page_in_flight_in_another_process_while_its_messages_change(stage: Any) -> None:
    async with stage() as s:
        started = await s.start()
        channel = min(s.emulator.control.readable())
        held = s.emulator.control.hold(channel)
        sync = await s.command.start("sync", "--limit", "all")
        await held.arrived.wait()
        edited, deleted = change(s.emulator.control, channel)
        await s.until(lambda state: state["written"]["edited"] == state["written"]["deleted"] == 1, started)
        held.release()
        done = await s.command.wait(sync)
        assert done.code == 0, done.stderr
        await s.assert_true()
        found = await rows(s, channel)
        assert found[edited] == "the newer text"
        assert deleted not in found
        await stop(s, started)


async def test_who_is_forgotten_stays_away_from_that_moment_on(stage: Any) -> None:
    async with stage() as s:
        started = await s.start()
        control, channel = s.emulator.control, min(s.emulator.control.readable())
        authors = Counter(int(payload["author"]["id"]) for payload in control.truth(channel))
        (author, written), (other, _) = authors.most_common(2)
        # A page that was read before the rule is stored after it.
        held = control.hold(channel)
        sync = await s.command.start("sync", "--limit", "all")
        await held.arrived.wait()
        forgotten = await s.command.run("forget", "--user", str(author), "--yes")
        assert forgotten.code == 0, forgotten.stderr
        control.post(channel, "not this", author_id=author)
        message = control.post(channel, "mine", author_id=other)
        await s.until(lambda state: state["written"]["new"] == 1, started)
        held.release()
        assert (await s.command.wait(sync)).code == 0
        found = await rows(s, channel)
        assert found[message] == "mine"
        assert len(found) == sum(authors.values()) - written + 1
        await stop(s, started)


async def test_two_serves_a_sync_and_a_backfill_at_once(stage: Any) -> None:
    async with stage("3x250") as s:
        first = await s.command.start("serve")
        second = await s.start()
        control = s.emulator.control
        commands = [await s.command.start("backfill"), await s.command.start("sync")]
        for n in range(60):
            channel = control.readable()[n % 3]
            message = control.post(channel, f"message {n}")
            if n % 3 == 0:
                control.edit(channel, message, f"edited {n}")
            if n % 5 == 0:
                control.delete(channel, message)
        for command in commands:
            done = await s.command.wait(command)
            assert done.code in {0, 3}, done.stderr
            assert "Traceback" not in done.stderr
        await s.assert_true()
        for started in (first, second):
            await stop(s, started)
        await s.assert_true()
