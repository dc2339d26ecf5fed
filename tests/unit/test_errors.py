import re

import pytest

from junkie_cli import errors
from junkie_cli.errors import JunkieError


def every(root: type[JunkieError]) -> list[type[JunkieError]]:
    """All classes of the tree, each before its children, in the order of their definition."""
    found = [root]
    for child in root.__subclasses__():
        if child.__module__ == root.__module__:
            found += every(child)
    return found


def depth(error: type[JunkieError]) -> int:
    return len(error.__mro__) - len(JunkieError.__mro__)


def test_the_tree_drawn_at_the_top_is_the_tree_of_classes() -> None:
    assert errors.__doc__ is not None
    drawn = [
        (len(match[1]) // 4, match[2], int(match[3]))
        for match in re.finditer(r"^ {4}([│├└─ ]*)([A-Z]\w+) +(\d+)  ", errors.__doc__, re.MULTILINE)
    ]
    assert drawn == [(depth(error), error.__name__, error.exit_code) for error in every(JunkieError)]


def test_exit_codes_are_those_that_are_documented() -> None:
    codes = {error.exit_code for error in every(JunkieError)} | {errors.PARTIAL, errors.INTERRUPTED}
    assert codes == {1, 2, 3, 4, 5, 130}


@pytest.mark.parametrize("error", every(JunkieError))
def test_carries_what_happened_and_what_to_do(error: type[JunkieError]) -> None:
    raised = error("it rains", hint="take an umbrella")
    assert (str(raised), raised.message, raised.hint) == ("it rains", "it rains", "take an umbrella")
    assert error("it rains").hint == ""
