import pytest

from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.state import Event, UnknownError, find
from junkie_cli.emulator.stream import Stream
from junkie_cli.emulator.world import World


class Time:
    """A clock that only sleeping moves, and that is late now and then."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 0.0
        self.slept = 0
        self._late = late

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.now += seconds + (self._late if self.slept % 7 == 0 else 0.0)


@pytest.fixture
def world() -> World:
    return generate(1, "3x20")


def stream(world: World, time: Time, **how: float) -> Stream:
    end = world.end_ms
    return Stream(
        world, list(world.channels), clock=time, sleep=time.sleep, now_ms=lambda: end + int(time.now * 1000), **how
    )


@pytest.mark.parametrize("late", [0.0, 0.3])
async def test_a_stream_makes_all_its_events_evenly(world: World, late: float) -> None:
    times: list[float] = []
    time = Time(late)
    world.listeners.append(lambda _event: times.append(time.now))
    done = await stream(world, time).run(200, 2)
    assert (done.posted, done.events) == (400, 400)
    assert {len(channel.messages) for channel in world.channels.values()} == {153, 154}
    assert done.seconds == pytest.approx(2.0, abs=0.4)
    for second in (0.5, 1.0, 1.5):
        assert sum(at < second for at in times) == pytest.approx(200 * second, abs=200 * late + 2)


async def test_what_streams_is_also_edited_and_deleted(world: World) -> None:
    seen: list[Event] = []
    world.listeners.append(seen.append)
    before = {channel.id: len(channel.messages) for channel in world.channels.values()}
    done = await stream(world, Time(), edits=0.2, deletes=0.1).run(1000, 1)
    assert done.events == 1000 == len(seen)
    assert done.edited == pytest.approx(200, abs=60)
    assert done.deleted == pytest.approx(100, abs=40)
    assert [event.name for event in seen].count("MESSAGE_UPDATE") == done.edited
    after = sum(len(channel.messages) for channel in world.channels.values())
    assert after == sum(before.values()) + done.posted - done.deleted


async def test_others_may_delete_what_streams(world: World) -> None:
    def purge(event: Event) -> None:
        if event.message is not None and event.channel is not None and find(event.channel, event.message.id):
            world.delete(event.channel.id, event.message.id)

    world.listeners.append(purge)
    done = await stream(world, Time(), edits=0.5).run(100, 1)
    assert (done.posted, done.edited) == (100, 0)


def test_a_stream_needs_channels(world: World) -> None:
    with pytest.raises(ValueError, match="needs a channel"):
        Stream(world, [])
    with pytest.raises(UnknownError):
        Stream(world, [7])
