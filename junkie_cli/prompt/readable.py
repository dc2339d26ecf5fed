"""A message in readable parts: nothing that people saw of it is blank.

The text is what the author wrote. Everything else is a part, `[Kind: …]`, with a kind of `safety.KINDS`; since the guard
takes those openings out of all text that people wrote, a part can't be imitated, and it ends where the next one or the
message ends. Only `[Forwarded]` is followed by text outside brackets: the forwarded one's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from junkie_cli.models import Message
from junkie_cli.prompt import payload
from junkie_cli.prompt.components import describe_components
from junkie_cli.prompt.embeds import describe_embed, describe_poll
from junkie_cli.prompt.events import ORDINARY, SHOW_OWN_EMBEDS, THREAD_STARTER, describe_event, keeps_text
from junkie_cli.prompt.safety import CLOSING_BRACKET, is_blank
from junkie_cli.prompt.view import View

EMPTY: Final = "[Empty message]"

_IS_CROSSPOST: Final = 1 << 1
_LOADING: Final = 1 << 7
_IS_VOICE: Final = 1 << 13
_FORWARD: Final = 1
_REPLY: Final = 19
_COMMANDS: Final = frozenset({20, 23})
_ACTIVITIES: Final = {1: "join", 2: "spectate", 3: "listen along", 5: "asks to join", 6: "asks to stream"}


@dataclass(frozen=True, slots=True)
class Readable:
    """A message as shown: its text, one part for each attachment, all other parts, and the reply that it is."""

    body: str
    attachments: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    reply: str = ""

    @property
    def text(self) -> str:
        """All of it, joined by blanks; `[Empty message]` if there is nothing."""
        return self._joined(*self.attachments, *self.parts, self.reply)

    @property
    def without_reply(self) -> str:
        """The same, without the part that says what it replies to."""
        return self._joined(*self.attachments, *self.parts)

    def _joined(self, *parts: str) -> str:
        # A blank body is nothing to see; the whole is then its parts.
        body = () if is_blank(self.body) else (self.body,)
        return " ".join(part for part in (*body, *parts) if part) or EMPTY


def read(message: Message, view: View) -> Readable:
    """Return a message in readable parts."""
    if message.extra is None and message.type in ORDINARY:
        shown = Readable(view.text(message.content, payload.NOTHING))
    else:
        shown = _read(message.content, _with_reference(message), message.type, view)
    target = reply_target(message)
    if target is None:
        return shown
    reply = f"[Reply: to {view.author_of(target) or view.lacking(target)}]"
    return Readable(shown.body, shown.attachments, shown.parts, reply)


def reply_target(message: Message) -> int | None:
    """Return the id of the message that this one answers; None for forwards, crossposts, pins and the like."""
    if message.type not in ORDINARY:
        return None
    if message.extra is None:
        return message.reply_to
    reference = payload.record(message.extra, "message_reference")
    if payload.number(reference, "type") == _FORWARD or _flags(message.extra) & _IS_CROSSPOST:
        return None
    if message.reply_to is None and message.type == _REPLY:
        return payload.number(reference, "message_id")
    return message.reply_to


def _with_reference(message: Message) -> Mapping[str, Any]:
    """Return the payload's rest with the reference that the archive may keep in a column of its own."""
    extra = message.extra or {}
    reference = payload.record(extra, "message_reference")
    if message.reply_to is None or "message_id" in reference:
        return extra
    return {**extra, "message_reference": {**reference, "message_id": message.reply_to}}


def _read(content: str, extra: Mapping[str, Any], kind: int, view: View) -> Readable:
    body = view.text(content, extra) if keeps_text(kind) else ""
    return Readable(body, tuple(_attachments(extra, view)), tuple(_parts(content, extra, kind, view)))


