"""What the gateway says of messages: more than REST, for it tells the author's nick, or now and then less."""

import json

from junkie_cli.emulator import payloads, permissions
from junkie_cli.emulator.dispatch import Dispatch, Json, place
from junkie_cli.emulator.entities import Channel, Guild, Message, User
from junkie_cli.emulator.intents import Intent
from junkie_cli.emulator.pages import Press, dumps
from junkie_cli.emulator.state import Event, State


class MessageEvents:
    """Turns what happens to messages into dispatches, if the bot may see their channel."""

    def __init__(self, state: State, press: Press) -> None:
        self._state = state
        self._press = press
        self._tails: dict[tuple[int, int], tuple[object, bytes]] = {}

    def tell(self, event: Event, channel: Channel, *, blank: bool) -> list[Dispatch]:
        """Return what to say; with `blank`, also as somebody without the content intent hears it."""
        if not permissions.may_open(channel, self._state.bot.id):
            return []
        guild = channel.guild
        guild_id = None if guild is None else guild.id
        if event.name == "MESSAGE_REACTION_ADD":
            intents = Intent.DIRECT_MESSAGE_REACTIONS if guild is None else Intent.GUILD_MESSAGE_REACTIONS
            return [Dispatch(event.name, dumps(self._reaction(event, channel)), guild_id, intents)]
        intents = Intent.DIRECT_MESSAGES if guild is None else Intent.GUILD_MESSAGES
        if event.message is None:
            ids = [str(message_id) for message_id in event.ids]
            gone: Json = {"ids": ids} if event.name == "MESSAGE_DELETE_BULK" else {"id": ids[0]}
            return [Dispatch(event.name, dumps(gone | place(channel)), guild_id, intents)]
        told = event.detail.get("told")
        data = self._posted(channel, event.message, told, clear=True)
        hidden = self._posted(channel, event.message, told, clear=False) if blank else None
        return [Dispatch(event.name, data, guild_id, intents, hidden)]

    def _posted(self, channel: Channel, message: Message, told: tuple[str, ...] | None, *, clear: bool) -> bytes:
        """Add to a message where it stands and whose nick its author has, which REST does not tell."""
        found = self._press.live(channel, message, clear=clear)
        guild = channel.guild
        if told is not None:
            whole = json.loads(found)
            return dumps({"id": whole["id"]} | {key: whole[key] for key in told} | place(channel))
        if guild is None:
            return found
        if message.fields is not None and message.fields.get("mentions"):
            whole = json.loads(found)
            for user in whole["mentions"]:
                if (mentioned := guild.members.get(int(user["id"]))) is not None:
                    user["member"] = _partial(payloads.member(mentioned))
            found = dumps(whole)
        return found[:-1] + self._tail(guild, message.author)

    def _tail(self, guild: Guild, author: User) -> bytes:
        """Return the end of a message: guild, and member unless it is a webhook's. Made anew only when it changed."""
        member = guild.members.get(author.id)
        state = None if member is None else (member.nick, tuple(member.roles), member.joined_ms)
        kept = self._tails.get((guild.id, author.id))
        if kept is None or kept[0] != state:
            found: Json = {"guild_id": str(guild.id)}
            if member is not None:
                found["member"] = _partial(payloads.member(member))
            kept = self._tails[guild.id, author.id] = (state, b"," + dumps(found)[1:])
        return kept[1]

    def _reaction(self, event: Event, channel: Channel) -> Json:
        assert event.message is not None
        found: Json = {
            "user_id": str(event.ids[0]),
            "message_id": str(event.message.id),
            "message_author_id": str(event.message.author.id),
            "emoji": {"id": None, "name": event.detail["emoji"]},
            "burst": False,
            "type": 0,
        }
        if channel.guild is not None and (member := channel.guild.members.get(event.ids[0])) is not None:
            found["member"] = payloads.member(member)
        return found | place(channel)


def _partial(member: Json) -> Json:
    return {key: value for key, value in member.items() if key != "user"}
