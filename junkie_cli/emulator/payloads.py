"""Users, roles, members, guilds and channels as Discord's REST API writes them (its OpenAPI description)."""

import hashlib
from typing import Any, Final

from junkie_cli.emulator import permissions
from junkie_cli.emulator.entities import Channel, ChannelType, Guild, Member, Role, User
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.state import State
from junkie_cli.emulator.talk import iso

Json = dict[str, Any]

MEMBERS_INTENT_LIMITED: Final = 1 << 15
"""Application flag GATEWAY_GUILD_MEMBERS_LIMITED."""

CHANNEL_OBFUSCATED: Final = 1 << 17
"""Channel flag: this is not its name."""


def user(account: User) -> Json:
    """Return a UserResponse."""
    found: Json = {
        "id": str(account.id),
        "username": account.username,
        "avatar": account.avatar,
        "discriminator": account.discriminator,
        "public_flags": 0,
        "flags": 0,
        "banner": None,
        "accent_color": None,
        "global_name": account.global_name,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
    }
    if account.bot:
        found["bot"] = True
    return found


def me(state: State) -> Json:
    """Return the bot's own UserPIIResponse."""
    own = {"mfa_enabled": True, "locale": "en-US", "premium_type": 0, "email": None, "verified": True}
    return user(state.bot) | own


def application_flags(state: State) -> int:
    """Return the flags of the bot's application, which tell its privileged intents."""
    return state.application_flags | MEMBERS_INTENT_LIMITED


def application(state: State) -> Json:
    """Return the PrivateApplicationResponse of the bot's application; its flags tell the intents."""
    owner = state.users[min(u for u in state.users if u != state.bot.id)] if len(state.users) > 1 else state.bot
    flags = application_flags(state)
    return {
        "id": str(state.bot.id),
        "name": state.bot.username,
        "icon": None,
        "description": "",
        "type": None,
        "bot": user(state.bot),
        "bot_public": False,
        "bot_require_code_grant": False,
        "verify_key": hashlib.sha256(str(state.bot.id).encode()).hexdigest(),
        "flags": flags,
        "flags_new": str(flags),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user(owner),
        "approximate_guild_count": sum(state.bot.id in guild.members for guild in state.guilds.values()),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
    }


