"""Every kind of message that Discord has, as an archiver meets it."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from junkie_cli.emulator import chatter, payloads
from junkie_cli.emulator.entities import Message, MessageType
from junkie_cli.emulator.pages import own_payload
from junkie_cli.emulator.scribe import Scribe
from junkie_cli.emulator.talk import iso, reaction, reference

CROSSPOSTED: Final = 1 << 0
VOICE_MESSAGE: Final = 1 << 13
HAS_SNAPSHOT: Final = 1 << 14
COMPONENTS_V2: Final = 1 << 15
UNKNOWN_TYPE: Final = 250

_SNAPSHOT_FIELDS: Final = (
    *("type", "content", "mentions", "mention_roles", "attachments"),
    *("embeds", "timestamp", "edited_timestamp", "flags", "components"),
)


def plain(s: Scribe) -> None:
    """Write one line."""
    s.say()


def several_lines(s: Scribe) -> None:
    """Write several lines of Markdown."""
    s.say(s.rng.choice(chatter.SEVERAL_LINES))


def code(s: Scribe) -> None:
    """Write a code block."""
    s.say(s.rng.choice(chatter.CODE))


def emoji(s: Scribe) -> None:
    """Write custom emoji, one of them animated."""
    s.say(f"<:pine:{s.cast.guild.id + 7}> <a:leafspin:{s.cast.guild.id + 8}> {s.rng.choice('🌲🎣🦊✨')}")


def mention(s: Scribe) -> None:
    """Mention a person, a channel and a time."""
    person = s.someone()
    text = f"<@{person.id}> see <#{s.channel.id}>, we start <t:{s.now_ms // 1000}:R>"
    s.say(text, {"mentions": [payloads.user(person)]})


def mention_role(s: Scribe) -> None:
    """Mention a role and everyone."""
    role_id = max(s.cast.guild.roles)
    s.say(f"@everyone <@&{role_id}> build is up", {"mention_everyone": True, "mention_roles": [str(role_id)]})


def reply(s: Scribe) -> None:
    """Write a reply, which mentions whom it answers."""
    target = s.earlier()
    mentions = [payloads.user(target.author)]
    told = reference(s.channel, target.id)
    s.say(None, {"type": MessageType.REPLY, "message_reference": told, "mentions": mentions})


def reply_to_deleted(s: Scribe) -> None:
    """Write a reply whose target is gone."""
    told = reference(s.channel, s.new_id())
    s.say("what did that say?", {"type": MessageType.REPLY, "message_reference": told})


def image(s: Scribe) -> None:
    """Write a picture without text."""
    s.say("", {"attachments": [_attachment(s, "forest.png", "image/png", width=1920, height=1080)]})


def files(s: Scribe) -> None:
    """Write text with two files, one of which has a description."""
    log = _attachment(s, "build log (3).txt", "text/plain; charset=utf-8")
    picture = _attachment(s, "SPOILER_boss.webp", "image/webp", width=640, height=480, description="the last boss")
    s.say("log and screenshot", {"attachments": [log, picture]})


def voice_message(s: Scribe) -> None:
    """Write a voice message."""
    waveform = base64.b64encode(s.rng.randbytes(48)).decode()
    spoken = _attachment(s, "voice-message.ogg", "audio/ogg", duration_secs=7.36, waveform=waveform)
    s.say("", {"attachments": [spoken], "flags": VOICE_MESSAGE})


def link(s: Scribe) -> None:
    """Write a link that Discord unfurled."""
    url = "https://example.com/devlog/42"
    embed = {
        "type": "article",
        "url": url,
        "title": "Devlog 42: water, at last",
        "description": "How a shallow pond became a lake with currents.",
        "provider": {"name": "Pixel & Pine", "url": "https://example.com"},
        "thumbnail": {
            "url": f"{url}.jpg",
            "proxy_url": f"https://images-ext-1.discordapp.net/external/a/{url[8:]}.jpg",
        },
    }
    s.say(f"{url} {chatter.line(s.rng, s.subject)}", {"embeds": [embed]})


def rich_embed(s: Scribe) -> None:
    """Write an embed that an application made."""
    embed = {
        "type": "rich",
        "title": "Build 1482 passed",
        "description": "All **214** tests are green.",
        "color": 5_763_719,
        "timestamp": iso(s.now_ms),
        "author": {"name": "CI", "url": "https://example.com/ci"},
        "fields": [
            {"name": "Branch", "value": "`main`", "inline": True},
            {"name": "Took", "value": "3 min 12 s", "inline": True},
        ],
        "footer": {"text": "runner 3"},
    }
    s.say("", {"embeds": [embed], "application_id": str(s.cast.application.id)}, author=s.cast.application)


def sticker(s: Scribe) -> None:
    """Write a sticker alone."""
    s.say("", {"sticker_items": [{"id": str(s.cast.guild.id + 9), "name": "Sleepy Fox", "format_type": 1}]})


def poll(s: Scribe) -> None:
    """Write a poll that is still open."""
    _poll(s, finished=False)


def finished_poll(s: Scribe) -> None:
    """Write a poll that has ended, and the message that tells its result."""
    asked = _poll(s, finished=True)
    fields = {
        "poll_question_text": "Which level first?",
        "victor_answer_votes": "9",
        "total_votes": "13",
        "victor_answer_id": "1",
        "victor_answer_text": "Forest",
    }
    embed = {
        "type": "poll_result",
        "fields": [{"name": name, "value": value, "inline": False} for name, value in fields.items()],
    }
    told = reference(s.channel, asked.id)
    s.say("", {"type": MessageType.POLL_RESULT, "message_reference": told, "embeds": [embed]}, author=asked.author)


def forward(s: Scribe) -> None:
    """Write a message passed on from elsewhere: the snapshot has no author."""
    original = s.earlier()
    payload = own_payload(s.channel, original)
    snapshot = {name: payload[name] for name in _SNAPSHOT_FIELDS}
    told = reference(s.channel, original.id, kind=1)
    s.say("", {"message_reference": told, "flags": HAS_SNAPSHOT, "message_snapshots": [{"message": snapshot}]})


def reactions(s: Scribe) -> None:
    """Write a message that people reacted to."""
    s.say(None, {"reactions": [reaction("🔥", 5), reaction("pine", 2, s.cast.guild.id + 7)]})


def edited(s: Scribe) -> None:
    """Write an edited message."""
    s.say(None, {"edited_timestamp": iso(s.now_ms + s.rng.randint(4000, 400_000))})


def pin(s: Scribe) -> None:
    """Write a pinned message, and the message that says so."""
    pinned = s.say("read this first: keys are in the wiki", {"pinned": True})
    s.say("", {"type": MessageType.PIN, "message_reference": reference(s.channel, pinned.id)})


def join(s: Scribe) -> None:
    """Tell that somebody joined."""
    s.say("", {"type": MessageType.JOIN})


def boost(s: Scribe) -> None:
    """Tell that somebody boosted the server, three times at once."""
    s.say("3", {"type": MessageType.BOOST})


def follow(s: Scribe) -> None:
    """Tell that the channel follows another server's announcements."""
    s.say(
        "Open Source Games #news",
        {
            "type": MessageType.FOLLOW,
            "message_reference": {"type": 0, "channel_id": str(s.new_id()), "guild_id": str(s.new_id())},
        },
    )


