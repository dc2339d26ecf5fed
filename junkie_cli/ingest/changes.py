"""What changes in what is known of channels when Discord is asked what it has, without fetching a message. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from junkie_cli.db.status import Record
from junkie_cli.ingest.selection import Unlisted


class Changes(NamedTuple):
    """Ids of channels: with newer messages than were known of, found, gone, back, no longer readable, readable again.

    `unlisted` could not be listed, so that there something may have changed unseen.
    """

    newer: tuple[int, ...] = ()
    found: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    back: tuple[int, ...] = ()
    unreadable: tuple[int, ...] = ()
    readable: tuple[int, ...] = ()
    unlisted: tuple[Unlisted, ...] = ()


def changes(before: Iterable[Record], after: Iterable[Record], unlisted: Sequence[Unlisted] = ()) -> Changes:
    """Compare what was known of channels that hold messages before Discord was asked with what is known after."""
    old = {record.channel.channel_id: record for record in before}
    found: list[int] = []
    newer: list[int] = []
    gone: list[int] = []
    back: list[int] = []
    unreadable: list[int] = []
    readable: list[int] = []
    for record in after:
        channel, state = record.channel, record.state
        if not channel.holds_messages:
            continue
        was = old.get(channel.channel_id)
        if was is None:
            found.append(channel.channel_id)
            continue
        if (channel.last_message_id or 0) > (was.channel.last_message_id or 0):
            newer.append(channel.channel_id)
        if (state.gone_at is None) != (was.state.gone_at is None):
            (back if state.gone_at is None else gone).append(channel.channel_id)
        if (state.unreadable is None) != (was.state.unreadable is None):
            (readable if state.unreadable is None else unreadable).append(channel.channel_id)
    return Changes(
        tuple(newer), tuple(found), tuple(gone), tuple(back), tuple(unreadable), tuple(readable), tuple(unlisted)
    )
