from pathlib import Path

import pytest

from junkie_cli.db import migrations, sqlfiles


def test_both_folders_are_found() -> None:
    assert next(iter(sqlfiles.read("migrations"))) == "0001_archive.sql"
    assert "migrations.sql" in sqlfiles.read("queries")


def test_a_missing_folder_names_the_remedy() -> None:
    with pytest.raises(RuntimeError, match="install it again"):
        sqlfiles.folder("nothing")


def test_line_endings_change_no_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "CREATE TABLE junkie.a ();\nCREATE TABLE junkie.b ();\n"
    checksums = set()
    for number, written in enumerate((text, text.replace("\n", "\r\n"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "0001_first.sql").write_bytes(written.encode())
        monkeypatch.setattr(sqlfiles, "folder", lambda _name, folder=folder: folder)
        (migration,) = migrations.known.__wrapped__()
        checksums.add(migration.checksum)
    assert len(checksums) == 1


@pytest.mark.parametrize("names", [["0002_second.sql"], ["0001_a.sql", "0003_b.sql"], ["1_a.sql"], ["0001-a.sql"]])
def test_misnumbered_or_misnamed_migrations_are_a_fault_of_the_build(
    names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    monkeypatch.setattr(sqlfiles, "folder", lambda _name: tmp_path)
    with pytest.raises(ValueError, match="migrations"):
        migrations.known.__wrapped__()
