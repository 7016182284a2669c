"""No minute holds more calls than the quota, whenever the server counts them; few refusals teach a quota."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.reconcile.polling.limits.rate_limit import WINDOW, RateLimit


def spend(rate_limit: RateLimit, calls: int, now: float) -> None:
    for _ in range(calls):
        rate_limit.begin(now)
        rate_limit.end(now)


def test_without_a_limit_everything_may_go_at_once() -> None:
    rate_limit = RateLimit(None)
    spend(rate_limit, 1000, 5.0)

    assert rate_limit.allowed_at(5.0) == 5.0


def test_a_full_minute_waits_for_its_oldest_call() -> None:
    rate_limit = RateLimit(2)
    spend(rate_limit, 1, 5.0)
    spend(rate_limit, 1, 9.0)

    assert rate_limit.allowed_at(10.0) == 5.0 + WINDOW
    assert rate_limit.allowed_at(65.0) == 65.0


def test_calls_under_way_count_and_have_no_end_yet() -> None:
    rate_limit = RateLimit(1)
    rate_limit.begin(5.0)

    assert rate_limit.allowed_at(5.0) == float("inf")


def refused(rate_limit: RateLimit, now: float, after: float, *, beside: int = 0) -> RateLimit:
    """Refuse a call that began while `beside` others are under way."""
    for _ in range(beside + 1):
        rate_limit.begin(now)
    rate_limit.refuse(now, after)
    return rate_limit


def fits(rate_limit: RateLimit, now: float) -> int:
    """Return how many calls may begin and end now."""
    count = 0
    while rate_limit.allowed_at(now) <= now and count < 1000:
        spend(rate_limit, 1, now)
        count += 1
    return count


def used_up(calls: int = 90, limit: int | None = None) -> RateLimit:
    """Return a rate limit that is refused at 61 s, after so many calls of the last minute."""
    rate_limit = RateLimit(limit)
    spend(rate_limit, 1, 0.0)
    spend(rate_limit, calls, 60.5)
    return refused(rate_limit, 61.0, 60.0)


def test_a_refusal_closes_the_account_for_as_long_as_the_server_says() -> None:
    rate_limit = refused(RateLimit(None), 5.0, 17.0)

    assert rate_limit.allowed_at(6.0) == 22.0
    assert rate_limit.allowed_at(22.0) == 22.0


@pytest.mark.parametrize("rate_limit", [used_up(), used_up(3)], ids=["the rate is known", "the rate is not known"])
def test_after_a_refusal_one_call_at_a_time_is_made_until_one_passes(rate_limit: RateLimit) -> None:
    assert rate_limit.allowed_at(121.0) == 121.0
    rate_limit.begin(121.0)

    assert rate_limit.allowed_at(121.0) == float("inf")
    rate_limit.refuse(121.1, 10.0)
    assert rate_limit.allowed_at(131.1) == 131.1


def test_the_rate_that_fitted_is_the_limit_for_half_an_hour_and_then_more_is_tried() -> None:
    rate_limit = used_up(90)

    assert fits(rate_limit, 130.0) == 90
    assert fits(rate_limit, 1800.0) == 90
    assert 90 < fits(rate_limit, 1930.0) < 130
    assert fits(rate_limit, 10_000.0) == 1000


def test_a_refusal_after_few_calls_teaches_no_rate_and_lets_one_call_go_at_a_time() -> None:
    rate_limit = used_up(3)

    assert fits(rate_limit, 130.0) == 1000
    rate_limit.begin(131.0)
    assert rate_limit.allowed_at(131.0) == float("inf")
    rate_limit.end(131.0)
    rate_limit.begin(1000.0)
    assert rate_limit.allowed_at(1000.0) == 1000.0


def test_less_than_a_window_of_calls_teaches_no_rate() -> None:
    """Another one may have run before it."""
    rate_limit = RateLimit(None)
    spend(rate_limit, 50, 0.0)

    refused(rate_limit, 1.0, 10.0)

    assert fits(rate_limit, 11.0) == 1000


def test_another_refusal_lowers_what_was_learned() -> None:
    rate_limit = used_up(130)
    fits(rate_limit, 130.0)

    spend(rate_limit, 90, 195.0)
    refused(rate_limit, 196.0, 60.0)

    assert fits(rate_limit, 257.0) == 90


def test_the_calls_of_others_are_not_taken_for_the_limit_for_long() -> None:
    rate_limit = used_up(100)
    fits(rate_limit, 130.0)

    spend(rate_limit, 20, 195.0)
    refused(rate_limit, 196.0, 60.0)

    assert fits(rate_limit, 257.0) == 20
    assert 20 < fits(rate_limit, 320.0) < 40


def test_refusals_of_one_moment_teach_once_and_what_passes_beside_them_counts() -> None:
    rate_limit = RateLimit(None)
    spend(rate_limit, 1, 0.0)
    spend(rate_limit, 90, 60.5)
    refused(rate_limit, 61.0, 60.0, beside=7)
    for _ in range(4):
        rate_limit.refuse(61.0, 60.0)
    for _ in range(3):
        rate_limit.end(61.1)

    assert fits(rate_limit, 130.0) == 93


def test_a_limit_that_was_told_is_not_exceeded_and_what_fits_may_be_less() -> None:
    assert fits(used_up(30, limit=120), 130.0) == 30
    assert fits(used_up(30, limit=120), 10_000.0) == 120


def test_a_rate_limit_is_idle_when_a_fresh_one_would_say_the_same() -> None:
    rate_limit = RateLimit(5)
    assert rate_limit.is_idle(0.0)
    spend(rate_limit, 1, 1.0)

    assert not rate_limit.is_idle(2.0)
    assert rate_limit.is_idle(1.0 + WINDOW)


@given(
    limit=st.integers(1, 6),
    steps=st.lists(st.tuples(st.floats(0.0, 20.0), st.floats(0.0, 30.0), st.floats(0.0, 1.0)), max_size=60),
)
def test_no_minute_on_the_server_holds_more_than_the_limit(limit: int, steps: list[tuple[float, float, float]]) -> None:
    rate_limit, now = RateLimit(limit), 0.0
    under_way: list[tuple[float, float, float]] = []
    counted: list[float] = []
    for pause, duration, when in steps:
        now += pause
        for call in sorted(under_way, key=lambda each: each[0] + each[1]):
            if call[0] + call[1] <= now:
                rate_limit.end(call[0] + call[1])
                under_way.remove(call)
        if rate_limit.allowed_at(now) <= now:
            rate_limit.begin(now)
            under_way.append((now, duration, when))
            # The server counts it at some moment between its beginning and its end.
            counted.append(now + duration * when)

    counted.sort()
    for first, last in zip(counted, counted[limit:], strict=False):
        assert last - first >= WINDOW - 1e-6


@pytest.mark.parametrize("limit", [1, 3])
def test_a_call_at_the_time_that_was_named_is_allowed(limit: int) -> None:
    rate_limit, now = RateLimit(limit), 0.0
    for _ in range(10):
        now = rate_limit.allowed_at(now)
        spend(rate_limit, 1, now)

    assert now == WINDOW * ((10 - 1) // limit)


@dataclass
class Server:
    """Counts as Phase does: a sliding minute, calls by when they came, refused ones not counted, whole seconds."""

    limit: int
    counted: list[float] = field(default_factory=list)

    def ask(self, now: float) -> int | None:
        """Count a call; return the Retry-After of its refusal, or None."""
        self.counted = [at for at in self.counted if at > now - 60.0]
        if len(self.counted) < self.limit:
            self.counted.append(now)
            return None
        return max(1, int(self.counted[0] + 60.0 - now))


@dataclass
class Window:
    """A refusal: when it came, until when it lasts, and how many more calls were refused that began within."""

    told: float
    until: float
    more: int = 0


@dataclass
class Client:
    """Calls at a rate limit's pace, at most eight at once, each with its time on the way; `wants` a minute."""

    server: Server
    rate_limit: RateLimit
    wants: float
    latency: float
    # Several callers share the account, and none may leave the others nothing for long.
    is_shared: bool = False
    now: float = 0.0
    owed: float = 0.0
    passed: list[float] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    # (end, began, Retry-After)
    under_way: list[tuple[float, float, int | None]] = field(default_factory=list)

    def run(self, seconds: float, *, others: float = 0.0) -> None:
        """Let time pass in steps of a tenth of a second; others use the account `others` times a minute."""
        step, taken = 0.1, 0.0
        for _ in range(int(seconds / step)):
            self.now += step
            taken += others * step / 60.0
            while taken >= 1.0:
                taken -= 1.0
                self.server.ask(self.now)
            self.owed = min(self.owed + self.wants * step / 60.0, 500.0)
            for call in [each for each in self.under_way if each[0] <= self.now]:
                self.under_way.remove(call)
                self.end(*call)
            while self.owed >= 1.0 and len(self.under_way) < 8 and self.may_begin():
                self.owed -= 1.0
                self.rate_limit.begin(self.now)
                self.under_way.append((self.now + self.latency, self.now, self.server.ask(self.now)))

    def may_begin(self) -> bool:
        return self.rate_limit.allowed_at(self.now, spread="" if self.is_shared else None) <= self.now

    def end(self, ended: float, began: float, refused: int | None) -> None:
        if refused is None:
            self.passed.append(began)
            self.rate_limit.end(ended)
            return
        self.owed += 1.0
        # As reconcile/polling/accounts.py does: the server cuts its seconds.
        self.rate_limit.refuse(ended, refused + 1.0)
        for window in self.windows:
            if window.told < began < window.until:
                window.more += 1
        if not any(began <= window.told for window in self.windows):
            self.windows.append(Window(ended, ended + refused))


