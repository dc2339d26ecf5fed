"""What the user means by what he typed: an id, a mention, a link, or the name of a guild, a channel, a thread, an account.

Pure: a name is looked up in a list that the caller brings, be it Discord's or the archive's.

Names are other people's, and a hostile one may copy another: so nothing is guessed. Of what a name fits, a channel outweighs
a thread, which anybody may open, a username outweighs a display name, and what is gone is meant only if there is nothing
else; then the better fit counts. Where that leaves more than one, all are listed and none is taken.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import combinations
from typing import Final, NamedTuple
from unicodedata import category, normalize

from junkie_cli import snowflake
from junkie_cli.errors import ConfigError, JunkieError, UsageError
from junkie_cli.links import CHANNEL_MENTION, LINK, USER_MENTION
from junkie_cli.models import Channel, ChannelType, Guild

_COPY_ID: Final = "switch on Discord's developer mode, right-click it and choose 'Copy ID'"
_LISTED: Final = 5
_COMPARED: Final = 5000
"""How many names are searched for similar ones: each is compared letter by letter."""

_NOT_ALNUM: Final = re.compile(r"[^0-9A-Za-z]+")

Sort = Enum("Sort", ["GUILD", "CATEGORY", "CHANNEL", "FORUM", "THREAD", "DM", "USERNAME", "DISPLAY_NAME"])


class Wanted(Enum):
    """What a text is to name."""

    GUILD = "guild"
    CHANNEL = "channel"
    """What can be archived: a channel with its threads, a forum, a thread, a DM."""

    MESSAGES = "messages"
    """What can be shown: no forum."""

    PLACE = "place"
    """What can be left out: a guild or a category too."""

    USER = "account"

    @property
    def noun(self) -> str:
        """What messages call it."""
        return "channel" if self is Wanted.MESSAGES else self.value


_RANKS: Final[Mapping[Wanted, Mapping[Sort, int]]] = {
    Wanted.GUILD: {Sort.GUILD: 0},
    Wanted.CHANNEL: {Sort.CHANNEL: 0, Sort.FORUM: 0, Sort.THREAD: 1, Sort.DM: 1},
    Wanted.MESSAGES: {Sort.CHANNEL: 0, Sort.THREAD: 1, Sort.DM: 1, Sort.FORUM: 2},
    Wanted.PLACE: {Sort.GUILD: 0, Sort.CATEGORY: 0, Sort.CHANNEL: 0, Sort.FORUM: 0, Sort.THREAD: 1, Sort.DM: 1},
    Wanted.USER: {Sort.USERNAME: 0, Sort.DISPLAY_NAME: 1},
}
_GONE: Final = 10
"""Outweighs every rank."""


class Known(NamedTuple):
    """What bears a name. `path` is that name after those of its guild, category and parent, as far as it has them.

    `guild_id` is what it lies in, None for a guild itself, an account or a DM.
    """

    snowflake: int
    sort: Sort
    path: tuple[str, ...]
    gone: bool = False
    guild_id: int | None = None

    @property
    def shown(self) -> str:
        """Its path and its id, for messages."""
        return f"{'/'.join(self.path)[:120]} ({self.snowflake})"

    def rank(self, wanted: Wanted) -> int | None:
        """Return how little it is what a name of that kind stands for; None if it can't be."""
        rank = _RANKS[wanted].get(self.sort)
        return None if rank is None else rank + _GONE * self.gone

    def spellings(self) -> Iterator[str]:
        """Give every way to name it: its name alone, or after any of those that it lies in."""
        *above, name = self.path
        for number in range(len(above) + 1):
            for chosen in combinations(above, number):
                yield "/".join((*chosen, name))

    def inert_spellings(self) -> Iterator[str]:
        """Give the same as words that mean nothing to any shell; none where a name has nothing that can be shown so."""
        parts = tuple(map(inert, self.path))
        yield from Known(self.snowflake, self.sort, parts).spellings() if all(parts) else ()

    def claims(self) -> frozenset[str]:
        """Return every text by which `find` would find it, as far as case does not matter."""
        folded = frozenset(map(_fold, self.spellings()))
        return folded | frozenset(word.casefold() for word in self.inert_spellings())


