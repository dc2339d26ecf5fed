from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.client.threads import Listing, walk
from junkie_cli.errors import MalformedPage
from tests.unit.client.virtual import run

START = datetime(2025, 1, 1, tzinfo=UTC)


def thread(thread_id: int, archived_ms: int) -> dict[str, Any]:
    moment = START + timedelta(milliseconds=archived_ms)
    return {"id": str(thread_id), "thread_metadata": {"archived": True, "archive_timestamp": moment.isoformat()}}


class Server:
    """One list of archived threads, with pages of at most `size`."""

    def __init__(self, threads: Sequence[dict[str, Any]], size: int = 100) -> None:
        self.threads = list(threads)
        self.size = size
        self.queries: list[dict[str, str]] = []

    async def by_time(self, query: dict[str, str]) -> Any:
        self.queries.append(query)
        before = datetime.fromisoformat(query["before"]) if "before" in query else None
        found = [of for of in self.threads if before is None or moment(of) < before]
        found.sort(key=lambda of: (moment(of), int(of["id"])), reverse=True)
        return self._page(found)

    async def by_id(self, query: dict[str, str]) -> Any:
        self.queries.append(query)
        found = [of for of in self.threads if "before" not in query or int(of["id"]) < int(query["before"])]
        found.sort(key=lambda of: int(of["id"]), reverse=True)
        return self._page(found)

    def _page(self, found: list[dict[str, Any]]) -> Any:
        members = [{"id": of["id"]} for of in found[: self.size]]
        return {"threads": found[: self.size], "members": members, "has_more": len(found) > self.size}


def moment(of: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(of["thread_metadata"]["archive_timestamp"])


def listed(server: Server, listing: Listing = Listing.PUBLIC, until: datetime | None = None) -> list[int]:
    async def work() -> list[int]:
        read = server.by_id if listing is Listing.JOINED else server.by_time
        return [int(of["id"]) async for page in walk(read, listing, until) for of in page.threads]

    return run(work())


@given(st.lists(st.integers(0, 12), max_size=30), st.integers(1, 6))
def test_every_thread_is_listed_once_whatever_moments_they_share(moments: list[int], spare: int) -> None:
    ties = max((moments.count(moment) for moment in moments), default=0)
    server = Server([thread(n, moment) for n, moment in enumerate(moments, start=1)], size=ties + spare)
    found = listed(server)
    assert sorted(found) == list(range(1, len(moments) + 1))
    assert len(server.queries) <= len(moments) + 1


@given(st.lists(st.integers(0, 12), max_size=30), st.integers(0, 12), st.integers(1, 6))
def test_down_to_a_cursor_nothing_is_left_out(moments: list[int], until: int, spare: int) -> None:
    ties = max((moments.count(moment) for moment in moments), default=0)
    server = Server([thread(n, moment) for n, moment in enumerate(moments, start=1)], size=ties + spare)
    found = set(listed(server, until=START + timedelta(milliseconds=until)))
    assert found >= {n for n, moment in enumerate(moments, start=1) if moment >= until}


def test_an_unchanged_list_costs_one_request() -> None:
    server = Server([thread(n, n * 1000) for n in range(1, 500)])
    assert len(listed(server, until=START + timedelta(seconds=499))) == 100
    assert len(server.queries) == 1
    assert server.queries[0] == {"limit": "100"}


def test_the_joined_list_goes_by_id() -> None:
    server = Server([thread(n, 1) for n in range(1, 251)])
    assert listed(server, Listing.JOINED) == list(range(250, 0, -1))
    assert [query.get("before") for query in server.queries] == [None, "151", "51"]


def test_more_ties_than_a_page_holds_are_logged_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    server = Server([*(thread(n, 50) for n in range(1, 301)), thread(999, 10), thread(998, 90)])
    found = listed(server)
    assert {998, 999} <= set(found)
    assert len(found) == len(set(found))
    assert "can't be listed" in caplog.text


def test_a_list_without_times_is_malformed() -> None:
    server = Server([{"id": str(n)} for n in range(1, 300)])

    async def work() -> None:
        async def read(_query: dict[str, str]) -> Any:
            return server._page(server.threads)

        async for _ in walk(read, Listing.PUBLIC):
            pass

    with pytest.raises(MalformedPage):
        run(work())


@pytest.mark.parametrize("odd", [None, 5, [], {}, {"threads": 5}, {"threads": [1, {}, {"id": "x"}], "members": 5}])
def test_nonsense_ends_the_walk(odd: Any) -> None:
    async def work() -> int:
        async def read(_query: dict[str, str]) -> Any:
            return odd

        return len([page async for page in walk(read, Listing.PUBLIC)])

    assert run(work()) == 0


def test_a_server_that_ignores_the_cursor_does_not_hold_the_walk() -> None:
    server = Server([thread(n, n) for n in range(1, 300)])

    async def work() -> int:
        async def read(_query: dict[str, str]) -> Any:
            return await server.by_time({})

        return sum([len(page.threads) async for page in walk(read, Listing.PUBLIC)])

    assert run(work()) == 100
    assert len(server.queries) <= 4
