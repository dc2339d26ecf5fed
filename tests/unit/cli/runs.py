"""Events of make-believe runs."""

from typing import Any

from junkie_cli.ingest.estimate import Left
from junkie_cli.ingest.events import (
    ChannelBegan,
    ChannelEnded,
    ChannelsFound,
    Event,
    Outcome,
    PageStored,
    Summary,
)
from junkie_cli.ingest.steps import Phase

HOSTILE = (
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "[bold]markup[/bold] :smile:",
    "two\nlines\r\n\tand tabs",
    "日本語のとても長いチャンネル名" * 4,
    "👨‍👩‍👧‍👦❤️🏳️‍🌈" * 20,
    "Z̸̢̛͙̘a̷̛̰l̵̨̛͔g̶o" + "\u0301" * 200,
    "\u202eright to left\u2066",
    "\x9b2J\x07\x00",
    "a" * 300,
    "",
    "\ud800 half a character",
)


def found(channels: int, *, unreadable: int = 0, requests: int = 0) -> ChannelsFound:
    return ChannelsFound(channels, unreadable, 1, requests)


def began(channel_id: int, name: str, *, held: int = 0, left: Left = Left(1, None)) -> ChannelBegan:  # noqa: B008  frozen
    return ChannelBegan(channel_id, name, 0, 10**18, held, 10**18, left)


def page(channel_id: int, name: str, *, requests: int, held: int, left: Left, fetched: int = 100) -> PageStored:
    return PageStored(
        channel_id,
        name,
        phase=Phase.INITIAL,
        fetched=fetched,
        new=fetched,
        edited=0,
        deleted=0,
        held=held,
        remaining=10**17,
        requests=requests,
        left=left,
    )


def ended(channel_id: int, name: str, outcome: Outcome = Outcome.COMPLETE, **how: Any) -> ChannelEnded:
    values = {"held": 100, "target": None, "fetched": 100, "new": 100, "edited": 0, "deleted": 0, "requests": 2} | how
    return ChannelEnded(channel_id, name, outcome=outcome, **values)


def run_of(names: list[str]) -> list[Event]:
    """Return the events of a run through channels of those names, up to where all are in work."""
    events: list[Event] = [found(len(names), requests=len(names))]
    for number, name in enumerate(names):
        events.append(began(number, name))
        events.append(page(number, name, requests=1, held=100, left=Left(3, 9)))
    return events


def summary(**how: Any) -> Summary:
    values: dict[str, Any] = {
        "channels": 3,
        "outcomes": {Outcome.COMPLETE: 3},
        "new": 200,
        "requests": 4,
        "seconds": 8.4,
    }
    return Summary(**(values | how))
