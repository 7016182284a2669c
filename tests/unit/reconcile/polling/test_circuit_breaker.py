"""What fails again and again is asked with one call at a time."""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.reconcile.polling.limits.circuit_breaker import CircuitBreaker

DOWN = Transient(Reason.PHASE_UNAVAILABLE, "down")


def opened(failures: int = 3, now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker("host", threshold=3, first=1.0, longest=8.0)
    for number in range(failures):
        breaker.begin()
        breaker.fail(now, DOWN, number)
    return breaker


def test_a_breaker_opens_after_failures_in_a_row() -> None:
    assert opened(2).allowed_at(0.0) == 0.0
    assert opened(2).error is None
    assert 0.7 <= opened(3).allowed_at(0.0) <= 1.0
    assert opened(3).error is DOWN


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = opened(2)
    breaker.succeed()
    breaker.fail(0.0, DOWN, 3)

    assert breaker.allowed_at(0.0) == 0.0


def test_one_thing_that_fails_says_nothing_of_the_others() -> None:
    breaker = CircuitBreaker("host", threshold=3, first=1.0, longest=8.0)
    for _ in range(100):
        breaker.fail(0.0, DOWN, "the same")

    assert breaker.allowed_at(0.0) == 0.0


def test_an_open_breaker_lets_one_trial_go_in_time() -> None:
    breaker = opened()
    breaker.begin()

    assert breaker.allowed_at(5.0) == float("inf")


def test_a_good_trial_closes_it() -> None:
    breaker = opened()
    breaker.begin()
    breaker.succeed()

    assert breaker.allowed_at(5.0) == 5.0
    assert breaker.error is None


def test_a_failed_trial_doubles_the_pause_up_to_the_longest() -> None:
    breaker, pauses = opened(), []
    for _ in range(6):
        now = breaker.allowed_at(0.0)
        breaker.begin()
        breaker.fail(now, DOWN, 3)
        pauses.append(breaker.allowed_at(0.0) - now)

    assert 1.4 <= pauses[0] <= 2.0
    assert 2.8 <= pauses[1] <= 4.0
    assert all(5.6 <= pause <= 8.0 for pause in pauses[2:])


def test_calls_that_were_under_way_when_it_opened_do_not_lengthen_the_pause() -> None:
    breaker = opened()
    until = breaker.allowed_at(0.0)
    for number in range(20):
        breaker.fail(0.1, DOWN, number)

    assert breaker.allowed_at(0.0) == until


def test_an_end_that_says_nothing_lets_the_next_trial_go() -> None:
    breaker = opened()
    breaker.begin()
    breaker.release()

    assert breaker.allowed_at(5.0) == 5.0
    assert breaker.error is DOWN


def test_the_same_trouble_stays_the_same_object() -> None:
    breaker = opened()
    breaker.begin()
    breaker.fail(5.0, Transient(Reason.PHASE_UNAVAILABLE, "down"), 3)

    assert breaker.error is DOWN


def fail(breaker: CircuitBreaker, now: float, what: str, who: str, among: int = 2) -> None:
    breaker.begin(who)
    breaker.fail(now, DOWN, what, who=who, among=among)


def test_failures_of_one_do_not_open_it_for_several() -> None:
    breaker = CircuitBreaker("host", threshold=3, first=1.0, longest=8.0)
    for number in range(100):
        fail(breaker, 0.0, str(number), "mallory")
    assert breaker.error is None

    fail(breaker, 0.0, "x", "good")

    assert breaker.error is DOWN


def test_a_success_keeps_it_closed_until_that_account_fails_too_or_it_is_long_ago() -> None:
    breaker = CircuitBreaker("host", threshold=3, first=1.0, longest=8.0)
    breaker.succeed(0.0, "good", who="good")
    for number in range(10):
        fail(breaker, 89.0, str(number), f"mallory-{number % 2}")
    assert breaker.error is None

    fail(breaker, 91.0, "again", "mallory-0")

    assert breaker.error is DOWN


def test_trials_go_to_whoever_had_fewest_and_then_to_whoever_was_answered_last() -> None:
    breaker = CircuitBreaker("host", threshold=3, first=1.0, longest=8.0)
    for at, who in enumerate(["first", "last"]):
        breaker.succeed(float(at), who, who=who)
    for who in ("last", "first", "never"):
        fail(breaker, 5.0, who, who, among=3)
    waiting = ["never", "first", "last"]
    order = []
    for _ in range(4):
        order.append(min(waiting, key=breaker.preference))
        breaker.begin(order[-1])
        breaker.fail(9.0, DOWN, "x", who=order[-1], among=3)

    assert order == ["last", "first", "never", "last"]


def test_a_call_that_is_no_trial_neither_ends_one_nor_lengthens_the_pause() -> None:
    breaker = opened()
    until = breaker.allowed_at(0.0)
    breaker.begin()

    breaker.fail(until, DOWN, "beside", is_trial=False)
    breaker.release(is_trial=False)

    assert breaker.allowed_at(until) == float("inf")
