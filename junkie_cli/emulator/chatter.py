"""What the people of a generated guild are called, and what they say."""

import random
from typing import Final

PEOPLE: Final = (
    ("mira.k", "Mira"),
    ("otto_bauer", "Otto Bauer"),
    ("priya_dev", "Priya Nair"),
    ("juno", None),
    ("takeshi77", "たけし"),
    ("ana.lucia", "Ana Lúcia 🌿"),
    ("samir_h", "Samir"),
    ("bluewhale", "Blue Whale 🐋"),
    ("nils.o", "Nils Ø"),
    ("zoe.writes", "Zoë"),
    ("karthik.r", "Karthik R"),
    ("emeka", "Emeka O."),
    ("lin_yue", "林月"),
    ("daria_v", "Дарья"),
    ("pixelpaula", "Paula"),
    ("hugo.mtl", "Hugo"),
    ("noor", "نور"),
    ("greta_s", None),
    ("tomasz", "Tomasz W."),
    ("ivy", "ivy ✧"),
    ("raf.codes", "Rafael"),
    ("meiko", "Meiko 🎧"),
    ("oldmanlogan", "Logan (he/him)"),
    ("sunny.b", "Sunny"),
)

_SUBJECTS: Final = {
    "general": (
        "morning everyone, {feeling} today {emoji}",
        "did anybody see {thing}? {feeling} about it",
        "I finished {thing} last night, it took {span} {emoji}",
        "who is coming to {event}? we still need {number} people",
        "{praise}, really",
        "back in {span}, don't start {event} without me",
        "can't believe {event} is already {span} ago",
        "{question}",
        "lol {emoji}{emoji}",
        "+1",
        "ok so I tried {thing} and now I'm {feeling}",
    ),
    "dev": (
        "the {part} is {state} again after {change}",
        "pushed a fix for the {part}, please pull before you build",
        "anyone else seeing the {part} {state} on {platform}?",
        "profiled it: {number} ms in the {part}, most of it in `{symbol}()`",
        "what if we drop the {part} and let `{symbol}()` do it?",
        "tests are green on {platform}, still {state} on my machine",
        "TIL `{symbol}()` allocates on every frame {emoji}",
        "review please: {change}, {number} lines, mostly deletions",
        "{question}",
        "reverted {change}; the {part} was {state} for half the testers",
    ),
    "art": (
        "new palette for {thing}, {feeling} about the greens",
        "WIP of {thing}, crit welcome {emoji}",
        "the outline reads better at {number} px, don't you think?",
        "{praise}",
        "tried {change} in the tileset, seams are gone",
        "reference board for {event} is up",
    ),
    "music": (
        "listening to {thing} on repeat {emoji}",
        "that bassline at 2:{number} tho",
        "the boss theme is at {number} bpm now, {feeling}",
        "anyone got stems for {thing}?",
        "{praise}, that mix is clean",
    ),
    "help": (
        "Have you tried {change}? It fixed the {part} for me.",
        "Same problem on {platform}: the {part} is {state} after {span}.",
        "Solved! It was {change}. Thanks {emoji}",
        "Could you post the log? `{symbol}()` should leave a line there.",
        "{question}",
        "Works on {platform} for me, version 0.{number}.",
    ),
}

_SLOTS: Final = {
    "feeling": ("so tired", "weirdly happy", "not convinced", "pretty excited", "a bit lost", "proud", "hungry"),
    "thing": (
        "the forest level",
        "that new trailer",
        "the old soundtrack",
        "the fishing minigame",
        "my first shader",
        "the winter update",
        "the photo mode",
    ),
    "event": ("game night", "the jam", "Friday's playtest", "the stream", "the release", "movie night"),
    "span": ("ten minutes", "two hours", "three days", "a whole weekend", "five years", "half an hour"),
    "number": tuple(str(n) for n in range(11, 59, 3)),
    "emoji": ("😂", "🎉", "🌲", "👀", "🔥", "🥲", "✨", "🙌", "", "", ""),
    "praise": ("gorgeous", "love this", "that's so good", "best thing I saw all week", "chef's kiss", "stunning work"),
    "question": (
        "how do I get the beta?",
        "is there a changelog somewhere?",
        "when is the next playtest?",
        "wait, what did I miss?",
        "who has the build key?",
        "does this run on a Raspberry Pi?",
        "does anyone know why?",
    ),
    "part": ("save system", "pathfinder", "shader cache", "input layer", "asset importer", "netcode", "dialogue tree"),
    "state": ("flaky", "crashing", "slow", "stuck at 99 %", "leaking", "broken"),
    "change": ("the atlas rewrite", "bumping the engine", "clearing the cache", "my refactor", "the merge on Tuesday"),
    "platform": ("Linux", "Windows 11", "macOS", "the Steam Deck", "Android"),
    "symbol": ("flush_tiles", "resolve_path", "step", "load_world", "draw_batch", "reconnect"),
}

