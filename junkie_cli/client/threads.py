"""The lists of archived threads, walked page by page, newest first.

Invariant: a walk that ends without an error has seen every thread that was archived at or after `until` when it began
(unless more than a page of them share a millisecond, which is logged: Discord offers no way to list those). Two of the lists are paged by archive time, `before` a moment, and threads may share one; so each request asks from a
millisecond above the oldest moment seen, and what comes twice is passed over. The third is paged by id, which is unique.

A cursor per list may move to `newest` only after the walk has ended.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from junkie_cli.client.payload import read_id, read_time
from junkie_cli.errors import MalformedPage

log = logging.getLogger(__name__)

PAGE: Final = 100
_OVERLAP: Final = timedelta(milliseconds=1)

ReadPage = Callable[[dict[str, str]], Awaitable[Any]]
"""Ask Discord for one page of a list, with these query parameters."""


class Listing(StrEnum):
    """One of a channel's lists of archived threads; the value is its path below the channel."""

    PUBLIC = "threads/archived/public"
    PRIVATE = "threads/archived/private"
    """Every private thread; needs Manage Threads."""
    JOINED = "users/@me/threads/archived/private"
    """The private threads that the bot is in. Ordered by id, so that it has no cursor: it is read whole."""


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """One answer: the thread objects that no earlier page of the walk had, and the ids of those the bot is in."""

    threads: tuple[Mapping[str, Any], ...]
    joined: frozenset[int]
    newest: datetime | None
    oldest: datetime | None


async def walk(read: ReadPage, listing: Listing, until: datetime | None = None) -> AsyncGenerator[ThreadPage, None]:
    """Yield the pages of a list, newest first, down to the threads archived at `until` (None: to the end).

    Raises what `read` raises, and MalformedPage; what was yielded before holds, but is not the whole.
    """
    seen: set[int] = set()
    cursor = _ById() if listing is Listing.JOINED else _ByTime(until)
    while True:
        answer = await read({"limit": str(PAGE), **cursor.query})
        threads = _threads(answer)
        page = _page(threads, answer, seen)
        seen.update(map(_id, threads))
        if page.threads:
            yield page
        if not threads or answer.get("has_more") is not True or not cursor.move(threads, page):
            return


class _ById:
    """Pages of the joined list: ids below the lowest seen."""

    def __init__(self) -> None:
        self.query: dict[str, str] = {}
        self._lowest: int | None = None

    def move(self, threads: list[dict[str, Any]], _page: ThreadPage) -> bool:
        lowest = min(map(_id, threads))
        if self._lowest is not None and lowest >= self._lowest:
            return False
        self._lowest = lowest
        self.query = {"before": str(lowest)}
        return True


class _ByTime:
    """Pages of the other lists, down to `until`."""

    def __init__(self, until: datetime | None) -> None:
        self.query: dict[str, str] = {}
        self._until = until
        self._before: datetime | None = None

    def move(self, _threads: list[dict[str, Any]], page: ThreadPage) -> bool:
        if page.oldest is None:
            raise MalformedPage("Discord lists archived threads without saying when they were archived")
        if self._until is not None and page.oldest < self._until:
            return False
        before = page.oldest + _OVERLAP
        if not page.threads or before == self._before:
            log.warning("more than %d threads were archived at %s; some can't be listed", PAGE, page.oldest.isoformat())
            before = page.oldest
        if self._before is not None and before >= self._before:
            return False
        self._before = before
        self.query = {"before": before.isoformat()}
        return True


def _threads(answer: Any) -> list[dict[str, Any]]:
    threads = answer.get("threads") if isinstance(answer, dict) else None
    found = [thread for thread in threads if isinstance(thread, dict)] if isinstance(threads, list) else []
    return [thread for thread in found if read_id(thread.get("id")) is not None]


def _page(threads: list[dict[str, Any]], answer: Any, seen: set[int]) -> ThreadPage:
    moments = [moment for thread in threads if (moment := _archived_at(thread)) is not None]
    return ThreadPage(
        tuple(thread for thread in threads if _id(thread) not in seen),
        joined_in(answer),
        max(moments, default=None),
        min(moments, default=None),
    )


def joined_in(answer: Any) -> frozenset[int]:
    """Return the ids of the threads that an answer says the bot is in."""
    members = answer.get("members") if isinstance(answer, dict) else None
    ids = (
        read_id(member.get("id"))
        for member in (members if isinstance(members, list) else [])
        if isinstance(member, dict)
    )
    return frozenset(thread_id for thread_id in ids if thread_id is not None)


def _id(thread: Mapping[str, Any]) -> int:
    return read_id(thread.get("id")) or 0


def _archived_at(thread: Mapping[str, Any]) -> datetime | None:
    about = thread.get("thread_metadata")
    return read_time(about.get("archive_timestamp")) if isinstance(about, dict) else None
