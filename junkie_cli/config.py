"""Settings: flag > environment > `.env` of the working folder > `.env` of JUNKIE_HOME > default.

One table names every setting, so that `Settings`, the documentation and `junkie config` can't disagree.
Secrets are `Secret`s: their repr and str are masked, so that no log line or traceback can show them.
"""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, cast

from junkie_cli import values
from junkie_cli.errors import ConfigError
from junkie_cli.values import Secret

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its environment name, the `Settings` field it fills, default, reader and meaning."""

    name: str
    field: str
    default: Any
    read: Callable[[str], Any]
    meaning: str
    secret: bool = False


VARIABLES: Final = (
    Variable("DISCORD_TOKEN", "token", None, values.token, "bot token; never a flag, never printed", secret=True),
    Variable(
        "DISCORD_TOKEN_FILE",
        "token_file",
        None,
        values.path,
        "file that holds the bot token, such as a container's secret",
    ),
    Variable(
        "DISCORD_API_URL",
        "api_url",
        values.DISCORD_API_URL,
        values.api_url,
        "base of Discord's API, such as a proxy's or the emulator's",
    ),
    Variable(
        "POSTGRES_URL",
        "postgres_url",
        None,
        values.postgres_url,
        "libpq URI of your own PostgreSQL (unset: the embedded one)",
        secret=True,
    ),
    Variable(
        "JUNKIE_HOME",
        "home",
        None,
        values.path,
        "folder of the embedded database (unset: the platform's folder for user data)",
    ),
    Variable(
        "JUNKIE_PG_BIN",
        "pg_bin",
        None,
        values.path,
        "folder with postgres and initdb (unset: the ones that came with junkie, else the system's)",
    ),
    Variable(
        "DISCORD_TIMEZONE",
        "timezone",
        values.DEFAULT_TIMEZONE,
        values.timezone,
        "zone of absolute timestamps in prompts",
    ),
    Variable(
        "CONTEXT_AGENT_MAX_MESSAGES",
        "max_messages",
        None,
        values.integer(1, words={"all": None}),
        "backfill target per channel (unset: all) and `context --limit` (unset: 500)",
    ),
    Variable("TEAM_LEADER_CONTEXT_LIMIT", "team_leader_limit", 100, values.integer(1), "`context --role team-leader`"),
    Variable(
        "CACHE_TTL", "cache_ttl", 120, values.integer(0), "seconds for which `context` takes the archive for fresh"
    ),
    Variable(
        "MESSAGE_SYNC_LIMIT",
        "sync_limit",
        200,
        values.integer(1, words={"all": None}),
        "newest messages per channel that `sync` reconciles",
    ),
    Variable(
        "BACKFILL_CONCURRENCY", "concurrency", 4, values.integer(1, 100), "channels with a request or a write in flight"
    ),
    Variable("BACKFILL_MAX_FETCH_LIMIT", "max_fetch_limit", 1000, values.integer(1), "messages per deepen iteration"),
    Variable(
        "BACKFILL_MAX_ITERATIONS",
        "max_iterations",
        None,
        values.integer(1),
        "deepen iterations per channel and run (unset: as many as it takes)",
    ),
    Variable(
        "BACKFILL_PARALLEL_BATCHES",
        "parallel_batches",
        1,
        values.integer(1, 64),
        "ranges of one channel fetched at once",
    ),
    Variable("JUNKIE_GUILDS", "guilds", (), values.ids, "guilds to work on, separated by commas (unset: all)"),
    Variable("JUNKIE_CHANNELS", "channels", (), values.ids, "channels to work on, separated by commas (unset: all)"),
    Variable("JUNKIE_EXCLUDE", "exclude", (), values.ids, "guilds, categories, channels or threads to leave out"),
    Variable(
        "JUNKIE_ON_DELETE",
        "on_delete",
        "purge",
        values.choice("purge", "keep"),
        "drop a deleted message's content, or keep the row hidden",
    ),
    Variable(
        "JUNKIE_KEEP_REVISIONS", "keep_revisions", False, values.flag, "1 keeps every earlier text of an edited message"
    ),
    Variable(
        "JUNKIE_ACCEPT_UNREADABLE",
        "accept_unreadable",
        False,
        values.flag,
        "1: channels that the bot may not read don't make a run partial",
    ),
    Variable(
        "LOG_LEVEL",
        "log_level",
        "INFO",
        values.choice(*LOG_LEVELS),
        "how much is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL",
    ),
)
"""Every setting, in the order in which the documentation shows them."""

SECRETS: Final = frozenset(variable.name for variable in VARIABLES if variable.secret)
"""The environment names that another program has no need to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one run, read and checked. `origins` maps environment names to their source."""

    token: Secret | None
    token_file: Path | None
    api_url: str
    postgres_url: Secret | None
    home: Path
    pg_bin: Path | None
    timezone: str
    max_messages: int | None
    team_leader_limit: int
    cache_ttl: int
    sync_limit: int | None
    concurrency: int
    max_fetch_limit: int
    max_iterations: int | None
    parallel_batches: int
    guilds: tuple[str, ...]
    channels: tuple[str, ...]
    exclude: tuple[str, ...]
    on_delete: Literal["purge", "keep"]
    keep_revisions: bool
    accept_unreadable: bool
    log_level: str
    origins: Mapping[str, str]

    def require_token(self) -> Secret:
        """Return the bot token. Raises ConfigError if there is none."""
        if self.token is None:
            raise ConfigError(
                "no bot token is set", hint="set DISCORD_TOKEN, or DISCORD_TOKEN_FILE to a file that holds it"
            )
        return self.token


def default_home() -> Path:
    """Return the platform's user data folder for junkie.

    Root's own home can't be reached by the unprivileged user that PostgreSQL must run as, so root gets /var/lib.

    Raises ConfigError for a user without a home folder.
    """
    import platformdirs

    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/junkie")
    home = Path(platformdirs.user_data_dir("junkie", appauthor=False))
    if not home.is_absolute():
        raise ConfigError("this user has no home folder", hint="set JUNKIE_HOME to a folder for the archive")
    return home


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    problems: list[ConfigError] | None = None,
) -> Settings:
    """Read all settings.

    `flags` maps `Settings` field names to values that the command line already checked; None means "not given".
    `environ` and `folder` stand for the process's environment and working folder in tests.

    Raises ConfigError that names the variable, its source and what would be right. With a list of `problems` a setting
    that is wrong is put there instead, and has its default with its own origin; one that would send the token elsewhere takes the token away.
    What still raises is a home or a file that can't be found or read.
    """
    sources = _sources(os.environ if environ is None else environ, _working_folder() if folder is None else folder)
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for variable in VARIABLES:
        if flags and flags.get(variable.field) is not None:
            found[variable.field], origins[variable.name] = flags[variable.field], "flag"
            continue
        found[variable.field], origins[variable.name] = variable.default, "default"
        if source := _first(sources, variable.name):
            origins[variable.name] = source.where
            with _noting(problems):
                found[variable.field] = _read(variable, source)
    if found["home"] is None:
        found["home"] = default_home()
    with _noting(problems):
        _read_token_file(found, origins, [source.where for source in sources])
    try:
        _guard_api_url(found, origins)
    except ConfigError as error:
        if problems is None:
            raise
        problems.append(error)
        found["token"] = None
    return Settings(**found, origins=origins)


@contextmanager
def _noting(problems: list[ConfigError] | None) -> Iterator[None]:
    """Put what is wrong on the list, if there is one, and go on."""
    try:
        yield
    except ConfigError as error:
        if problems is None:
            raise
        problems.append(error)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where settings stand; paths in it are relative to `folder`, which None says is gone."""

    where: str
    folder: Path | None
    values: Mapping[str, str]


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _sources(environ: Mapping[str, str], folder: Path | None) -> list[_Source]:
    """Return where settings are looked for, the stronger first."""
    sources = [_Source("environment", folder, environ)]
    # In a folder that we may not enter, as after `sudo -u`, it can't be seen whether there is one.
    if folder is not None and os.path.exists(folder / ".env"):  # noqa: PTH110 - Path.exists raises there
        sources.append(_read_dotenv(folder / ".env"))
    named = _first(sources, "JUNKIE_HOME")
    home = _read(_variable("JUNKIE_HOME"), named) if named else default_home()
    if home != folder:
        sources.append(_read_dotenv(home / ".env"))
    return sources


