"""The hands on the emulator: every verb as a method."""

import json
from typing import Any

from junkie_cli.emulator import pages, permissions
from junkie_cli.emulator.faults import Fault
from junkie_cli.emulator.traffic import Traffic
from junkie_cli.emulator.world import World

Json = dict[str, Any]


class Control:
    """Changes the world, breaks the traffic, and says what is true.

    The verbs of the world are its methods under their own names; see `World` and `Traffic` for their meaning.
    """

    def __init__(self, world: World, traffic: Traffic, press: pages.Press) -> None:
        self.world = world
        self.traffic = traffic
        self._press = press

        self.post, self.edit, self.delete, self.bulk_delete = world.post, world.edit, world.delete, world.bulk_delete
        self.reveal, self.react = world.reveal, world.react
        self.add_channel, self.change_channel, self.delete_channel = (
            world.add_channel,
            world.change_channel,
            world.delete_channel,
        )
        self.add_thread, self.archive, self.unarchive = world.add_thread, world.archive, world.unarchive
        self.join_thread, self.leave_thread = world.join_thread, world.leave_thread
        self.revoke, self.grant, self.set_overwrite = world.revoke, world.grant, world.set_overwrite
        self.set_role, self.set_member_roles = world.set_role, world.set_member_roles
        self.add_guild, self.remove_bot, self.add_bot = world.add_guild, world.remove_bot, world.add_bot
        self.set_intents, self.rename_user, self.silent = world.set_intents, world.rename_user, world.silent

        self.counts, self.reset_counts, self.set_latency = traffic.counts, traffic.reset_counts, traffic.set_latency
        self.set_limits, self.log = traffic.limiter.set, traffic.log
        self.hold, self.after_requests = traffic.faults.hold, traffic.faults.after_requests
        self.clear_faults = traffic.faults.clear

    def fault(self, kind: str, **how: Any) -> Fault:
        """Arm a fault; `how` are the fields of `Fault`."""
        fault = Fault(kind, **how)
        self.traffic.faults.arm(fault)
        return fault

    def truth(self, channel_id: int) -> list[Json]:
        """Return every message that shows in a channel, oldest first, as a bot with every right would fetch it."""
        found: list[Json] = json.loads(self.truth_json(channel_id))
        return found

    def truth_json(self, channel_id: int) -> bytes:
        """Return the same, encoded."""
        channel = self.world.channel(channel_id)
        return b"[" + b",".join(self._press.page(channel, channel.messages, full=True)) + b"]"

    def named(self, name: str) -> int:
        """Return the id of the first channel or thread of that name. Raises LookupError if there is none."""
        for channel in self.world.channels.values():
            if channel.name == name:
                return channel.id
        raise LookupError(f"there is no channel '{name}'")

    def ids(self, channel_id: int) -> list[int]:
        """Return the ids of every message that shows in a channel, ascending."""
        return [message.id for message in self.world.channel(channel_id).messages]

    def readable(self) -> list[int]:
        """Return the guild channels and threads that hold messages and whose history the bot may read.

        Left out are threads that no list shows it: archived private ones in which it is not.
        """
        bot = self.world.bot.id
        return [
            channel.id
            for channel in self.world.channels.values()
            if channel.guild is not None and channel.holds_messages and permissions.may_read(channel, bot)
        ]

    def warm(self) -> None:
        """Encode every message beforehand."""
        self._press.warm()
