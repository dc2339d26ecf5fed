"""Live ranges against a simulated channel: what they claim was told."""

from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.coverage import Coverage, Range
from junkie_cli.ingest.live_ranges import LiveRanges

CHANNEL = 1


def watched() -> LiveRanges:
    live = LiveRanges()
    live.introduce(CHANNEL)
    return live


def token(live: LiveRanges) -> tuple[int, int]:
    watch = live.watch(CHANNEL)
    assert watch is not None
    return watch


def test_what_nobody_introduced_is_not_watched() -> None:
    live = LiveRanges()
    assert live.watch(CHANNEL) is None
    live.introduce(CHANNEL)
    before = token(live)
    live.forget([CHANNEL])
    assert live.watch(CHANNEL) is None
    live.introduce(CHANNEL)
    assert live.join(CHANNEL, 50, before) is None
    assert not live.is_open(CHANNEL)


def test_the_first_event_opens_and_later_ones_extend() -> None:
    live = watched()
    assert live.message(CHANNEL, 10) == Range(10, 11)
    assert live.message(CHANNEL, 20) == Range(11, 21)
    assert live.message(CHANNEL, 15) is None
    assert live.message(2, 17) == Range(17, 18)


def test_an_end_opens_anew() -> None:
    live = watched()
    live.message(CHANNEL, 10)
    live.end([CHANNEL])
    assert live.message(CHANNEL, 20) == Range(20, 21)
    live.end_all()
    assert live.message(CHANNEL, 30) == Range(30, 31)


def test_a_page_joins_a_quiet_channel() -> None:
    live = watched()
    assert live.join(CHANNEL, 50, token(live)) is None
    assert live.message(CHANNEL, 60) == Range(50, 61)


def test_a_page_joins_what_events_opened_while_it_was_on_its_way() -> None:
    live = watched()
    watch = token(live)
    live.message(CHANNEL, 60)
    assert live.join(CHANNEL, 50, watch) == Range(50, 60)
    assert live.message(CHANNEL, 70) == Range(61, 71)


def test_a_page_that_was_asked_for_before_a_break_joins_nothing() -> None:
    live = watched()
    for channels in ([CHANNEL], None):
        watch = token(live)
        if channels is None:
            live.end_all()
        else:
            live.end(channels)
        assert live.join(CHANNEL, 50, watch) is None
        assert live.message(CHANNEL, 60) == Range(60, 61)
        live.end_all()


@given(
    st.lists(
        st.sampled_from(["post", "post", "post", "miss", "ask", "answer", "end"]),
        max_size=40,
    )
)
def test_what_is_claimed_was_told_or_shown(script: list[str]) -> None:
    """Messages are missed only between a break and the next event; pages show all that was posted when they were asked for."""
    live = watched()
    posted: list[int] = []
    held: set[int] = set()
    covered = Coverage()
    asked: tuple[tuple[int, int], list[int]] | None = None
    broken = False
    for step in script:
        if step == "post":
            posted.append(10 * (len(posted) + 1))
            held.add(posted[-1])
            broken = False
            if (claim := live.message(CHANNEL, posted[-1])) is not None:
                covered = covered.add(*claim)
        elif step == "miss" and broken:
            posted.append(10 * (len(posted) + 1))
        elif step == "end":
            live.end([CHANNEL])
            broken = True
        elif step == "ask" and posted and not broken:
            asked = token(live), list(posted)
        elif step == "answer" and asked is not None:
            watch, page = asked
            held |= set(page)
            covered = covered.add(1, page[-1] + 1)
            if (claim := live.join(CHANNEL, page[-1] + 1, watch)) is not None:
                covered = covered.add(*claim)
            asked = None
    assert {message_id for message_id in posted if message_id in covered} <= held
