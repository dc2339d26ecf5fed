"""How fast pages are stored, beside COPY of the same rows into a table of the same shape, page by page and at one go."""

import time
from collections.abc import Sequence

from junkie_cli.coverage import Range
from junkie_cli.db.database import Database
from junkie_cli.db.writer import Writer, page_batch
from junkie_cli.models import Message, Page, PageRequest
from tests.benchmarks.figure import Figure
from tests.benchmarks.setting import archive, discord

CHANNEL, FIRST, PAGES = 1_000 << 22, 2_000 << 22, 300
COPY = "COPY public.copied (channel_id, message_id, author_id, seen, edited_at, reply_to, type, author_name, content, extra) FROM STDIN"


def page(number: int) -> Page:
    """Return a full page of plain messages, each of 80 characters."""
    lowest = FIRST + number * (100 << 22)
    messages = tuple(
        Message(CHANNEL, lowest + (n << 22), 7 << 22, "Ann Other", f"{number:>6} {n:>3} " + "x" * 69)
        for n in reversed(range(100))
    )
    return Page(PageRequest(CHANNEL, before=lowest + (100 << 22)), tuple(m.message_id for m in messages), messages)


async def written(database: Database, pages: Sequence[Page]) -> float:
    """Return the messages per second of our writer."""
    async with database.connection() as connection:
        await connection.execute("TRUNCATE junkie.messages, junkie.channel_status")
        await connection.execute("INSERT INTO junkie.channel_status (channel_id) VALUES (%s)", [CHANNEL])
    writer, began = Writer(database), time.perf_counter()
    for seen, one in enumerate(pages, 1):
        before = one.request.before
        assert before is not None
        await writer.write(page_batch(one, seen=seen, claim=Range(one.ids[-1], before)))
    return 100 * len(pages) / (time.perf_counter() - began)


async def copied(database: Database, pages: Sequence[Page], *, at_once: int) -> float:
    """Return the messages per second of COPY, in transactions of so many pages."""
    async with database.connection() as connection:
        await connection.execute("DROP TABLE IF EXISTS public.copied")
        await connection.execute("CREATE TABLE public.copied (LIKE junkie.messages INCLUDING ALL)")
        began = time.perf_counter()
        for start in range(0, len(pages), at_once):
            async with connection.cursor() as cursor, cursor.copy(COPY) as copy:
                for one in pages[start : start + at_once]:
                    for m in one.messages:
                        row = (
                            m.channel_id,
                            m.message_id,
                            m.author_id,
                            1,
                            None,
                            None,
                            0,
                            m.author_name,
                            m.content,
                            None,
                        )
                        await copy.write_row(row)
        return 100 * len(pages) / (time.perf_counter() - began)


async def measure() -> list[Figure]:
    pages = [page(number) for number in range(PAGES)]
    rates = dict.fromkeys(("ours", "by page", "at one go"), 0.0)
    async with discord("1x10") as emulator, archive(emulator) as (_, database):
        for _ in range(3):
            rates["ours"] = max(rates["ours"], await written(database, pages))
            rates["by page"] = max(rates["by page"], await copied(database, pages, at_once=1))
            rates["at one go"] = max(rates["at one go"], await copied(database, pages, at_once=PAGES))
    return [
        Figure("writer", rates["ours"], unit="/s"),
        Figure("writer / COPY of each page", rates["ours"] / rates["by page"]),
        Figure("writer / COPY of all at one go", rates["ours"] / rates["at one go"]),
    ]
