"""The verbs of a Control for tests that run the emulator in a process of its own.

`POST /_emulator/{verb}` with a JSON object as arguments. Ids may be numbers or text, rights are named. Every verb of the
world takes `"silent": true`, for a change that no event tells of.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any, Final

from junkie_cli.emulator import payloads
from junkie_cli.emulator.control import Control
from junkie_cli.emulator.entities import Channel, Guild, Role, User
from junkie_cli.emulator.faults import Fault
from junkie_cli.emulator.gateway import Sessions
from junkie_cli.emulator.limits import Limits, Rate
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.stream import Streamed
from junkie_cli.emulator.traffic import Counts

_OF_WORLD: Final = frozenset(
    {
        *("edit", "delete", "bulk_delete", "reveal", "react", "add_channel", "change_channel", "delete_channel"),
        *("add_thread", "archive", "unarchive", "join_thread", "leave_thread", "set_overwrite", "set_role"),
        *("set_member_roles", "add_guild", "remove_bot", "add_bot", "set_intents", "rename_user", "add_user"),
        *("add_member", "remove_member", "set_nick", "rename_guild", "add_role", "rename_role", "delete_role"),
        "obfuscate",
    }
)
_OF_GATEWAY: Final = frozenset(
    {
        *("disconnect", "invalidate", "reconnect", "withhold_acks", "give_acks", "request_heartbeats", "set_gateway"),
        *("gateway_down", "gateway_up", "forget_sessions", "sessions", "pause_events", "resume_events", "unavailable"),
        *("available", "send_raw", "set_session_starts"),
    }
)
_OF_TRAFFIC: Final = frozenset({"counts", "reset_counts", "set_latency", "set_clock", "fault", "clear_faults"})
_OF_TRUTH: Final = frozenset({"named", "ids", "readable", "warm"})
_IDS: Final = frozenset({"message_ids", "roles", "channels"})
_RIGHTS: Final = frozenset({"allow", "deny", "permissions"})


class Remote:
    """Runs verbs by name."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._own: dict[str, Callable[..., Any]] = {
            "post": self._post,
            "revoke": self._revoke,
            "grant": self._grant,
            "truth": control.truth_json,
            "channels": self._channels,
            "set_limits": self._set_limits,
            "hold": self._hold,
            "held": self._held,
            "release": self._release,
            "after_requests": self._after_requests,
        }

    def run(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Run a verb; return JSON values, or bytes that are JSON already.

        Raises LookupError for an unknown verb, guild, channel, user or message, TypeError and ValueError for arguments
        that make no sense.
        """
        given = {name: _converted(name, value) for name, value in arguments.items()}
        silent = self._control.silent() if given.pop("silent", False) else nullcontext()
        with silent:
            return _plain(self._verb(verb)(**given))

    async def stream(self, arguments: Mapping[str, Any]) -> Any:
        """Run the one verb that takes time. Raises as `run` does."""
        given = {name: _converted(name, value) for name, value in arguments.items()}
        return _plain(await self._control.stream(**given))

    def _verb(self, verb: str) -> Callable[..., Any]:
        if verb in self._own:
            return self._own[verb]
        passed_on = _OF_WORLD | _OF_TRAFFIC | _OF_GATEWAY | _OF_TRUTH
        if verb not in passed_on:
            raise LookupError(f"there is no verb '{verb}'; there are {', '.join(sorted(passed_on | set(self._own)))}")
        method: Callable[..., Any] = getattr(self._control, verb)
        return method

    def _post(self, channel_id: int, content: str = "", *, now: bool = False, **how: Any) -> int:
        if now:
            how["at_ms"] = time.time_ns() // 1_000_000
        return self._control.post(channel_id, content, **how)

    def _revoke(self, channel_id: int, rights: list[str]) -> None:
        self._control.revoke(channel_id, *map(Right.named, rights))

    def _grant(self, channel_id: int, rights: list[str]) -> None:
        self._control.grant(channel_id, *map(Right.named, rights))

    def _channels(self) -> list[Any]:
        return [payloads.channel(channel) for channel in self._control.world.channels.values()]

    def _set_limits(self, *, headers: Any = "true", **rates: list[float] | None) -> None:
        if headers not in {"true", "wrong", "none"}:
            raise ValueError("headers are true, wrong or none")
        given = {name: None if rate is None else Rate(int(rate[0]), rate[1]) for name, rate in rates.items()}
        self._control.set_limits(Limits(headers=headers, **given))

    def _hold(self, channel_id: int, *, early: bool = False) -> int:
        return self._control.traffic.faults.number_of(self._control.hold(channel_id, early=early))

    def _held(self, number: int) -> bool:
        """Return True once a request is being held."""
        return self._control.traffic.faults.numbered(number).arrived.is_set()

    def _release(self, number: int) -> None:
        self._control.traffic.faults.numbered(number).release()

    def _after_requests(self, channel_id: int, requests: int, verb: str, arguments: dict[str, Any]) -> None:
        self._verb(verb)
        self._control.after_requests(channel_id, requests, lambda: self.run(verb, arguments))


def _converted(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith("_id") or name == "reply_to":
        return int(value)
    if name in _IDS:
        return [int(one) for one in value]
    if name in _RIGHTS and isinstance(value, list):
        return sum({Right.named(one) for one in value})
    return value


def _plain(value: Any) -> Any:
    found = value
    match value:
        case Channel():
            found = payloads.channel(value)
        case Guild():
            found = payloads.guild(value, counts=True)
        case User():
            found = payloads.user(value)
        case Role():
            found = payloads.role(value)
        case Counts() | Sessions():
            found = value.as_json()
        case Fault() | Streamed():
            found = asdict(value)
    return found
