"""Reading messages themselves."""

from junkie_cli.db.database import Database
from junkie_cli.db.queries import query
from junkie_cli.db.rows import message_of
from junkie_cli.models import Message


async def newest_messages(database: Database, channel_id: int, most: int) -> list[Message]:
    """Return a channel's newest visible messages, at most that many, oldest first. Raises DatabaseError."""
    rows = await database.fetch(query("newest_messages"), {"channel_id": channel_id, "most": most})
    return [message_of(row) for row in reversed(rows)]
