"""Makes a failing value small enough to be looked at."""

import copy
from collections.abc import Awaitable, Callable, Iterator
from typing import Any


async def smallest(value: Any, fails: Callable[[Any], Awaitable[bool]], *, most: int = 1_000) -> Any:
    """Return a part of the value that still fails, after at most so many tries: whatever can be left out is."""
    tries = 0
    again = True
    while again:
        again = False
        for smaller in reductions(value):
            tries += 1
            if tries > most:
                return value
            if await fails(smaller):
                value, again = smaller, True
                break
    return value


def reductions(value: Any) -> Iterator[Any]:
    """Yield copies of a value, each with something less in it; the largest steps come first."""
    paths = sorted(_paths(value), key=len)
    for path in paths:
        smaller = copy.deepcopy(value)
        del _at(smaller, path[:-1])[path[-1]]
        yield smaller
    for path in paths:
        item = _at(value, path)
        if type(item) is str and len(item) > 1:
            for half in (item[: len(item) // 2], item[len(item) // 2 :]):
                smaller = copy.deepcopy(value)
                _at(smaller, path[:-1])[path[-1]] = half
                yield smaller


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    pending: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    while pending:
        path, container = pending.pop()
        if type(container) in {dict, list}:
            for place, item in container.items() if type(container) is dict else enumerate(container):
                yield (*path, place)
                pending.append(((*path, place), item))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for place in path:
        value = value[place]
    return value
