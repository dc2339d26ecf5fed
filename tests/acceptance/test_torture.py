"""A walk at random through everything that the world does to an archive; see `torture.plan` for what that is.

JUNKIE_TORTURE_SEEDS names other seeds than the few of every day: `17`, or `0-199`.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.torture import plan
from tests.acceptance.torture.walk import Failed, template, walk

EVERY_DAY = [4, 5, 6]


def seeds() -> list[int]:
    if not (named := os.environ.get("JUNKIE_TORTURE_SEEDS")):
        return EVERY_DAY
    first, _, last = named.partition("-")
    return list(range(int(first), int(last or first) + 1))


@pytest.fixture(scope="module")
def template_home() -> Iterator[Path]:
    """A home whose database every walk copies."""
    with asyncio.Runner() as runner:
        made = template()
        yield runner.run(made.__aenter__())
        runner.run(made.__aexit__(None, None, None))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", seeds())
async def test_the_archive_survives_what_the_world_does_to_it(template_home: Path, seed: int) -> None:
    try:
        await walk(plan.make(seed), template_home)
    except Failed as failure:
        pytest.fail(str(failure), pytrace=False)


def test_a_seed_makes_one_plan() -> None:
    assert [str(plan.make(seed)) for seed in range(20)] == [str(plan.make(seed)) for seed in range(20)]