def role(of: Role) -> Json:
    """Return a GuildRoleResponse."""
    return {
        "id": str(of.id),
        "name": of.name,
        "permissions": str(of.permissions),
        "position": of.position,
        "color": of.color,
        "colors": {"primary_color": of.color, "secondary_color": None, "tertiary_color": None},
        "hoist": of.color != 0,
        "managed": False,
        "mentionable": True,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def member(of: Member) -> Json:
    """Return a GuildMemberResponse."""
    return {
        "avatar": None,
        "avatar_decoration_data": None,
        "banner": None,
        "communication_disabled_until": None,
        "flags": 0,
        "joined_at": iso(of.joined_ms),
        "nick": of.nick,
        "pending": False,
        "premium_since": None,
        "roles": [str(role_id) for role_id in of.roles],
        "user": user(of.user),
        "mute": False,
        "deaf": False,
    }


def my_guild(guild: Guild, bot: User, *, counts: bool) -> Json:
    """Return a MyGuildResponse, an element of the list of guilds."""
    found: Json = {
        "id": str(guild.id),
        "name": guild.name,
        "icon": None,
        "banner": None,
        "owner": guild.owner_id == bot.id,
        "permissions": str(permissions.in_guild(guild, bot.id)),
        "features": ["COMMUNITY", "NEWS"],
    }
    return found | _counts(guild) if counts else found


def guild(of: Guild, *, counts: bool) -> Json:
    """Return a GuildWithCountsResponse."""
    found: Json = {
        "id": str(of.id),
        "name": of.name,
        "owner_id": str(of.owner_id),
        "features": ["COMMUNITY", "NEWS"],
        "roles": [role(r) for r in of.roles.values()],
        "emojis": [],
        "stickers": [],
        "region": "us-east",
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "verification_level": 1,
        "default_message_notifications": 1,
        "mfa_level": 0,
        "explicit_content_filter": 2,
        "max_presences": None,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "nsfw_level": 0,
    }
    absent = "icon description home_header splash discovery_splash banner application_id afk_channel_id vanity_url_code"
    absent += " system_channel_id widget_channel_id rules_channel_id safety_alerts_channel_id"
    absent += " public_updates_channel_id incidents_data"
    found |= dict.fromkeys(absent.split())
    return found | _counts(of) if counts else found


def _counts(of: Guild) -> Json:
    return {"approximate_member_count": len(of.members), "approximate_presence_count": len(of.members) // 2}


def channel(of: Channel) -> Json:
    """Return a GuildChannelResponse, ThreadResponse or PrivateChannelResponse."""
    common: Json = {"id": str(of.id), "type": of.type, "flags": 0}
    if of.type != ChannelType.CATEGORY:
        common["last_message_id"] = None if of.last_message_id is None else str(of.last_message_id)
    if of.guild is None:
        return common | {"recipients": [user(u) for u in of.recipients if not u.bot]}
    common |= {
        "guild_id": str(of.guild.id),
        "name": of.name,
        "parent_id": None if of.parent is None else str(of.parent.id),
    }
    return common | (_thread(of) if of.is_thread else _guild_channel(of))


def hidden_channel(of: Channel) -> Json:
    """Return what the gateway says of a channel that the bot may not view, once Discord hides those.

    Only id, type, position and parent are true (docs, "Obfuscated Channels").
    """
    assert of.guild is not None
    found = channel(of)
    for name in ("topic", "last_message_id", "rtc_region"):
        if name in found:
            found[name] = None
    if "available_tags" in found:
        found["available_tags"] = []
    denied = {"id": str(of.guild.id), "type": 0, "allow": "0", "deny": str(Right.VIEW_CHANNEL)}
    return found | {"name": "___hidden___", "flags": CHANNEL_OBFUSCATED, "permission_overwrites": [denied]}


def _guild_channel(of: Channel) -> Json:
    overwrites = [
        {"id": str(target), "type": int(o.for_member), "allow": str(o.allow), "deny": str(o.deny)}
        for target, o in of.overwrites.items()
    ]
    found: Json = {"position": of.position, "permission_overwrites": overwrites, "nsfw": False}
    if of.type != ChannelType.CATEGORY:
        found |= {"rate_limit_per_user": 0, "topic": of.topic}
    if of.type in ChannelType.SPOKEN:
        found |= {"bitrate": 64_000, "user_limit": 0, "rtc_region": None}
    if of.type in ChannelType.POSTS:
        found |= {
            "available_tags": [
                {"id": str(tag), "name": name, "moderated": False, "emoji_id": None, "emoji_name": None}
                for tag, name in of.tags.items()
            ],
            "default_reaction_emoji": None,
            "default_sort_order": None,
        }
    if of.type == ChannelType.FORUM:
        found["default_forum_layout"] = 0
    return found


def _thread(of: Channel) -> Json:
    thread = of.thread
    assert thread is not None
    begun = 1 if of.parent is not None and of.parent.type in ChannelType.POSTS else 0
    found: Json = {
        "owner_id": str(thread.owner_id),
        "rate_limit_per_user": 0,
        "thread_metadata": {
            "archived": thread.archived,
            "archive_timestamp": iso(thread.archived_ms),
            "auto_archive_duration": 1440,
            "locked": thread.locked,
            "create_timestamp": iso(thread.created_ms),
        },
        "message_count": max(len(of.messages) - begun, 0),
        "member_count": min(len(thread.members), 50),
        "total_message_sent": max(thread.total_sent - begun, 0),
    }
    if of.type == ChannelType.PRIVATE_THREAD:
        found["thread_metadata"]["invitable"] = True
    if thread.tags:
        found["applied_tags"] = [str(tag) for tag in thread.tags]
    return found


def thread_member(of: Channel, user_id: int) -> Json:
    """Return a ThreadMemberResponse of someone who is in the thread."""
    assert of.thread is not None
    joined = iso(of.thread.members[user_id])
    return {"id": str(of.id), "user_id": str(user_id), "join_timestamp": joined, "flags": 0}


def threads(found: list[Channel], user_id: int, *, has_more: bool = False) -> Json:
    """Return a ThreadsResponse, with the memberships of the one who asks."""
    mine = [thread_member(thread, user_id) for thread in found if thread.thread and user_id in thread.thread.members]
    return {"threads": [channel(thread) for thread in found], "members": mine, "has_more": has_more}
