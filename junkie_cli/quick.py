"""Frozen dataclasses where thousands are made a second."""

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


def quick(kind: Callable[P, T]) -> Callable[P, T]:
    """Return a constructor for a frozen dataclass with slots that takes a third of the time.

    Such a class sets each field by a call. This sets them in an object of a class that has the same slots and is not
    frozen, and then gives the object its own class.
    """
    frozen = cast("type[Any]", kind)
    thawed = make_dataclass(
        f"_Thawed{frozen.__name__}", [(each.name, each.type, each) for each in fields(frozen)], slots=True
    )

    def make(*values: P.args, **named: P.kwargs) -> T:
        made = thawed(*values, **named)
        made.__class__ = frozen
        return cast("T", made)

    return make
