import io
import json
import logging
from dataclasses import replace

import pytest
from rich.console import Console

from junkie_cli.cli.adoption import as_json, closing, drawn, logged
from junkie_cli.db.adopt import Adoption

NOTHING = Adoption("public", 1_000, False, 0, 0, 0, 0, 0, 0, 0, 0)
ALL = Adoption("old\x1b[31m", 99_999, True, 1_234, 2, 3, 4, 5, 6, 7, 8)


def test_log_lines_tell_each_tenth_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "junkie")
    report = logged()
    for adopted in (0, 50, 99, 100, 150, 450, 459, 1_000, 1_000):
        report(replace(NOTHING, adopted=adopted))
    assert caplog.messages == [
        "Adopting 1,000 rows of schema 'public'",
        "100 of 1,000 rows (10%)",
        "450 of 1,000 rows (45%)",
        "1,000 of 1,000 rows (100%)",
    ]


def test_log_lines_tell_that_it_goes_on_with_another(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "junkie")
    logged()(replace(NOTHING, resumed=True, adopted=500))
    assert caplog.messages == ["Going on with 1,000 rows of schema 'public'"]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_bar_grows_and_goes(width: int) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, legacy_windows=False)
    with drawn(console) as report:
        report(NOTHING)
        report(replace(NOTHING, adopted=400, held=100))
        # The original went on writing.
        report(replace(NOTHING, adopted=1_200))
    if width >= 80:
        assert "Adopting" in screen.getvalue()
        assert "1200/1200" in screen.getvalue()


def test_every_reason_has_its_line() -> None:
    assert closing(NOTHING) == ["adopted 0 of 0 rows of schema 'public'"]
    lines = closing(ALL)
    assert lines[0] == "adopted 1,234 of 1,269 rows of schema 'old\x1b[31m'"
    assert [line.split()[2] for line in lines[1:-1]] == list("2345678")
    assert "junkie backfill" in lines[-1]


def test_json_holds_every_count() -> None:
    told = json.loads(as_json(ALL))
    assert told["rows"] == told["adopted"] + sum(told["left_out"].values()) == 1_269
