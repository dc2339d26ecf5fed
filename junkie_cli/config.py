"""Settings: flag > environment > `.env` of the working folder > `.env` of JUNKIE_HOME > default.

One table names every setting, so that `Settings`, the documentation and `junkie config` can't disagree.
Secrets are `Secret`s: their repr and str are masked, so that no log line or traceback can show them.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, cast

from junkie_cli import values
from junkie_cli.errors import ConfigError
from junkie_cli.sources import (
    ENVIRONMENT,
    Source,
    default_home,
    dotenv,
    environment,
    first,
    foreign,
    text_of,
    working_folder,
)
from junkie_cli.values import Secret

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS: Final = ("text", "json")

FLAG: Final = "flag"
DEFAULT: Final = "default"
"""Origins, beside the environment and the paths of files."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its environment name, the `Settings` field it fills, default, reader and meaning."""

    name: str
    field: str
    default: Any
    read: Callable[[str], Any]
    meaning: str
    secret: bool = False
    runs: bool = False
    """Decides which programs run: a data folder's own settings name some, too."""


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
        runs=True,
    ),
    Variable(
        "JUNKIE_PG_BIN",
        "pg_bin",
        None,
        values.path,
        "folder with postgres and initdb (unset: the ones that came with junkie, else the system's)",
        runs=True,
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
        "BACKFILL_CONCURRENCY",
        "concurrency",
        4,
        values.integer(1, 100),
        "channels that send a request or write a page at once; one that waits for Discord does not count",
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
    Variable(
        "JUNKIE_LOG_FORMAT",
        "log_format",
        "text",
        values.choice(*LOG_FORMATS),
        "log lines for people (text), or one JSON object a line for machines (json)",
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
    log_format: str
    origins: Mapping[str, str]

    def require_token(self) -> Secret:
        """Return the bot token. Raises ConfigError if there is none."""
        if self.token is None:
            raise ConfigError(
                "no bot token is set", hint="set DISCORD_TOKEN, or DISCORD_TOKEN_FILE to a file that holds it"
            )
        return self.token


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

    Raises ConfigError that names the variable, its source and what would be right. With a list of `problems` what is wrong
    is put there instead: the setting has its default then, with its own origin, a file counts as empty, and an address that
    the token must not be sent to takes the token away. What still raises is a user without a home folder.
    """
    wrong = _Problems(problems)
    sources = _sources(
        os.environ if environ is None else environ, working_folder() if folder is None else folder, wrong
    )
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for variable in VARIABLES:
        if flags and flags.get(variable.field) is not None:
            found[variable.field], origins[variable.name] = flags[variable.field], FLAG
            continue
        found[variable.field], origins[variable.name] = variable.default, DEFAULT
        if source := first(sources, variable.name):
            origins[variable.name] = source.where
            with wrong.noted(variable.name):
                found[variable.field] = _read(variable, source)
    if found["home"] is None:
        found["home"] = default_home()
    with wrong.noted("DISCORD_TOKEN_FILE"):
        _read_token_file(found, origins, [source.where for source in sources])
    with wrong.noted("DISCORD_API_URL"):
        _guard_api_url(found, origins)
    return Settings(**found, origins=origins)


class _Problems:
    """Takes what is wrong, or lets it pass where nobody gathers it."""

    def __init__(self, gathered: list[ConfigError] | None) -> None:
        self._gathered = gathered

    @contextmanager
    def noted(self, name: str = "") -> Iterator[None]:
        """Go on after what is wrong with the setting of that name."""
        try:
            yield
        except ConfigError as error:
            if self._gathered is None:
                raise
            error.setting = name
            if not name or all(each.setting != name for each in self._gathered):
                self._gathered.append(error)


def _sources(environ: Mapping[str, str], folder: Path | None, wrong: _Problems) -> list[Source]:
    """Return where settings are looked for, the stronger first."""
    sources = [environment(environ, folder)]
    home: Path | None = None
    with wrong.noted("JUNKIE_HOME"):
        if named := first(sources, "JUNKIE_HOME"):
            home = _read(_variable("JUNKIE_HOME"), named)
    if home is None:
        home = default_home()
    # In a folder that we may not enter, as after `sudo -u`, it can't be seen whether there is one.
    if folder is not None and os.path.exists(folder / ".env"):  # noqa: PTH110 - Path.exists raises there
        with wrong.noted():
            sources.append(foreign(dotenv(folder), home))
    if home != folder:
        with wrong.noted():
            sources.append(dotenv(home))
    return sources


def _variable(name: str) -> Variable:
    return next(variable for variable in VARIABLES if variable.name == name)


def _read(variable: Variable, source: Source) -> Any:
    if variable.runs and source.foreign:
        raise ConfigError(
            f"{variable.name} stands in {source.where}, and a folder has no say in which programs run on your machine",
            hint=f"remove it there, and set it in the environment if you want it: export {variable.name}=…",
        )
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


def _read_token_file(found: dict[str, Any], origins: dict[str, str], order: list[str]) -> None:
    """Take the token from DISCORD_TOKEN_FILE, unless DISCORD_TOKEN stands in the same source or a stronger one."""
    path = cast("Path | None", found["token_file"])
    if path is None:
        return
    where = origins["DISCORD_TOKEN_FILE"]
    if found["token"] is not None and order.index(origins["DISCORD_TOKEN"]) <= order.index(where):
        return
    try:
        text = text_of(path, may_wait=where == ENVIRONMENT)
    except OSError as error:
        raise ConfigError(
            f"DISCORD_TOKEN_FILE ({where}): can't read {path}: {error.strerror}",
            hint="mend the path or the file's mode",
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"DISCORD_TOKEN_FILE ({where}): {path} {error}", hint="name a file that holds the token alone"
        ) from None
    found["token"] = _read(_variable("DISCORD_TOKEN"), Source(str(path), None, {"DISCORD_TOKEN": text}))
    # A .env's own token is one that lies beside it; a foreign .env could name your token elsewhere.
    own = where == ENVIRONMENT or path.resolve().is_relative_to(Path(where).parent.resolve())
    origins["DISCORD_TOKEN"] = where if own else str(path)


def _guard_api_url(found: dict[str, Any], origins: dict[str, str]) -> None:
    """Keep a .env in a foreign folder from sending a token of elsewhere to an address of its own."""
    where = origins["DISCORD_API_URL"]
    if where in {DEFAULT, ENVIRONMENT, FLAG} or found["token"] is None or origins["DISCORD_TOKEN"] == where:
        return
    # Whoever goes on in spite of it has no token to send there.
    found["token"] = None
    raise ConfigError(
        f"DISCORD_API_URL stands in {where}, but the token does not",
        hint="put both into that file, or set DISCORD_API_URL in the environment",
    )


assert {variable.field for variable in VARIABLES} | {"origins"} == {field.name for field in fields(Settings)}
