"""The emulator's payloads against Discord's own description, where that file is at hand."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from junkie_cli.emulator import payloads
from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.kinds import UNKNOWN_TYPE
from junkie_cli.emulator.pages import Press
from junkie_cli.emulator.world import World


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    given = os.environ.get("DISCORD_OPENAPI")
    project = Path(__file__).parents[3]
    found = Path(given) if given else next(project.parent.glob("*/data/discord-openapi.json"), None)
    if found is None:
        pytest.skip("Discord's OpenAPI description is not at hand; DISCORD_OPENAPI names it")
    loaded: dict[str, Any] = json.loads(found.read_text())
    # The description of 2025 does not know forwards yet, which Discord sends (docs, "Message Reference Types").
    loaded["components"]["schemas"]["MessageReferenceType"] = {"type": "integer"}
    return loaded


@pytest.fixture(scope="module")
def world() -> World:
    return generate(1, "tiny")


def complaints(description: dict[str, Any], schema: str, value: Any) -> list[str]:
    components = description["components"]
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def test_every_kind_of_message(description: dict[str, Any], world: World) -> None:
    press = Press(world)
    for channel in world.channels.values():
        # The first 45 of the first channel are one of each kind; the others repeat them.
        for encoded in press.page(channel, channel.messages[:45]):
            message = json.loads(encoded)
            if message["type"] == UNKNOWN_TYPE:
                message["type"] = 0
            assert complaints(description, "MessageResponse", message) == [], message


def test_channels_and_threads(description: dict[str, Any], world: World) -> None:
    for channel in world.channels.values():
        schema = "ThreadResponse" if channel.is_thread else "GuildChannelResponse"
        payload = payloads.channel(channel)
        if payload["type"] == ChannelType.MEDIA:
            payload["type"] = ChannelType.FORUM  # which the description lacks too
        assert complaints(description, schema if channel.guild else "PrivateChannelResponse", payload) == []


def test_guild_people_and_application(description: dict[str, Any], world: World) -> None:
    (guild,) = world.guilds.values()
    for schema, payload in (
        ("GuildWithCountsResponse", payloads.guild(guild, counts=True)),
        ("MyGuildResponse", payloads.my_guild(guild, world.bot, counts=True)),
        ("UserPIIResponse", payloads.me(world)),
        ("PrivateApplicationResponse", payloads.application(world)),
        *(("GuildRoleResponse", payloads.role(role)) for role in guild.roles.values()),
        *(("GuildMemberResponse", payloads.member(member)) for member in guild.members.values()),
    ):
        assert complaints(description, schema, payload) == []
