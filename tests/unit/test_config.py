import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from junkie_cli import config, sources
from junkie_cli.config import VARIABLES, Settings, Variable
from junkie_cli.errors import ConfigError
from junkie_cli.values import Secret

TOKEN = "MTAx.token.of-a-bot"
OTHER = "MTAy.token.of-another"

NONSENSE: dict[str, tuple[str, ...]] = {
    "DISCORD_TOKEN": ("two words", "line\nbreak", "tök", "\x1b[2J", " "),
    "DISCORD_TOKEN_FILE": ("/nowhere/at/all", "~nobody-of-this-name/token", "x" * 5000),
    "DISCORD_API_URL": (
        *("discord.com", "ftp://x/", "http://", "http://[::1", "http://h:port", "http://h:99999", "http://a b/"),
        *("https://user:password@host/api", "https://host/api?x=1", "https://host/#x", "javascript:alert(1)"),
        *("https://a..b/api", f"https://{'a' * 64}.example/api"),
    ),
    "POSTGRES_URL": ("localhost", "host=localhost", "mysql://host/db", "postgresql:x", "postgresql://h/\x1bdb"),
    "JUNKIE_HOME": ("~nobody-of-this-name/junkie", "x" * 5000),
    "JUNKIE_PG_BIN": ("~nobody-of-this-name/bin",),
    "DISCORD_TIMEZONE": ("Mars/Olympus", "../../etc/passwd", "+05:30"),
    "JUNKIE_ON_DELETE": ("drop", "purge,keep"),
    "JUNKIE_KEEP_REVISIONS": ("2", "maybe"),
    "JUNKIE_ACCEPT_UNREADABLE": ("2", "maybe"),
    "LOG_LEVEL": ("LOUD", "10"),
    "JUNKIE_LOG_FORMAT": ("xml", "0"),
}
NUMBERS = ("-1", "1.5", "four", "1e3", "٤", "0x10", "1_000", "+5", "9" * 21, "9" * 12)
FREE = {"JUNKIE_GUILDS", "JUNKIE_CHANNELS", "JUNKIE_EXCLUDE"}
"""Ids and links, which the command that uses them reads."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def load(folder: Path, home: Path | None = None, **environ: str) -> Settings:
    """Settings of these sources and no others."""
    return config.load(environ=environ | ({"JUNKIE_HOME": str(home)} if home else {}), folder=folder)


def refusal(folder: Path, home: Path | None = None, **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(folder, home, **environ)
    error = caught.value
    assert error.exit_code == 4
    assert error.hint
    assert "\n" not in error.hint
    return error


def named(name: str) -> Variable:
    return next(variable for variable in VARIABLES if variable.name == name)


def test_every_setting_has_a_variable() -> None:
    assert [v.field for v in VARIABLES] == [f.name for f in fields(Settings) if f.name != "origins"]
    assert len({v.name for v in VARIABLES}) == len(VARIABLES)
    assert all(v.meaning and not v.meaning.endswith(".") for v in VARIABLES)


def test_defaults(folder: Path, home: Path) -> None:
    settings = load(folder, home)
    for variable in VARIABLES:
        if variable.name != "JUNKIE_HOME":
            assert getattr(settings, variable.field) == variable.default
            assert settings.origins[variable.name] == "default"
    assert settings.home == home


@pytest.mark.parametrize("variable", [v for v in VARIABLES if v.default is not None], ids=lambda v: str(v.name))
def test_a_default_written_out_is_read_as_itself(variable: Variable) -> None:
    written = ",".join(variable.default) if isinstance(variable.default, tuple) else str(variable.default)
    if isinstance(variable.default, bool):
        written = str(int(variable.default))
    assert variable.read(written) == variable.default


def test_flag_beats_environment_beats_env_files_beat_default(folder: Path, home: Path) -> None:
    def concurrency(flag: int | None, **environ: str) -> tuple[int, str]:
        settings = config.load({"concurrency": flag}, environ=environ | {"JUNKIE_HOME": str(home)}, folder=folder)
        return settings.concurrency, settings.origins["BACKFILL_CONCURRENCY"]

    assert concurrency(None) == (4, "default")
    (home / ".env").write_text("BACKFILL_CONCURRENCY=5\n")
    assert concurrency(None) == (5, str(home / ".env"))
    (folder / ".env").write_text("BACKFILL_CONCURRENCY=6\n")
    assert concurrency(None) == (6, str(folder / ".env"))
    assert concurrency(None, BACKFILL_CONCURRENCY="7") == (7, "environment")
    assert concurrency(8, BACKFILL_CONCURRENCY="7") == (8, "flag")


def test_an_empty_value_is_none_at_all(folder: Path, home: Path) -> None:
    (folder / ".env").write_text(f"DISCORD_TOKEN={TOKEN}\nCACHE_TTL=\n")
    settings = load(folder, home, DISCORD_TOKEN="", CACHE_TTL="")
    assert settings.token == Secret(TOKEN)
    assert settings.cache_ttl == 120


def test_a_path_is_relative_to_the_file_that_names_it(folder: Path, home: Path) -> None:
    (home / ".env").write_text("CACHE_TTL=7\nDISCORD_TOKEN_FILE=token\n")
    (home / "token").write_text(TOKEN)
    settings = load(folder, home)
    assert settings.cache_ttl == 7
    assert settings.token == Secret(TOKEN)


class TestForeignFolder:
    """Whose folder it is that one works in, nobody knows: it must not run programs."""

    @pytest.mark.parametrize("name", ["JUNKIE_PG_BIN", "JUNKIE_HOME"])
    def test_its_env_does_not_decide_which_programs_run(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
    ) -> None:
        monkeypatch.setattr(sources, "default_home", lambda: tmp_path / "default")
        monkeypatch.setattr(config, "default_home", lambda: tmp_path / "default")
        (folder / ".env").write_text(f"{name}=prepared\n")
        error = refusal(folder)
        assert error.message.startswith(f"{name} stands in {folder}/.env")
        problems: list[ConfigError] = []
        settings = config.load(environ={}, folder=folder, problems=problems)
        assert [problem.setting for problem in problems] == [name]
        assert (settings.home, settings.pg_bin) == (tmp_path / "default", None)

    def test_what_the_user_said_outweighs_it(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text("JUNKIE_PG_BIN=prepared\nJUNKIE_HOME=prepared\n")
        settings = load(folder, home, JUNKIE_PG_BIN="/usr/lib/postgresql/16/bin")
        assert (settings.home, settings.pg_bin) == (home, Path("/usr/lib/postgresql/16/bin"))

    def test_the_homes_own_env_may_name_programs(self, folder: Path, home: Path) -> None:
        (home / ".env").write_text("JUNKIE_PG_BIN=bin\n")
        assert load(folder, home).pg_bin == home / "bin"
        # It is the user's also where he works in it, whatever the way there.
        (home.parent / "way").symlink_to(home)
        assert load(home.parent / "way", home).pg_bin is not None

    def test_the_rest_of_it_counts(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text(f"DISCORD_TOKEN={TOKEN}\nPOSTGRES_URL=postgresql://h/d\n")
        settings = load(folder, home)
        assert (settings.token, settings.postgres_url) == (Secret(TOKEN), Secret("postgresql://h/d"))

    def test_a_token_file_without_an_end(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text("DISCORD_TOKEN_FILE=/dev/zero\n")
        assert "is a pipe or a device" in refusal(folder, home).message
        endless = refusal(folder, home, DISCORD_TOKEN_FILE="/dev/zero")
        assert "is too long to be a file of settings" in endless.message


def test_env_files_are_read_as_everywhere(folder: Path, home: Path) -> None:
    lines = ("# mine", f"export DISCORD_TOKEN='{TOKEN}'  # a comment", "", 'CACHE_TTL = "5"', "ALONE", "OTHER=x y")
    (folder / ".env").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    settings = load(folder, home)
    assert settings.token == Secret(TOKEN)
    assert settings.cache_ttl == 5


def test_an_env_file_takes_no_secret_out_of_the_environment(folder: Path, home: Path) -> None:
    (folder / ".env").write_text("JUNKIE_EXCLUDE=${DISCORD_TOKEN}\n")
    assert load(folder, home, DISCORD_TOKEN=TOKEN).exclude == ("${DISCORD_TOKEN}",)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"DISCORD_TOKEN='x\n", "line 1, is no NAME=value"), (b"# x\n=5\n", "line 2,"), (b"A=\xff\xfe\n", "is not UTF-8")],
)
def test_an_env_file_that_nobody_understands_is_an_error(folder: Path, home: Path, content: bytes, words: str) -> None:
    (folder / ".env").write_bytes(content)
    error = refusal(folder, home)
    assert words in error.message
    assert str(folder / ".env") in error.message


def test_a_folder_called_env_is_none_of_our_business(folder: Path, home: Path) -> None:
    (folder / ".env").mkdir()
    assert load(folder, home).concurrency == 4


def test_an_env_file_that_is_a_pipe_keeps_nobody_waiting(folder: Path, home: Path) -> None:
    os.mkfifo(folder / ".env")
    assert refusal(folder, home).message == f"{folder / '.env'} is a pipe or a device, no file"
    (folder / ".env").unlink()
    os.mkfifo(folder / "secret")
    (folder / ".env").write_text("DISCORD_TOKEN_FILE=secret\n")
    assert "is a pipe or a device" in refusal(folder, home).message


def test_an_env_file_that_is_hidden_is_empty(folder: Path, home: Path) -> None:
    (folder / ".env").symlink_to(os.devnull)
    assert load(folder, home).concurrency == 4


def test_a_working_folder_that_may_not_be_entered_has_no_dotenv(folder: Path) -> None:
    """As after `sudo -u junkie` in one's own home."""
    (folder / ".env").write_text("CACHE_TTL=7\n")
    folder.chmod(0o600 if os.geteuid() else 0o700)
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(65534)
        assert load(folder, JUNKIE_HOME="/nowhere/at/all").cache_ttl == 120
    finally:
        os.seteuid(before)
        folder.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_env_file_that_may_not_be_read(folder: Path, home: Path) -> None:
    (folder / ".env").touch(mode=0)
    assert "Permission denied" in refusal(folder, home).message