def crosspost(s: Scribe) -> None:
    """Write an announcement that was published."""
    s.say("**Version 0.9 is out!** Fishing, photo mode and a bridge.", {"flags": CROSSPOSTED})


def webhook(s: Scribe) -> None:
    """Write a webhook's message: its author is no account."""
    hook = s.cast.webhook
    s.say("[pine:main] 2 new commits", {"webhook_id": str(hook.id)}, author=hook)


def command(s: Scribe) -> None:
    """Write the answer to a slash command."""
    person, interaction_id = payloads.user(s.someone()), str(s.new_id())
    fields = {
        "type": MessageType.COMMAND,
        "application_id": str(s.cast.application.id),
        "interaction": {"id": interaction_id, "type": 2, "name": "roll", "user": person},
        "interaction_metadata": {
            "id": interaction_id,
            "type": 2,
            "user": person,
            "authorizing_integration_owners": {"0": str(s.cast.guild.id)},
        },
    }
    s.say("🎲 You rolled a 17", fields, author=s.cast.application)


def buttons(s: Scribe) -> None:
    """Write text with buttons and a menu."""
    row: dict[str, Any] = {
        "type": 1,
        "id": 1,
        "components": [_button(2, "Join"), _button(3, "Rules", url="https://example.com/rules")],
    }
    option = {"label": "Builder", "value": "b", "description": "can build"}
    menu = {"type": 3, "id": 5, "custom_id": "role", "placeholder": "Pick a role", "options": [option]}
    menu |= {"min_values": 1, "max_values": 1, "disabled": False}
    rows = [row, {"type": 1, "id": 4, "components": [menu]}]
    s.say("Ready to play?", {"components": rows}, author=s.cast.application)