class Label(NamedTuple):
    """Where something was said: an option, or a variable with its source. Empty for an argument."""

    text: str = ""
    configured: bool = False

    def error(self, message: str, hint: str) -> JunkieError:
        """Return a UsageError, or a ConfigError for what a variable says."""
        kind = ConfigError if self.configured else UsageError
        return kind(f"{self.text}: {message}" if self.text else message, hint=hint)


class Asked(NamedTuple):
    """A text that names something, of what kind, and where it was said."""

    text: str
    wanted: Wanted
    label: Label = Label()

    @property
    def bare(self) -> str:
        """The text without blanks around it, and an account's without its @."""
        return self.text.strip().removeprefix("@" if self.wanted is Wanted.USER else "")

    @property
    def short(self) -> str:
        """The text in quotes, for messages."""
        return f"'{self.text.strip()[:60]}'"

    def error(self, message: str, hint: str = _COPY_ID) -> JunkieError:
        """Return the error to raise."""
        return self.label.error(message, hint)


def known_places(guilds: Iterable[Guild], channels: Iterable[Channel], gone: Iterable[int] = ()) -> list[Known]:
    """Return guilds and channels, categories and threads too, as they can be named. `gone` are ids of either."""
    lost = frozenset(gone)
    guild_names = {guild.guild_id: guild.name for guild in guilds}
    by_id = {channel.channel_id: channel for channel in channels}
    places = [Known(guild_id, Sort.GUILD, (name,), guild_id in lost) for guild_id, name in guild_names.items()]
    for channel in by_id.values():
        path = [channel.name]
        above = by_id.get(channel.parent_id) if channel.parent_id is not None else None
        # A category holds channels, and a channel threads: two steps at most, whatever Discord says.
        for _ in range(2):
            if above is not None:
                path.append(above.name)
                above = by_id.get(above.parent_id) if above.parent_id is not None else None
        if channel.guild_id is not None and (guild_name := guild_names.get(channel.guild_id)):
            path.append(guild_name)
        is_gone = channel.channel_id in lost or channel.guild_id in lost
        places.append(Known(channel.channel_id, _sort(channel), tuple(reversed(path)), is_gone, channel.guild_id))
    return places


def read(asked: Asked) -> int | None:
    """Return the id in an id, a mention or a link; None for a name.

    Raises UsageError, or ConfigError for a variable, if it leads to something else.
    """
    text = asked.bare
    mention = (USER_MENTION if asked.wanted is Wanted.USER else CHANNEL_MENTION).fullmatch(text)
    if mention is not None and asked.wanted is not Wanted.GUILD:
        text = mention[1]
    elif link := LINK.fullmatch(text):
        text = _from_link(asked, link)
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        if "://" in text:
            raise asked.error(f"{asked.short} is no link to a place in Discord", "copy the link in Discord")
        if not _fold(text):
            raise asked.error(f"{asked.short} names nothing", "give an id or a name")
        return None
    if not text.isdigit() or len(text) > 19 or not 0 < int(text) <= snowflake.MAX:
        raise asked.error(f"{asked.short} is not a Discord id")
    return int(text)


def find(asked: Asked, known: Sequence[Known], *, where: str, hint: str = "give its id") -> Known:
    """Return what a name stands for. `where` is what was searched, for messages: "the archive"; `hint` what else can be done.

    Raises UsageError, or ConfigError for a variable, if nothing or more than one thing bears it.
    """
    best = _fitting(asked, known)
    if not best:
        raise _unknown(asked, known, where, hint)
    if len(best) > 1:
        raise asked.error(f"{asked.short} may be {_listed(best)}", "give the id")
    return best[0]


def inert(name: str) -> str:
    """Return a name as a word that means nothing to any shell; empty if nothing is left of it. `find` knows it again."""
    return re.sub(r"[\x00-\x2c/\x3a-\x40\x5b-\x5e\x60\x7b-\x7f\s-]+", "-", _visible(name)).strip("-")


def _fitting(asked: Asked, known: Iterable[Known]) -> list[Known]:
    """Return what a name fits best: several if it fits them equally well."""
    text = asked.bare
    forms = (text, _fold(text), _inert_path(text))
    end = _flat(text)
    fits: dict[tuple[int, int], dict[int, Known]] = {}
    for one in known:
        rank = one.rank(asked.wanted)
        # However it is spelt, its own name comes last.
        if rank is not None and end.endswith(_flat(one.path[-1])) and (fit := _fit(forms, one)) is not None:
            fits.setdefault((rank, fit), {})[one.snowflake] = one
    return list(fits[min(fits)].values()) if fits else []


