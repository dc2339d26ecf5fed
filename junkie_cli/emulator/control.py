"""The hands on the emulator: every verb as a method."""

import json
from collections.abc import Sequence
from typing import Any

from junkie_cli.emulator import pages, permissions
from junkie_cli.emulator.faults import Fault
from junkie_cli.emulator.gateway import Gateway
from junkie_cli.emulator.outages import Outages
from junkie_cli.emulator.stream import Stream, Streamed
from junkie_cli.emulator.traffic import Traffic
from junkie_cli.emulator.world import World

Json = dict[str, Any]


class Control:
    """Changes the world, breaks the traffic, and says what is true.

    The verbs of the world are its methods under their own names; see `World`, `Traffic`, `Gateway` and `Outages` for their
    meaning.
    """

    def __init__(self, world: World, traffic: Traffic, press: pages.Press, gateway: Gateway) -> None:
        self.world = world
        self.traffic = traffic
        self.gateway = gateway
        outages = Outages(gateway)
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
        self.add_user, self.add_member, self.remove_member = world.add_user, world.add_member, world.remove_member
        self.set_nick, self.rename_guild, self.obfuscate = world.set_nick, world.rename_guild, world.obfuscate
        self.add_role, self.rename_role, self.delete_role = world.add_role, world.rename_role, world.delete_role

        self.counts, self.reset_counts, self.set_latency = traffic.counts, traffic.reset_counts, traffic.set_latency
        self.set_limits, self.set_clock, self.log = traffic.limiter.set, traffic.set_clock, traffic.log
        self.hold, self.after_requests = traffic.faults.hold, traffic.faults.after_requests
        self.clear_faults = traffic.faults.clear

        self.disconnect, self.invalidate, self.reconnect = outages.disconnect, outages.invalidate, outages.reconnect
        self.withhold_acks, self.give_acks = outages.withhold_acks, outages.give_acks
        self.request_heartbeats, self.set_gateway = outages.request_heartbeats, outages.set_gateway
        self.gateway_down, self.gateway_up = outages.gateway_down, outages.gateway_up
        self.forget_sessions, self.sessions, self.until = gateway.forget_sessions, gateway.sessions, gateway.until
        self.pause_events, self.resume_events = gateway.pause_events, gateway.resume_events
        self.unavailable, self.available, self.send_raw = gateway.unavailable, gateway.available, gateway.send_raw
        self.set_session_starts = gateway.starts.set

    def fault(self, kind: str, **how: Any) -> Fault:
        """Arm a fault; `how` are the fields of `Fault`."""
        fault = Fault(kind, **how)
        self.traffic.faults.arm(fault)
        return fault

    async def stream(
        self, rate: float, seconds: float, channels: Sequence[int] = (), *, edits: float = 0.0, deletes: float = 0.0
    ) -> Streamed:
        """Make so many events a second in these channels, or in all that the bot may read; see `Stream`."""
        flow = Stream(self.world, channels or self.readable(), edits=edits, deletes=deletes)
        return await flow.run(rate, seconds)

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
