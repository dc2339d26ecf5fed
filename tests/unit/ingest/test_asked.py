"""What requests draw before they are sent. What a page then tells of deletions, test_planner and the database's tests say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from junkie_cli.coverage import Range
from junkie_cli.db.reader import Draw, Reader
from junkie_cli.ingest.asked import DRAW_HOLDS, PAGES_PER_DRAW, Draws

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Sequence(Reader):
    """A database of which only the sequence and the archived ids matter."""

    def __init__(self) -> None:
        self.archived: list[int] = []
        self.drawn = 0
        self.looks = 0

    async def draw(self, _channel_id: int, window: Range, *, ascending: bool, most: int, spare: int = 0) -> Draw:
        self.looks += 1
        seens = range(self.drawn + 1, self.drawn + 2 + spare)
        self.drawn = seens[-1]
        known = sorted((i for i in self.archived if i in window), reverse=not ascending)[:most]
        return Draw(seens[0], AT, tuple(known), tuple(seens[1:]))


class Scene:
    def __init__(self) -> None:
        self.now = 0.0
        self.sequence = Sequence()
        self.draws = Draws(self.sequence, 1, lambda: self.now)

    async def draw(self, hi: int, **how: Any) -> tuple[Draw, list[int]]:
        draw, brought = await self.draws.draw(Range(0, hi), ascending=False, most=100, **how)
        return draw, list(brought)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_where_nothing_is_archived_one_draw_serves_several_pages(scene: Scene) -> None:
    drawn = [(await scene.draw(1000 - i))[0] for i in range(PAGES_PER_DRAW)]
    assert scene.sequence.looks == 1
    seens = [draw.seen for draw in drawn]
    assert seens == sorted(set(seens))
    assert {(draw.at, draw.known) for draw in drawn} == {(AT, ())}
    assert (await scene.draw(5))[0].seen > seens[-1]
    assert scene.sequence.looks == 2


async def test_where_something_is_archived_each_page_looks_for_itself(scene: Scene) -> None:
    scene.sequence.archived = [7]
    for looks in (1, 2, 3):
        assert (await scene.draw(1000))[0].known == (7,)
        assert scene.sequence.looks == looks


async def test_a_draw_does_not_hold_for_long(scene: Scene) -> None:
    await scene.draw(1000)
    scene.now = DRAW_HOLDS
    scene.sequence.archived = [7]
    assert (await scene.draw(900))[0].known == (7,)


@pytest.mark.parametrize("window", [Range(0, 1001), Range(-1, 900), Range(2000, 3000)])
async def test_what_lies_elsewhere_was_not_looked_for(scene: Scene, window: Range) -> None:
    await scene.draw(1000)
    await scene.draws.draw(window, ascending=False, most=100)
    assert scene.sequence.looks == 2


async def test_what_pages_brought_inside_replies_is_known(scene: Scene) -> None:
    assert (await scene.draw(1000))[1] == []
    scene.draws.brought([8, 9])
    assert (await scene.draw(900))[1] == [8, 9]
    scene.draws.brought([3])
    assert (await scene.draw(800, unwritten=[3]))[1] == [3, 8, 9]
    scene.now = DRAW_HOLDS
    # What is written by then is archived; what is not, nobody else can know.
    assert (await scene.draw(700, unwritten=[3]))[1] == [3]
