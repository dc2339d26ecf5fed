import io
import json

import pytest
from rich.cells import cell_len

from junkie_cli import checks
from junkie_cli.checks import Check, Verdict
from junkie_cli.cli.findings import MOST_ROWS, Findings, as_json, closing, rows
from junkie_cli.errors import DatabaseError

LONG = checks.warning("permissions", "#general of 'Pixel & Pine': the bot lacks Read Message History", "do " * 60)


def text(check: Check, *, width: int = 80, ellipsis: str = "…") -> list[str]:
    return ["".join(piece for piece, _ in line) for line in rows(check, width=width, ellipsis=ellipsis)]


def test_a_row_says_what_is_and_below_it_what_to_do() -> None:
    assert text(checks.failure("tables", DatabaseError("they are odd", hint="restore them"))) == [
        "  FAILED   tables          they are odd",
        "                           → restore them",
    ]


@pytest.mark.parametrize("width", [50, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    wide = checks.warning("permissions", "広" * 300 + " x" * 200, "ab" * 300)
    for check in (LONG, wide):
        assert max(cell_len(line) for line in text(check, width=width)) <= width


def test_a_wide_name_leaves_room_for_what_is_said_of_it() -> None:
    check = checks.warning("permissions", f"#{'広' * 20} of '{'場' * 20}': the bot lacks View Channel", "")
    lines = text(check)
    assert " ".join(line.strip() for line in lines).endswith("the bot lacks View Channel")
    assert max(map(cell_len, lines)) <= 80


def test_an_address_to_be_copied_stays_whole() -> None:
    address = "https://discord.com/oauth2/authorize?client_id=1244258736541141761&scope=bot&permissions=17180984320"
    lines = text(checks.warning("permissions", "the bot is in no server", f"invite it: {address}"))
    assert any(address in line for line in lines)


def test_what_people_wrote_moves_no_cursor_and_is_no_markup() -> None:
    hostile = "#a\x1b[2J\n\u202e[red]b[/red]\x9b5m of 'x\ty'"
    line = " ".join(text(checks.warning("permissions", hostile, "")))
    assert "[red]" in line
    assert not any(char in line for char in "\x1b\n\u202e\x9b\t")


def test_the_last_line_counts() -> None:
    assert closing([checks.passed("a", "")]) == "0 failures, 1 ok"
    some = [checks.failure("a", DatabaseError("")), checks.skipped("b", ""), LONG, checks.passed("c", "")]
    assert closing([*some, LONG]) == "1 failure, 2 warnings, 1 ok, 1 skipped"


def test_json_has_all() -> None:
    told = as_json([("Database", checks.failure("tables", DatabaseError("odd", hint="restore"))), ("Discord", LONG)])
    assert (told["version"], told["ok"], told["exit_code"]) == (1, False, 5)
    assert told["checks"][0] == {
        "section": "Database",
        "check": "tables",
        "verdict": "failure",
        "found": "odd",
        "fix": "restore",
        "facts": {},
    }
    json.dumps(told)


def shown(monkeypatch: pytest.MonkeyPatch, *groups: list[Check], encoding: str = "utf-8", as_json: bool = False) -> str:
    buffer = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(buffer, encoding=encoding, newline=""))
    findings = Findings(as_json=as_json)
    for section, group in zip(("Database", "Discord", "Discord"), groups, strict=False):
        findings.add(section, group)
    findings.end()
    return buffer.getvalue().decode(encoding)


def test_sections_have_a_heading_each(monkeypatch: pytest.MonkeyPatch) -> None:
    written = shown(monkeypatch, [checks.passed("a", "x")], [checks.passed("b", "y")], [checks.skipped("c", "z")])
    assert written.splitlines() == [
        "Database",
        "  ok       a               x",
        "",
        "Discord",
        "  ok       b               y",
        "  skipped  c               z",
        "",
        "0 failures, 2 ok, 1 skipped",
    ]


def test_many_rows_of_one_check_are_cut_for_people_only(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [checks.warning("permissions", f"#c{number}", "") for number in range(MOST_ROWS + 5)]
    written = shown(monkeypatch, many)
    assert f"#c{MOST_ROWS - 1}\n" in written
    assert f"#c{MOST_ROWS}\n" not in written
    assert "  5 more rows of permissions; --json has them all" in written
    assert f"{MOST_ROWS + 5} warnings" in written
    assert len(json.loads(shown(monkeypatch, many, as_json=True))["checks"]) == MOST_ROWS + 5


def test_plain_signs_where_there_is_no_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    written = shown(monkeypatch, [checks.warning("permissions", "Ärger " + "ä" * 200, "mend it")], encoding="ascii")
    assert "-> mend it" in written
    assert max(map(len, written.splitlines())) <= 80


def test_every_verdict_has_a_word() -> None:
    assert {text(Check("a", verdict, "x"))[0].split()[0] for verdict in Verdict} == {
        "ok",
        "warning",
        "FAILED",
        "skipped",
    }
