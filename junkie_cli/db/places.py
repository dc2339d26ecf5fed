"""Guilds, roles and channels: where messages hang, and whether they can be read."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from junkie_cli.db.database import Database
from junkie_cli.db.queries import query
from junkie_cli.db.text import escape, unescape
from junkie_cli.models import Channel, ChannelType, Guild, Role

if TYPE_CHECKING:
    from psycopg import AsyncConnection

LATE_SECONDS: Final = 10.0
"""How long after something has happened the gateway may tell of it: so much earlier than what was heard last something
may have been missed."""


class Places:
    """Writes what discovery found. Raises DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def store(
        self,
        guilds: Sequence[Guild],
        roles: Sequence[Role],
        channels: Sequence[Channel],
        unreadable: Mapping[int, str | None],
        walked: Mapping[tuple[int, str], datetime] | None = None,
    ) -> None:
        """Store places in one transaction.

        `unreadable` gives, by channel id, the missing right, or None if it may be read. `walked` says, by parent and list
        of archived threads, when the newest thread had been archived, where all of the list since the last time is among
        `channels`.
        """
        guilds = sorted({guild.guild_id: guild for guild in guilds}.values(), key=lambda guild: guild.guild_id)
        roles = sorted({role.role_id: role for role in roles}.values(), key=lambda role: role.role_id)
        channels = sorted({c.channel_id: c for c in channels}.values(), key=lambda channel: channel.channel_id)

        listed = [channel.channel_id for channel in channels]

        async def work(connection: "AsyncConnection[Any]") -> None:
            holding = sorted(unreadable)
            # Those that are not wanted, too: what has no row can't be marked as gone later.
            kept = sorted({*holding, *(channel.channel_id for channel in channels if channel.holds_messages)})
            await connection.execute(query("ensure_status"), {"channel_ids": kept})
            # Status rows first, as a batch of messages does, so that the two can't wait for each other.
            await connection.execute(query("lock_channels"), {"channel_ids": sorted({*holding, *listed})})
            await connection.execute(
                query("upsert_guilds"),
                {"guild_ids": [g.guild_id for g in guilds], "names": [escape(g.name) for g in guilds]},
            )
            await connection.execute(
                query("upsert_roles"),
                {
                    "role_ids": [r.role_id for r in roles],
                    "guild_ids": [r.guild_id for r in roles],
                    "names": [escape(r.name) for r in roles],
                },
            )
            await connection.execute(query("upsert_channels"), _channel_columns(channels))
            if walked:
                await connection.execute(query("advance_thread_lists"), _walked_columns(walked))
            reasons = [unreadable[channel_id] for channel_id in holding]
            await connection.execute(query("set_access"), {"channel_ids": holding, "reasons": reasons})

        await self._database.transaction(work)

    async def mark_left(self, member_of: Sequence[int]) -> None:
        """Mark guilds that are not among all that the bot is in as gone, with their channels. Nothing of them is dropped."""

        async def work(connection: "AsyncConnection[Any]") -> None:
            cursor = await connection.execute(query("departed_guilds"), {"member_of": list(member_of)})
            if departed := [row[0] for row in await cursor.fetchall()]:
                await connection.execute(query("mark_guilds_gone"), {"guild_ids": departed})

        await self._database.transaction(work)

    async def mark_guild_gone(self, guild_id: int) -> None:
        """Mark a guild that the bot is not in any more as gone, with its channels. Nothing of them is dropped."""

        async def work(connection: "AsyncConnection[Any]") -> None:
            await connection.execute(query("mark_guilds_gone"), {"guild_ids": [guild_id]})

        await self._database.transaction(work)

    async def note_unwatched(self, channel_ids: Collection[int] | None = None) -> None:
        """Record that events of these channels (None: any) may have been missed, and so edits and deletions."""
        listed = None if channel_ids is None else sorted(channel_ids)

        async def work(connection: "AsyncConnection[Any]") -> None:
            await connection.execute(query("note_unwatched"), {"channel_ids": listed, "late": LATE_SECONDS})

        await self._database.transaction(work)

    async def note_guilds_unwatched(self, guild_ids: Collection[int]) -> None:
        """Record the same of all channels of these guilds, and of those of which nobody knows the guild."""
        rows = await self._database.fetch(query("channels_of_guilds"), {"guild_ids": sorted(guild_ids)})
        await self.note_unwatched([row[0] for row in rows])

    async def unlisted(self, guild_id: int, listed: Sequence[int]) -> list[tuple[Channel, str | None]]:
        """Return a guild's channels, no threads, that are not among those that Discord lists, nor known to be gone.

        With each comes the right that it lacks as far as known; None if it could be read when it was last listed.
        """
        rows = await self._database.fetch(
            query("unlisted_channels"),
            {"guild_id": guild_id, "listed": list(listed), "thread_types": sorted(ChannelType.THREADS)},
        )
        return [(_channel_of(row), row[8]) for row in rows]

    async def walked(self) -> dict[tuple[int, str], datetime]:
        """Return, by parent and list of archived threads, down from which moment it was walked."""
        return {(row[0], row[1]): row[2] for row in await self._database.fetch(query("thread_lists"))}

    async def threads_of(self, guild_id: int) -> list[Channel]:
        """Return the threads of a guild that the archive knows, archived ones too, less those that are gone."""
        rows = await self._database.fetch(
            query("threads_of"), {"guild_id": guild_id, "types": sorted(ChannelType.THREADS)}
        )
        return [_channel_of(row) for row in rows]

    async def knows_guild(self, guild_id: int) -> bool:
        """Say whether the archive knows a guild's name."""
        return bool((await self._database.fetch(query("knows_guild"), {"guild_id": guild_id}))[0][0])

    async def type_of(self, channel_id: int) -> int | None:
        """Return a channel's type, None if the archive does not know the channel."""
        rows = await self._database.fetch(query("type_of_channel"), {"channel_id": channel_id})
        return int(rows[0][0]) if rows else None

    async def note_checked(
        self, channel_ids: Collection[int], at: datetime, *, heard_at: datetime | None = None
    ) -> None:
        """Record that Discord was asked for the newest messages of channels at that moment, and they are in the archive.

        Whatever else happened in them until `heard_at` was told and is written, or is on record as missed; None where
        nobody here listens. Both are times of the database's clock.
        """
        parameters = {
            "channel_ids": sorted(channel_ids),
            "asked_at": at,
            "heard_at": heard_at,
            "late": LATE_SECONDS,
        }

        async def work(connection: "AsyncConnection[Any]") -> None:
            await connection.execute(query("note_checked"), parameters)

        if channel_ids:
            await self._database.transaction(work)

    async def mark_unreadable(self, channel_id: int, reason: str) -> None:
        """Record that the bot may not read a channel, and which right it lacks."""
        await self._mark("mark_unreadable", channel_id, {"reason": reason})

    async def mark_gone(self, channel_id: int) -> None:
        """Record that Discord no longer knows a channel, and so its threads. Their messages stay."""
        await self._mark("mark_gone", channel_id, {})

    async def now(self) -> datetime:
        """Return the database's time."""
        rows = await self._database.fetch(query("now"))
        moment: datetime = rows[0][0]
        return moment

    async def visits(self) -> dict[int, datetime]:
        """Return, by guild, up to which moment all threads that were born there have been worked on."""
        return {row[0]: row[1] for row in await self._database.fetch(query("visits"))}

    async def note_visit(self, guild_ids: Sequence[int], until: datetime) -> None:
        """Record that all threads born in these guilds until then were found and worked on."""

        async def work(connection: "AsyncConnection[Any]") -> None:
            await connection.execute(query("note_visit"), {"guild_ids": sorted(guild_ids), "until": until})

        await self._database.transaction(work)

    async def note_watched(self, channel_id: int, since: datetime | None, *, heard_at: datetime | None = None) -> None:
        """Record that no edit or deletion that happened before `since` is missing in a channel.

        None: none at all that happened until `heard_at`, and whoever listens hears of the others. Both are times of the
        database's clock.
        """
        parameters = {"channel_id": channel_id, "since": since, "heard_at": None if since is not None else heard_at}

        async def work(connection: "AsyncConnection[Any]") -> None:
            await connection.execute(query("note_watched"), parameters)

        await self._database.transaction(work)

    async def _mark(self, name: str, channel_id: int, parameters: dict[str, Any]) -> None:
        async def work(connection: "AsyncConnection[Any]") -> None:
            await connection.execute(query("ensure_status"), {"channel_ids": [channel_id]})
            await connection.execute(query(name), {"channel_id": channel_id, **parameters})

        await self._database.transaction(work)


def _channel_of(row: Sequence[Any]) -> Channel:
    return Channel(row[0], row[1], row[2], row[3], unescape(row[4]), row[5], row[6], archived_at=row[7])


def _walked_columns(walked: Mapping[tuple[int, str], datetime]) -> dict[str, Any]:
    return {
        "parent_ids": [parent_id for parent_id, _ in walked],
        "listings": [listing for _, listing in walked],
        "newests": list(walked.values()),
    }


def _channel_columns(channels: Sequence[Channel]) -> dict[str, Any]:
    return {
        "channel_ids": [channel.channel_id for channel in channels],
        "guild_ids": [channel.guild_id for channel in channels],
        "parent_ids": [channel.parent_id for channel in channels],
        "types": [channel.type for channel in channels],
        "names": [escape(channel.name) for channel in channels],
        "positions": [channel.position for channel in channels],
        "last_message_ids": [channel.last_message_id for channel in channels],
        "archived_ats": [channel.archived_at for channel in channels],
    }
