"""What `junkie doctor` says of a Discord in which something is wrong."""

import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from junkie_cli.checks import Check, Verdict, exit_code
from junkie_cli.client.diagnosis import RIGHTS, Scope, examine, looks_like_a_token
from junkie_cli.client.session import DiscordClient
from junkie_cli.client.transport import Patience
from junkie_cli.config import Settings
from junkie_cli.emulator.entities import Channel
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import Emulator, running
from junkie_cli.values import Secret

QUICK = Patience(attempts=2, first=0.01, longest=0.01, timeout=0.5)
NAMES = {"api", "clock", "token", "intents", "sessions", "permissions"}


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=1, preset="4x3"), limits=Limits.off()) as started:
        yield started


Ask = Callable[..., Any]


@pytest.fixture
def ask(emulator: Emulator, make_settings: Callable[..., Settings]) -> Ask:
    """Make all checks; `environ` stands beside the emulator's address and token."""

    async def asked(*, how: dict[str, Any] | None = None, **environ: str) -> list[Check]:
        settings = make_settings(**{"DISCORD_API_URL": emulator.api_url, "DISCORD_TOKEN": emulator.token} | environ)
        usual: dict[str, Any] = {"patience": QUICK, "rate": math.inf, "slow": math.inf}
        found = [check async for checks in examine(settings, **usual | (how or {})) for check in checks]
        # Whatever is wrong, each check has its say.
        assert {check.name for check in found} == NAMES
        return found

    return asked


def chosen(scope: Scope) -> Callable[[DiscordClient], Awaitable[Scope]]:
    async def choose(_: DiscordClient) -> Scope:
        return scope

    return choose


def first(emulator: Emulator) -> Channel:
    return emulator.world.channels[min(emulator.control.readable())]


def of(checks: list[Check], name: str) -> list[Check]:
    return [check for check in checks if check.name == name]


def bad(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.verdict is not Verdict.PASSED]


def only(checks: list[Check], name: str, verdict: Verdict) -> Check:
    """The one row that is not well."""
    (check,) = bad(checks)
    assert (check.name, check.verdict) == (name, verdict)
    return check


async def test_all_is_well(ask: Ask, emulator: Emulator) -> None:
    checks = await ask()
    assert bad(checks) == []
    assert exit_code(checks) == 0
    (token,) = of(checks, "token")
    assert token.facts["bot_id"] == str(emulator.world.bot.id)
    assert emulator.world.bot.username in token.found
    (permissions,) = of(checks, "permissions")
    assert permissions.facts["readable"] == permissions.facts["channels"] > 0
    counts = emulator.control.counts()
    assert counts.messages == 0
    assert set(counts.statuses) == {200}


class TestTheWay:
    async def test_nobody_listens(self, ask: Ask) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            checks = await ask(DISCORD_API_URL=f"http://127.0.0.1:{bound.getsockname()[1]}/api")
        (api,) = of(checks, "api")
        assert (api.verdict, api.exit_code) == (Verdict.FAILURE, 1)
        assert "can't be reached: connection refused" in api.found
        assert {check.verdict for check in checks if check is not api} == {Verdict.SKIPPED}

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("hang", "no answer in time"),
            ("reset", "the connection broke"),
            ("503", "answers with status 503"),
            ("429", "asks too much"),
            ("html", "is not Discord"),
        ],
    )
    async def test_what_answers_makes_no_sense(self, ask: Ask, emulator: Emulator, kind: str, said: str) -> None:
        emulator.control.fault(kind, route="gateway", times=None)
        (api,) = of(await ask(), "api")
        assert (api.verdict, api.exit_code) == (Verdict.FAILURE, 1)
        assert said in api.found

    async def test_it_is_slow(self, ask: Ask) -> None:
        check = only(await ask(how={"slow": 0.0}), "api", Verdict.WARNING)
        assert check.facts["latency_ms"] > 0

    @pytest.mark.parametrize(
        ("ahead", "said"), [(90.0, "90 s behind Discord's"), (-3600.0, "3,600 s ahead of Discord's")]
    )
    async def test_the_clocks_differ(self, ask: Ask, emulator: Emulator, ahead: float, said: str) -> None:
        emulator.control.set_clock(ahead)
        # Only this clock's own difference counts, however slow the machine is.
        moment = datetime.now(UTC)
        check = of(await ask(how={"now": lambda: moment}), "clock")[0]
        assert check.verdict is Verdict.WARNING
        assert abs(check.facts["seconds_ahead"] + ahead) < 60
        assert said.split(" s ")[1] in check.found
        assert "NTP" in check.fix


