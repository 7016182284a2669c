import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.flow.backoff import next_look, reopen_watch, retry_resource, retry_source, spread
from phase_operator.core.flow.pace import RepeatBackoff, RepeatLimit, TokenBuckets

PASSING = Transient(Reason.PHASE_UNAVAILABLE, "down")
WAITING = Waiting(Reason.ACCESS_DENIED, "no")
NAMES = [f"source-{number}" for number in range(200)]


def test_the_spread_is_a_property_of_the_name() -> None:
    assert spread("a") == spread("a")
    assert spread("a") != spread("b")
    assert all(0 <= spread(name) < 1 for name in NAMES)


def test_after_a_common_start_sources_look_at_times_of_their_own() -> None:
    first = [next_look(60, name, 1000.0) for name in NAMES]

    assert len(set(first)) > len(NAMES) / 3
    assert 1030 <= min(first) < 1032
    assert 1058 < max(first) <= 1060


@given(st.floats(0, 1e7), st.floats(5, 1e5), st.text(max_size=5), st.lists(st.floats(0, 0.4), max_size=5))
def test_a_look_is_never_later_than_the_interval_nor_sooner_than_half_of_it(
    now: float, interval: float, name: str, delays: list[float]
) -> None:
    for late in [0.0, *delays]:
        now += late * interval
        due = next_look(interval, name, now)

        assert now + interval * 0.499 <= due <= now + interval * 1.001
        now = due


@given(st.floats(0, 1e7), st.floats(5, 1e5), st.text(max_size=5))
def test_a_source_is_on_its_beat_after_two_looks_and_stays_there(now: float, interval: float, name: str) -> None:
    for _ in range(2):
        now = next_look(interval, name, now)

    for look in range(1, 50):
        now = next_look(interval, name, now + interval * 0.0003 * (look % 3))

    assert (now - interval * spread(name)) % interval == pytest.approx(0, abs=interval * 0.01) or (
        now - interval * spread(name)
    ) % interval == pytest.approx(interval, abs=interval * 0.01)


def test_a_passing_failure_is_retried_at_growing_distances_up_to_a_minute() -> None:
    delays = [retry_source(PASSING, failures, 60, "a") for failures in range(1, 12)]

    assert 0.7 <= delays[0] <= 1
    assert 1.4 <= delays[1] <= 2
    assert 42 <= delays[-1] <= 60
    assert max(delays) <= 60


def test_many_failures_do_not_overflow() -> None:
    assert retry_source(PASSING, 10**6, 60, "a") <= 60
    assert retry_resource(transient=True, failures=10**6, identity="a") <= 45


@pytest.mark.parametrize("after", [0.0, 3.0, 600.0])
def test_the_pause_that_the_server_asked_for_is_a_lower_bound(after: float) -> None:
    delay = retry_source(Transient(Reason.RATE_LIMITED, "slow", after=after), 1, 60, "a")

    assert after <= delay < after + 1


@pytest.mark.parametrize(
    ("interval", "least", "most"),
    [
        pytest.param(5, 13.5, 15, id="not below 15 seconds"),
        pytest.param(30, 27, 30, id="the interval in between"),
        pytest.param(3600, 40.5, 45, id="not above 45 seconds"),
    ],
)
def test_an_error_that_waits_for_a_person_is_tried_again_within_a_minute(
    interval: float, least: float, most: float
) -> None:
    delays = [retry_source(WAITING, failures, interval, name) for failures in (1, 50) for name in NAMES]

    assert least <= min(delays)
    assert max(delays) <= most


def test_a_resource_that_cannot_help_itself_is_retried_slowly() -> None:
    delays = [retry_resource(transient=False, failures=failures, identity="a") for failures in (1, 2, 50)]

    assert all(31.5 <= delay <= 45 for delay in delays)


def test_a_resource_that_failed_in_passing_is_retried_at_growing_distances() -> None:
    delays = [retry_resource(transient=True, failures=failures, identity="a") for failures in range(1, 10)]

    assert 0.7 <= delays[0] <= 1
    assert 31.5 <= delays[-1] <= 45