def test_a_home_below_a_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    # Whoever writes there says so; to read settings it need not exist.
    assert load(folder, JUNKIE_HOME=str(tmp_path / "file" / "home")).home == tmp_path / "file" / "home"


def test_a_working_folder_that_is_gone(tmp_path: Path, home: Path) -> None:
    with working_folder(tmp_path / "gone"):
        (tmp_path / "gone").rmdir()
        assert config.load(environ={"JUNKIE_HOME": str(home)}).home == home
        with pytest.raises(ConfigError, match="relative to a working folder that is gone"):
            config.load(environ={"JUNKIE_HOME": "home"})


@contextmanager
def working_folder(path: Path) -> Iterator[None]:
    before = Path.cwd()
    path.mkdir()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def test_a_user_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: "~/.local/share/junkie")
    with pytest.raises(ConfigError, match="no home folder"):
        sources.default_home()


def test_roots_home_can_be_reached_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert sources.default_home() == Path("/var/lib/junkie")


nonsense = [(name, text) for name, texts in NONSENSE.items() for text in texts]
numeric = [v.name for v in VARIABLES if v.name not in NONSENSE and v.name not in FREE]


@pytest.mark.parametrize(("name", "text"), nonsense + [(name, text) for name in numeric for text in NUMBERS])
def test_nonsense_is_refused_by_name_and_source(folder: Path, home: Path, name: str, text: str) -> None:
    error = refusal(folder, None if name == "JUNKIE_HOME" else home, **{name: text})
    assert error.message.startswith(name) or text in error.message
    if named(name).secret and text.strip():
        assert text not in error.message