class TestTheToken:
    async def test_there_is_none(self, ask: Ask, emulator: Emulator) -> None:
        checks = await ask(DISCORD_TOKEN="")
        assert {check.name: check.verdict for check in checks} == {
            name: Verdict.PASSED if name in {"api", "clock"} else Verdict.SKIPPED for name in NAMES
        }
        assert exit_code(checks) == 0
        assert set(emulator.control.counts().routes) == {"gateway"}

    async def test_it_is_rejected(self, ask: Ask, emulator: Emulator) -> None:
        checks = await ask(DISCORD_TOKEN=emulator.token[:-5] + "wrong")
        (token,) = of(checks, "token")
        assert (token.verdict, token.exit_code) == (Verdict.FAILURE, 4)
        assert "Developer Portal" in token.fix
        assert "does not look like" not in token.fix
        assert {check.verdict for check in of(checks, "intents") + of(checks, "permissions")} == {Verdict.SKIPPED}

    async def test_it_is_something_else(self, ask: Ask) -> None:
        (token,) = of(await ask(DISCORD_TOKEN="a1b2c3" * 10), "token")
        assert "does not look like one" in token.fix
        assert "a1b2c3" not in token.fix + token.found

    @pytest.mark.parametrize("text", ["MTIz.a", "MTIz..b", "abc.a.b", "M.a.b", "1.2.3", ".a.b", "MTIz.a.b.c"])
    def test_what_is_no_token(self, text: str) -> None:
        assert not looks_like_a_token(Secret(text))
        assert looks_like_a_token(Secret("MTIz.GabcDe.x-y_z"))

    async def test_the_account_cannot_be_read(self, ask: Ask, emulator: Emulator) -> None:
        emulator.control.fault("html", route="me", times=None)
        (token,) = of(await ask(), "token")
        assert (token.verdict, token.exit_code) == (Verdict.FAILURE, 1)


class TestTheApplication:
    async def test_message_content_is_off(self, ask: Ask, emulator: Emulator) -> None:
        emulator.control.set_intents(content=False)
        check = only(await ask(), "intents", Verdict.FAILURE)
        assert check.exit_code == 4
        assert "Developer Portal, page Bot" in check.fix

    @pytest.mark.parametrize(("servers", "verdict"), [(1, Verdict.PASSED), (80, Verdict.WARNING)])
    async def test_message_content_is_limited(
        self, ask: Ask, emulator: Emulator, servers: int, verdict: Verdict
    ) -> None:
        emulator.control.set_intents(content=True, limited=True)
        for number in range(servers - 1):
            emulator.control.add_guild(f"Server {number}")
        (check,) = of(await ask(), "intents")
        assert (check.verdict, check.facts["message_content"]) == (verdict, "limited")

    async def test_few_session_starts_are_left(self, ask: Ask, emulator: Emulator) -> None:
        emulator.control.set_session_starts(remaining=99, reset_after_ms=600_000)
        check = only(await ask(), "sessions", Verdict.WARNING)
        assert check.facts["remaining"] == 99
        assert "waits 10 min" in check.fix

    async def test_a_check_that_fails_hides_no_other(self, ask: Ask, emulator: Emulator) -> None:
        emulator.control.fault("500", route="gateway_bot", times=None)
        check = only(await ask(), "sessions", Verdict.FAILURE)
        assert check.exit_code == 1