def test_a_burst_goes_at_once_and_the_rest_at_its_pace() -> None:
    paces = TokenBuckets[str](burst=3, per_second=2)

    assert [paces.take("a", 0.0) for _ in range(6)] == [0, 0, 0, 0.5, 1.0, 1.5]
    assert paces.take("a", 1.5) == 0.5
    assert paces.take("b", 1.5) == 0
    assert [paces.take("a", 100.0) for _ in range(4)] == [0, 0, 0, 0.5]


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 20)), max_size=40))
def test_a_bucket_gives_a_burst_and_then_so_much_a_second(pieces: list[tuple[float, float]]) -> None:
    paces, now, taken = TokenBuckets[str](burst=2, per_second=0.25), 0.0, 0.0
    for amount, pause in pieces:
        now += paces.wait("a", now) + pause
        # What may be taken by now; what is taken last may be as much as it is.
        assert taken <= 2 + 0.25 * now + 1e-6
        paces.take("a", now, amount)
        taken += amount


def test_a_full_token_bucket_is_forgotten() -> None:
    paces = TokenBuckets[str](burst=2, per_second=0.25)
    for number in range(1_000):
        paces.take(f"team-{number}", number, 0.001)

    assert len(paces) <= 2


def test_after_a_burst_repetitions_share_one_reaction_in_each_pause() -> None:
    limit: RepeatLimit[str] = RepeatLimit(burst=2, pause=5.0)

    assert [limit.wait("a", float(second)) for second in range(8)] == [0, 0, 3, 2, 1, 5, 4, 3]
    assert limit.wait("b", 8.0) == 0
    assert [limit.wait("a", 100.0) for _ in range(3)] == [0, 0, 5]


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60), st.integers(1, 6))
def test_reactions_come_within_a_pause_and_no_more_often_than_promised(pauses: list[float], burst: int) -> None:
    limit, now, reactions = RepeatLimit[str](burst, 5.0), 0.0, set()
    for pause in pauses:
        now += pause
        wait = limit.wait("a", now)
        assert 0 <= wait <= 5.0 + 1e-6
        reactions.add(now + wait)

    for began in reactions:
        assert sum(began <= each < began + 20.0 - 1e-6 for each in reactions) <= burst + 4


def test_quiet_things_take_no_memory() -> None:
    limit: RepeatLimit[int] = RepeatLimit(burst=5, pause=5.0)
    for thing in range(5000):
        limit.wait(thing, thing / 10)

    assert sum(thing in limit for thing in range(5000)) <= 51


def test_repeated_writes_are_delayed_more_and_more_until_there_is_quiet() -> None:
    backoff: RepeatBackoff[str] = RepeatBackoff()

    assert [backoff.pause("a", float(second)) for second in range(12)] == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.pause("b", 12.0) == 0
    assert backoff.pause("a", 100.0) == 0


def test_a_fight_is_told_once_and_again_after_it_was_quiet() -> None:
    backoff: RepeatBackoff[str] = RepeatBackoff()
    told = []
    for second in range(10):
        backoff.pause("a", float(second))
        told.append(backoff.is_to_tell("a", float(second)))

    assert told == [False] * 5 + [True] + [False] * 4
    for second in range(100, 106):
        backoff.pause("a", float(second))
    assert backoff.is_to_tell("a", 106.0)


def test_things_without_edits_for_a_while_are_forgotten() -> None:
    backoff: RepeatBackoff[int] = RepeatBackoff()
    for thing in range(5000):
        backoff.pause(thing, thing / 10)

    assert len(backoff._seen) <= 601


@given(st.integers(1, 10**6), st.text(max_size=5))
def test_a_watch_is_opened_again_within_two_seconds(failures: int, name: str) -> None:
    assert 0.15 < reopen_watch(failures=failures, identity=name) <= 2.0


def test_watches_that_broke_together_are_not_opened_together() -> None:
    pauses = {reopen_watch(failures=9, identity=name) for name in NAMES}

    assert len(pauses) == len(NAMES)
    assert max(pauses) - min(pauses) > 0.5


def test_a_watch_waits_as_long_as_the_api_server_asked_for_within_reason() -> None:
    assert reopen_watch(failures=1, identity="a", asked=7.0) == 7.0
    assert reopen_watch(failures=1, identity="a", asked=0.0) < 1.0
    assert reopen_watch(failures=1, identity="a", asked=86400.0) == 60.0
