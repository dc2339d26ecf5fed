"""What clients of the gateway go through, on demand."""

from dataclasses import replace
from typing import Any, get_args

from junkie_cli.emulator.gateway import Down, Gateway
from junkie_cli.emulator.sessions import RESUMABLE


class Outages:
    """The verbs that break a gateway. Each of them that is for connections returns how many it met."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def disconnect(
        self, code: int = 4000, *, abort: bool = False, forget: bool | None = None, shard: int | None = None
    ) -> int:
        """Close every connection, or a shard's, with that code, after all that was said before; or `abort` its TCP at once.

        Its session can be resumed where Discord says so of the code, and after an abort, unless `forget` says otherwise.
        """
        if forget is None:
            forget = not abort and code not in RESUMABLE
        connections = self._gateway.connected(shard)
        for connection in connections:
            self._gateway.part(connection, forget=forget)
            if abort:
                connection.abort()
            else:
                connection.end(code)
        return len(connections)

    def invalidate(self, *, resumable: bool = False, shard: int | None = None) -> int:
        """Send an INVALID SESSION (op 9); one that is not `resumable` is forgotten."""
        connections = self._gateway.connected(shard)
        for connection in connections:
            connection.order(9, resumable)
            if not resumable:
                self._gateway.part(connection, forget=True)
        return len(connections)

    def reconnect(self, *, shard: int | None = None) -> int:
        """Ask clients to RECONNECT (op 7)."""
        return self._order(7, shard)

    def request_heartbeats(self, *, shard: int | None = None) -> int:
        """Ask clients for a heartbeat now (op 1)."""
        return self._order(1, shard)

    def withhold_acks(self) -> None:
        """Leave heartbeats without an answer."""
        self._gateway.answers_heartbeats = False

    def give_acks(self) -> None:
        """Answer heartbeats again."""
        self._gateway.answers_heartbeats = True

    def gateway_down(self, how: Down = "reset", *, cut: bool = True) -> None:
        """Refuse connections: "reset" them, answer "503", or let them "hang". With `cut`, abort those that there are.

        Sessions stay, REST goes on.
        """
        if how not in get_args(Down):
            raise ValueError(f"a gateway that is down does one of {', '.join(get_args(Down))}")
        self._gateway.down = how
        if cut:
            self.disconnect(abort=True)

    def gateway_up(self) -> None:
        """Accept connections again."""
        self._gateway.down = None

    def set_gateway(self, **rules: Any) -> None:
        """Change fields of `GatewayRules`, for what begins from now on."""
        self._gateway.rules = replace(self._gateway.rules, **rules)

    def _order(self, code: int, shard: int | None) -> int:
        connections = self._gateway.connected(shard)
        for connection in connections:
            connection.order(code)
        return len(connections)
