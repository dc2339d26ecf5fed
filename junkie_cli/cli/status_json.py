"""`junkie status --json`: one object on one line. `docs/status.md` describes it, and a test holds it to the code."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from junkie_cli.cli.ndjson import iso
from junkie_cli.cli.status_view import Entry, Totals
from junkie_cli.coverage import Range
from junkie_cli.db.status import Archive
from junkie_cli.ingest.changes import Changes
from junkie_cli.ingest.estimate import Estimate, Share, estimate
from junkie_cli.ingest.standing import State, Wanted

VERSION: Final = 1
"""Of the shape: it rises when a field is removed, renamed, or means something else; fields may be added under one version."""


def as_json(
    archive: Archive, entries: Sequence[Entry], totals: Totals, wanted: Wanted, changes: Changes | None
) -> dict[str, Any]:
    """Return the status for programs. Ids are strings, times ISO 8601 in UTC, ranges half-open."""
    names = {record.channel.channel_id: record.channel.name for record in archive.records if record.known}
    heard = [record.state.last_updated for record in archive.records if record.state.last_updated is not None]
    guild_ids = sorted({entry.channel.guild_id for entry in entries if entry.channel.guild_id is not None})
    return {
        "version": VERSION,
        "as_of": iso(archive.at),
        "last_changed": _time(max(heard, default=None)),
        "wanted": {"target": wanted.target, "since": _id(wanted.since)},
        "live": None if changes is None else _live(changes),
        "guilds": [_guild(archive, guild_id) for guild_id in guild_ids],
        "channels": [_channel(entry, names) for entry in entries],
        "totals": {
            "channels": totals.channels,
            "messages": totals.messages,
            "states": {state.value: totals.states.get(state, 0) for state in State},
            "gaps": totals.gaps,
            **_left(totals.left),
        },
        "size_bytes": archive.size,
        "workers": [
            {
                "command": worker.command,
                "bot_id": _id(worker.bot_id),
                "host": worker.host,
                "pid": worker.pid,
                "started_at": iso(worker.started_at),
                "heartbeat_at": iso(worker.heartbeat_at),
                "progress_at": iso(worker.progress_at),
                "uses_discord": worker.uses_discord,
            }
            for worker in archive.workers
        ],
    }


def _guild(archive: Archive, guild_id: int) -> dict[str, Any]:
    guild = archive.guilds.get(guild_id)
    return {
        "guild_id": _id(guild_id),
        "name": None if guild is None else guild.name,
        "gone_at": None if guild is None else _time(guild.gone_at),
    }


def _channel(entry: Entry, names: dict[int, str]) -> dict[str, Any]:
    record, standing = entry
    channel, state = record.channel, record.state
    return {
        "channel_id": _id(channel.channel_id),
        "guild_id": _id(channel.guild_id),
        "parent_id": _id(channel.parent_id),
        "parent_name": names.get(channel.parent_id or 0),
        "type": channel.type if record.known else None,
        "name": channel.name if record.known else None,
        "archived_at": _time(channel.archived_at),
        "state": standing.state.value,
        "reason": state.unreadable,
        "gone_at": _time(state.gone_at),
        "messages": state.held,
        "oldest": _id(record.oldest),
        "newest": _id(record.newest),
        "last_message_id": _id(standing.last_id),
        "floor": _id(standing.floor),
        "covered": _ranges(state.covered),
        "gaps": _ranges(standing.gaps),
        **_left(estimate([Share(standing.left)])),
        "unwatched_since": _time(state.unwatched_since),
        "last_updated": _time(state.last_updated),
        "checked_at": _time(state.checked_at),
    }


def _left(left: Estimate) -> dict[str, Any]:
    return {
        "requests": {"low": left.requests.low, "high": left.requests.high},
        "seconds": {
            "low": round(left.low_seconds, 1),
            "high": None if left.high_seconds is None else round(left.high_seconds, 1),
        },
    }


def _live(changes: Changes) -> dict[str, Any]:
    return {
        "newer": [_id(each) for each in changes.newer],
        "found": [_id(each) for each in changes.found],
        "gone": [_id(each) for each in changes.gone],
        "back": [_id(each) for each in changes.back],
        "unreadable": [_id(each) for each in changes.unreadable],
        "readable": [_id(each) for each in changes.readable],
        "unlisted": [{"id": _id(each.place_id), "reason": each.reason} for each in changes.unlisted],
    }


def _ranges(ranges: Iterable[Range]) -> list[dict[str, Any]]:
    return [{"lo": str(lo), "hi": str(hi)} for lo, hi in ranges]


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
