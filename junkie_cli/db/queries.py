"""Named queries.

`sql/queries/*.sql` hold blocks of a heading, a line of explanation or more, and one statement:

    -- newest_id --
    -- The newest message id of a channel, NULL where there is none.
    SELECT max(message_id) FROM junkie.messages WHERE channel_id = %(channel_id)s

Names are unique over all files; who asks for a name that does not exist has made a programming error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import LiteralString

from junkie_cli.db import sqlfiles

_HEADING = re.compile(r"^-- ([a-z][a-z0-9_]*) --[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """A named statement and what it is for."""

    name: str
    explanation: str
    sql: LiteralString


def query(name: str) -> LiteralString:
    """Return the statement of that name, as psycopg takes it. Raises KeyError if there is none."""
    return every()[name].sql


@cache
def every() -> Mapping[str, Query]:
    """Return all named queries by name; the files are read once. Raises ValueError if one is malformed."""
    found: dict[str, Query] = {}
    for file, text in sqlfiles.read("queries").items():
        for each in parse(text, file):
            if each.name in found:
                raise ValueError(f"{file}: a query '{each.name}' exists already")
            found[each.name] = each
    return found


def parse(text: str, file: str) -> list[Query]:
    """Read one file's queries. Raises ValueError where a block lacks its explanation or its statement."""
    headings = list(_HEADING.finditer(text))
    before = text[: headings[0].start()] if headings else text
    if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{file}: SQL stands before the first heading")
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return [_block(file, heading[1], text[heading.end() : end]) for heading, end in zip(headings, ends, strict=True)]


def _block(file: str, name: str, body: str) -> Query:
    lines = body.strip().splitlines()
    words: list[str] = []
    while lines and lines[0].startswith("--"):
        words.append(lines.pop(0).removeprefix("--").strip())
    sql = "\n".join(lines).strip().removesuffix(";").rstrip()
    if not any(words):
        raise ValueError(f"{file}: the query '{name}' lacks its line of explanation")
    if not sql:
        raise ValueError(f"{file}: the query '{name}' has no statement")
    return Query(name, " ".join(words), sql)
