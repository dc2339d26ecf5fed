"""Discord's guild, role and channel objects to models. What makes no sense in them is left at its neutral value."""

from collections.abc import Mapping
from typing import Any

from junkie_cli.client.payload import read_id, read_time
from junkie_cli.models import Channel, Guild, Role


def guild_from_payload(payload: object) -> Guild | None:
    """Return the guild; None for what has no usable id."""
    if not isinstance(payload, dict) or (guild_id := read_id(payload.get("id"))) is None:
        return None
    return Guild(guild_id, _text(payload.get("name")))


def roles_from_payload(guild: Mapping[str, Any]) -> tuple[Role, ...]:
    """Return the roles inside a guild object."""
    guild_id = read_id(guild.get("id")) or 0
    roles = guild.get("roles")
    return tuple(
        Role(guild_id, role_id, _text(role.get("name")))
        for role in (roles if isinstance(roles, list) else [])
        if isinstance(role, dict) and (role_id := read_id(role.get("id"))) is not None
    )


def channel_from_payload(payload: object, guild_id: int | None = None) -> Channel | None:
    """Return the channel or thread; None for what has no usable id. `guild_id` is told where the object lacks it."""
    if not isinstance(payload, dict) or (channel_id := read_id(payload.get("id"))) is None:
        return None
    kind, position, count = (payload.get(key) for key in ("type", "position", "message_count"))
    thread = payload.get("thread_metadata")
    archived = isinstance(thread, dict) and thread.get("archived") is True
    return Channel(
        channel_id,
        guild_id or read_id(payload.get("guild_id")),
        read_id(payload.get("parent_id")),
        kind if type(kind) is int else -1,
        _text(payload.get("name")) or _recipients(payload.get("recipients")),
        read_id(payload.get("last_message_id")),
        position=position if type(position) is int else 0,
        message_count=count if type(count) is int else None,
        archived_at=read_time(thread.get("archive_timestamp")) if isinstance(thread, dict) and archived else None,
        begun_at=read_time(thread.get("create_timestamp")) if isinstance(thread, dict) else None,
    )


def _recipients(people: object) -> str:
    """Name a DM after who is in it."""
    found = [person for person in people if isinstance(person, dict)] if isinstance(people, list) else []
    return ", ".join(
        filter(None, (_text(person.get("global_name")) or _text(person.get("username")) for person in found))
    )


def _text(value: object) -> str:
    return value if type(value) is str else ""