def layout(s: Scribe) -> None:
    """Write a message made of components alone."""
    url = f"https://cdn.discordapp.com/attachments/{s.channel.id}/{s.new_id()}/map.png"
    media = {"id": str(s.new_id()), "url": url, "proxy_url": url.replace("cdn.discordapp.com", "media.discordapp.net")}
    thumbnail = {"type": 11, "id": 5, "media": media, "description": None, "spoiler": False}
    container = {
        "type": 17,
        "id": 1,
        "accent_color": 3_447_003,
        "spoiler": False,
        "components": [
            {"type": 10, "id": 2, "content": "## Map of the week"},
            {
                "type": 9,
                "id": 3,
                "components": [{"type": 10, "id": 4, "content": "The bridge"}],
                "accessory": thumbnail,
            },
            {"type": 14, "id": 6, "spacing": 1, "divider": True},
            {"type": 12, "id": 7, "items": [{"media": media, "description": "the map", "spoiler": False}]},
        ],
    }
    s.say("", {"components": [container], "flags": COMPONENTS_V2}, author=s.cast.application)


def auto_moderation(s: Scribe) -> None:
    """Write a message that the moderation rules stopped."""
    fields = [
        {"name": "rule_name", "value": "No spam", "inline": False},
        {"name": "decision_id", "value": "d1", "inline": False},
    ]
    embed = {"type": "auto_moderation_message", "description": "buy cheap gold", "fields": fields}
    s.say("", {"type": MessageType.AUTO_MODERATION, "embeds": [embed]})


def stage(s: Scribe) -> None:
    """Tell that a stage begins."""
    s.say("Ask us anything", {"type": MessageType.STAGE_START})


def call(s: Scribe) -> None:
    """Write a call, as in direct messages."""
    person = s.someone()
    ended = {"participants": [str(person.id)], "ended_timestamp": iso(s.now_ms + 60_000)}
    s.say("", {"type": MessageType.CALL, "call": ended}, author=person)


def unknown_type(s: Scribe) -> None:
    """Write a type that no library knows yet."""
    s.say("something new", {"type": UNKNOWN_TYPE})


KINDS: Final[Mapping[str, Callable[[Scribe], None]]] = {
    kind.__name__: kind
    for kind in (
        *(plain, several_lines, code, emoji, mention, mention_role, reply, reply_to_deleted, image, files),
        *(voice_message, link, rich_embed, sticker, poll, finished_poll, forward, reactions, edited, pin, join),
        *(boost, follow, crosspost, webhook, command, buttons, layout, auto_moderation, stage, call, unknown_type),
    )
}

_MIX: Final = (
    *((plain, 66), (reply, 12), (several_lines, 2), (code, 2), (emoji, 2), (mention, 2), (image, 3), (files, 1)),
    *((link, 2), (edited, 3), (reactions, 3), (sticker, 1), (poll, 0.3), (finished_poll, 0.2), (forward, 0.7)),
    *((voice_message, 0.4), (pin, 0.3), (reply_to_deleted, 0.3), (command, 0.5), (webhook, 0.5), (rich_embed, 0.4)),
    *((join, 0.5), (boost, 0.1)),
)
_MIX_KINDS: Final = tuple(kind for kind, _ in _MIX)
_MIX_WEIGHTS: Final = tuple(weight for _, weight in _MIX)


def talk(s: Scribe) -> None:
    """Fill the channel as people would: mostly plain lines and replies."""
    while s.left > 0:
        s.rng.choices(_MIX_KINDS, _MIX_WEIGHTS)[0](s)


def _attachment(s: Scribe, filename: str, content_type: str, **more: Any) -> dict[str, Any]:
    attachment_id = s.new_id()
    stored = filename.replace(" ", "_").replace("(", "").replace(")", "")
    path = f"attachments/{s.channel.id}/{attachment_id}/{stored}"
    found = {
        "id": str(attachment_id),
        "filename": stored,
        "size": s.rng.randint(900, 8_000_000),
        "url": f"https://cdn.discordapp.com/{path}",
        "proxy_url": f"https://media.discordapp.net/{path}",
        "content_type": content_type,
    }
    if stored != filename:
        found["title"] = filename.rsplit(".", 1)[0]
    return found | more


def _poll(s: Scribe, *, finished: bool) -> Message:
    texts = ("Forest", "Desert", "The Moon 🌙")
    votes = (9, 4, 0) if finished else (s.rng.randint(0, 5), s.rng.randint(0, 5), 0)
    ends_ms = s.now_ms + (3_600_000 if finished else 86_400_000)
    asked = {
        "question": {"text": "Which level first?"},
        "answers": [{"answer_id": n, "poll_media": {"text": text}} for n, text in enumerate(texts, 1)],
        "expiry": iso(ends_ms),
        "allow_multiselect": False,
        "layout_type": 1,
        "results": {
            "answer_counts": [{"id": n, "count": count, "me_voted": False} for n, count in enumerate(votes, 1)],
            "is_finalized": finished,
        },
    }
    return s.say("", {"poll": asked})


def _button(number: int, label: str, *, url: str | None = None) -> dict[str, Any]:
    how = {"style": 1, "custom_id": label.lower()} if url is None else {"style": 5, "url": url}
    return {"type": 2, "id": number, "label": label, "disabled": False} | how
