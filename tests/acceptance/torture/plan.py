"""What a walk does, made of its seed alone: no clock, no world, no process.

A step names no channel and no message, since those depend on what came before: `where` and `which` in [0, 1) pick among
those that there are when the step is done. The world is changed by nothing but steps, so that a seed makes the same world
again; what the commands have got to meanwhile is for the machine to say.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ONE_SHOT: Final = (
    ("backfill",),
    ("backfill",),
    ("backfill", "--concurrency", "1"),
    ("backfill", "--concurrency", "12", "--parallel-batches", "3"),
    ("backfill", "--target", "60"),
    ("backfill", "--max-fetch-limit", "100", "--max-iterations", "1"),
    ("sync",),
    ("sync",),
    ("sync", "--limit", "all"),
    ("sync", "--limit", "30"),
    ("sync", "--no-reconcile"),
)

_WORLD: Final = {
    "post": 16,
    "burst": 2,
    "reply": 4,
    "forward": 5,
    "edit": 10,
    "embed": 3,
    "delete": 9,
    "bulk_delete": 3,
    "react": 2,
    "rename": 1,
    "thread": 3,
    "thread_from": 3,
    "post_in_thread": 6,
    "archive": 3,
    "unarchive": 2,
    "private_thread": 2,
    "leave_thread": 1,
    "join_thread": 1,
    "channel": 1,
    "retitle": 1,
    "drop_channel": 1,
    "late": 2,
    "revoke": 3,
    "grant": 4,
    "role": 2,
    "throw_out": 1,
}
_TRAFFIC: Final = {"storm": 3, "calm": 2, "fault": 10, "mend": 3, "hold": 4, "release": 4}
_GATEWAY: Final = {
    "disconnect": 4,
    "abort": 2,
    "forget": 3,
    "invalidate": 2,
    "reconnect": 2,
    "gateway_down": 2,
    "gateway_up": 3,
    "withhold_acks": 1,
    "give_acks": 1,
    "pause_events": 1,
    "resume_events": 2,
    "outage": 1,
    "outage_ends": 2,
}
_PROCESSES: Final = {
    "kill": 5,
    "interrupt": 2,
    "second": 4,
    "serve": 1,
    "server_dies": 3,
    "server_stops": 2,
    "server_starts": 3,
}
_TIME: Final = {"breathe": 25, "pages": 14}

_FAULTS: Final = (
    *("500", "502", "503", "504", "429", "reset", "truncate", "hang", "html", "charset", "malformed"),
    *("unordered", "repeated", "outside", "403", "404"),
    # What looks like the end of history is the easiest to believe.
    *("empty",) * 6,
)
_CODES: Final = (1000, 1001, 1006, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009)
_SILENT: Final = frozenset({"edit", "delete", "bulk_delete"})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens. `silent`: no event tells of it."""

    verb: str
    where: float = 0.0
    which: float = 0.0
    count: int = 1
    kind: str = ""
    silent: bool = False

    def __str__(self) -> str:
        parts = [self.verb, self.kind, f"where={self.where:.3f} which={self.which:.3f} count={self.count}"]
        return " ".join([*filter(None, parts), *(["silently"] if self.silent else [])])


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole walk. `settle` steps end a round: everything comes to rest and is looked at.

    With `latency_ms`, and for what is held, the world may change between a page's making and its coming.
    """

    seed: int
    preset: str
    own_server: bool
    on_delete: str
    keep_revisions: bool
    latency_ms: int
    steps: Sequence[Step]

    def __str__(self) -> str:
        server = "a server of POSTGRES_URL" if self.own_server else "the embedded server"
        kept = f"deleted: {self.on_delete}, revisions: {self.keep_revisions}"
        head = f"seed {self.seed}: {self.preset}, {server}, {kept}, latency: {self.latency_ms} ms"
        return "\n".join([head, *(f"{n:4} {step}" for n, step in enumerate(self.steps))])


def make(seed: int, *, rounds: int = 0) -> Plan:
    """Return the walk of a seed, with so many rounds (0: as the seed says)."""
    rng = random.Random(seed)
    preset = rng.choice(("tiny", "tiny", "3x130", "2x320", "5x40"))
    own_server, purge, keeps = rng.random() < 0.3, rng.random() < 0.8, rng.random() < 0.3
    latency_ms = rng.choice((0, 0, 4, 20))
    steps: list[Step] = []
    for _ in range(rounds or rng.randint(2, 4)):
        steps += _round(rng)
    # The last look finds all that no event told of.
    steps.append(Step("settle", kind="whole"))
    return Plan(seed, preset, own_server, "purge" if purge else "keep", keeps, latency_ms, tuple(steps))


def _round(rng: random.Random) -> list[Step]:
    steps = [_some(rng, _WORLD) for _ in range(rng.randint(0, 6))]
    begun = rng.choice((("serve",), ("serve",), ("one",), ("one",), ("serve", "one"), ("one", "one"), ("serve", "one")))
    for what in begun:
        steps.append(Step("serve") if what == "serve" else _command(rng))
        steps += [_some(rng, _WORLD) for _ in range(rng.randint(0, 3))]
    chaos = _WORLD | _TIME | rng.choice((_TRAFFIC, _GATEWAY, _PROCESSES, _TRAFFIC | _GATEWAY, _GATEWAY | _PROCESSES))
    steps += [_some(rng, chaos) for _ in range(rng.randint(8, 40))]
    return [*steps, Step("settle", kind=rng.choice(("claims", "claims", "whole")))]


def _command(rng: random.Random, verb: str = "command") -> Step:
    return Step(verb, kind=" ".join(rng.choice(ONE_SHOT)))


def _some(rng: random.Random, weights: dict[str, int]) -> Step:
    (verb,) = rng.choices(list(weights), list(weights.values()))
    where, which, count, kind = rng.random(), rng.random(), rng.randint(1, 5), ""
    silent = verb in _SILENT and rng.random() < 0.25
    if verb == "burst":
        count = rng.randint(90, 230)
    elif verb == "bulk_delete":
        count = rng.choice((2, 10, 60, 100))
    elif verb == "second":
        return _command(rng, "second")
    elif verb == "fault":
        kind = rng.choice(_FAULTS)
        count = rng.choice((1, 1, 2, 4))
    elif verb == "storm":
        kind = rng.choice(("true", "wrong", "none"))
    elif verb == "disconnect":
        kind = str(rng.choice(_CODES))
    elif verb == "invalidate":
        kind = rng.choice(("", "resumable"))
    elif verb == "gateway_down":
        kind = rng.choice(("reset", "503", "hang"))
    elif verb in {"revoke", "grant", "role"}:
        kind = rng.choice(("READ_MESSAGE_HISTORY", "READ_MESSAGE_HISTORY", "VIEW_CHANNEL"))
    elif verb in {"server_dies", "server_stops"}:
        kind = rng.choice(("KILL", "KILL", "INT", "QUIT"))
    elif verb in {"breathe", "pages"}:
        count = rng.choice((1, 3, 10, 40)) if verb == "pages" else rng.choice((1, 5, 20, 60, 200))
    return Step(verb, where, which, count, kind, silent)
