from pathlib import Path

import pytest

from junkie_cli.db import queries, sqlfiles
from junkie_cli.db.queries import Query, parse, query


def test_all_are_parsed_and_explained() -> None:
    found = queries.every()
    assert found
    for each in found.values():
        assert len(each.explanation) > 10, each.name
        assert each.explanation.endswith("."), each.name
        assert not each.sql.endswith(";"), each.name


def test_a_block_is_heading_explanation_and_statement() -> None:
    text = "-- What this file is for.\n\n-- one --\n-- The first,\n-- in two lines.\nSELECT 1;\n\n-- two --\n-- The second.\nSELECT 2\n-- with a remark\nFROM t\n"
    assert parse(text, "x.sql") == [
        Query("one", "The first, in two lines.", "SELECT 1"),
        Query("two", "The second.", "SELECT 2\n-- with a remark\nFROM t"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- one --\nSELECT 1", "lacks its line of explanation"),
        ("-- one --\n-- Why.\n", "has no statement"),
        ("SELECT 1", "before the first heading"),
    ],
)
def test_a_malformed_block_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(text, "x.sql")


def test_a_name_stands_once_over_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.sql", "b.sql"):
        (tmp_path / name).write_text("-- one --\n-- Why.\nSELECT 1\n")
    monkeypatch.setattr(sqlfiles, "folder", lambda _name: tmp_path)
    with pytest.raises(ValueError, match=r"b\.sql: a query 'one' exists already"):
        queries.every.__wrapped__()


def test_an_unknown_name_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        query("no_such_query")
