"""What a batch of messages changes in the archive. Pure; the writer calls it under the locks of the channels concerned.

Invariants:
- Newer wins by `seen`: a database sequence drawn before a request is sent, and for events when their batch is written.
  `edited_at` is no version, since embeds, pins and polls change without it. An unchanged row keeps its older `seen`, so
  that reconciling an unchanged channel writes nothing; but not where an event told of it: what it was like in between, a
  page in flight may show.
- A tombstone of cause `event` or `forget` is final. One of cause `inferred` yields to a page that was asked for later
  and shows the message.
- Text is blanked only by a newer edit, never by a page that may lack the content intent.
- REST never replaces a nick: it knows the global name of now, the row knows the name of then.
- A row adopted from elsewhere (`seen` 0) yields to whatever Discord says.
- A copy that came inside a reply lacks keys that the message itself has. It is stored with its `seen` negated, until the
  message itself was seen; then keys are filled in, and text follows the newer of the two.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

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

    `complete` is False where the content intent may be missing. `live` is True for what the gateway told: it says nothing
    of reactions; `nick_known` where it told the author's name in the guild. `partial` is True for a copy inside a reply. With `patch` only some keys are known: it makes the new row out of the
    stored one, and `message` says no more than where that is.
    """

    message: Message
    seen: int
    complete: bool = True
    live: bool = False
    nick_known: bool = False
    partial: bool = False
    patch: Callable[[Message], Message] | None = None

    @property
    def key(self) -> Key:
        """Its place."""
        return Key(self.message.channel_id, self.message.message_id)

    @property
    def mark(self) -> int:
        """What the column `seen` holds: negative for a copy."""
        return -self.seen if self.partial else self.seen


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of the archive; `mark` is its column `seen`."""

    message: Message
    mark: int

    @property
    def seen(self) -> int:
        """When it was asked for."""
        return abs(self.mark)

    @property
    def partial(self) -> bool:
        """Whether only a copy inside a reply was seen yet."""
        return self.mark < 0


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

    `edited` pairs the new row with the old one; of these `completed` were copies or rows of another program, which no
    one edited. `taken_back` are inferred tombstones to remove; `kept_out` counts what a tombstone or rule refused, and
    `ruled_out` are those of a rule; `stale` counts what something newer had already replaced. `blind` are messages that
    changed and that the archive lacks: the change is lost, and a page that was asked for before it may still bring them.
    `confirmed` are rows that an event told of as they are.
    """

    new: list[Incoming] = field(default_factory=list)
    edited: list[tuple[Incoming, Stored]] = field(default_factory=list)
    completed: int = 0
    taken_back: list[Key] = field(default_factory=list)
    kept_out: int = 0
    ruled_out: list[Incoming] = field(default_factory=list)
    stale: int = 0
    blind: list[Key] = field(default_factory=list)
    confirmed: list[Incoming] = field(default_factory=list)


def fold(batch: Iterable[Incoming]) -> dict[Key, Incoming]:
    """Return one entry per message, the newest by `seen` and the later of equals, sorted by key."""
    newest: dict[Key, Incoming] = {}
    for incoming in batch:
        key = incoming.key
        before = newest.get(key)
        if before is None or before.seen <= incoming.seen:
            newest[key] = incoming
    return {key: newest[key] for key in sorted(newest)}


def decide(
    batch: Mapping[Key, Incoming],
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
    for key, incoming in batch.items():
        tombstone = tombstones.get(key)
        ruled_out = rules and any(
            rule.keeps_out(incoming.message, places.get(key.channel_id, nowhere)) for rule in rules
        )
        if ruled_out or (tombstone is not None and not tombstone.yields_to(incoming.seen)):
            decision.kept_out += 1
            if ruled_out:
                decision.ruled_out.append(incoming)
            continue
        if incoming.patch is not None and key not in stored:
            # It says that the message is there, and not what it holds.
            decision.blind.append(key)
            continue
        if tombstone is not None:
            decision.taken_back.append(key)
        _compare(decision, stored.get(key), incoming)
    return decision


def _compare(decision: Decision, old: Stored | None, incoming: Incoming) -> None:
    """Decide about one message that may be stored."""
    if incoming.patch is not None:
        assert old is not None
        if old.seen > incoming.seen:
            decision.stale += 1
            return
        incoming = replace(incoming, message=incoming.patch(old.message), partial=old.partial, patch=None)
    if old is None:
        decision.new.append(incoming)
    elif old.seen > incoming.seen and (not old.partial or incoming.partial):
        decision.stale += 1
    elif old.mark == ADOPTED and not incoming.complete and not incoming.message.content:
        # The text may be missing only for us: the row waits for a page that is sure to have it.
        decision.stale += 1
    elif not same((merged := merge(old, incoming)).message, old.message) or old.mark <= ADOPTED:
        decision.edited.append((merged, old))
        decision.completed += old.mark <= ADOPTED
    elif incoming.live and not incoming.partial:
        decision.confirmed.append(merged)


def merge(old: Stored, incoming: Incoming) -> Incoming:
    """Return the row that another showing of a stored message makes; newer, unless the row is only a copy."""
    was, now = old.message, incoming.message
    if old.mark == ADOPTED:
        return incoming
    if old.partial and not incoming.partial and old.seen > incoming.seen:
        filled = replace(was, type=now.type, reply_to=now.reply_to, extra=_joined(now.extra, was.extra))
        return replace(incoming, message=filled, seen=old.seen)
    if incoming.partial:
        now = replace(now, extra=_joined(was.extra, now.extra))
        incoming = replace(incoming, partial=old.partial)
    if incoming.live and (reactions := (was.extra or {}).get("reactions")) is not None:
        now = replace(now, extra=_joined({"reactions": reactions}, now.extra))
    if not incoming.nick_known and now.author_id == was.author_id and was.author_name:
        now = replace(now, author_name=was.author_name)
    if not incoming.complete or not _newer_edit(was, now):
        if not now.content and was.content:
            now = replace(now, content=was.content)
        if not incoming.complete:
            kept = {key: value for key, value in (was.extra or {}).items() if key in _CONTENT_KEYS}
            now = replace(now, extra=_joined(kept, now.extra))
    return replace(incoming, message=now)


def _joined(under: dict[str, Any] | None, over: dict[str, Any] | None) -> dict[str, Any] | None:
    return (under or {}) | (over or {}) or None


def _newer_edit(was: Message, now: Message) -> bool:
    if now.edited_at is None:
        return False
    return was.edited_at is None or now.edited_at > was.edited_at
