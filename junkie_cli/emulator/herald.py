"""What the gateway says of each change (docs, "Gateway Events").

A change becomes nothing if the bot may not see it, mostly one dispatch, sometimes several: gaining access to a channel
tells of its threads too. The data is encoded once, for all sessions, while the entities still show the change.
"""

from collections.abc import Callable
from typing import Final

from junkie_cli.emulator import payloads, permissions
from junkie_cli.emulator.dispatch import Dispatch, Json, of_guild
from junkie_cli.emulator.entities import Channel, ChannelType, Guild, User
from junkie_cli.emulator.intents import Intent
from junkie_cli.emulator.message_events import MessageEvents
from junkie_cli.emulator.pages import Press
from junkie_cli.emulator.state import Event, State
from junkie_cli.emulator.talk import iso

_Teller = Callable[[Event, Guild], list[Dispatch]]

_EMPTY: Final = ("voice_states", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds")


class Herald:
    """Turns changes into dispatches for one bot."""

    def __init__(self, state: State, press: Press) -> None:
        self._state = state
        self._messages = MessageEvents(state, press)
        self._visible: dict[int, set[int]] = {}
        self._tellers: dict[str, _Teller] = {
            "CHANNEL_CREATE": self._channel,
            "CHANNEL_UPDATE": self._channel,
            "CHANNEL_DELETE": self._channel,
            "THREAD_CREATE": self._thread_create,
            "THREAD_UPDATE": self._thread_update,
            "THREAD_DELETE": self._thread_delete,
            "THREAD_MEMBERS_UPDATE": self._thread_members,
            "GUILD_CREATE": lambda _event, guild: [self.guild(guild, joined=True)],
            "GUILD_UPDATE": self._guild_update,
            "GUILD_ROLE_CREATE": self._role,
            "GUILD_ROLE_UPDATE": self._role,
            "GUILD_ROLE_DELETE": self._role_delete,
            "GUILD_MEMBER_ADD": self._member_add,
            "GUILD_MEMBER_UPDATE": self._member_update,
            "GUILD_MEMBER_REMOVE": self._member_remove,
        }
        for guild in state.guilds.values():
            self.look(guild)

    def tell(self, event: Event, *, blank: bool) -> list[Dispatch]:
        """Return what to say of a change; with `blank`, also as somebody without the content intent hears it."""
        if event.channel is not None and event.name.startswith("MESSAGE_"):
            return self._messages.tell(event, event.channel, blank=blank)
        guild = event.guild
        if guild is None:
            # Bots are not told of the opening of direct channels (docs, "Channel Create").
            return []
        if event.name == "GUILD_DELETE":
            return [of_guild(guild, event.name, {"id": str(guild.id)})]
        if self._bot.id not in guild.members:
            return []
        return self._tellers[event.name](event, guild) + self._access_gained(event, guild)

    def guild(self, guild: Guild, *, joined: bool) -> Dispatch:
        """Return a whole guild: with `joined` one that is new to the bot, else one that has become available."""
        self.look(guild)
        me = guild.members[self._bot.id]
        found = payloads.guild(guild, counts=False) | {
            "joined_at": iso(me.joined_ms),
            "large": len(guild.members) > 250,
            "member_count": len(guild.members),
            "members": [payloads.member(me)],
            "channels": [_without_guild(self._seen(channel)) for channel in guild.channels.values()],
            "threads": [self._thread(t) for c in guild.channels.values() for t in self._active(c)],
        }
        found |= {key: [] for key in _EMPTY}
        if not joined:
            found["unavailable"] = False
        return of_guild(guild, "GUILD_CREATE", found)

    def look(self, guild: Guild) -> set[int]:
        """Note which channels of a guild the bot can see now, and return those that it could not see before."""
        channels = guild.channels.values()
        now = {channel.id for channel in channels if permissions.may_view(channel, self._bot.id)}
        before, self._visible[guild.id] = self._visible.get(guild.id, set()), now
        return now - before

    @property
    def _bot(self) -> User:
        return self._state.bot

    # channels and threads

    def _channel(self, event: Event, guild: Guild) -> list[Dispatch]:
        assert event.channel is not None
        return [of_guild(guild, event.name, self._seen(event.channel))]

    def _seen(self, channel: Channel) -> Json:
        """Return a channel as the gateway shows it: all of it, also to those who may not view it, until Discord hides it."""
        if not self._state.obfuscates or permissions.is_shown(channel, self._bot.id):
            return payloads.channel(channel)
        return payloads.hidden_channel(channel)

    def _active(self, channel: Channel) -> list[Channel]:
        threads = channel.threads.values()
        return [t for t in threads if t.thread and not t.thread.archived and permissions.may_view(t, self._bot.id)]

    def _thread(self, channel: Channel) -> Json:
        found = payloads.channel(channel)
        if channel.thread is not None and self._bot.id in channel.thread.members:
            found["member"] = payloads.thread_member(channel, self._bot.id)
        return found

    def _thread_create(self, event: Event, guild: Guild) -> list[Dispatch]:
        assert event.channel is not None
        if not permissions.may_view(event.channel, self._bot.id):
            return []
        return [of_guild(guild, event.name, self._thread(event.channel) | {"newly_created": True})]

    def _thread_update(self, event: Event, guild: Guild) -> list[Dispatch]:
        """Tell of a thread; of one that was archived until now, also that the bot is in it."""
        channel = event.channel
        assert channel is not None
        assert channel.thread is not None
        if not permissions.may_view(channel, self._bot.id):
            return []
        found = [of_guild(guild, event.name, payloads.channel(channel))]
        if event.detail.get("unarchived") and self._bot.id in channel.thread.members:
            mine = payloads.thread_member(channel, self._bot.id) | {"guild_id": str(guild.id)}
            found.append(of_guild(guild, "THREAD_MEMBER_UPDATE", mine))
        return found

    def _thread_delete(self, event: Event, guild: Guild) -> list[Dispatch]:
        assert event.channel is not None
        if not permissions.may_view(event.channel, self._bot.id):
            return []
        whole = payloads.channel(event.channel)
        return [of_guild(guild, event.name, {key: whole[key] for key in ("id", "guild_id", "parent_id", "type")})]

    def _thread_members(self, event: Event, guild: Guild) -> list[Dispatch]:
        """Tell who joined or left; the bot itself is told even of a thread that it can't view any more."""
        channel, (user_id,) = event.channel, event.ids
        assert channel is not None
        assert channel.thread is not None
        mine = user_id == self._bot.id
        if not mine and not permissions.may_view(channel, self._bot.id):
            return []
        found: Json = {
            "id": str(channel.id),
            "guild_id": str(guild.id),
            "member_count": min(len(channel.thread.members), 50),
        }
        before: list[Dispatch] = []
        if user_id not in channel.thread.members:
            found["removed_member_ids"] = [str(user_id)]
        else:
            member = guild.members.get(user_id)
            whole = {"presence": None, "member": None if member is None else payloads.member(member)}
            found["added_members"] = [payloads.thread_member(channel, user_id) | whole]
            if mine and permissions.may_view(channel, user_id):
                before = [of_guild(guild, "THREAD_CREATE", self._thread(channel))]
        intents = Intent.GUILDS if mine else Intent.GUILD_MEMBERS
        return [*before, of_guild(guild, event.name, found, intents)]

    def _access_gained(self, event: Event, guild: Guild) -> list[Dispatch]:
        """Tell of the threads of channels that the bot can see only now, and of the channels, where they were hidden."""
        if not event.name.startswith(("CHANNEL_", "GUILD_ROLE_", "GUILD_MEMBER_UPDATE")):
            return []
        gained = [guild.channels[channel_id] for channel_id in sorted(self.look(guild))]
        if event.name == "CHANNEL_CREATE":
            return []
        found = []
        if self._state.obfuscates:
            shown = [channel for channel in gained if channel is not event.channel]
            found += [of_guild(guild, "CHANNEL_UPDATE", payloads.channel(channel)) for channel in shown]
        parents = [channel for channel in gained if channel.type in ChannelType.THREAD_PARENTS]
        if parents:
            listed = payloads.threads([thread for parent in parents for thread in self._active(parent)], self._bot.id)
            ids = [str(parent.id) for parent in parents]
            del listed["has_more"]
            found.append(of_guild(guild, "THREAD_LIST_SYNC", {"guild_id": str(guild.id), "channel_ids": ids} | listed))
        return found

    # guilds, roles, members

    def _guild_update(self, event: Event, guild: Guild) -> list[Dispatch]:
        return [of_guild(guild, event.name, payloads.guild(guild, counts=False))]

    def _role(self, event: Event, guild: Guild) -> list[Dispatch]:
        role = payloads.role(guild.roles[event.ids[0]])
        return [of_guild(guild, event.name, {"guild_id": str(guild.id), "role": role})]

    def _role_delete(self, event: Event, guild: Guild) -> list[Dispatch]:
        return [of_guild(guild, event.name, {"guild_id": str(guild.id), "role_id": str(event.ids[0])})]

    def _member_add(self, event: Event, guild: Guild) -> list[Dispatch]:
        member = payloads.member(guild.members[event.ids[0]]) | {"guild_id": str(guild.id)}
        return [of_guild(guild, event.name, member, Intent.GUILD_MEMBERS)]

    def _member_update(self, event: Event, guild: Guild) -> list[Dispatch]:
        """Tell of a member; of the bot itself whatever was asked for (docs, "Gateway Intents", "Caveats")."""
        (user_id,) = event.ids
        member = payloads.member(guild.members[user_id]) | {"guild_id": str(guild.id)}
        return [of_guild(guild, event.name, member, 0 if user_id == self._bot.id else Intent.GUILD_MEMBERS)]

    def _member_remove(self, event: Event, guild: Guild) -> list[Dispatch]:
        gone = {"guild_id": str(guild.id), "user": payloads.user(self._state.user(event.ids[0]))}
        return [of_guild(guild, event.name, gone, Intent.GUILD_MEMBERS)]


def _without_guild(channel: Json) -> Json:
    """Return a channel as it stands inside its guild, where it does not name it again."""
    return {key: value for key, value in channel.items() if key != "guild_id"}
