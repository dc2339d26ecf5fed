"""The last words of a run: what was done, and what needs a person."""

import logging
from collections.abc import Sequence
from typing import Final

from junkie_cli.cli.figures import count, duration
from junkie_cli.cli.output import shown
from junkie_cli.ingest.events import ChannelEnded, ChannelsFound, Event, Outcome, Summary

_NAMED: Final = 8
"""How many channels of one trouble are named."""

_NAME_LENGTH: Final = 60

UNREADABLE: Final = "can't be read (give the bot the right, or use --exclude)"

NO_GUILD: Final = (
    "The bot is in no guild that is wanted. Invite it: in Discord's developer portal, OAuth2, scope bot, with View Channels, "
    "Read Message History and Connect."
)
NO_CHANNEL: Final = (
    "The bot sees no channel that is wanted. Give its role View Channels and Read Message History there, or choose more than "
    "--channel, --exclude and their variables do."
)

RESUME: Final = "Interrupted. Everything fetched so far is kept; run the same command again to go on."


class Closing:
    """Remembers what went wrong while a run goes on. That channels can't be read may have been accepted beforehand."""

    def __init__(self, *, accept_unreadable: bool = False) -> None:
        self._unreadable_matters = logging.INFO if accept_unreadable else logging.WARNING
        self._troubles: list[ChannelEnded] = []
        self._guilds: int | None = None

    def note(self, event: Event) -> None:
        """Take notice of an event."""
        if isinstance(event, ChannelEnded) and event.outcome.is_trouble:
            self._troubles.append(event)
        elif isinstance(event, ChannelsFound):
            self._guilds = event.guilds

    def lines(self, summary: Summary) -> list[tuple[int, str]]:
        """Return the closing lines, each with its level of `logging`."""
        lines: list[tuple[int, str]] = []
        if summary.channels or not (summary.fatal or summary.interrupted):
            # What was fatal before a channel was found is told by the error itself.
            lines += [(logging.INFO, _seed(summary)), (logging.INFO, _done(summary))]
        lines += [(self._unreadable_matters, line) for line in self._grouped(Outcome.UNREADABLE, UNREADABLE)]
        lines += [(logging.WARNING, line) for line in self._grouped(Outcome.FAILED, "failed")]
        if self._guilds is not None and not (summary.outcomes or summary.fatal or summary.interrupted):
            lines.append((logging.WARNING, NO_CHANNEL if self._guilds else NO_GUILD))
        if summary.interrupted:
            lines.append((logging.WARNING, RESUME))
        return lines

    def _grouped(self, outcome: Outcome, what: str) -> list[str]:
        return grouped(what, [(end.name, end.reason) for end in self._troubles if end.outcome is outcome])


def grouped(what: str, troubles: Sequence[tuple[str, str]]) -> list[str]:
    """Return a heading and a line for each reason, with the channels that share it. Troubles are names and reasons."""
    if not troubles:
        return []
    names: dict[str, list[str]] = {}
    for name, reason in troubles:
        names.setdefault(reason or "no reason was given", []).append(_short(name))
    # The reason that most channels share comes first.
    by_number = sorted(names.items(), key=lambda item: -len(item[1]))
    lines = [f"  {shown(reason)}: {_listed(sharing)}" for reason, sharing in by_number]
    return [f"{count(len(troubles), 'channel')} {what}:", *lines]


def _seed(summary: Summary) -> str:
    return f"Summary: {summary.successes}/{summary.channels} channels successful, {summary.errors} failed"


def _done(summary: Summary) -> str:
    return (
        f"{count(summary.new, 'new message')}, {summary.edited:,} edited, {summary.deleted:,} deleted; "
        f"{count(summary.requests, 'request')} in {duration(summary.seconds)}"
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _short(name: str) -> str:
    name = shown(name)
    return name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 1] + "…"
