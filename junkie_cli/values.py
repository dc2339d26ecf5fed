"""How a setting's text becomes its value.

Each reader returns the value, or raises ValueError with a phrase that goes after "X is … and"; it never repeats the
text, which may be a secret.

Invariant: what was once read as a secret is known to `masked`, which whatever shows text to people calls last: other
people's errors may hold anything.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

DISCORD_API_URL: Final = "https://discord.com/api/v10"
DEFAULT_TIMEZONE: Final = "Asia/Kolkata"

_LARGEST: Final = 2**31 - 1


_LEAST: Final = 4
"""Characters of a secret that can be masked; a shorter one would tear holes into every text."""

_secrets: Final[set[str]] = set()


def hide(*secrets: str) -> None:
    """Let `masked` replace these from now on, also as errors quote them."""
    for secret in secrets:
        if len(secret) >= _LEAST:
            _secrets.update((secret, repr(secret)[1:-1]))


def masked(text: str) -> str:
    """Return the text with every secret of this process replaced by asterisks."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "********")
    return text


class Secret:
    """A string that shows itself only when asked with `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        hide(value)

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


def integer(
    lowest: int, highest: int = _LARGEST, *, words: Mapping[str, int | None] | None = None
) -> Callable[[str], int | None]:
    """Make a reader of whole numbers in [lowest, highest], or one of `words`."""
    described = f"a whole number from {lowest}" + (f" to {highest}" if highest < _LARGEST else "")
    described += "".join(f" or '{word}'" for word in words or ())

    def read(text: str) -> int | None:
        if words and text.strip().lower() in words:
            return words[text.strip().lower()]
        # int() also takes '1_000', '٣' and '+5'.
        if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) <= 12):
            raise ValueError(f"must be {described}")
        if not lowest <= (number := int(text)) <= highest:
            raise ValueError(f"must be {described}")
        return number

    return read


def choice(*words: str) -> Callable[[str], str]:
    """Make a reader of one of the words, in whatever case."""

    def read(text: str) -> str:
        for word in words:
            if text.strip().lower() == word.lower():
                return word
        raise ValueError(f"must be one of {', '.join(words)}")

    return read


def flag(text: str) -> bool:
    """Read 1 or 0, or what else usually stands for them."""
    if text.strip().lower() in {"1", "true", "yes", "on"}:
        return True
    if text.strip().lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("must be 1 or 0")


def ids(text: str) -> tuple[str, ...]:
    """Read ids or links that commas or blanks divide."""
    return tuple(text.replace(",", " ").split())


def path(text: str) -> Path:
    """Read a path; `~` is a home folder. What is relative stays so: only the source of the text knows to what."""
    if "\0" in text:
        raise ValueError("must be a path")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("names the home folder of a user who is not known here") from None


def timezone(text: str) -> str:
    """Read the name of a time zone."""
    name = text.strip()
    if name != DEFAULT_TIMEZONE:
        import pytz

        try:
            pytz.timezone(name)
        except pytz.UnknownTimeZoneError:
            raise ValueError(f"must be the name of a time zone such as {DEFAULT_TIMEZONE} or UTC") from None
    return name


def api_url(text: str) -> str:
    """Read an http or https address without query, fragment and user; a slash at its end is dropped."""
    wrong = ValueError(f"must be an http or https address such as {DISCORD_API_URL}")
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port
        # What is no name of a host fails only when it is looked up, and then as something else.
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise wrong
    if "@" in parts.netloc or not url.isprintable() or " " in url:
        raise wrong
    return url


def postgres_url(text: str) -> Secret:
    """Read a libpq URI. All of it is secret, since it may hold a password."""
    url = text.strip()
    if not url.startswith(("postgresql://", "postgres://")) or not url.isprintable():
        raise ValueError("must be a libpq URI such as postgresql://user@host/database")
    return Secret(url)


def token(text: str) -> Secret:
    """Read a bot token; the word `Bot`, with which Discord's header begins, may stand before it."""
    bare = text.strip().removeprefix("Bot ").strip()
    if not bare or not bare.isascii() or not bare.isprintable() or " " in bare:
        raise ValueError("holds blanks, line breaks or other characters that no bot token has; copy it again")
    return Secret(bare)
