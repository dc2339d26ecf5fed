"""What a batch of messages changes in the archive. Pure; the writer calls it under the locks of the channels concerned.

Invariants:
- Newer wins by `seen`: a database sequence drawn before a request is sent, and for events when their batch is written.
  `edited_at` is no version, since embeds, pins and polls change without it. An unchanged row keeps its older `seen`, so
  that reconciling an unchanged channel writes nothing.
- A tombstone of cause `event` or `forget` is final. One of cause `inferred` yields to a page that was asked for later
  and shows the message.
- Text is blanked only by a newer edit, never by a page that may lack the content intent.
- REST never replaces a nick: it knows the global name of now, the row knows the name of then.
- A row adopted from elsewhere (`seen` 0) yields to whatever Discord says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from junkie_cli.equality import same
from junkie_cli.models import Message

ADOPTED: Final = 0
"""The `seen` of rows that another program wrote."""

_CONTENT_KEYS: Final = frozenset({"attachments", "embeds", "components", "poll", "message_snapshots", "sticker_items"})
"""What of a payload may come empty without the MESSAGE_CONTENT intent, beside its text."""


class Key(NamedTuple):
    """A message's place; sorts by channel, then id."""

    channel_id: int
    message_id: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as Discord just showed it.

    `complete` is False where the content intent may be missing. `nick_known` is True for what the gateway told.
    """

    message: Message
    seen: int
    complete: bool = True
    nick_known: bool = False

    @property
    def key(self) -> Key:
        """Its place."""
        return Key(self.message.channel_id, self.message.message_id)


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of the archive."""

    message: Message
    seen: int


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The mark that a message was deleted. `cause` is 'event', 'forget' or 'inferred'."""

    cause: str
    seen: int

    def yields_to(self, seen: int) -> bool:
        """Say whether a page that was asked for at `seen` and shows the message takes the mark back."""
        return self.cause == "inferred" and self.seen < seen


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of `forget`: keeps out every message that matches all that is not None."""

    user_id: int | None = None
    channel_id: int | None = None
    guild_id: int | None = None
    before_id: int | None = None

    def keeps_out(self, message: Message, place: "Place") -> bool:
        """Say whether the message, which stands in `place`, must not be stored."""
        return (
            (self.user_id is None or self.user_id == message.author_id)
            and (self.channel_id is None or self.channel_id in {message.channel_id, place.parent_id})
            and (self.guild_id is None or self.guild_id == place.guild_id)
            and (self.before_id is None or message.message_id < self.before_id)
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel hangs; None where the archive does not know."""

    guild_id: int | None = None
    parent_id: int | None = None


@dataclass(slots=True)
class Decision:
    """What to write, each list sorted by key.

    `edited` pairs the new row with the old one; `taken_back` are inferred tombstones to remove; `kept_out` counts what
    a tombstone or rule refused, `stale` what something newer had already replaced.
    """

    new: list[Incoming] = field(default_factory=list)
    edited: list[tuple[Incoming, Stored]] = field(default_factory=list)
    taken_back: list[Key] = field(default_factory=list)
    kept_out: int = 0
    stale: int = 0


def fold(batch: Iterable[Incoming]) -> list[Incoming]:
    """Return one entry per message, the newest by `seen` and the later of equals, sorted by key."""
    newest: dict[Key, Incoming] = {}
    for incoming in batch:
        before = newest.get(incoming.key)
        if before is None or before.seen <= incoming.seen:
            newest[incoming.key] = incoming
    return [newest[key] for key in sorted(newest)]


def decide(
    batch: Iterable[Incoming],
    *,
    stored: Mapping[Key, Stored],
    tombstones: Mapping[Key, Tombstone],
    rules: Iterable[Rule],
    places: Mapping[int, Place],
) -> Decision:
    """Compare a folded batch with the archive. `places` is by channel id; all of it was read under the locks."""
    decision = Decision()
    rules = tuple(rules)
    nowhere = Place()
    for incoming in batch:
        message, key = incoming.message, incoming.key
        if rules and any(rule.keeps_out(message, places.get(message.channel_id, nowhere)) for rule in rules):
            decision.kept_out += 1
            continue
        if (tombstone := tombstones.get(key)) is not None:
            if not tombstone.yields_to(incoming.seen):
                decision.kept_out += 1
                continue
            decision.taken_back.append(key)
        if (old := stored.get(key)) is None:
            decision.new.append(incoming)
        elif old.seen > incoming.seen:
            decision.stale += 1
        elif not same(merged := merge(old, incoming), old.message) or old.seen == ADOPTED:
            decision.edited.append((replace(incoming, message=merged), old))
    return decision


def merge(old: Stored, incoming: Incoming) -> Message:
    """Return the row that a newer showing of a stored message makes."""
    was, now = old.message, incoming.message
    if old.seen == ADOPTED:
        return now
    if not incoming.nick_known and now.author_id == was.author_id and was.author_name:
        now = replace(now, author_name=was.author_name)
    if incoming.complete and _newer_edit(was, now):
        return now
    if not now.content and was.content:
        now = replace(now, content=was.content)
    if not incoming.complete and was.extra:
        kept = {key: value for key, value in was.extra.items() if key in _CONTENT_KEYS}
        if kept:
            now = replace(now, extra=kept | (now.extra or {}))
    return now


def _newer_edit(was: Message, now: Message) -> bool:
    if now.edited_at is None:
        return False
    return was.edited_at is None or now.edited_at > was.edited_at
