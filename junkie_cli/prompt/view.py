"""What everything in one prompt is shown with: its clock, its names, its guard, the messages that others refer to."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from junkie_cli import snowflake
from junkie_cli.models import Message
from junkie_cli.prompt.mentions import Mentions, Names
from junkie_cli.prompt.safety import Guard, is_blank
from junkie_cli.prompt.timestamps import Clock


class View:
    """Turns names, texts and references of one prompt into what is shown of them."""

    def __init__(
        self,
        clock: Clock,
        names: Names,
        guard: Guard,
        known: Callable[[], Mapping[int, Message]] = dict,
        deleted: Collection[int] = frozenset(),
    ) -> None:
        self.clock = clock
        self.guard = guard
        self.mentions = Mentions(names, clock, guard)
        # Most prompts have no message that refers to another: the messages are indexed when the first one does.
        self._find_known = known
        self._known: Mapping[int, Message] | None = None
        self._deleted = deleted
        self._labels: dict[tuple[int, str], str] = {}

    def label(self, author_id: int, name: str) -> str:
        """Return `name(id)` of a speaker."""
        label = self._labels.get((author_id, name))
        if label is None:
            label = f"{'Unknown' if is_blank(name) else self.guard.name(name)}({author_id})"
            self._labels[author_id, name] = label
        return label

    def text(self, text: str, of: Mapping[str, Any]) -> str:
        """Return a text of any number of lines, its markup resolved with the payload `of` that it stands in."""
        return self.guard.text(self.mentions.resolve(text, of))

    def line(self, text: str) -> str:
        """Return a text that belongs on one line."""
        return self.guard.line(text)

    def author_of(self, message_id: int) -> str | None:
        """Return `name(id), 2h ago` of a message that is known, else None."""
        if self._known is None:
            self._known = self._find_known()
        message = self._known.get(message_id)
        if message is None:
            return None
        stamp = self.clock.stamp(snowflake.to_ms(message_id))
        return f"{self.label(message.author_id, message.author_name)}, {stamp[1:-1]}"

    def lacking(self, message_id: int) -> str:
        """Return why a message is not known."""
        return "a deleted message" if message_id in self._deleted else "a message that is not archived"

    def message(self, message_id: int | None) -> str:
        """Return words for a message: whose it is and when it was posted, or why that is not known."""
        if message_id is None:
            return "a message"
        author = self.author_of(message_id)
        return f"a message of {author}" if author else self.lacking(message_id)