def _parts(content: str, extra: Mapping[str, Any], kind: int, view: View) -> Iterator[str]:
    if event := describe_event(kind, content, extra, view):
        yield event
    yield from _forwards(extra, view)
    if kind not in SHOW_OWN_EMBEDS:
        for embed in payload.records(extra, "embeds"):
            yield describe_embed(embed, content, extra, view)
    for sticker in payload.records(extra, "sticker_items") or payload.records(extra, "stickers"):
        yield f"[Sticker: {view.line(payload.string(sticker, 'name')) or 'no name'}]"
    if poll := payload.record(extra, "poll"):
        yield describe_poll(poll, view)
    yield from describe_components(payload.records(extra, "components"), extra, view)
    yield from _circumstances(extra, kind, view)


def _attachments(extra: Mapping[str, Any], view: View) -> Iterator[str]:
    is_voice = bool(_flags(extra) & _IS_VOICE)
    for attachment in payload.records(extra, "attachments"):
        url = payload.string(attachment, "url") or payload.string(attachment, "filename") or "no address"
        seconds = payload.number(attachment, "duration_secs")
        if seconds is not None and (is_voice or attachment.get("waveform")):
            yield f"[Voice message: {seconds // 60}:{seconds % 60:02d}, {view.line(url)}]"
        else:
            yield f"[Attachment: {view.line(url)}]"
        if description := payload.string(attachment, "description"):
            yield f"[Alt text: {view.line(description)}]"


def _forwards(extra: Mapping[str, Any], view: View) -> Iterator[str]:
    source = payload.number(payload.record(extra, "message_reference"), "channel_id")
    channel = view.mentions.channel(source, extra) if source is not None else None
    # The forwarded text begins after the first closing bracket.
    opening = f"[Forwarded: from {channel.replace(']', CLOSING_BRACKET)}]" if channel else "[Forwarded]"
    snapshots = payload.records(extra, "message_snapshots")
    if not snapshots and payload.number(payload.record(extra, "message_reference"), "type") == _FORWARD:
        # The content went with the message that it belonged to.
        yield f"{opening} [Empty message]"
    for snapshot in snapshots:
        message = payload.record(snapshot, "message")
        # Discord's forwards hold no forwards; without this, a forged payload could nest without end.
        flat = {key: value for key, value in message.items() if key != "message_snapshots"}
        shown = _read(payload.string(flat, "content"), flat, payload.number(flat, "type") or 0, view)
        yield f"{opening} {shown.text}"


def _circumstances(extra: Mapping[str, Any], kind: int, view: View) -> Iterator[str]:
    """Yield what came along with a message: the command that it answers, an invitation, a theme, a thread."""
    if activity := payload.record(extra, "activity"):
        application = view.line(payload.string(payload.record(extra, "application"), "name"))
        action = _ACTIVITIES.get(payload.number(activity, "type") or 0, "invitation")
        yield f"[Activity: {application}, {action}]" if application else f"[Activity: {action}]"
    if theme := payload.record(extra, "shared_client_theme"):
        yield f"[Theme: {view.line(', '.join(payload.strings(theme, 'colors'))) or 'no colours'}]"
    interaction = payload.record(extra, "interaction") or payload.record(extra, "interaction_metadata")
    if interaction and kind in _COMMANDS:
        yield _command(interaction, view)
    if _flags(extra) & _LOADING:
        yield "[Event: the answer is not there yet]"
    if (thread := payload.record(extra, "thread")) and kind != THREAD_STARTER and keeps_text(kind):
        yield f"[Thread: {view.line(payload.string(thread, 'name')) or 'no name'}]"


def _command(interaction: Mapping[str, Any], view: View) -> str:
    user = payload.record(interaction, "user")
    name, user_id = payload.display_name(user), payload.number(user, "id")
    by = f" by {view.label(user_id, name)}" if name and user_id is not None else ""
    command = view.line(payload.string(interaction, "name"))
    if command:
        return f"[Command: /{command}{by}]"
    return f"[Command: an interaction{by}]"


def _flags(extra: Mapping[str, Any]) -> int:
    return payload.number(extra, "flags") or 0
