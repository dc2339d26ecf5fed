import asyncio
from collections.abc import Sequence

import pytest

from junkie_cli import checks
from junkie_cli.checks import Check, Verdict
from junkie_cli.errors import ConfigError, DatabaseError, DatabaseUnavailable, DiscordUnavailable, JunkieError


async def made(work: object, **how: float) -> Sequence[Check]:
    return await checks.made("thing", work, kind=DatabaseError, **how)  # type: ignore[arg-type]


async def test_what_a_check_returns_is_its_rows() -> None:
    async def work() -> Sequence[Check]:
        return [checks.passed("thing", "well", name="any", found=1)]

    (row,) = await made(work)
    assert (row.verdict, row.exit_code) == (Verdict.PASSED, 0)
    assert row.facts == {"name": "any", "found": 1}


async def test_an_error_of_ours_is_a_row_with_its_hint_and_its_exit_code() -> None:
    async def work() -> Sequence[Check]:
        raise DatabaseUnavailable("it is away", hint="start it")

    (row,) = await made(work)
    assert (row.verdict, row.found, row.fix, row.exit_code) == (Verdict.FAILURE, "it is away", "start it", 5)


async def test_one_that_hangs_is_ended_and_is_a_row() -> None:
    async def work() -> Sequence[Check]:
        await asyncio.Event().wait()
        raise AssertionError

    (row,) = await made(work, patience=0)
    assert (row.verdict, row.exit_code) == (Verdict.FAILURE, 5)
    assert "no answer within 0 s" in row.found


async def test_a_bug_is_a_row_that_asks_for_a_report() -> None:
    async def work() -> Sequence[Check]:
        raise ZeroDivisionError

    (row,) = await made(work)
    assert (row.verdict, row.exit_code) == (Verdict.FAILURE, 1)
    assert "ZeroDivisionError" in row.found
    assert "report" in row.fix


async def test_an_interruption_is_no_row() -> None:
    async def work() -> Sequence[Check]:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await made(work)


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([DiscordUnavailable("")], 1),
        ([DiscordUnavailable(""), ConfigError("")], 4),
        ([ConfigError(""), DatabaseError(""), DiscordUnavailable("")], 5),
    ],
)
def test_the_database_s_exit_code_comes_first_then_the_configuration_s(errors: list[JunkieError], code: int) -> None:
    well = [checks.warning("thing", "", ""), checks.skipped("thing", "")]
    assert checks.exit_code([*well, *(checks.failure("thing", error) for error in errors)]) == code
