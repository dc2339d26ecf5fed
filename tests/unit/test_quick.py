from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from junkie_cli.models import Message
from junkie_cli.quick import quick


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    number: int = 5
    parts: list[int] = field(default_factory=list)


def test_what_it_makes_is_what_the_class_makes() -> None:
    make = quick(Thing)
    assert make("a") == Thing("a")
    assert make("a", number=6, parts=[1]) == Thing("a", 6, [1])
    assert type(make("a")) is Thing
    assert make("a").parts is not make("a").parts
    assert repr(make("a")) == repr(Thing("a"))
    assert replace(make("a"), number=7) == Thing("a", 7)


def test_what_it_makes_is_frozen() -> None:
    made = quick(Message)(1, 2, 3, "name", "content")
    with pytest.raises(FrozenInstanceError):
        made.content = "other"  # type: ignore[misc]
    assert hash(made) == hash(Message(1, 2, 3, "name", "content"))


def test_it_takes_no_more_than_the_class() -> None:
    with pytest.raises(TypeError):
        quick(Thing)()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        quick(Thing)("a", other=5)  # type: ignore[call-arg]