@pytest.mark.parametrize("name", sorted(set(numeric) - {"CACHE_TTL"}))
def test_zero_is_no_count(folder: Path, home: Path, name: str) -> None:
    assert "from 1" in refusal(folder, home, **{name: "0"}).message


def test_an_error_names_the_file_that_it_is_about(folder: Path, home: Path) -> None:
    (folder / ".env").write_text("BACKFILL_CONCURRENCY=many\n")
    expected = f"BACKFILL_CONCURRENCY ({folder}/.env) is 'many' and must be a whole number from 1 to 100"
    assert refusal(folder, home).message == expected


def test_a_password_in_an_address_is_not_repeated(folder: Path, home: Path) -> None:
    for name in ("DISCORD_API_URL", "POSTGRES_URL"):
        assert "hunter2" not in refusal(folder, home, **{name: "ftp://user:hunter2@host/"}).message


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DISCORD_TOKEN", f"  Bot {TOKEN}\n", Secret(TOKEN)),
        ("DISCORD_API_URL", " http://127.0.0.1:8080/api/v10/ ", "http://127.0.0.1:8080/api/v10"),
        ("DISCORD_API_URL", "http://[::1]:8080/api", "http://[::1]:8080/api"),
        ("POSTGRES_URL", "postgres://u@h/d\n", Secret("postgres://u@h/d")),
        ("POSTGRES_URL", "postgresql:///d?host=/run/pg", Secret("postgresql:///d?host=/run/pg")),
        ("CONTEXT_AGENT_MAX_MESSAGES", "ALL", None),
        ("MESSAGE_SYNC_LIMIT", " 50 ", 50),
        ("BACKFILL_CONCURRENCY", "100", 100),
        ("CACHE_TTL", "0", 0),
        ("JUNKIE_ON_DELETE", "Keep", "keep"),
        ("JUNKIE_KEEP_REVISIONS", "TRUE", True),
        ("JUNKIE_KEEP_REVISIONS", "off", False),
        ("JUNKIE_GUILDS", "1, 2,3  4", ("1", "2", "3", "4")),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("DISCORD_TIMEZONE", "Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_reads(folder: Path, home: Path, name: str, text: str, value: object) -> None:
    assert getattr(load(folder, home, **{name: text}), named(name).field) == value


def test_a_relative_path_is_of_the_working_folder(folder: Path, home: Path) -> None:
    assert load(folder, home, JUNKIE_PG_BIN="bin").pg_bin == folder / "bin"


class TestToken:
    def test_stands_in_a_file(self, folder: Path, home: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(f"{TOKEN}\n")
        settings = load(folder, home, DISCORD_TOKEN_FILE=str(tmp_path / "secret"))
        assert settings.require_token() == Secret(TOKEN)

    def test_comes_through_a_pipe_that_the_environment_names(self, folder: Path, home: Path) -> None:
        reader, writer = os.pipe()
        os.write(writer, TOKEN.encode())
        os.close(writer)
        try:
            settings = load(folder, home, DISCORD_TOKEN_FILE=f"/dev/fd/{reader}")
        finally:
            os.close(reader)
        assert settings.require_token() == Secret(TOKEN)

    def test_itself_beats_the_file_of_the_same_source(self, folder: Path, home: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(OTHER)
        settings = load(folder, home, DISCORD_TOKEN=TOKEN, DISCORD_TOKEN_FILE=str(tmp_path / "secret"))
        assert settings.token == Secret(TOKEN)

    def test_file_of_the_environment_beats_a_token_of_env(self, folder: Path, home: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(TOKEN)
        (folder / ".env").write_text(f"DISCORD_TOKEN={OTHER}\n")
        settings = load(folder, home, DISCORD_TOKEN_FILE=str(tmp_path / "secret"))
        assert settings.token == Secret(TOKEN)

    def test_file_that_holds_none(self, folder: Path, home: Path, tmp_path: Path) -> None:
        for content in (b"", b"two words\n", b"\xff\xfe"):
            (tmp_path / "secret").write_bytes(content)
            error = refusal(folder, home, DISCORD_TOKEN_FILE=str(tmp_path / "secret"))
            assert str(tmp_path / "secret") in error.message
            assert "two words" not in error.message

    def test_is_missed_with_a_next_step(self, folder: Path, home: Path) -> None:
        with pytest.raises(ConfigError, match="no bot token is set") as caught:
            load(folder, home).require_token()
        assert "DISCORD_TOKEN" in caught.value.hint


class TestApiUrlOfAnEnvFile:
    EVIL = "DISCORD_API_URL=http://evil.example/api\n"

    def test_is_used_with_that_files_own_token(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text(f"{self.EVIL}DISCORD_TOKEN={OTHER}\n")
        assert load(folder, home).api_url == "http://evil.example/api"

    def test_is_refused_with_a_token_of_the_environment(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text(self.EVIL)
        assert "token does not" in refusal(folder, home, DISCORD_TOKEN=TOKEN).message

    def test_is_refused_with_a_token_of_the_home(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text(self.EVIL)
        (home / ".env").write_text(f"DISCORD_TOKEN={TOKEN}\n")
        assert "token does not" in refusal(folder, home).message

    def test_is_refused_with_a_token_file_of_elsewhere(self, folder: Path, home: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(TOKEN)
        (folder / "link").symlink_to(tmp_path / "secret")
        for named_file in (tmp_path / "secret", "../secret", "link"):
            (folder / ".env").write_text(f"{self.EVIL}DISCORD_TOKEN_FILE={named_file}\n")
            assert "token does not" in refusal(folder, home).message

    def test_is_used_with_a_token_file_beside_it(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text(f"{self.EVIL}DISCORD_TOKEN_FILE=token\n")
        (folder / "token").write_text(OTHER)
        assert load(folder, home).token == Secret(OTHER)

    def test_of_the_environment_is_trusted(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text(f"DISCORD_TOKEN={OTHER}\n")
        assert load(folder, home, DISCORD_API_URL="http://proxy/api").api_url == "http://proxy/api"

    def test_without_a_token_harms_nobody(self, folder: Path, home: Path) -> None:
        (folder / ".env").write_text(self.EVIL)
        assert load(folder, home).token is None


def test_secrets_show_nowhere(folder: Path, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = load(folder, home, DISCORD_TOKEN=TOKEN, POSTGRES_URL="postgresql://u:hunter2@h/d")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("%s %r %s", settings, settings.token, settings.postgres_url)
    shown = f"{settings!r} {settings} {settings.token} {settings.token!r} {settings.postgres_url!s:>9} {caplog.text}"
    assert TOKEN not in shown
    assert "hunter2" not in shown
    assert settings.token is not None
    assert settings.token.reveal() == TOKEN
    assert {settings.token} == {Secret(TOKEN)}
    assert settings.token != TOKEN


class TestProblems:
    def test_all_that_is_wrong_is_listed_and_the_rest_is_read(self, folder: Path, home: Path) -> None:
        problems: list[ConfigError] = []
        environ = {"CACHE_TTL": "soon", "DISCORD_TIMEZONE": "Mars/Olympus", "MESSAGE_SYNC_LIMIT": "7"}
        settings = config.load(environ=environ | {"JUNKIE_HOME": str(home)}, folder=folder, problems=problems)
        assert [error.message.split()[0] for error in problems] == ["DISCORD_TIMEZONE", "CACHE_TTL"]
        assert (settings.cache_ttl, settings.origins["CACHE_TTL"]) == (120, "environment")
        assert (settings.sync_limit, settings.timezone) == (7, "Asia/Kolkata")

    def test_no_token_goes_to_an_address_that_another_file_names(self, folder: Path, home: Path) -> None:
        problems: list[ConfigError] = []
        (folder / ".env").write_text("DISCORD_API_URL=http://evil.example/api\n")
        environ = {"DISCORD_TOKEN": TOKEN, "JUNKIE_HOME": str(home)}
        settings = config.load(environ=environ, folder=folder, problems=problems)
        assert settings.token is None
        assert len(problems) == 1

    def test_a_token_file_that_is_not_there(self, folder: Path, home: Path) -> None:
        problems: list[ConfigError] = []
        environ = {"DISCORD_TOKEN_FILE": "/nowhere/at/all", "JUNKIE_HOME": str(home)}
        settings = config.load(environ=environ, folder=folder, problems=problems)
        assert settings.token is None
        assert "DISCORD_TOKEN_FILE" in problems[0].message

    def test_a_file_that_nobody_understands_counts_as_empty(self, folder: Path, home: Path) -> None:
        problems: list[ConfigError] = []
        (folder / ".env").write_bytes(b"CACHE_TTL=5\n\xff\n")
        (home / ".env").write_text("CACHE_TTL=7\n")
        settings = config.load(environ={"JUNKIE_HOME": str(home)}, folder=folder, problems=problems)
        assert settings.cache_ttl == 7
        assert [(error.setting, "not UTF-8" in error.message) for error in problems] == [("", True)]

    def test_a_home_that_makes_no_sense(self, folder: Path) -> None:
        problems: list[ConfigError] = []
        settings = config.load(environ={"JUNKIE_HOME": "~nobody-of-this-name"}, folder=folder, problems=problems)
        assert settings.home == sources.default_home()
        assert {error.setting for error in problems} == {"JUNKIE_HOME"}
