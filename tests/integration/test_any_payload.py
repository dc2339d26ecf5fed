"""Whatever Discord sends goes from a page's text through the archive and comes back.

Eight thousand message objects, twenty thousand in the long session: half are valid by Discord's own description, where that file is at hand (the variable
DISCORD_OPENAPI names it), half are what nobody should send. A failing one is shown as small as it can be made.
"""

import itertools
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from junkie_cli.client.answers import read_json
from junkie_cli.client.pages import PageParser
from junkie_cli.client.payload import payload_from_message
from junkie_cli.db.database import Database
from junkie_cli.db.rows import message_of
from junkie_cli.db.text import unescape
from junkie_cli.db.writer import Writer, page_batch
from junkie_cli.models import Message, PageRequest, User
from tests.arbitrary import Description, hostile
from tests.length import up_to
from tests.normalised import is_account, normalised
from tests.shrink import smallest

PAGE: Final = 100
PAGES: Final = up_to(20, 50)
PARTS: Final = 2
"""Two parts of twenty pages each of a hundred; of fifty in the long session, and thus ten thousand."""

# Pages are black boxes to hypothesis: what fails is made small here.
pages = settings(
    max_examples=PAGES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seeds = st.integers(0, 2**64 - 1)

ids = itertools.count(1_196_000_000_000_000_000, 4_194_305)
channels = itertools.count(1_190_000_000_000_000_000)


@cache
def discord() -> dict[str, Any]:
    """Discord's description of its API."""
    given_path = os.environ.get("DISCORD_OPENAPI")
    project = Path(__file__).parents[2]
    found = Path(given_path) if given_path else next(project.parent.glob("*/data/discord-openapi.json"), None)
    if found is None:
        pytest.skip("Discord's OpenAPI description is not at hand; DISCORD_OPENAPI names it")
    loaded: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return loaded


@cache
def description() -> Description:
    return Description(discord())


def finished(payload: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Give a payload an id of its own, in some notation, and what is stored once under its id too: account and target."""
    number = next(ids)
    payload["id"] = rng.choice((str(number), str(number), str(number), number, f"000{number}"))
    if is_account(payload.get("author")):
        payload["author"]["id"] = str(next(ids))
    target = payload.get("referenced_message")
    if isinstance(target, dict) and "id" in target:
        target["id"] = str(next(ids))
    return payload


def valid_payload(rng: Random) -> dict[str, Any]:
    payload = description().make("MessageResponse", rng)
    assert isinstance(payload, dict)
    payload = finished(payload, rng)
    payload["id"] = str(int(payload["id"]))
    return payload


def hostile_payload(rng: Random) -> dict[str, Any]:
    return finished(hostile(rng), rng)


def body_of(payloads: list[dict[str, Any]]) -> bytes:
    """Return a page as Discord would send it. JSON has no infinity, but numbers that are read as one."""
    try:
        text = json.dumps(payloads, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        text = json.dumps(payloads).encode()
    return text.replace(b"Infinity", b"1e999")


def canonical(value: Any) -> str:
    """Return a text that differs where values or their types do."""
    return json.dumps(value, sort_keys=True)


class Archive:
    """Where payloads go and come from."""

    def __init__(self, database: Database, *, twice: bool) -> None:
        self._database = database
        self._writer = Writer(database)
        self._twice = twice

    async def there_and_back(self, payloads: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str, str]]:
        """Store a page and read it again; return each payload that came back otherwise, what it should be and what it is."""
        channel_id = next(channels)
        body = body_of(payloads)
        originals = read_json(body)
        page = PageParser().parse(PageRequest(channel_id), body)
        assert page is not None
        assert page.ids == tuple(int(payload["id"]) for payload in originals)
        written = await self._writer.write(page_batch(page, seen=1, claim=None))
        assert written.new >= len(originals)
        if self._twice:
            # Nothing changed: nothing is written.
            again = await self._writer.write(page_batch(page, seen=2, claim=None))
            assert (again.new, again.edited, again.deleted) == (0, 0, 0)

        rows = await self._rows([*page.messages, *page.referenced])
        authors = await self._authors(page.messages)
        wrong = []
        for original, message in zip(originals, page.messages, strict=True):
            row = rows[channel_id, message.message_id]
            rebuilt = canonical(payload_from_message(row, authors.get(row.author_id)))
            wanted = canonical(normalised(original, channel_id))
            if rebuilt != wanted:
                wrong.append((original, wanted, rebuilt))
        for message in page.referenced:
            assert rows[message.channel_id, message.message_id] == message
        return wrong

    async def fails(self, payload: dict[str, Any]) -> bool:
        """Say whether this one alone, if it is a message at all, comes back otherwise or not at all."""
        if "id" not in payload:
            return False
        try:
            return bool(await self.there_and_back([payload]))
        except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
            return True

    async def prove(self, payloads: list[dict[str, Any]]) -> None:
        """Fail with the smallest payload that does not come back as it should."""
        try:
            wrong = await self.there_and_back(payloads)
        except Exception:
            culprits = [payload for payload in payloads if await self.fails(payload)]
            if not culprits:
                raise
            small = await smallest(culprits[0], self.fails)
            pytest.fail(f"{canonical(small)[:5_000]} can't be stored: {await self._complaint(small)}")
        if wrong:
            small = await smallest(wrong[0][0], self.fails)
            pytest.fail(f"{canonical(small)[:5_000]} comes back otherwise: {await self._complaint(small)}")

    async def _complaint(self, payload: dict[str, Any]) -> str:
        try:
            wrong = await self.there_and_back([payload])
        except Exception as error:  # noqa: BLE001  whatever it is, it is what is looked for
            return repr(error)
        return "\n".join(f"wanted {wanted[:2_000]}\ngot    {rebuilt[:2_000]}" for _, wanted, rebuilt in wrong)

    async def _rows(self, messages: list[Message]) -> dict[tuple[int, int], Message]:
        found = await self._database.fetch(
            "SELECT m.channel_id, m.message_id, m.author_id, m.author_name, m.content, m.edited_at, m.type, m.reply_to, m.extra "
            "FROM unnest(%(channel_ids)s::bigint[], %(message_ids)s::bigint[]) AS u (channel_id, message_id) "
            "JOIN junkie.messages AS m ON m.channel_id = u.channel_id AND m.message_id = u.message_id",
            {"channel_ids": [m.channel_id for m in messages], "message_ids": [m.message_id for m in messages]},
        )
        return {(row[0], row[1]): message_of(row) for row in found}

    async def _authors(self, messages: tuple[Message, ...]) -> Mapping[int, User]:
        found = await self._database.fetch(
            "SELECT k.user_id, k.username, k.global_name, k.bot, k.extra FROM junkie.users AS k "
            "WHERE k.user_id = ANY(%(user_ids)s::bigint[])",
            {"user_ids": [m.author_id for m in messages]},
        )
        return {
            row[0]: User(row[0], unescape(row[1]), None if row[2] is None else unescape(row[2]), row[3], row[4])
            for row in found
        }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
@given(seed=seeds)
@pages
async def test_what_discord_describes_comes_back(database: Database, part: int, seed: int) -> None:
    rng = Random(f"{part} {seed}")
    await Archive(database, twice=part == 0).prove([valid_payload(rng) for _ in range(PAGE)])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
@given(seed=seeds)
@pages
async def test_what_nobody_should_send_comes_back(database: Database, part: int, seed: int) -> None:
    rng = Random(f"{part} {seed}")
    await Archive(database, twice=part == 0).prove([hostile_payload(rng) for _ in range(PAGE)])


def test_what_is_made_is_valid_by_the_description() -> None:
    components = discord()["components"]
    validator = Draft202012Validator({"$ref": "#/components/schemas/MessageResponse", "components": components})
    for seed in range(60):
        payload = valid_payload(Random(seed))
        assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(payload)] == []


def test_a_seed_stands_for_a_payload() -> None:
    for make in (hostile, lambda rng: description().make("MessageResponse", rng)):
        assert canonical(make(Random(5))) == canonical(make(Random(5)))


async def test_a_failure_is_shown_small() -> None:
    async def fails(payload: Any) -> bool:
        return "\x00" in json.dumps(payload, ensure_ascii=False).encode().decode("unicode_escape")

    payload = hostile(Random(3)) | {"embeds": [{"title": "x" * 50 + "\x00" + "y" * 50, "color": 1}]}
    assert await smallest(payload, fails) == {"embeds": [{"title": "\x00"}]}
