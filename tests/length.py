"""How long tests go on that could go on for ever: `nox -s long` lets them."""

import os


def up_to(in_the_suite: int, in_the_long_session: int) -> int:
    """Return how many of something are enough for this run."""
    return in_the_long_session if os.environ.get("JUNKIE_TEST_LONG") else in_the_suite
