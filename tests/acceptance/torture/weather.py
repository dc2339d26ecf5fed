"""What steps do to the traffic and to the gateway."""

from typing import TYPE_CHECKING, Any

from junkie_cli.emulator.control import Control
from junkie_cli.emulator.entities import Guild
from junkie_cli.emulator.limits import Limits, Rate
from tests.acceptance.torture.plan import Step

if TYPE_CHECKING:
    from junkie_cli.emulator.faults import Hold


class Weather:
    """Breaks what lies between junkie and Discord."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self._holds: list[Hold] = []

    @property
    def guild(self) -> Guild:
        return next(iter(self.control.world.guilds.values()))

    def calm(self) -> None:
        """End every fault, storm and outage; rights stay as they are."""
        control = self.control
        control.clear_faults()
        control.set_limits(Limits.off())
        control.gateway_up()
        control.give_acks()
        control.resume_events()
        self._outage_ends(Step("outage_ends"))

    # traffic

    def _storm(self, step: Step) -> None:
        headers: Any = step.kind
        rate = Rate(1 + step.count, 0.05 + step.which * 0.25)
        total = Rate(20, 0.2) if step.where < 0.3 else None
        self.control.set_limits(
            Limits(messages=rate, total=total, others=rate if step.where > 0.7 else None, headers=headers)
        )

    def _hold(self, step: Step) -> None:
        """Keep a page back that was made already, or one that is still to be made."""
        places = [channel_id for channel_id, c in sorted(self.control.world.channels.items()) if c.holds_messages]
        self._holds.append(self.control.hold(places[int(step.where * len(places))], early=step.which < 0.3))

    def _release(self, _step: Step) -> None:
        for hold in self._holds:
            hold.release()
        self._holds.clear()

    def _calm(self, _step: Step) -> None:
        self.control.set_limits(Limits.off())

    def _fault(self, step: Step) -> None:
        spoils_pages = step.kind in {"unordered", "repeated", "outside", "empty", "403", "404"}
        route = "messages" if spoils_pages or step.where < 0.7 else "*"
        scope = "shared" if step.which < 0.3 else "user"
        self.control.fault(step.kind, route=route, times=step.count, skip=int(step.which * 6), scope=scope)

    def _mend(self, _step: Step) -> None:
        self.control.clear_faults()

    # the gateway

    def _disconnect(self, step: Step) -> None:
        self.control.disconnect(int(step.kind))

    def _abort(self, _step: Step) -> None:
        self.control.disconnect(abort=True)

    def _forget(self, _step: Step) -> None:
        self.control.forget_sessions()
        self.control.disconnect()

    def _invalidate(self, step: Step) -> None:
        self.control.invalidate(resumable=step.kind == "resumable")

    def _reconnect(self, _step: Step) -> None:
        self.control.reconnect()

    def _gateway_down(self, step: Step) -> None:
        how: Any = step.kind
        self.control.gateway_down(how)

    def _gateway_up(self, _step: Step) -> None:
        self.control.gateway_up()

    def _withhold_acks(self, _step: Step) -> None:
        self.control.withhold_acks()

    def _give_acks(self, _step: Step) -> None:
        self.control.give_acks()

    def _pause_events(self, _step: Step) -> None:
        self.control.pause_events()

    def _resume_events(self, _step: Step) -> None:
        self.control.resume_events()

    def _outage(self, _step: Step) -> None:
        if self.guild.id not in self.control.gateway._unavailable:
            self.control.unavailable(self.guild.id)

    def _outage_ends(self, _step: Step) -> None:
        if self.guild.id in self.control.gateway._unavailable:
            self.control.available(self.guild.id)
