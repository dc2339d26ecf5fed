from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from junkie_cli.client.permissions import (
    ADMINISTRATOR,
    CONNECT,
    EVERYTHING,
    MANAGE_THREADS,
    READ_MESSAGE_HISTORY,
    VIEW_CHANNEL,
    access,
    permissions,
    standing,
)

GUILD, OWNER, ME, ROLE, OTHER_ROLE = 100, 1, 2, 300, 301
NOW = datetime(2025, 1, 1, tzinfo=UTC)
READ = VIEW_CHANNEL | READ_MESSAGE_HISTORY


def guild(everyone: int = READ, role: int = 0, other: int = 0, owner: int = OWNER) -> dict[str, Any]:
    rights = {GUILD: everyone, ROLE: role, OTHER_ROLE: other}
    roles = [{"id": str(role_id), "permissions": str(bits)} for role_id, bits in rights.items()]
    return {"id": str(GUILD), "owner_id": str(owner), "roles": roles}


def overwrite(target: int, *, allow: int = 0, deny: int = 0, member: bool = False) -> dict[str, Any]:
    return {"id": str(target), "type": int(member), "allow": str(allow), "deny": str(deny)}


def channel(*overwrites: Any, kind: int = 0) -> dict[str, Any]:
    return {"type": kind, "permission_overwrites": list(overwrites)}


def may(
    where: dict[str, Any], shown: dict[str, Any] | None = None, member: dict[str, Any] | None = None, **how: Any
) -> str:
    bot = standing(shown or guild(), {"roles": [str(ROLE)]} | (member or {}), ME, NOW)
    found = access(bot, where, **how)
    assert found.readable == (found.reason == "")
    return found.reason


def test_everyone_may_read_an_ordinary_channel() -> None:
    assert may(channel()) == ""


@pytest.mark.parametrize(
    ("everyone", "reason"),
    [
        (0, "lacks View Channel"),
        (READ_MESSAGE_HISTORY, "lacks View Channel"),
        (VIEW_CHANNEL, "lacks Read Message History"),
    ],
)
def test_the_reason_names_the_right(everyone: int, reason: str) -> None:
    assert may(channel(), guild(everyone)) == reason


def test_a_role_that_the_bot_has_grants_and_another_does_not() -> None:
    assert may(channel(), guild(0, role=READ)) == ""
    assert may(channel(), guild(0, other=READ)) == "lacks View Channel"


def test_owners_and_administrators_may_everything() -> None:
    denied = channel(overwrite(ME, deny=EVERYTHING, member=True))
    assert may(denied, guild(0, owner=ME)) == ""
    assert may(denied, guild(0, role=ADMINISTRATOR)) == ""
    assert may(denied, guild(READ)) == "lacks View Channel"


def test_overwrites_apply_in_discords_order() -> None:
    everyone_denied = overwrite(GUILD, deny=READ)
    assert may(channel(everyone_denied)) == "lacks View Channel"
    assert may(channel(overwrite(ROLE, allow=READ), everyone_denied)) == ""
    assert may(channel(overwrite(OTHER_ROLE, allow=READ), everyone_denied)) == "lacks View Channel"
    both = (overwrite(ROLE, allow=READ), overwrite(ME, deny=READ_MESSAGE_HISTORY, member=True))
    assert may(channel(*both)) == "lacks Read Message History"
    assert may(channel(overwrite(ME, allow=READ, member=True), overwrite(ROLE, deny=READ))) == ""
    assert may(channel(overwrite(99, deny=READ, member=True))) == ""


def test_among_roles_what_one_allows_outweighs_what_another_denies() -> None:
    member = {"roles": [str(ROLE), str(OTHER_ROLE)]}
    assert may(channel(overwrite(ROLE, allow=READ), overwrite(OTHER_ROLE, deny=READ)), member=member) == ""


@pytest.mark.parametrize("kind", [2, 13])
def test_voice_and_stage_need_connect(kind: int) -> None:
    assert may(channel(kind=kind)) == "lacks Connect"
    assert may(channel(kind=kind), guild(VIEW_CHANNEL)) == "lacks Read Message History and Connect"
    assert may(channel(kind=kind), guild(READ | CONNECT)) == ""


def test_a_thread_has_its_parents_rights() -> None:
    thread = {"type": 11, "permission_overwrites": [overwrite(GUILD, deny=READ)]}
    assert may(thread, parent=channel()) == ""
    assert may(thread, parent=channel(overwrite(GUILD, deny=VIEW_CHANNEL))) == "lacks View Channel"


def test_a_private_thread_is_for_members_and_managers() -> None:
    thread = {"type": 12}
    assert may(thread, parent=channel()) == "is not in this private thread, and lacks Manage Threads"
    assert may(thread, parent=channel(), joined=True) == ""
    assert may(thread, guild(READ | MANAGE_THREADS), parent=channel()) == ""


def test_a_time_out_leaves_reading() -> None:
    until = {"communication_disabled_until": (NOW + timedelta(hours=1)).isoformat()}
    over = {"communication_disabled_until": (NOW - timedelta(hours=1)).isoformat()}
    shown = guild(READ | CONNECT | MANAGE_THREADS)
    assert may(channel(), shown, until) == ""
    assert may(channel(kind=2), shown, until) == "lacks Connect"
    assert may(channel(kind=2), shown, over) == ""
    assert may({"type": 12}, shown, until, parent=channel()) != ""
    assert may(channel(kind=2), guild(0, role=ADMINISTRATOR), until) == ""


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, [1], [{}], [{"id": 1, "allow": -5, "deny": None}]])
def test_nonsense_grants_nothing_and_does_no_harm(odd: Any) -> None:
    bot = standing({"id": odd, "roles": odd, "owner_id": odd}, {"roles": odd}, ME, NOW)
    assert permissions(bot, {"permission_overwrites": odd}) == 0
    assert may({"type": odd, "permission_overwrites": odd}) == ""