def _first(sources: Sequence[_Source], name: str) -> _Source | None:
    # An empty value is how a shell or a compose file says "unset".
    return next((source for source in sources if source.values.get(name)), None)


def _variable(name: str) -> Variable:
    return next(variable for variable in VARIABLES if variable.name == name)


def _read(variable: Variable, source: _Source) -> Any:
    text = source.values[variable.name]
    try:
        value = variable.read(text)
        if isinstance(value, Path) and not value.is_absolute():
            if source.folder is None:
                raise ValueError("is relative to a working folder that is gone")  # noqa: TRY301  said in one place
            value = source.folder / value
    except ValueError as error:
        # An address may hold a password before its @.
        shown = "" if variable.secret or "@" in text else f" is '{text[:40]}' and"
        raise ConfigError(f"{variable.name} ({source.where}){shown} {error}", hint="mend it or unset it") from None
    return value


def _read_dotenv(path: Path) -> _Source:
    """Read a .env file; a missing one is empty.

    Raises ConfigError if it is there and can't be read, or holds what nobody understands.
    """
    try:
        text = _text_of(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return _Source(str(path), path.parent, {})
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}", hint="mend the file or move it away") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text", hint="mend the file or move it away") from None
    from dotenv.parser import parse_stream

    # Values are taken as they stand: interpolation would let a foreign .env copy secrets of the environment.
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise ConfigError(f"{path}, line {binding.original.line}, is no NAME=value", hint="mend the line")
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return _Source(str(path), path.parent, found)


