"""The readable form of embeds and polls."""

from collections.abc import Iterator, Mapping
from typing import Any

from junkie_cli.prompt import payload
from junkie_cli.prompt.view import View


def describe_embed(embed: Mapping[str, Any], body: str, of: Mapping[str, Any], view: View) -> str:
    """Return `[Embed: provider | author | title | text | field: value | footer | urls]`, of what the embed has.

    An address that already stands in the message's own text, `body`, is not repeated.
    """
    pieces: list[str] = [
        view.line(text)
        for text in (
            payload.string(payload.record(embed, "provider"), "name"),
            payload.string(payload.record(embed, "author"), "name"),
        )
    ]
    pieces += [view.text(payload.string(embed, key), of) for key in ("title", "description")]
    pieces += _fields(embed, of, view)
    pieces.append(view.line(payload.string(payload.record(embed, "footer"), "text")))
    addresses = [payload.string(embed, "url"), payload.string(payload.record(embed, "image"), "url")]
    if not any(pieces) and not any(addresses):
        addresses += [payload.string(payload.record(embed, key), "url") for key in ("video", "thumbnail")]
    pieces += [view.line(url) for url in dict.fromkeys(addresses) if url not in body]
    shown = " | ".join(piece for piece in pieces if piece)
    return f"[Embed: {shown or view.line(payload.string(embed, 'type')) or 'rich'}]"


def _fields(embed: Mapping[str, Any], of: Mapping[str, Any], view: View) -> Iterator[str]:
    for field in payload.records(embed, "fields"):
        pair = (payload.string(field, "name"), payload.string(field, "value"))
        yield view.text(": ".join(text for text in pair if text), of)


def field_values(embed: Mapping[str, Any]) -> dict[str, str]:
    """Return an embed's fields by name, as system messages carry their data."""
    return {payload.string(field, "name"): payload.string(field, "value") for field in payload.records(embed, "fields")}


def describe_poll(poll: Mapping[str, Any], view: View) -> str:
    """Return `[Poll: question | answer: 3 votes | … | 4 votes, closed]`; without results, the votes are not known."""
    results = payload.record(poll, "results")
    counts = {
        payload.number(entry, "id"): payload.number(entry, "count")
        for entry in payload.records(results, "answer_counts")
    }
    pieces = [view.line(payload.string(payload.record(poll, "question"), "text")) or "no question"]
    for answer in payload.records(poll, "answers"):
        media = payload.record(answer, "poll_media")
        emoji = payload.emoji_text(payload.record(media, "emoji"))
        text = " ".join(part for part in (emoji, payload.string(media, "text")) if part) or "no text"
        count = counts.get(payload.number(answer, "answer_id")) or 0
        # Defused with the colon that follows it, so that the two can't make an opening of ours.
        pieces.append(view.line(f"{text}: {votes(count)}" if results else text))
    state = [votes(sum(count or 0 for count in counts.values())) if results else "votes not known"]
    if poll.get("allow_multiselect") is True:
        state.append("several answers allowed")
    state.append(_state(poll, results, view))
    return f"[Poll: {' | '.join(pieces)} | {', '.join(state)}]"


def _state(poll: Mapping[str, Any], results: Mapping[str, Any], view: View) -> str:
    expiry = payload.moment_ms(poll, "expiry")
    if results.get("is_finalized") is True or (expiry is not None and view.clock.is_past(expiry)):
        return "closed"
    return "open" if expiry is None else f"open until {view.clock.absolute(expiry)}"


def votes(count: int) -> str:
    """Return `1 vote`, `2 votes`."""
    return "1 vote" if count == 1 else f"{count} votes"
