"""`junkie backfill --dry-run`: what a run would fetch, and how long that takes, as far as anybody can say."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from junkie_cli import snowflake
from junkie_cli.cli.cells import crop, fit, wrap
from junkie_cli.cli.closing import UNREADABLE, grouped
from junkie_cli.cli.figures import count, requests, time_range
from junkie_cli.cli.ndjson import dump
from junkie_cli.cli.output import product, shown, speaks_unicode
from junkie_cli.coverage import Range
from junkie_cli.ingest.estimate import NOTHING, Estimate, Left, Share, estimate, requests_left

if TYPE_CHECKING:
    from junkie_cli.ingest.backfill import BackfillOptions, Prepared
    from junkie_cli.ingest.selection import Unlisted

_WIDTH: Final = 80
"""Columns where stdout is no terminal."""

_LEAST_NAME: Final = 12
_MOST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Row:
    """A channel of the plan. `gaps` is what `[floor, last_id]` lacks; `reason` is why it can't be read."""

    channel_id: int
    name: str
    held: int
    last_id: int = 0
    gaps: tuple[Range, ...] = ()
    floor: int = 0
    fresh: bool = False
    left: Left = NOTHING
    reason: str | None = None

    @property
    def seconds(self) -> Estimate:
        """How long it takes on its own."""
        return estimate([Share(self.left)])


def show_plan(prepared: "Prepared", options: "BackfillOptions", *, json: bool) -> None:
    """Write the plan to stdout: a table, or one JSON object."""
    rows = list(_rows(prepared, options))
    guilds, unlisted = len(prepared.found.guilds), prepared.found.unlisted
    if json:
        product(dump(as_json(rows, guilds, unlisted)))
        return
    terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size((_WIDTH, 24)).columns if terminal else _WIDTH
    ellipsis = "…" if sys.stdout is None or speaks_unicode(sys.stdout) else "..."
    product("\n".join(as_table(rows, guilds, unlisted, width=width, ellipsis=ellipsis)))


def _rows(prepared: "Prepared", options: "BackfillOptions") -> Iterator[Row]:
    for target in prepared.found.targets:
        channel = target.channel
        state = prepared.states[channel.channel_id]
        if not target.access.readable:
            yield Row(channel.channel_id, target.name, state.held, reason=target.access.reason)
            continue
        left = requests_left(prepared.progress[channel.channel_id])
        last_id = channel.last_message_id or 0
        floor = options.goal(channel.channel_id).floor
        gaps = state.covered.gaps(floor, last_id + 1) if left.high != 0 else ()
        yield Row(channel.channel_id, target.name, state.held, last_id, gaps, floor, not state.covered, left)


def as_table(
    rows: list[Row], guilds: int, unlisted: Sequence["Unlisted"] = (), *, width: int, ellipsis: str = "…"
) -> list[str]:
    """Return the plan's lines for people, none wider than `width`."""
    behind = sorted((row for row in rows if row.left.high != 0), key=lambda row: -row.left.low)
    unreadable = [row for row in rows if row.reason is not None]
    current = len(rows) - len(behind) - len(unreadable)
    whole = _whole(behind, unlisted)
    lines: list[str] = []
    if behind:
        lines += _table(behind, width, ellipsis)
        lines.append("")
    lines.append(
        f"{count(len(rows), 'channel')} in {count(guilds, 'guild')}: {len(behind):,} to fetch, {current:,} up to date, "
        f"{len(unreadable):,} unreadable"
    )
    if behind:
        lines.append(
            f"Requests: {requests(whole.requests)}. Time: {time_range(whole.low_seconds, whole.high_seconds)}."
        )
    if any(row.left.high is None for row in behind):
        lines.append("Discord gives no counts: where nothing was fetched yet, only the least is known.")
    if unlisted:
        lines += ["", "What could not be looked at is not in this plan:"]
        lines += [f"  {shown(place.name)}: {shown(place.reason)}" for place in unlisted]
    if unreadable:
        lines += ["", *grouped(UNREADABLE, [(row.name, row.reason or "") for row in unreadable])]
    return [part for line in lines for part in _wrapped(line, width, ellipsis)]


def _wrapped(line: str, width: int, ellipsis: str) -> list[str]:
    """Return a line as several where it is too wide, each of them cropped should a name have no blanks."""
    parts = wrap(line, max(width, 20), subsequent_indent="    ") or [""]
    return [crop(part, width, ellipsis=ellipsis) for part in parts]


def _table(rows: list[Row], width: int, ellipsis: str) -> list[str]:
    """Return a heading and a line for each channel; columns that don't fit are left out, the last ones first."""
    columns = [
        ["Archived", *(f"{row.held:,}" for row in rows)],
        ["Requests", *(requests(row.left) for row in rows)],
        ["Lacks", *(lacks(row) for row in rows)],
        ["Time", *(time_range(row.seconds.low_seconds, row.seconds.high_seconds) for row in rows)],
    ]
    sizes = [max(map(len, column)) for column in columns]
    while len(columns) > 1 and _LEAST_NAME + sum(size + 2 for size in sizes) > width:
        columns.pop()
        sizes.pop()
    name = max(min(width - sum(size + 2 for size in sizes), _MOST_NAME), 1)
    names = [fit(text, name, ellipsis=ellipsis) for text in ("Channel", *(row.name for row in rows))]
    padded = [[cell.rjust(size) for cell in column] for column, size in zip(columns, sizes, strict=True)]
    return ["  ".join(line) for line in zip(names, *padded, strict=True)]


def lacks(row: Row) -> str:
    """Return in words which stretch of a channel is not archived."""
    if row.fresh:
        return "everything"
    if len(row.gaps) > 1:
        return f"{len(row.gaps)} stretches"
    if not row.gaps:
        return "nothing"
    gap = row.gaps[0]
    if row.floor < gap.lo and gap.hi <= row.last_id:
        return "1 stretch"
    if gap.hi <= row.last_id:
        return f"before {snowflake.to_datetime(gap.hi):%Y-%m-%d}"
    return f"since {snowflake.to_datetime(gap.lo):%Y-%m-%d}"


def as_json(rows: list[Row], guilds: int, unlisted: Sequence["Unlisted"] = ()) -> dict[str, Any]:
    """Return the plan for programs. Ids are strings; `high` null: at least `low`."""
    return {
        "guilds": guilds,
        "channels": [
            {
                "channel_id": str(row.channel_id),
                "name": row.name,
                "readable": row.reason is None,
                "reason": row.reason or "",
                "archived": row.held,
                "gaps": [{"lo": str(gap.lo), "hi": str(gap.hi)} for gap in row.gaps],
                **_forecast(row.seconds),
            }
            for row in rows
        ],
        "unlisted": [{"id": str(place.place_id), "name": place.name, "reason": place.reason} for place in unlisted],
        **_forecast(_whole(rows, unlisted)),
    }


def _whole(rows: Sequence[Row], unlisted: Sequence["Unlisted"]) -> Estimate:
    """Return what all takes together. Where something could not be listed, nobody knows what else there is."""
    more = [Share(Left(0, None))] if unlisted else []
    return estimate([*(Share(row.left) for row in rows), *more])


def _forecast(forecast: Estimate) -> dict[str, Any]:
    return {
        "requests": {"low": forecast.requests.low, "high": forecast.requests.high},
        "seconds": {
            "low": round(forecast.low_seconds, 1),
            "high": None if forecast.high_seconds is None else round(forecast.high_seconds, 1),
        },
    }
