"""Settings: flag > environment > `.env` of the working folder > `.env` of JUNKIE_HOME > default.

One table names every setting, so that `Settings`, the documentation and `junkie config` can't disagree.
Secrets are `Secret`s: their repr and str are masked, so that no log line or traceback can show them.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from junkie_cli.errors import ConfigError

DISCORD_API_URL: Final = "https://discord.com/api/v10"
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

log = logging.getLogger(__name__)


class Secret:
    """A string that shows itself only when asked with `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself. Call it only where it goes over the wire."""
        return self._value

    def __repr__(self) -> str:
        return "'********'"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its environment name, the `Settings` field it fills, default, reader and meaning."""

    name: str
    field: str
    default: Any
    read: Callable[[str], Any]
    meaning: str
    secret: bool = False


def _text(value: str) -> str:
    return value


def _integer(
    lowest: int, highest: int = 2**31 - 1, *, words: Mapping[str, int | None] | None = None
) -> Callable[[str], int | None]:
    """Read a whole number in [lowest, highest], or one of `words`."""
    described = f"a whole number from {lowest}" + (f" to {highest}" if highest < 2**31 - 1 else "")
    described += "".join(f" or '{word}'" for word in words or ())

    def read(value: str) -> int | None:
        if words and value.strip().lower() in words:
            return words[value.strip().lower()]
        # int() also takes '1_000', '٣' and '+5'.
        if not (value.strip().isascii() and value.strip().isdigit() and len(value.strip()) <= 12):
            raise ValueError(f"must be {described}")
        if not lowest <= (number := int(value)) <= highest:
            raise ValueError(f"must be {described}")
        return number

    return read


def _flag(value: str) -> bool:
    if value.strip().lower() in {"1", "true", "yes", "on"}:
        return True
    if value.strip().lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("must be 1 or 0")


def _choice(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        for word in words:
            if value.strip().lower() == word.lower():
                return word
        raise ValueError(f"must be one of {', '.join(words)}")

    return read


def _api_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https address such as " + DISCORD_API_URL)
    return value.strip().rstrip("/")


def _postgres_url(value: str) -> Secret:
    """Keep the whole libpq URI secret: it may hold a password."""
    if urlsplit(value.strip()).scheme not in {"postgresql", "postgres"}:
        raise ValueError("must be a libpq URI such as postgresql://user@host/database")
    return Secret(value.strip())


def _token(value: str) -> Secret:
    token = value.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("holds blanks, line breaks or other characters that no bot token has; copy it again")
    return Secret(token.removeprefix("Bot "))


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _ids(value: str) -> tuple[str, ...]:
    return tuple(part for part in value.replace(",", " ").split() if part)


VARIABLES: Final = (
    Variable("DISCORD_TOKEN", "token", None, _token, "bot token; never a flag, never printed", secret=True),
    Variable("DISCORD_TOKEN_FILE", "token_file", None, _path, "file that holds the bot token, e.g. a container secret"),
    Variable(
        "DISCORD_API_URL", "api_url", DISCORD_API_URL, _api_url, "base of Discord's API, e.g. a proxy or the emulator"
    ),
    Variable("POSTGRES_URL", "postgres_url", None, _postgres_url, "libpq URI; unset: the embedded server", secret=True),
    Variable("JUNKIE_HOME", "home", None, _path, "folder of the embedded database and the demo"),
    Variable("JUNKIE_PG_BIN", "pg_bin", None, _path, "folder with postgres, initdb and pg_ctl"),
    Variable("DISCORD_TIMEZONE", "timezone", "Asia/Kolkata", _text, "zone of absolute timestamps in prompts"),
    Variable(
        "CONTEXT_AGENT_MAX_MESSAGES",
        "max_messages",
        None,
        _integer(1, words={"all": None}),
        "backfill target per channel (unset: all) and `context --limit` (unset: 500)",
    ),
    Variable("TEAM_LEADER_CONTEXT_LIMIT", "team_leader_limit", 100, _integer(1), "`context --role team-leader`"),
    Variable("CACHE_TTL", "cache_ttl", 120, _integer(0), "seconds for which the archive counts as fresh"),
    Variable(
        "MESSAGE_SYNC_LIMIT",
        "sync_limit",
        200,
        _integer(1, words={"all": None}),
        "newest messages per channel that `sync` reconciles",
    ),
    Variable(
        "BACKFILL_CONCURRENCY", "concurrency", 4, _integer(1, 100), "channels with a request or a write in flight"
    ),
    Variable("BACKFILL_MAX_FETCH_LIMIT", "max_fetch_limit", 1000, _integer(1), "messages per deepen iteration"),
    Variable(
        "BACKFILL_MAX_ITERATIONS",
        "max_iterations",
        None,
        _integer(1),
        "deepen iterations per channel and run (unset: unbounded)",
    ),
    Variable(
        "BACKFILL_PARALLEL_BATCHES", "parallel_batches", 1, _integer(1, 64), "ranges of one channel fetched at once"
    ),
    Variable("JUNKIE_GUILDS", "guilds", (), _ids, "guilds to work on, separated by commas (unset: all)"),
    Variable("JUNKIE_CHANNELS", "channels", (), _ids, "channels to work on, separated by commas (unset: all)"),
    Variable("JUNKIE_EXCLUDE", "exclude", (), _ids, "guilds, categories, channels or threads to leave out"),
    Variable(
        "JUNKIE_ON_DELETE",
        "on_delete",
        "purge",
        _choice("purge", "keep"),
        "drop a deleted message's content, or keep the row hidden",
    ),
    Variable(
        "JUNKIE_KEEP_REVISIONS", "keep_revisions", False, _flag, "1 keeps every earlier text of an edited message"
    ),
    Variable(
        "JUNKIE_ACCEPT_UNREADABLE",
        "accept_unreadable",
        False,
        _flag,
        "1: channels that the bot may not read don't make a run partial",
    ),
    Variable("LOG_LEVEL", "log_level", "INFO", _choice(*LOG_LEVELS), "how much is logged"),
)
"""Every setting, in the order in which the documentation shows them."""


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
    """
    import platformdirs

    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/junkie")
    return Path(platformdirs.user_data_dir("junkie", appauthor=False))


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read all settings.

    `flags` maps `Settings` field names to values that the command line already checked; None means "not given".
    `environ` and `folder` stand for the process's environment and working folder in tests.

    Raises ConfigError that names the variable, its source and what would be right.
    """
    environ = os.environ if environ is None else environ
    local = _read_dotenv((folder or Path.cwd()) / ".env")
    home_text = environ.get("JUNKIE_HOME") or local.values.get("JUNKIE_HOME")
    home = _path(home_text) if home_text else default_home()
    sources = [_Source("environment", environ), local]
    if local.path != str(home / ".env"):
        sources.append(_read_dotenv(home / ".env"))

    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for variable in VARIABLES:
        if flags and flags.get(variable.field) is not None:
            values[variable.field], origins[variable.name] = flags[variable.field], "flag"
            continue
        for source in sources:
            # An empty value is how a shell or a compose file says "unset".
            if text := source.values.get(variable.name):
                values[variable.field] = _read(variable, text, source.path)
                origins[variable.name] = source.path
                break
        else:
            values[variable.field], origins[variable.name] = variable.default, "default"

    values["home"] = values["home"] or home
    _read_token_file(values, origins)
    _guard_api_url(values, origins)
    return Settings(**values, origins=origins)


@dataclass(frozen=True, slots=True)
class _Source:
    path: str
    values: Mapping[str, str]


def _read(variable: Variable, text: str, where: str) -> Any:
    try:
        return variable.read(text)
    except ValueError as error:
        shown = "" if variable.secret else f" is '{text[:40]}' and"
        raise ConfigError(f"{variable.name} ({where}){shown} {error}", hint="mend it or unset it") from None


def _read_dotenv(path: Path) -> _Source:
    """Read a .env file; a missing one is empty.

    Raises ConfigError if it is there and can't be read.
    """
    if not path.is_file():
        return _Source(str(path), {})
    from dotenv import dotenv_values

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"can't read {path}: {reason}", hint="mend the file or move it away") from None
    import io

    # Interpolation would let a foreign .env copy environment secrets into other settings.
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return _Source(str(path), {name: value for name, value in values.items() if value is not None})


def _read_token_file(values: dict[str, Any], origins: dict[str, str]) -> None:
    path = cast("Path | None", values["token_file"])
    if values["token"] is not None or path is None:
        return
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"DISCORD_TOKEN_FILE: can't read {path}: {reason}", hint="mend the path or the file's mode"
        ) from None
    token = next(variable for variable in VARIABLES if variable.name == "DISCORD_TOKEN")
    values["token"] = _read(token, text, str(path))
    # A file named by a .env counts as that .env's own token.
    origins["DISCORD_TOKEN"] = origins["DISCORD_TOKEN_FILE"]


def _guard_api_url(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Keep a .env in a foreign folder from sending a token of elsewhere to an address of its own."""
    where = origins["DISCORD_API_URL"]
    if where in {"default", "environment", "flag"} or values["token"] is None or origins["DISCORD_TOKEN"] == where:
        return
    raise ConfigError(
        f"DISCORD_API_URL stands in {where}, but the token does not",
        hint="put both into that file, or set DISCORD_API_URL in the environment",
    )


assert {variable.field for variable in VARIABLES} | {"origins"} == {field.name for field in fields(Settings)}