def _fit(forms: tuple[str, str, str], one: Known) -> int | None:
    """Return how well one of its spellings fits: 0 to the letter, 1 but for case and #, 2 as a shell's word; None: not."""
    exact, folded, word = forms
    spellings = list(one.spellings())
    if exact in spellings:
        return 0
    if folded in map(_fold, spellings):
        return 1
    if word and word in (spelling.casefold() for spelling in one.inert_spellings()):
        return 2
    return None


def _visible(text: str) -> str:
    """Return text without what nobody sees, and what stands for it in a terminal."""
    if text.isascii() and text.isprintable():
        # As most are; there may be a hundred thousand.
        return text
    kept = (sign for sign in normalize("NFC", text) if sign.isprintable() or category(sign) == "Zs")
    return "".join(kept).replace("\ufffd", "")


def _fold(text: str) -> str:
    """Return text as it is compared: whatever its case, with # before channels or not."""
    # Discord itself shows that sign between a channel and its thread, and so do our reports.
    steps = re.sub(r"\s*(?:/|\s›\s)\s*", "/", " ".join(_visible(text).split()))  # noqa: RUF001
    return re.sub(r"(^|/)#+\s*", r"\1", steps).strip().casefold()


def _inert_path(text: str) -> str:
    return "/".join(map(inert, text.split("/"))).casefold()


def _flat(text: str) -> str:
    """Return what is left of a text in all of the ways in which it is compared."""
    if text.isascii():
        return _NOT_ALNUM.sub("", text).lower()
    return "".join(sign for sign in _visible(text).casefold() if sign.isalnum())


def _unknown(asked: Asked, known: Sequence[Known], where: str, hint: str) -> JunkieError:
    if asked.wanted in {Wanted.CHANNEL, Wanted.MESSAGES}:
        categories = (one for one in known if one.sort is Sort.CATEGORY)
        if found := _fitting(asked._replace(wanted=Wanted.PLACE), categories):
            return asked.error(f"{found[0].shown} is a category and holds no messages", "name a channel in it")
    near = _nearest(asked, known)
    what = f"{where} knows no {asked.wanted.noun} {asked.short}"
    if near:
        return asked.error(what, f"did you mean {_listed(near)}? Else {hint}")
    return asked.error(what, hint)


def _nearest(asked: Asked, known: Sequence[Known]) -> list[Known]:
    """Return what bears a similar name, the most similar first."""
    import difflib

    candidates = [(rank, one) for one in known if (rank := one.rank(asked.wanted)) is not None]
    candidates.sort(key=lambda each: each[0])
    by_name: dict[str, Known] = {}
    for _, one in candidates[:_COMPARED]:
        for spelling in one.spellings() if "/" in asked.text else (one.path[-1],):
            by_name.setdefault(_fold(spelling), one)
    close = difflib.get_close_matches(_fold(asked.text), by_name, n=3)
    return list({by_name[name].snowflake: by_name[name] for name in close}.values())


def _from_link(asked: Asked, link: re.Match[str]) -> str:
    if asked.wanted is Wanted.USER:
        raise asked.error(f"{asked.short} leads to a place, not to an account")
    if asked.wanted is Wanted.GUILD:
        if link["guild"] == "@me":
            raise asked.error(f"{asked.short} leads to no guild")
        return link["guild"]
    if link["channel"] is None and (asked.wanted is not Wanted.PLACE or link["guild"] == "@me"):
        raise asked.error(f"{asked.short} leads to a guild, not to a channel")
    return link["channel"] or link["guild"]


def _sort(channel: Channel) -> Sort:
    if channel.guild_id is None:
        return Sort.DM
    if channel.is_thread:
        return Sort.THREAD
    if channel.type in ChannelType.HOLD_NOTHING:
        return Sort.CATEGORY
    return Sort.FORUM if channel.type in ChannelType.HOLD_ONLY_THREADS else Sort.CHANNEL


def _listed(found: Sequence[Known]) -> str:
    shown = [one.shown for one in found[:_LISTED]]
    if len(found) > _LISTED:
        shown.append(f"{len(found) - _LISTED} more")
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" or {shown[-1]}"