def _text_of(path: Path) -> str:
    """Return a file's text, without the mark that some Windows editors put before it."""
    return path.read_text(encoding="utf-8-sig")


def _read_token_file(found: dict[str, Any], origins: dict[str, str], order: list[str]) -> None:
    """Take the token from DISCORD_TOKEN_FILE, unless DISCORD_TOKEN stands in the same source or a stronger one."""
    path = cast("Path | None", found["token_file"])
    if path is None:
        return
    where = origins["DISCORD_TOKEN_FILE"]
    if found["token"] is not None and order.index(origins["DISCORD_TOKEN"]) <= order.index(where):
        return
    try:
        text = _text_of(path)
    except OSError as error:
        raise ConfigError(
            f"DISCORD_TOKEN_FILE ({where}): can't read {path}: {error.strerror}",
            hint="mend the path or the file's mode",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"DISCORD_TOKEN_FILE ({where}): {path} is not UTF-8 text", hint="name a file that holds the token alone"
        ) from None
    found["token"] = _read(_variable("DISCORD_TOKEN"), _Source(str(path), None, {"DISCORD_TOKEN": text}))
    # A .env's own token is one that lies beside it; a foreign .env could name your token elsewhere.
    own = where == "environment" or path.resolve().is_relative_to(Path(where).parent.resolve())
    origins["DISCORD_TOKEN"] = where if own else str(path)


def _guard_api_url(found: dict[str, Any], origins: dict[str, str]) -> None:
    """Keep a .env in a foreign folder from sending a token of elsewhere to an address of its own."""
    where = origins["DISCORD_API_URL"]
    if where in {"default", "environment", "flag"} or found["token"] is None or origins["DISCORD_TOKEN"] == where:
        return
    raise ConfigError(
        f"DISCORD_API_URL stands in {where}, but the token does not",
        hint="put both into that file, or set DISCORD_API_URL in the environment",
    )


assert {variable.field for variable in VARIABLES} | {"origins"} == {field.name for field in fields(Settings)}
