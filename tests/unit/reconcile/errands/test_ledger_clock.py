"""The time by which ledgers are judged: what the wall clock does later does not concern it."""

import pytest

from phase_operator.core.flow.lost_calls import CLOCK_OFF, CLOCKS_APART
from phase_operator.core.timestamps import moment_of
from phase_operator.reconcile.errands.ledger_clock import LedgerClock
from support.clock import HandClock

# The hand clock begins a thousand seconds into the year.
RIGHT, LATER = "2030-01-01T00:16:40Z", "2030-01-01T00:17:40Z"


@pytest.mark.parametrize("jump", [7200.0, -7200.0, 1.0])
def test_the_clock_passes_as_time_does_whatever_is_done_to_the_wall_clock(jump: float) -> None:
    clock = HandClock()
    time = LedgerClock(clock, lambda: "")
    before = time.now()

    clock.jump(jump)
    clock.turn(60.0)

    assert (before, time.now()) == (RIGHT, LATER)


def test_jumps_of_the_wall_clock_before_the_first_question_count() -> None:
    clock = HandClock()
    clock.jump(-7200.0)
    time = LedgerClock(clock, lambda: "")
    clock.jump(7200.0)

    assert time.now() == RIGHT


@pytest.mark.parametrize(
    ("date", "age", "now"),
    [
        pytest.param("Tue, 01 Jan 2030 02:00:00 GMT", 0, "2030-01-01T02:00:00Z", id="far ahead of ours"),
        pytest.param("Mon, 31 Dec 2029 22:00:00 GMT", 0, "2029-12-31T22:00:00Z", id="far behind ours"),
        pytest.param("Tue, 01 Jan 2030 00:16:50 GMT", 0, "2030-01-01T00:16:50Z", id="ten seconds ahead of ours"),
        pytest.param("Tue, 01 Jan 2030 00:16:30 GMT", 0, "2030-01-01T00:16:30Z", id="ten seconds behind ours"),
        pytest.param("Tue, 01 Jan 2030 00:16:36 GMT", 0, RIGHT, id="as near as whole seconds tell"),
        pytest.param("Tue, 01 Jan 2030 00:16:10 GMT", 30, RIGHT, id="an answer that is half a minute old"),
        pytest.param("Tue, 01 Jan 2030 00:16:40 GMT", 30, "2030-01-01T00:17:10Z", id="an old answer that was ahead"),
        pytest.param("", 0, RIGHT, id="no date"),
        pytest.param("yesterday", 0, RIGHT, id="no date in a header"),
        pytest.param("Tue, 01 Jan 99999 00:00:00 GMT", 0, RIGHT, id="no such year"),
    ],
)
def test_the_clock_begins_with_that_of_the_api_server_if_ours_is_far_off(date: str, age: float, now: str) -> None:
    clock = HandClock()

    assert LedgerClock(clock, lambda: date, lambda: clock.monotonic() - age).now() == now


def test_the_clocks_of_two_processes_are_less_apart_than_the_last_look_allows() -> None:
    """One is as wrong as can be in one direction, and the other in the other."""
    moments = []
    for error in (-CLOCK_OFF, CLOCK_OFF):
        clock = HandClock()
        clock.jump(error)
        moments.append(moment_of(LedgerClock(clock, lambda: "Tue, 01 Jan 2030 00:16:40 GMT").now()) or 0.0)

    assert 0 < moments[1] - moments[0] < CLOCKS_APART