class TestPermissions:
    async def test_the_bot_is_in_no_server(self, ask: Ask, emulator: Emulator) -> None:
        for guild in list(emulator.world.guilds.values()):
            emulator.control.remove_bot(guild.id)
        check = only(await ask(), "permissions", Verdict.WARNING)
        assert f"client_id={emulator.world.bot.id}&scope=bot&permissions={RIGHTS}" in check.fix

    @pytest.mark.parametrize(
        ("right", "said"),
        [(Right.VIEW_CHANNEL, "lacks View Channel"), (Right.READ_MESSAGE_HISTORY, "lacks Read Message History")],
    )
    async def test_a_channel_is_closed(self, ask: Ask, emulator: Emulator, right: int, said: str) -> None:
        channel = first(emulator)
        emulator.control.revoke(channel.id, right)
        check = only(await ask(), "permissions", Verdict.WARNING)
        assert check.found.startswith(f"#{channel.name} of ")
        assert said in check.found
        assert check.facts["channel_id"] == str(channel.id)
        assert exit_code([check]) == 0

    async def test_a_voice_channel_cannot_be_entered(self, ask: Ask, emulator: Emulator) -> None:
        (guild,) = emulator.world.guilds.values()
        channel = emulator.control.add_channel(guild.id, "Lounge", 2)
        emulator.control.revoke(channel.id, Right.CONNECT)
        assert "#Lounge" in only(await ask(), "permissions", Verdict.WARNING).found

    async def test_unreadable_ones_that_are_accepted_are_no_rows(self, ask: Ask, emulator: Emulator) -> None:
        emulator.control.revoke(first(emulator).id, Right.VIEW_CHANNEL)
        checks = await ask(JUNKIE_ACCEPT_UNREADABLE="1")
        assert bad(checks) == []
        (row,) = of(checks, "permissions")
        assert row.facts["channels"] - row.facts["readable"] == 1

    async def test_a_server_where_nothing_can_be_read_is_one_row(self, ask: Ask, emulator: Emulator) -> None:
        (guild,) = emulator.world.guilds.values()
        for channel in guild.channels.values():
            emulator.control.revoke(channel.id, Right.READ_MESSAGE_HISTORY)
        check = only(await ask(), "permissions", Verdict.WARNING)
        assert check.found.startswith(f"server '{guild.name}': the bot lacks Read Message History in all ")
        assert "Roles" in check.fix

    async def test_a_server_that_can_not_be_listed_is_a_row_beside_the_others(
        self, ask: Ask, emulator: Emulator
    ) -> None:
        (guild,) = emulator.world.guilds.values()
        other = emulator.control.add_guild("Other")
        emulator.control.fault("403", route="channels", channel_id=guild.id, times=None)
        checks = await ask()
        check = only(checks, "permissions", Verdict.FAILURE)
        assert check.facts == {"guild_id": str(guild.id)}
        assert guild.name in check.found
        assert other.name not in check.found

    async def test_manage_threads_is_a_note(self, ask: Ask, emulator: Emulator) -> None:
        general = first(emulator).id
        emulator.control.revoke(general, Right.MANAGE_THREADS)
        checks = await ask()
        assert bad(checks) == []
        (row,) = of(checks, "permissions")
        assert "private threads" in row.found
        assert "Manage Threads" in row.fix

    async def test_what_is_left_out_does_not_matter(self, ask: Ask, emulator: Emulator) -> None:
        general = first(emulator).id
        emulator.control.revoke(general, Right.VIEW_CHANNEL)
        scope = Scope(channel=lambda channel: channel.channel_id != general)
        assert bad(await ask(how={"scope": chosen(scope)})) == []
        elsewhere = Scope(guilds=lambda _: [])
        assert bad(await ask(how={"scope": chosen(elsewhere)})) == []

    async def test_what_was_named_and_is_in_no_list_is_asked_for(self, ask: Ask, emulator: Emulator) -> None:
        general = first(emulator)
        thread = emulator.control.add_thread(general.id, "Release plans")
        scope = Scope(channel=lambda channel: channel.channel_id == thread.id, named=frozenset({thread.id}))
        checks = await ask(how={"scope": chosen(scope)})
        assert bad(checks) == []
        assert of(checks, "permissions")[0].facts == {"readable": 1, "channels": 1, "servers": 1}
        emulator.control.revoke(general.id, Right.READ_MESSAGE_HISTORY)
        check = only(await ask(how={"scope": chosen(scope)}), "permissions", Verdict.WARNING)
        assert check.found == "#Release plans: the bot lacks Read Message History"
        assert check.facts["channel_id"] == str(thread.id)

    async def test_what_was_named_and_is_not_there_hides_no_other(self, ask: Ask, emulator: Emulator) -> None:
        (guild,) = emulator.world.guilds.values()
        category = emulator.control.add_channel(guild.id, "Rooms", 4)
        closed = emulator.control.add_channel(guild.id, "closed", 0)
        emulator.control.revoke(closed.id, Right.READ_MESSAGE_HISTORY)
        scope = Scope(named=frozenset({5, category.id, closed.id}))
        said = [(each.verdict, each.found) for each in bad(await ask(how={"scope": chosen(scope)}))]
        assert said == [
            (Verdict.FAILURE, "channel 5 does not exist"),
            (Verdict.FAILURE, f"channel {category.id} ('Rooms') is a category and holds no messages"),
            (Verdict.WARNING, f"#closed of '{guild.name}': the bot lacks Read Message History"),
        ]
