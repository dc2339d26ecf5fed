import asyncio

from junkie_cli.ingest.slots import Slots


class Queue:
    """Slots, and who got one in which order."""

    def __init__(self, number: int) -> None:
        self.slots = Slots(number)
        self.order: list[str] = []
        self.most = self.inside = 0

    async def one(self, name: str) -> None:
        async with self.slots.slot(first=name.isupper()):
            self.order.append(name)
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(0)
            self.inside -= 1


async def test_those_who_go_first_do_and_the_others_keep_their_order() -> None:
    queue = Queue(2)
    await asyncio.gather(*map(queue.one, "abcdABefC"))
    assert "".join(queue.order) == "abABCcdef"
    assert queue.most == 2


async def test_who_gives_up_leaves_the_slot_to_the_next() -> None:
    queue = Queue(1)
    async with queue.slots.slot():
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
