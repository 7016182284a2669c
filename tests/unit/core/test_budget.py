"""No minute holds more calls than the quota, whenever the server counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.budget import WINDOW, Budget


def spend(budget: Budget, calls: int, now: float) -> None:
    for _ in range(calls):
        budget.begin()
        budget.end(now)


def test_without_a_limit_everything_may_go_at_once() -> None:
    budget = Budget(None)
    spend(budget, 1000, 5.0)

    assert budget.allowed_at(5.0) == 5.0


def test_a_full_minute_waits_for_its_oldest_call() -> None:
    budget = Budget(2)
    spend(budget, 1, 5.0)
    spend(budget, 1, 9.0)

    assert budget.allowed_at(10.0) == 5.0 + WINDOW
    assert budget.allowed_at(65.0) == 65.0


def test_calls_under_way_count_and_have_no_end_yet() -> None:
    budget = Budget(1)
    budget.begin()

    assert budget.allowed_at(5.0) == float("inf")


def test_a_refusal_closes_the_account_for_as_long_as_the_server_says() -> None:
    budget = Budget(None)
    budget.begin()

    budget.refuse(5.0, 17.0)

    assert budget.allowed_at(6.0) == 22.0
    assert budget.allowed_at(22.0) == 22.0


def test_a_refusal_teaches_the_limit_for_an_hour() -> None:
    budget = Budget(None)
    spend(budget, 90, 5.0)
    budget.begin()
    budget.refuse(6.0, 1.0)
    spend(budget, 90, 100.0)

    assert budget.allowed_at(101.0) == 100.0 + WINDOW
    spend(budget, 90, 4000.0)
    assert budget.allowed_at(4000.0) == 4000.0


def test_a_refusal_after_few_calls_is_not_taken_for_the_limit() -> None:
    budget = Budget(None)
    budget.begin()
    budget.refuse(5.0, 1.0)
    spend(budget, 59, 10.0)

    assert budget.allowed_at(10.0) == 10.0


def test_another_refusal_lowers_what_was_learned() -> None:
    """Phase began to count in the middle of a minute: what fitted before was more than it allows."""
    budget = Budget(None)
    spend(budget, 130, 0.0)
    budget.begin()
    budget.refuse(1.0, 60.0)
    spend(budget, 90, 61.0)
    budget.begin()
    budget.refuse(62.0, 59.0)
    spend(budget, 90, 121.0)

    assert budget.allowed_at(122.0) == 121.0 + WINDOW


def test_refusals_of_one_moment_teach_once() -> None:
    budget = Budget(None)
    spend(budget, 90, 0.0)
    for _ in range(8):
        budget.begin()
    for _ in range(8):
        budget.refuse(1.0, 60.0)
    spend(budget, 89, 61.0)

    assert budget.allowed_at(62.0) == 62.0


def test_a_refusal_does_not_move_a_limit_that_was_told() -> None:
    budget = Budget(120)
    budget.begin()
    budget.refuse(5.0, 1.0)
    spend(budget, 119, 10.0)

    assert budget.allowed_at(10.0) == 10.0


def test_it_is_idle_when_a_fresh_one_would_say_the_same() -> None:
    budget = Budget(5)
    assert budget.is_idle(0.0)
    spend(budget, 1, 1.0)

    assert not budget.is_idle(2.0)
    assert budget.is_idle(1.0 + WINDOW)


@given(
    limit=st.integers(1, 6),
    steps=st.lists(st.tuples(st.floats(0.0, 20.0), st.floats(0.0, 30.0), st.floats(0.0, 1.0)), max_size=60),
)
def test_no_minute_on_the_server_holds_more_than_the_limit(limit: int, steps: list[tuple[float, float, float]]) -> None:
    budget, now = Budget(limit), 0.0
    under_way: list[tuple[float, float, float]] = []
    counted: list[float] = []
    for pause, duration, when in steps:
        now += pause
        for call in sorted(under_way, key=lambda each: each[0] + each[1]):
            if call[0] + call[1] <= now:
                budget.end(call[0] + call[1])
                under_way.remove(call)
        if budget.allowed_at(now) <= now:
            budget.begin()
            under_way.append((now, duration, when))
            # The server counts it at some moment between its beginning and its end.
            counted.append(now + duration * when)

    counted.sort()
    for first, last in zip(counted, counted[limit:], strict=False):
        assert last - first >= WINDOW - 1e-6


@pytest.mark.parametrize("limit", [1, 3])
def test_whoever_waits_until_told_may_go(limit: int) -> None:
    budget, now = Budget(limit), 0.0
    for _ in range(10):
        now = budget.allowed_at(now)
        spend(budget, 1, now)

    assert now == WINDOW * ((10 - 1) // limit)