QUOTAS = [12, 20, 60, 120, 240]


@pytest.mark.parametrize("latency", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("limit", QUOTAS)
def test_a_quota_refuses_until_it_is_known_and_not_again(limit: int, latency: float) -> None:
    client = Client(Server(limit), RateLimit(None), wants=limit * 1.5, latency=latency)

    client.run(1740.0)

    # One by an account of which nothing is known, one that teaches, one that corrects: what it counts is a little more.
    assert len(client.windows) <= 3
    assert all(window.more == 0 for window in client.windows)
    # Nearly all that is allowed is used: what is on its way takes its place for a little longer than the server counts.
    lately = [at for at in client.passed if at > client.now - 600.0]
    assert len(lately) >= 10 * limit * 60.0 / (60.0 + latency + 2.0) * 0.9


@pytest.mark.parametrize("latency", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("limit", QUOTAS)
def test_callers_that_share_an_account_use_all_of_it_and_never_wait_long(limit: int, latency: float) -> None:
    client = Client(Server(limit), RateLimit(limit), wants=limit * 2.0, latency=latency, is_shared=True)

    client.run(900.0)

    assert client.windows == []
    lately = [at for at in client.passed if at > client.now - 600.0]
    assert len(lately) >= 10 * limit * WINDOW / (WINDOW + latency + 2.0) * 0.95
    # Whoever comes has the next turn. Without a spread he waits for most of a window.
    assert max(later - sooner for sooner, later in pairwise(client.passed)) <= WINDOW / (limit // 2) + latency + 0.2


def test_calls_that_hang_leave_half_of_the_quota_to_others_that_share_it() -> None:
    rate_limit = RateLimit(20)
    begun = 0
    while rate_limit.allowed_at(0.0, spread="") <= 0.0:
        rate_limit.begin(0.0)
        begun += 1

    assert begun == 10
    assert rate_limit.allowed_at(30.0, spread="") == float("inf")
    rate_limit.end(30.0)
    assert rate_limit.allowed_at(30.0, spread="") <= 36.0


@pytest.mark.parametrize("limit", QUOTAS)
def test_a_quota_that_is_told_never_refuses(limit: int) -> None:
    client = Client(Server(limit), RateLimit(limit), wants=limit * 2.0, latency=0.3)

    client.run(600.0)

    assert client.windows == []


@pytest.mark.parametrize("told", [None, 120], ids=["a quota to find out", "a quota that is told"])
@pytest.mark.parametrize("others", [10.0, 60.0, 110.0])
def test_of_a_quota_that_others_use_too_one_call_is_refused_in_a_window(others: float, told: int | None) -> None:
    client = Client(Server(120), RateLimit(told), wants=200.0, latency=0.3)

    client.run(1200.0, others=others)

    assert all(window.more <= 1 for window in client.windows)
    assert len(client.windows) <= 1200.0 / 60.0 * 1.5
    assert sum(at > client.now - 600.0 for at in client.passed) >= 10 * (120 - others) * 0.6


@pytest.mark.parametrize(("before", "after"), [(120, 20), (20, 120), (240, 60)])
def test_a_quota_that_changes_is_learned_anew(before: int, after: int) -> None:
    client = Client(Server(before), RateLimit(None), wants=300.0, latency=0.3)
    client.run(300.0)
    known = len(client.windows)

    client.server.limit = after
    client.run(5400.0)

    assert all(window.more <= 1 for window in client.windows)
    assert len(client.windows) <= known + 15
    lately = [at for at in client.passed if at > client.now - 600.0]
    assert len(lately) >= 10 * after * 0.8
