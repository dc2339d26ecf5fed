import asyncio

import pytest

from junkie_cli.ingest.slots import Slots


class Queue:
    """Slots, and who got one in which order: capitals begin a window, small letters don't, `w` writes."""

    def __init__(self, number: int) -> None:
        self.slots = Slots(number)
        self.order: list[str] = []
        self.most = self.inside = 0

    async def one(self, name: str) -> None:
        slot = self.slots.for_write() if name == "w" else self.slots.for_page(ord(name), opens=name.isupper())
        async with slot:
            self.order.append(name)
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(0)
            self.inside -= 1


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take its time: nobody loses patience meanwhile."""
    monkeypatch.setattr("junkie_cli.ingest.slots.LONGEST_WAIT", 60.0)


async def settled_down() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_those_who_go_first_do_and_the_others_keep_their_order() -> None:
    queue = Queue(2)
    await asyncio.gather(*map(queue.one, "abcdABefC"))
    assert "".join(queue.order) == "abABCcdef"
    assert queue.most == 2


async def test_who_gives_up_leaves_the_slot_to_the_next() -> None:
    queue = Queue(1)
    async with queue.slots.for_write():
        tasks = [asyncio.create_task(queue.one(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
    # The slot is b's already, and b never takes it.
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert queue.order == ["c"]
    await queue.one("d")
    assert queue.order == ["c", "d"]


async def test_further_pages_wait_for_the_first_ones_that_are_expected_and_writes_do_not() -> None:
    queue = Queue(2)
    queue.slots.expect(map(ord, "ABC"))
    waiting = [asyncio.create_task(queue.one(name)) for name in "abw"]
    await settled_down()
    assert queue.order == ["w"]
    await queue.one("A")
    await queue.one("B")
    await settled_down()
    assert queue.order == ["w", "A", "B"]
    # There will be none of C.
    queue.slots.settled(ord("C"))
    await asyncio.gather(*waiting)
    assert queue.order == ["w", "A", "B", "a", "b"]
    await queue.one("c")


async def test_a_channel_whose_first_page_begins_no_window_waits_for_others_and_not_for_itself() -> None:
    queue = Queue(2)
    queue.slots.expect(map(ord, "ab"))
    waiting = [asyncio.create_task(queue.one("a"))]
    await settled_down()
    assert queue.order == []
    waiting.append(asyncio.create_task(queue.one("b")))
    await asyncio.gather(*waiting)
    assert sorted(queue.order) == ["a", "b"]


async def test_nobody_waits_for_one_that_failed() -> None:
    queue = Queue(2)
    queue.slots.expect([ord("A")])
    waiting = asyncio.create_task(queue.one("a"))
    with pytest.raises(ConnectionError):
        async with queue.slots.for_page(ord("A"), opens=True):
            raise ConnectionError
    await waiting
    assert queue.order == ["a"]


async def test_a_channel_whose_window_is_about_to_end_goes_first_and_one_that_waits_longer_does_not() -> None:
    queue = Queue(2)
    queue.slots.waits(ord("A"), 0.0)
    queue.slots.waits(ord("B"), 3600.0)
    await asyncio.sleep(0)
    waiting = asyncio.create_task(queue.one("a"))
    await settled_down()
    assert queue.order == []
    await queue.one("A")
    await waiting
    assert queue.order == ["A", "a"]
    queue.slots.settled(ord("B"))


async def test_those_who_go_first_are_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("junkie_cli.ingest.slots.LONGEST_WAIT", 0.01)
    queue = Queue(2)
    queue.slots.expect([ord("A")])
    await queue.one("a")
    assert queue.order == ["a"]
