import errno
import io
import logging
import os
import sys
from collections.abc import Iterator

import pytest

from junkie_cli.cli.cells import crop, fit, wrap
from junkie_cli.cli.output import error_line, note, product, set_up_logging, shown, speaks_unicode, writable
from junkie_cli.errors import JunkieError
from junkie_cli.values import Secret
from tests.unit.cli.runs import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_shown_text_is_one_line_without_controls(text: str) -> None:
    assert all(ch >= " " and ch != "\x7f" for ch in shown(text))
    shown(text).encode("utf-8")


def test_what_scripts_and_emoji_need_stays() -> None:
    for text in ("naïve", "日本語", "👩‍💻", "می‌خواهم", "❤️"):
        assert shown(text) == text


def test_a_narrow_encoding_gets_plain_signs() -> None:
    assert writable("✓ a › b … 3–4 日", "ascii") == "OK a > b ... 3-4 ?"  # noqa: RUF001  signs that are shown
    assert writable("✓ ü", "latin-1") == "OK ü"
    assert writable("✓", None) == "✓"
    assert speaks_unicode(io.StringIO())
    assert not speaks_unicode(io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [1, 2, 3, 10, 80])
def test_fitted_text_takes_exactly_its_cells(text: str, width: int) -> None:
    from rich.cells import cell_len

    assert cell_len(fit(text, width)) == width
    assert cell_len(crop(text, width)) <= width


def test_cropping_counts_cells_and_not_characters() -> None:
    assert fit("日本語です", 7) == "日本語…"
    assert fit("日本語です", 6) == "日本 …"
    assert fit("abc", 5) == "abc  "
    assert crop("abcdef", 4, ellipsis="...") == "a..."


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [10, 40, 80])
def test_lines_are_broken_where_their_cells_end_and_lose_nothing(text: str, width: int) -> None:
    from rich.cells import cell_len

    words = " ".join(sign + " x" for sign in shown(text) if cell_len(sign))
    lines = wrap(words, width)
    assert " ".join(lines).split() == words.split()
    assert all(cell_len(line) <= width for line in lines)


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    error_line("it\nbroke\x1b[2J", "mend it")
    note("and so on\x07")
    assert capsys.readouterr() == ("", "error: it broke\ufffd[2J; mend it\nand so on\ufffd\n")


def test_a_product_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    product("a\nb\x1b")
    assert capsys.readouterr() == ("a\nb\ufffd\n", "")


def test_closed_streams_are_no_reason_to_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    note("nobody hears it")
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys, "stdout", None)
    product("nor that")


class Broken(io.StringIO):
    """A stream that fails as the system says."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self._code = code

    def write(self, _text: str) -> int:
        raise OSError(self._code, os.strerror(self._code))


def test_a_reader_that_is_gone_is_no_error_and_a_full_disk_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(errno.EPIPE))
    product("unheard")
    monkeypatch.setattr(sys, "stdout", Broken(errno.ENOSPC))
    with pytest.raises(JunkieError, match="can't write to stdout: No space left on device"):
        product("lost")
    monkeypatch.setattr(sys, "stderr", Broken(errno.EPIPE))
    note("unheard")
    logging.getLogger("junkie").warning("unheard")


class TestLogging:
    @pytest.fixture(autouse=True)
    def restore(self) -> Iterator[None]:
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        yield
        for handler in root.handlers[:]:
            root.removeHandler(handler)
        for handler in handlers:
            root.addHandler(handler)
        root.setLevel(level)

    def test_the_level_holds_and_records_are_one_safe_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        set_up_logging("INFO")
        logging.getLogger("junkie").debug("not this")
        logging.getLogger("junkie").info("✓ Progress: %s", "a\nb\x1b[2J")
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith("INFO    ✓ Progress: a b\ufffd[2J")

    def test_a_traceback_keeps_its_lines_and_loses_its_controls(self, capsys: pytest.CaptureFixture[str]) -> None:
        set_up_logging("DEBUG")

        def fail() -> None:
            raise ValueError("odd\x1b[2J")

        try:
            fail()
        except ValueError:
            logging.getLogger("junkie").debug("stopped by", exc_info=True)
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) > 3
        assert lines[-1] == "ValueError: odd\ufffd[2J"

    def test_libraries_that_log_secrets_are_quiet_even_when_debugging(self, capsys: pytest.CaptureFixture[str]) -> None:
        set_up_logging("DEBUG")
        logging.getLogger("discord.http").debug("Authorization: Bot secret")
        assert capsys.readouterr().err == ""

    def test_a_secret_shows_in_no_line_and_no_traceback(self, capsys: pytest.CaptureFixture[str]) -> None:
        token = "MTIz.a-token.of-nobody"
        Secret(token)
        set_up_logging("DEBUG")
        note(f"it was {token}")

        def fail() -> None:
            raise ValueError(f"headers: {{'Authorization': 'Bot {token}'}}")

        try:
            fail()
        except ValueError:
            logging.getLogger("junkie").exception("with %s", token)
        said = capsys.readouterr().err
        assert "MTIz" not in said
        assert said.count("********") == 3
