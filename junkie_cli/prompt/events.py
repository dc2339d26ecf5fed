"""The readable form of system messages, by message type (Discord docs, "Message Types").

The speaker of the line is who did it, so the words begin with a verb. A type that is not known here keeps its text and
says its number.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from junkie_cli.prompt import payload
from junkie_cli.prompt.embeds import field_values, votes
from junkie_cli.prompt.view import View

ORDINARY: Final = frozenset({0, 19, 20, 23})
"""Messages whose text is what somebody wrote: default, reply, slash command, context menu command."""

AUTOMOD: Final = 24
POLL_RESULT: Final = 46
THREAD_STARTER: Final = 21
SHOW_OWN_EMBEDS: Final = frozenset({AUTOMOD, POLL_RESULT})
"""Types whose embed is data for the event, and is not shown beside it."""

Describe = Callable[[str, Mapping[str, Any], View], str]

_FIXED: Final[Mapping[int, str]] = {
    5: "changed the group's icon",
    7: "joined the server",
    14: "the server was removed from Server Discovery",
    15: "the server is in Server Discovery again",
    16: "the server has failed the requirements of Server Discovery for a week",
    17: "the server has failed the requirements of Server Discovery for three weeks",
    22: "was reminded to invite people",
    26: "has reached a limit that a subscription lifts",
    29: "became a speaker on the stage",
    30: "asked to speak on the stage",
    37: "ended the security actions",
    39: "took back a raid report",
    55: "upgraded streaming to HD",
}

_WITH_TEXT: Final[Mapping[int, str]] = {
    4: "changed the channel's name to",
    12: "added to this channel the announcements of",
    13: "started streaming",
    18: "started the thread",
    27: "started the stage",
    28: "ended the stage",
    31: "changed the stage's topic to",
    36: "enabled security actions until",
    38: "reported a raid",
    63: "added the emoji",
}


def describe_event(kind: int, content: str, of: Mapping[str, Any], view: View) -> str | None:
    """Return `[Event: …]` for a system message, None for an ordinary one."""
    if kind in ORDINARY:
        return None
    if kind in _FIXED:
        words = _FIXED[kind]
    elif kind in _WITH_TEXT:
        words = f'{_WITH_TEXT[kind]} "{view.line(content)}"' if content else _without_text(_WITH_TEXT[kind])
    elif kind in _COMPOSED:
        words = _COMPOSED[kind](content, of, view)
    else:
        words = f"a message of type {kind}"
    return f"[Event: {words}]"


def keeps_text(kind: int) -> bool:
    """Return whether the content is shown as the message's text, and not within the event's words."""
    return kind in ORDINARY or not (kind in _FIXED or kind in _WITH_TEXT or kind in _COMPOSED)


def _without_text(words: str) -> str:
    for ending in (" to", " until", " of"):
        words = words.removesuffix(ending)
    return words


def _added(_: str, of: Mapping[str, Any], view: View) -> str:
    return f"added {_mentioned(of, view)}"


def _removed(_: str, of: Mapping[str, Any], view: View) -> str:
    return f"removed {_mentioned(of, view)}"


def _mentioned(of: Mapping[str, Any], view: View) -> str:
    people = [view.mentions.user(payload.number(user, "id") or 0, of) for user in payload.records(of, "mentions")]
    return ", ".join(people) or "somebody"


def _call(_: str, of: Mapping[str, Any], view: View) -> str:
    call = payload.record(of, "call")
    ended = payload.moment_ms(call, "ended_timestamp")
    return f"started a call that ended at {view.clock.absolute(ended)}" if ended is not None else "started a call"


def _pinned(_: str, of: Mapping[str, Any], view: View) -> str:
    return f"pinned {view.message(_referenced(of))}"


def _starter(_: str, of: Mapping[str, Any], view: View) -> str:
    return f"this thread was started from {view.message(_referenced(of))}"


def _referenced(of: Mapping[str, Any]) -> int | None:
    return payload.number(payload.record(of, "message_reference"), "message_id")


def _boosted(level: int) -> Describe:
    reached = f", which reached level {level}" if level else ""

    def describe(content: str, _: Mapping[str, Any], __: View) -> str:
        times = (
            f" {content} times"
            if content.isascii() and content.isdigit() and len(content) < 10 and content != "1"
            else ""
        )
        return f"boosted the server{times}{reached}"

    return describe


def _automod(content: str, of: Mapping[str, Any], view: View) -> str:
    embed = next(iter(payload.records(of, "embeds")), payload.NOTHING)
    values = field_values(embed)
    text = payload.string(embed, "description") or content
    pieces = ["AutoMod flagged a message"]
    if rule := values.get("rule_name"):
        pieces.append(f"rule: {view.line(rule)}")
    if keyword := values.get("keyword_matched_content") or values.get("keyword"):
        pieces.append(f"matched: {view.line(keyword)}")
    if text:
        pieces.append(view.text(text, of))
    return " | ".join(pieces)


def _subscribed(_: str, of: Mapping[str, Any], view: View) -> str:
    data = payload.record(of, "role_subscription_data")
    verb = "renewed" if data.get("is_renewal") is True else "joined"
    tier = view.line(payload.string(data, "tier_name"))
    words = f'{verb} the subscription "{tier}"' if tier else f"{verb} a subscription"
    months = payload.number(data, "total_months_subscribed")
    return f"{words}, subscribed for {months} {'month' if months == 1 else 'months'}" if months else words


def _application_subscribed(_: str, of: Mapping[str, Any], view: View) -> str:
    name = view.line(payload.string(payload.record(of, "application"), "name"))
    return (
        f'upgraded "{name}" to premium for this server'
        if name
        else "upgraded an application to premium for this server"
    )


def _purchased(_: str, of: Mapping[str, Any], view: View) -> str:
    purchase = payload.record(payload.record(of, "purchase_notification"), "guild_product_purchase")
    name = view.line(payload.string(purchase, "product_name"))
    return f'purchased "{name}"' if name else "purchased something"


def _poll_result(_: str, of: Mapping[str, Any], view: View) -> str:
    embed = next(iter(payload.records(of, "embeds")), None)
    if embed is None:
        return "a poll closed"
    values = field_values(embed)
    question = view.line(values.get("poll_question_text", ""))
    words = f'the poll "{question}" closed' if question else "a poll closed"
    total = payload.number(values, "total_votes") or 0
    most = payload.number(values, "victor_answer_votes") or 0
    emoji = payload.emoji_text(
        {"name": values.get("victor_answer_emoji_name"), "id": values.get("victor_answer_emoji_id")}
    )
    winner = view.line(" ".join(part for part in (emoji, values.get("victor_answer_text", "")) if part))
    if winner:
        return f'{words}: "{winner}" won with {most} of {votes(total)}'
    return f"{words}: a tie at {most} of {votes(total)}" if most else f"{words} without votes"


_COMPOSED: Final[Mapping[int, Describe]] = {
    1: _added,
    2: _removed,
    3: _call,
    6: _pinned,
    8: _boosted(0),
    9: _boosted(1),
    10: _boosted(2),
    11: _boosted(3),
    THREAD_STARTER: _starter,
    AUTOMOD: _automod,
    25: _subscribed,
    32: _application_subscribed,
    44: _purchased,
    POLL_RESULT: _poll_result,
}
