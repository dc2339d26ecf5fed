import asyncio
from typing import Any

import pytest

from junkie_cli.client.starts import SPACING, SessionStarts, info_from_payload
from junkie_cli.errors import DiscordUnavailable
from tests.unit.client import virtual

LIMIT = {"total": 1000, "remaining": 1000, "reset_after": 14_400_000, "max_concurrency": 1}
TOLD: dict[str, Any] = {"url": "wss://gateway.discord.gg", "shards": 3, "session_start_limit": LIMIT}


def starts(*answers: Any) -> SessionStarts:
    """Answer each in turn, the last one for ever."""
    left = list(answers)

    async def get(path: str, *, subject: str, params: dict[str, str] | None = None, **ids: int) -> Any:
        assert (path, subject, params, ids) == ("/gateway/bot", "the gateway", None, {})
        return left.pop(0) if len(left) > 1 else left[0]

    return SessionStarts(get, virtual.now, asyncio.sleep, "https://example.com/api")


def limited(**limit: Any) -> dict[str, Any]:
    return TOLD | {"session_start_limit": LIMIT | limit}


def test_what_discord_says() -> None:
    info = info_from_payload(TOLD)
    assert info is not None
    assert (info.url, info.shards, info.total, info.remaining) == ("wss://gateway.discord.gg", 3, 1000, 1000)
    assert (info.reset_after, info.max_concurrency) == (14_400, 1)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {},
        TOLD | {"url": "https://gateway.discord.gg"},
        TOLD | {"url": "wss://["},
        TOLD | {"url": None},
        TOLD | {"shards": "3"},
        TOLD | {"session_start_limit": None},
        limited(remaining=-1),
        limited(reset_after=True),
    ],
)
def test_what_makes_no_sense(payload: Any) -> None:
    assert info_from_payload(payload) is None

    async def ask() -> None:
        with pytest.raises(DiscordUnavailable, match="is not Discord"):
            await starts(payload).read()

    virtual.run(ask())


@pytest.mark.parametrize(("concurrency", "expected"), [(1, [0, 1, 2, 3]), (2, [0, 0, 1, 1])])
def test_sessions_of_one_bucket_begin_one_after_another(concurrency: int, expected: list[int]) -> None:
    async def begin() -> list[float]:
        made = starts(limited(max_concurrency=concurrency))
        await made.read()
        zero, begun = virtual.now(), []

        async def shard(shard_id: int) -> None:
            async with made.turn(shard_id) as url:
                assert url == TOLD["url"]
                begun.append(virtual.now() - zero)

        async with asyncio.TaskGroup() as tasks:
            for shard_id in range(4):
                tasks.create_task(shard(shard_id))
        return sorted(begun)

    assert virtual.run(begin()) == pytest.approx([SPACING * each for each in expected])


def test_a_session_that_failed_to_begin_counts_too() -> None:
    async def begin() -> None:
        made, zero = starts(TOLD), virtual.now()
        with pytest.raises(OSError, match="broken"):
            async with made.turn(0):
                raise OSError("broken")
        async with made.turn(0):
            assert virtual.now() - zero == pytest.approx(SPACING)

    virtual.run(begin())


@pytest.mark.parametrize(
    ("limit", "waits"),
    [
        ({"remaining": 100}, 0),
        ({"remaining": 99}, 14_400),
        ({"remaining": 0, "reset_after": 0}, 1),
        ({"total": 50, "remaining": 5}, 0),
    ],
)
def test_a_reserve_of_starts_is_left(limit: dict[str, int], waits: float) -> None:
    async def begin() -> float:
        made, zero = starts(limited(**limit), TOLD), virtual.now()
        async with made.turn(0):
            return virtual.now() - zero

    assert virtual.run(begin()) == pytest.approx(waits)
