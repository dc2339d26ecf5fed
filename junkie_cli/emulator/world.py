"""What happens to servers, and to the people in them."""

from collections.abc import Iterable
from typing import Any

from junkie_cli import snowflake
from junkie_cli.emulator.channels import Places
from junkie_cli.emulator.entities import Guild, Member, Role, User
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.state import CONTENT_INTENT, CONTENT_INTENT_LIMITED, Event, UnknownError


class World(Places):
    """A whole Discord as one bot sees it, and everything that can be done to it."""

    def add_user(self, username: str, global_name: str | None = None, *, at_ms: int | None = None, **kind: Any) -> User:
        """Create an account; `kind` is bot, avatar, discriminator."""
        user = User(self.made_id(at_ms), username, global_name, **kind)
        self.users[user.id] = user
        return user

    def rename_user(self, user_id: int, global_name: str | None) -> None:
        """Change a display name; all that the user ever wrote shows it."""
        user = self.user(user_id)
        user.global_name = global_name
        for channel in self.channels.values():
            for message in channel.messages:
                if message.author is user:
                    message.own = None
        for guild in self.guilds.values():
            if user_id in guild.members:
                self.emit(Event("GUILD_MEMBER_UPDATE", guild, ids=(user_id,)))

    def add_guild(self, name: str, *, owner_id: int | None = None, at_ms: int | None = None) -> Guild:
        """Create a server that the bot is in, with the role @everyone."""
        guild_id = self.made_id(at_ms)
        owner = self.add_user("founder", "Founder") if owner_id is None else self.user(owner_id)
        guild = Guild(guild_id, name, owner.id, roles={guild_id: Role(guild_id, "@everyone", Right.EVERYONE)})
        for user in (owner, self.bot):
            guild.members[user.id] = Member(user, snowflake.to_ms(guild_id))
        self.guilds[guild_id] = guild
        self.emit(Event("GUILD_CREATE", guild))
        return guild

    def rename_guild(self, guild_id: int, name: str) -> None:
        """Change the name of a server."""
        guild = self.guild(guild_id)
        guild.name = name
        self.emit(Event("GUILD_UPDATE", guild))

    def remove_bot(self, guild_id: int) -> None:
        """Throw the bot out of a server."""
        guild = self.guild(guild_id)
        if guild.members.pop(self.bot.id, None) is None:
            raise UnknownError(f"the bot is not in guild {guild_id}")
        self.emit(Event("GUILD_DELETE", guild))

    def add_bot(self, guild_id: int) -> None:
        """Invite the bot again, without roles."""
        guild = self.guild(guild_id)
        guild.members[self.bot.id] = Member(self.bot, snowflake.to_ms(self.next_id()))
        self.emit(Event("GUILD_CREATE", guild))

    def add_member(self, guild_id: int, user_id: int, *, nick: str | None = None, roles: Iterable[int] = ()) -> None:
        """Let an account join."""
        member = Member(self.user(user_id), snowflake.to_ms(self.newest_id), nick, list(roles))
        guild = self.guild(guild_id)
        guild.members[user_id] = member
        self.emit(Event("GUILD_MEMBER_ADD", guild, ids=(user_id,)))

    def remove_member(self, guild_id: int, user_id: int) -> None:
        """Let a member leave; what they wrote stays. The bot itself leaves by `remove_bot`."""
        guild = self.guild(guild_id)
        if user_id == self.bot.id or guild.members.pop(user_id, None) is None:
            raise UnknownError(f"guild {guild_id} has no member {user_id} that could leave")
        self.emit(Event("GUILD_MEMBER_REMOVE", guild, ids=(user_id,)))

    def set_nick(self, guild_id: int, user_id: int, nick: str | None) -> None:
        """Give a member another name in one server, which the gateway tells and REST does not."""
        guild = self.guild(guild_id)
        self._member(guild, user_id).nick = nick
        self.emit(Event("GUILD_MEMBER_UPDATE", guild, ids=(user_id,)))

    def set_member_roles(self, guild_id: int, user_id: int, roles: Iterable[int]) -> None:
        """Replace the roles of a member."""
        guild = self.guild(guild_id)
        self._member(guild, user_id).roles = list(roles)
        self.emit(Event("GUILD_MEMBER_UPDATE", guild, ids=(user_id,)))

    def add_role(self, guild_id: int, name: str, permissions: int = 0, *, color: int = 0) -> Role:
        """Create a role above the others."""
        guild = self.guild(guild_id)
        role = Role(self.next_id(), name, permissions, len(guild.roles), color)
        guild.roles[role.id] = role
        self.emit(Event("GUILD_ROLE_CREATE", guild, ids=(role.id,)))
        return role

    def set_role(self, guild_id: int, role_id: int, permissions: int) -> None:
        """Replace what a role permits; the guild's id names @everyone."""
        guild = self.guild(guild_id)
        self._role(guild, role_id).permissions = permissions
        self.emit(Event("GUILD_ROLE_UPDATE", guild, ids=(role_id,)))

    def rename_role(self, guild_id: int, role_id: int, name: str) -> None:
        """Change the name of a role."""
        guild = self.guild(guild_id)
        self._role(guild, role_id).name = name
        self.emit(Event("GUILD_ROLE_UPDATE", guild, ids=(role_id,)))

    def delete_role(self, guild_id: int, role_id: int) -> None:
        """Delete a role, and take it from all who have it."""
        guild = self.guild(guild_id)
        self._role(guild, role_id)
        if role_id == guild_id:
            raise ValueError("@everyone can't be deleted")
        del guild.roles[role_id]
        for member in guild.members.values():
            if role_id in member.roles:
                member.roles.remove(role_id)
        for channel in guild.channels.values():
            channel.overwrites.pop(role_id, None)
        self.emit(Event("GUILD_ROLE_DELETE", guild, ids=(role_id,)))

    def set_intents(self, *, content: bool, limited: bool = False) -> None:
        """Give or take the MESSAGE_CONTENT intent; `limited` is the flag that small bots have."""
        flag = CONTENT_INTENT_LIMITED if limited else CONTENT_INTENT
        self.application_flags = flag if content else 0

    def obfuscate(self, *, on: bool = True) -> None:
        """Hide the channels that the bot may not view, as Discord does from 2026-11-16 on (discord-api-docs #8454).

        The gateway blanks their metadata, the list of channels leaves them out. No event tells of the switch.
        """
        self.obfuscates = on

    def _member(self, guild: Guild, user_id: int) -> Member:
        if (member := guild.members.get(user_id)) is None:
            raise UnknownError(f"guild {guild.id} has no member {user_id}")
        return member

    def _role(self, guild: Guild, role_id: int) -> Role:
        if (role := guild.roles.get(role_id)) is None:
            raise UnknownError(f"guild {guild.id} has no role {role_id}")
        return role