ELSEWHERE: Final = (
    "Guten Morgen zusammen, läuft der Server wieder? Gestern Abend hing er ständig.",
    "¡Qué bonito quedó el bosque! ¿Cuándo sale la próxima versión?",
    "今日のアップデート、すごく良かったです。釣りが楽しい 🎣",
    "Ça marche nickel chez moi, merci pour la correction !",
    "यह नया ट्रेलर कमाल का है, टीम को बधाई 🎉",
    "Кто-нибудь уже прошёл зимний уровень? Я застрял на мосту.",
    "مرحبا بالجميع، متى تبدأ ليلة الألعاب؟",
    "Alguém mais com a tela piscando depois do patch? 😅",
    "这个配乐太好听了，循环了一整天",  # noqa: RUF001  # Chinese
    "Tack för hjälpen igår, nu funkar allt 🙏",
    "한국어 번역은 언제 나오나요?",
    "Günaydın! Yeni haritayı denedim, çok akıcı.",  # noqa: RUF001  # Turkish
)

CODE: Final = (
    "```py\ndef step(world, dt):\n    for body in world.bodies:\n        body.x += body.vx * dt  # semi-implicit\n```",
    "found it:\n```rust\nlet tiles = atlas.flush_tiles()?;\nassert!(tiles.len() <= 4096);\n```\noff by one in the loop",
    "```diff\n- let t = now() - start;\n+ let t = now().saturating_sub(start);\n```",
    "```\nTraceback (most recent call last):\n  FileNotFoundError: worlds/forest.json\n```\nany idea?",
    "```sql\nSELECT player, max(depth)\nFROM dives\nGROUP BY player;\n```",
)

SEVERAL_LINES: Final = (
    "Plan for the weekend:\n- Friday: playtest at 20:00 UTC\n- Saturday: art jam\n- Sunday: we sleep",
    "Patch notes\n\n**New**\n* fishing\n* photo mode\n\n**Fixed**\n* the bridge no longer eats your boat",
    "> when is the release?\nsoon™\n\n||for some values of soon||",
    "two things:\n1. the build is up\n2. please don't share the key outside this channel",
)

OPENINGS: Final = (
    "so I looked into the report from yesterday",
    "quick update on the build for the testers",
    "we talked about this in the last meeting",
    "the second level still feels a bit empty",
    "someone wrote to us about the save files",
    "I moved the old sketches to the archive",
    "after the restart everything was smooth",
    "the new tutorial takes about four minutes",
    "I asked around and nobody minds the change",
    "the numbers from the playtest are in now",
)
MIDDLES: Final = ("and", "but", "so", "because", "although", "while", "and then", "which means that")
ENDINGS: Final = (
    "we should try it once more on Friday",
    "nobody has found the cause so far",
    "it works on every machine I have here",
    "I would rather keep it as it is today",
    "the next version will make it easier",
    "somebody has to write it down properly",
    "it can wait until the weekend is over",
    "we will see what the others think of it",
    "the fix is already on the main branch",
    "I like where all of this is going",
)


def line(rng: random.Random, subject: str) -> str:
    """Return one thing that somebody says about a subject; now and then in another language."""
    if rng.random() < 0.06:
        return rng.choice(ELSEWHERE)
    template = rng.choice(_SUBJECTS[subject])
    return template.format_map(_Slots(rng)).strip()


def plain(rng: random.Random, count: int) -> list[str]:
    """Return so many texts of about 80 plain characters, quickly."""
    parts = zip(
        rng.choices(OPENINGS, k=count), rng.choices(MIDDLES, k=count), rng.choices(ENDINGS, k=count), strict=True
    )
    return [f"{opening} {middle} {ending}" for opening, middle, ending in parts]


class _Slots(dict[str, str]):
    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    def __missing__(self, slot: str) -> str:
        return self._rng.choice(_SLOTS[slot])
