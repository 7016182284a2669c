import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phase_operator.reconcile.queue.schedule import Priority, Schedule
from phase_operator.reconcile.queue.work_queue import QueueClosedError, Waiter, WorkQueue
from support.clock import HandClock, settle
from support.examples import examples

NEW, CHANGED, PERIODIC = Priority.NEW, Priority.CHANGED, Priority.PERIODIC


def schedule(*planned: tuple[str, float, Priority]) -> Schedule[str]:
    found: Schedule[str] = Schedule()
    for key, due, priority in planned:
        found.add(key, due, priority)
    return found


def drained(found: Schedule[str], now: float) -> list[str]:
    """Take what is due, and end every run at once."""
    keys = []
    while (key := found.take(now)) is not None:
        found.done(key)
        keys.append(key)
    return keys


# The schedule, with the clock as an argument.


def test_nothing_planned_is_nothing_to_take() -> None:
    empty = schedule()

    assert (empty.take(100), empty.next_due(), empty.overdue(100), len(empty)) == (None, None, 0, 0)


def test_a_key_is_taken_when_it_is_due_and_not_before() -> None:
    found = schedule(("a", 5, CHANGED))

    assert (found.take(4.9), found.next_due()) == (None, 5)
    assert (found.take(5), found.next_due()) == ("a", None)


@pytest.mark.parametrize(
    ("planned", "order"),
    [
        pytest.param([("a", 2, CHANGED), ("b", 1, CHANGED)], ["b", "a"], id="the one that waits longer"),
        pytest.param([("b", 1, CHANGED), ("a", 1, CHANGED)], ["b", "a"], id="the one that came first"),
        pytest.param([("a", 1, PERIODIC), ("b", 2, CHANGED), ("c", 3, NEW)], ["c", "b", "a"], id="the more urgent"),
        pytest.param([("a", 9, NEW), ("b", 1, PERIODIC)], ["b"], id="urgent is not due"),
        pytest.param([("a", 1, CHANGED), ("a", 1, CHANGED)], ["a"], id="the same twice is once"),
        pytest.param([("a", 9, CHANGED), ("a", 1, CHANGED)], ["a"], id="a key moves forward"),
        pytest.param([("a", 1, CHANGED), ("a", 9, CHANGED)], ["a"], id="a key never moves back"),
        pytest.param([("a", 1, PERIODIC), ("b", 1, CHANGED), ("a", 9, NEW)], ["a", "b"], id="priority moves forward"),
        pytest.param([("a", 1, NEW), ("b", 1, CHANGED), ("a", 1, PERIODIC)], ["a", "b"], id="nor does priority"),
    ],
)
def test_keys_are_taken_by_priority_then_by_time_due(
    planned: list[tuple[str, float, Priority]], order: list[str]
) -> None:
    assert drained(schedule(*planned), 5) == order


def test_a_key_that_became_more_urgent_after_it_was_due_goes_first() -> None:
    found = schedule(("z", 1, NEW), ("a", 1, PERIODIC), ("b", 1, CHANGED))
    assert found.take(5) == "z"

    found.add("a", 4, NEW)

    assert drained(found, 5) == ["a", "b"]


def test_a_key_does_not_run_twice_at_once_and_runs_once_more_however_often_it_was_added() -> None:
    found = schedule(("a", 1, CHANGED))
    found.take(5)

    for due in (5, 3, 4):
        found.add("a", due, CHANGED)

    assert (found.take(5), len(found)) == (None, 0)
    found.done("a")
    assert (len(found), drained(found, 5)) == (1, ["a"])


def test_a_key_that_is_added_during_its_run_keeps_its_soonest_time_and_most_urgent_priority() -> None:
    found = schedule(("a", 1, CHANGED))
    found.take(5)
    for due, priority in ((9, NEW), (7, PERIODIC)):
        found.add("a", due, priority)

    found.done("a")
    found.add("b", 7, CHANGED)

    assert (found.take(6.9), found.next_due()) == (None, 7)
    assert drained(found, 7) == ["a", "b"]


def test_a_key_that_is_not_added_during_its_run_does_not_run_again() -> None:
    assert drained(schedule(("a", 1, CHANGED)), 5) == ["a"]


@pytest.mark.parametrize("running", [False, True], ids=["planned", "running"])
def test_a_key_that_is_forgotten_does_not_run_again(running: bool) -> None:
    found = schedule(("a", 1, CHANGED))
    if running:
        found.take(1)
        found.add("a", 1, CHANGED)

    found.forget("a")

    if running:
        found.done("a")
    assert (found.take(5), found.next_due(), len(found)) == (None, None, 0)


def test_a_key_that_is_forgotten_may_be_planned_anew() -> None:
    found = schedule(("a", 1, NEW))
    found.forget("a")

    found.add("a", 3, CHANGED)

    assert (found.take(2), found.next_due()) == (None, 3)
    assert drained(found, 3) == ["a"]


def test_forgetting_an_unknown_key_changes_nothing() -> None:
    found = schedule(("b", 1, CHANGED))

    found.forget("a")

    assert drained(found, 3) == ["b"]


def test_a_key_that_is_added_says_whether_it_is_due_sooner_than_before() -> None:
    found = schedule(("running", 1, CHANGED), ("a", 5, PERIODIC))
    found.take(1)

    assert found.add("new", 9, CHANGED)
    assert found.add("a", 4, PERIODIC)
    assert not found.add("a", 4, NEW)
    assert not found.add("a", 7, NEW)
    # It is planned when its run has ended.
    assert not found.add("running", 1, NEW)
    assert found.done("running")


@pytest.mark.parametrize(("now", "overdue"), [(0.0, 0.0), (3.0, 0.0), (10.0, 7.0)])
def test_the_oldest_due_key_says_how_long_it_waits(now: float, overdue: float) -> None:
    assert schedule(("a", 3, CHANGED), ("b", 5, NEW)).overdue(now) == overdue


KEYS = st.sampled_from("abcd")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, st.integers(0, 9), st.sampled_from(list(Priority))),
        st.tuples(st.just("take"), KEYS, st.integers(0, 2), st.just(NEW)),
        st.tuples(st.just("done"), KEYS, st.just(0), st.just(NEW)),
        st.tuples(st.just("forget"), KEYS, st.just(0), st.just(NEW)),
    ),
    max_size=40,
)


# The eighth look takes what has waited longest, and not what is most urgent.
@given(STEPS)
@example(
    [("take", "a", 0, NEW)] * 7
    + [("add", "a", 2, NEW), ("add", "b", 1, CHANGED), ("take", "a", 2, NEW), ("take", "a", 0, NEW)]
)
def test_a_schedule_does_what_two_dictionaries_would_do(steps: list[tuple[str, str, int, Priority]]) -> None:
    found = schedule()
    due: dict[str, tuple[float, Priority]] = {}
    running: dict[str, tuple[float, Priority] | None] = {}
    now, looks = 0.0, 0
    for step, key, seconds, priority in steps:
        match step:
            case "add":
                found.add(key, now + seconds, priority)
                book = running if key in running else due
                before = book.get(key) or (now + seconds, priority)
                book[key] = (min(before[0], now + seconds), min(before[1], priority))
            case "take":
                now += seconds
                looks += 1
                ready = {each: plan for each, plan in due.items() if plan[0] <= now}
                taken = found.take(now)
                if not ready:
                    assert taken is None
                    assert found.next_due() == min((each for each, _ in due.values()), default=None)
                    continue
                assert taken is not None
                if looks % 8 == 0:
                    assert ready[taken][0] == min(at for at, _ in ready.values())
                else:
                    assert (ready[taken][1], ready[taken][0]) == min((urgency, at) for at, urgency in ready.values())
                del due[taken]
                running[taken] = None
            case "done" if key in running:
                found.done(key)
                again = running.pop(key)
                if again is not None:
                    due[key] = again
            case "forget":
                found.forget(key)
                due.pop(key, None)
                if key in running:
                    running[key] = None
        assert len(found) == len(due)


# The queue, which waits.


@pytest.fixture
async def clock() -> AsyncIterator[HandClock]:
    clock = HandClock()
    with clock.driving():
        yield clock


async def taking(queue: WorkQueue[str]) -> asyncio.Task[str]:
    """Begin to wait for a key."""
    task = asyncio.create_task(queue.take())
    await settle(5)
    return task


async def test_a_waiting_worker_gets_a_key_that_is_added(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    task = await taking(queue)
    assert not task.done()

    queue.add("a")

    assert await task == "a"


async def test_a_waiting_worker_gets_a_key_when_its_delay_is_over(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("a", delay=10)
    task = await taking(queue)

    clock.turn(9.9)
    await settle(5)
    assert not task.done()
    clock.turn(0.1)

    assert await task == "a"


async def test_a_worker_that_waits_for_a_late_key_gets_an_earlier_one(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("late", delay=10)
    task = await taking(queue)

    queue.add("early", delay=1)
    await settle(5)
    clock.turn(1)

    assert await task == "early"


async def test_two_waiting_workers_get_one_key_once(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    tasks = [await taking(queue), await taking(queue)]

    queue.add("a")
    queue.add("a")
    await settle(5)

    assert sorted(task.done() for task in tasks) == [False, True]
    queue.close()
    with pytest.raises(QueueClosedError):
        await asyncio.gather(*tasks)


async def test_a_key_that_was_added_while_it_ran_is_given_when_the_run_has_ended(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("a")
    await queue.take()
    queue.add("a")
    task = await taking(queue)
    assert not task.done()

    queue.done("a")

    assert await task == "a"


async def test_a_closed_queue_gives_nothing_even_if_something_is_due(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    waiting = await taking(queue)

    queue.close()
    queue.add("a")

    with pytest.raises(QueueClosedError):
        await waiting
    with pytest.raises(QueueClosedError):
        await queue.take()


async def test_a_forgotten_key_is_not_given(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("a", delay=1)
    queue.add("b", delay=2)
    task = await taking(queue)

    queue.forget("a")
    clock.turn(2)

    assert await task == "b"


async def test_a_schedule_counts_its_keys_and_how_late_they_are(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("a")
    queue.add("b", delay=60)

    clock.turn(5)

    assert (queue.depth(), queue.oldest()) == (2, 5)


def test_a_due_key_is_served_however_many_more_urgent_ones_keep_coming() -> None:
    found = schedule(*((f"retry-{number}", 0, PERIODIC) for number in range(5)))
    served: dict[str, int] = {}

    for turn in range(1, 200):
        # More comes than can be done.
        for number in range(2):
            found.add(f"edit-{turn}-{number}", turn, CHANGED)
        key = found.take(turn)
        assert key is not None
        found.done(key)
        served[key] = turn

    assert {key: turn for key, turn in served.items() if key.startswith("retry")} == {
        f"retry-{number}": 8 * (number + 1) for number in range(5)
    }


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(list(Priority))), min_size=1, max_size=60),
    st.integers(1, 3),
)
def test_no_key_waits_for_more_than_eight_times_as_many_turns_as_were_before_it(
    planned: list[tuple[int, Priority]], urgent: int
) -> None:
    found: Schedule[str] = Schedule()
    for number, (due, priority) in enumerate(planned):
        found.add(f"k{number}", due, priority)
    left = {f"k{number}" for number in range(len(planned))}

    for turn in range(1, 8 * len(planned) + 9):
        for number in range(urgent):
            found.add(f"new-{turn}-{number}", 31 + turn, NEW)
        key = found.take(40 + turn)
        assert key is not None
        found.done(key)
        left.discard(key)

    assert left == set()


def owner_of(key: str) -> str:
    return key.partition("/")[0]


def turns_until(found: Schedule[str], wanted: str) -> int:
    """Take keys until one is taken; return how many turns that took."""
    for turn in range(1, 10_000):
        key = found.take(100)
        assert key is not None
        found.done(key)
        if key == wanted:
            return turn
    raise AssertionError(wanted)


@pytest.mark.parametrize("theirs", [NEW, CHANGED, PERIODIC])
@pytest.mark.parametrize("mine", [NEW, CHANGED])
def test_an_owner_of_two_thousand_keys_delays_nobody_else(theirs: Priority, mine: Priority) -> None:
    found: Schedule[str] = Schedule(owner_of)
    for number in range(2000):
        found.add(f"mallory/{number}", 1, theirs)
    for _ in range(100):
        key = found.take(50)
        assert key is not None
        found.done(key)

    found.add("good/x", 60, mine)

    assert turns_until(found, "good/x") <= 3


def test_a_new_key_does_not_wait_until_hundreds_of_owners_have_had_their_turn() -> None:
    found: Schedule[str] = Schedule(owner_of)
    for number in range(5000):
        found.add(f"owner-{number % 500}/{number}", 0, CHANGED)
    for _ in range(250):
        key = found.take(0)
        assert key is not None
        found.done(key)

    # Of these owners, one has had its turn in this round, and the other has not.
    for owner in ("owner-0", "owner-499"):
        found.add(f"{owner}/new", 0, NEW)
        assert turns_until(found, f"{owner}/new") <= 2


def test_keys_that_come_and_go_all_the_time_delay_nobody_else() -> None:
    found: Schedule[str] = Schedule(owner_of)
    found.add("good/x", 1, CHANGED)
    found.add("good/y", 1, CHANGED)
    served = []

    for turn in range(8):
        found.add(f"mallory/{turn}", 1 + turn / 10, NEW)
        key = found.take(10)
        assert key is not None
        found.done(key)
        served.append(key)

    assert {"good/x", "good/y"} <= set(served[:5])


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([NEW, CHANGED])), min_size=1, max_size=80))
def test_between_two_turns_of_an_owner_every_other_has_at_most_one_besides_the_oldest(
    planned: list[tuple[str, Priority]],
) -> None:
    found: Schedule[str] = Schedule(owner_of)
    for number, (owner, priority) in enumerate(planned):
        found.add(f"{owner}/{number}", 0, priority)

    order = [owner_of(key) for key in drained(found, 1)]

    for owner in set(order):
        for other in set(order) - {owner}:
            # As long as both have keys, neither is more than a turn ahead, but for the turns of the oldest.
            both = order[: 1 + min(_last(order, owner), _last(order, other))]
            assert abs(both.count(owner) - both.count(other)) <= 1 + len(both) // 8 + 1


def _last(order: list[str], owner: str) -> int:
    return max(place for place, each in enumerate(order) if each == owner)


# The loop in which workers wait.


def nothing(_: float) -> tuple[str | None, float | None]:
    return None, None


async def test_a_worker_that_waits_finds_what_came_meanwhile() -> None:
    waiter, found = Waiter(HandClock()), list[str]()
    task = asyncio.create_task(waiter.take(lambda _: (found.pop() if found else None, None)))
    await settle()
    assert not task.done()

    found.append("work")
    await settle()
    assert not task.done()
    waiter.changed()
    await settle()

    assert task.result() == "work"


async def test_a_change_wakes_one_of_the_workers_that_wait() -> None:
    waiter, looks = Waiter(HandClock()), list[float]()

    def look(now: float) -> tuple[str | None, float | None]:
        looks.append(now)
        return None, None

    tasks = [asyncio.create_task(waiter.take(look)) for _ in range(5)]
    await settle()
    looks.clear()

    waiter.changed()
    await settle()

    assert len(looks) == 1
    waiter.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_woken_worker_that_is_cancelled_leaves_the_work_to_the_next() -> None:
    waiter, found = Waiter(HandClock()), list[str]()
    first, second = (
        asyncio.create_task(waiter.take(lambda _: (found.pop() if found else None, None))) for _ in range(2)
    )
    await settle()

    found.append("work")
    waiter.changed()
    first.cancel()
    await settle()

    assert (first.cancelled(), second.result()) == (True, "work")


# Shorter than every delay, so that nothing else becomes due in it.
_MOMENT = 0.001
_ADD = st.tuples(st.just("add"), st.sampled_from("abcdef"), st.integers(0, 5))
_TURN = st.tuples(st.just("turn"), st.just(""), st.integers(1, 3))
WORKER_STEPS = st.lists(
    st.one_of(
        _ADD,
        _TURN,
        st.tuples(st.just("end"), st.sampled_from("abcdef"), st.just(0)),
        st.tuples(st.just("forget"), st.sampled_from("abcdef"), st.just(0)),
        st.tuples(st.just("leave"), st.just(""), st.integers(0, 3)),
        _ADD,
        _TURN,
    ),
    max_size=30,
)


@given(WORKER_STEPS, st.integers(1, 4), st.booleans())
@example([("add", "a", 2), ("add", "b", 2), ("turn", "", 2)], 2, False)
@example([("add", "a", 2), ("add", "b", 4), ("turn", "", 2), ("turn", "", 2)], 2, False)
@example([("add", "a", 4), ("add", "b", 2), ("turn", "", 2)], 2, False)
@example([("add", "a", 0), ("add", "a", 0), ("add", "b", 0), ("end", "a", 0)], 1, False)
@example(
    [("turn", "", 2), ("add", "a", 3), ("turn", "", 1), ("add", "b", 1), ("leave", "", 0), ("turn", "", 2)], 2, True
)
@settings(max_examples=4 * settings().max_examples)
def test_no_key_is_due_while_a_worker_waits(steps: list[tuple[str, str, int]], workers: int, are_shared: bool) -> None:
    async def work(queue: WorkQueue[str], running: dict[str, asyncio.Event]) -> None:
        while True:
            key = await queue.take()
            running[key] = asyncio.Event()
            try:
                await running[key].wait()
            finally:
                del running[key]
                queue.done(key)

    async def check() -> None:
        clock, running = HandClock(), dict[str, asyncio.Event]()
        with clock.driving():
            # Of the owners of keys, one has three and the others one each.
            places = workers if are_shared else None
            queue: WorkQueue[str] = WorkQueue(clock, lambda key: max(key, "d"), places)
            tasks = [asyncio.create_task(work(queue, running)) for _ in range(workers)]
            for step, key, number in steps:
                match step:
                    case "add":
                        queue.add(key, delay=number)
                    case "end" if key in running:
                        running[key].set()
                    case "forget":
                        queue.forget(key)
                    case "turn":
                        clock.turn(number)
                    case "leave" if sum(not (each.done() or each.cancelling()) for each in tasks) > 1:
                        # Whatever it does at that moment; nobody comes instead, and the others go on.
                        tasks[number % workers].cancel()
                # Not after every step: a worker may be woken more than once before it looks.
                if number != 1:
                    await settle(15)
                    clock.turn(_MOMENT)
                    assert len(running) == workers or queue.neglected() < _MOMENT / 2
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(check())


class TimedWork:
    """Work that is due at its times; counts how often somebody looks for some."""

    def __init__(self, clock: HandClock, *delays: float) -> None:
        self._clock = clock
        self.due = sorted(clock.monotonic() + each for each in delays)
        self.begun: list[tuple[float, float]] = []
        self.looks = 0

    def becomes_due(self) -> float:
        """Add a piece that is due now, and return the time."""
        self.due.append(self._clock.monotonic())
        return self.due[-1]

    def look(self, now: float) -> tuple[float | None, float | None]:
        """Take what is due."""
        self.looks += 1
        found = self.due.pop(0) if self.due and self.due[0] <= now else None
        return found, min(self.due, default=None)

    async def run(self, waiter: Waiter) -> None:
        """Do each piece of work in no time, and come back."""
        while True:
            due = await waiter.take(self.look)
            self.begun.append((due, self._clock.monotonic()))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 8))
@settings(max_examples=examples(50))
def test_each_piece_of_work_begins_on_time_and_wakes_one_worker(delays: list[int], workers: int) -> None:
    async def check() -> None:
        clock = HandClock()
        with clock.driving():
            work, waiter = TimedWork(clock, *delays), Waiter(clock)
            tasks = [asyncio.create_task(work.run(waiter)) for _ in range(workers)]
            await settle()
            assert work.looks == workers
            for _ in range(max(delays)):
                clock.turn(1)
                await settle()
            assert len(work.begun) == len(delays)
            assert all(due == at for due, at in work.begun)
            # One look finds it, and one comes when it is done.
            assert work.looks <= workers + 2 * len(delays)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(check())


async def test_time_is_minded_while_the_worker_that_it_has_woken_works(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    first, second = await taking(queue), await taking(queue)
    queue.add("a", delay=1)
    queue.add("b", delay=2)

    clock.turn(1)
    await settle()
    assert (first.done(), second.done()) == (True, False)
    clock.turn(1)
    await settle()

    assert (first.result(), second.result()) == ("a", "b")


async def test_time_is_minded_after_the_last_worker_that_was_told_of_it_has_gone(clock: HandClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("a", delay=5)
    first, second = await taking(queue), await taking(queue)

    first.cancel()
    await settle()
    clock.turn(5)
    await settle()

    assert second.result() == "a"


@asynccontextmanager
async def waiting(workers: int) -> AsyncIterator[tuple[TimedWork, Waiter, list[asyncio.Task[float]]]]:
    """Let so many workers wait for work; their looks until then are not counted."""
    clock = HandClock()
    waiter, work = Waiter(clock), TimedWork(clock)
    tasks = [asyncio.create_task(waiter.take(work.look)) for _ in range(workers)]
    await settle()
    work.looks = 0
    yield work, waiter, tasks
    waiter.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_all_who_are_woken_by_as_many_keys_find_one_each_and_wake_nobody_else() -> None:
    async with waiting(10) as (work, waiter, tasks):
        for _ in range(3):
            now = work.becomes_due()
            waiter.expect(now, now)
        await settle()

        assert (work.looks, sum(task.done() for task in tasks)) == (3, 3)


async def test_a_worker_that_comes_back_from_its_run_wakes_nobody_for_the_one_key_that_it_finds() -> None:
    async with waiting(3) as (work, waiter, _):
        now = work.becomes_due()

        waiter.freed()
        assert await waiter.take(work.look) == now
        await settle()

        assert work.looks == 1


async def test_one_of_those_who_wait_looks_if_nobody_comes_back_from_a_run() -> None:
    async with waiting(3) as (work, waiter, _):
        work.becomes_due()

        waiter.freed()
        await settle()

        assert (work.looks, work.due) == (1, [])


async def test_a_timer_of_a_machine_that_was_suspended_does_not_hold_up_what_comes_later(clock: HandClock) -> None:
    boot, stood = HandClock(), 3600.0
    queue: WorkQueue[str] = WorkQueue(boot)
    task = await taking(queue)
    queue.add("before", delay=60)
    # The loop's clock stands still meanwhile.
    boot.turn(stood)

    queue.add("after", delay=5)
    for each in (boot, clock):
        each.turn(5)
    await settle()

    assert task.result() == "before"


async def test_a_worker_that_finds_work_at_once_does_not_wait() -> None:
    waiter = Waiter(HandClock())

    assert await waiter.take(lambda now: (f"at {now:.0f}", None))
    assert waiter.neglected(500.0, is_busy=True) == 0.0


async def test_every_worker_that_waits_hears_of_the_end() -> None:
    waiter = Waiter(HandClock())
    tasks = [asyncio.create_task(waiter.take(nothing)) for _ in range(3)]
    await settle()

    waiter.close()
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(each) for each in ended] == [QueueClosedError] * 3


# Shares of the places.


def shared(places: int, *planned: str) -> Schedule[str]:
    """Plan keys of owners that are named by their first letter."""
    found: Schedule[str] = Schedule(lambda key: key[0], places)
    for key in planned:
        found.add(key, 0, CHANGED)
    return found


def begun(found: Schedule[str]) -> list[str]:
    """Begin every run that may begin."""
    keys = []
    while (key := found.take(0)) is not None:
        keys.append(key)
    return keys


def test_a_look_tells_of_more_that_may_begin_and_not_of_what_waits_for_a_place() -> None:
    found = shared(4, "m0", "m1", "m2")

    assert [found.look(0) for _ in range(3)] == [("m0", 0), ("m1", None), (None, None)]
    assert found.add("a0", 0, CHANGED)
    found.add("a1", 7, CHANGED)
    assert found.look(0) == ("a0", 7)


def test_the_end_of_a_run_tells_whether_another_may_begin() -> None:
    found = shared(4, "m0", "m1", "m2", "a0")
    assert sorted(begun(found)) == ["a0", "m0", "m1"]

    assert not found.done("a0")
    assert found.done("m0")
    assert begun(found) == ["m2"]
    assert not found.done("m1")


def test_an_owner_whose_runs_take_long_leaves_places_to_others() -> None:
    slow = shared(32, *(f"m{number}" for number in range(100)))
    assert len(begun(slow)) == 21
    for each in "abc":
        slow.add(f"{each}0", 0, CHANGED)

    assert begun(slow) == ["a0", "b0", "c0"]


def test_a_key_that_waits_for_a_place_is_late_and_was_not_neglected() -> None:
    full = shared(4, "m0", "m1", "m2")
    assert begun(full) == ["m0", "m1"]

    assert (full.overdue(100), full.neglected(100)) == (100, 0)
    full.done("m0")
    assert (full.overdue(100), full.neglected(100)) == (100, 100)


@pytest.mark.parametrize("owners", ["m", "ma", "mabcdefghi"])
@pytest.mark.parametrize("theirs", [CHANGED, PERIODIC])
def test_a_new_key_goes_before_all_that_wait_for_a_place(owners: str, theirs: Priority) -> None:
    found, ends = shared(32), random.Random(1)
    for number in range(3000):
        found.add(f"{owners[number % len(owners)]}{number}", 0, theirs)
    running = begun(found)
    waited = []
    for number in range(50):
        found.add(f"{owners[number % len(owners)]}-new", 0, NEW)
        waited.append(0)
        while not any(key.endswith("new") for key in running):
            found.done(running.pop(ends.randrange(len(running))))
            running += begun(found)
            waited[-1] += 1
            # Until others have had their turns and its owner has a place.
            assert waited[-1] <= 32
        while any(key.endswith("new") for key in running):
            found.done(running.pop(ends.randrange(len(running))))
            running += begun(found)

    assert max(waited) > 0


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Priority)), st.integers(0, 6)), max_size=60),
)
@example(4, [("a", CHANGED, 0)] * 6 + [("a", NEW, 0), ("b", CHANGED, 1)])
def test_the_most_urgent_key_of_an_owner_begins_first_whoever_waits_for_a_place(
    places: int, steps: list[tuple[str, Priority, int]]
) -> None:
    found, due, running, looks = shared(places), dict[str, tuple[Priority, int]](), list[str](), 0
    for number, (owner, priority, ends) in enumerate(steps):
        due[f"{owner}{number}"] = (priority, number)
        found.add(f"{owner}{number}", number, priority)
        for _ in range(min(ends, len(running))):
            found.done(running.pop())
        while len(running) < places and (key := found.take(number)) is not None:
            looks += 1
            # One in eight is the oldest.
            assert looks % 8 == 0 or due[key] == min(plan for each, plan in due.items() if each[0] == key[0])
            del due[key]
            running.append(key)
        looks += len(running) < places


def test_every_owner_has_one_place_at_least() -> None:
    assert sorted(begun(shared(1, "m0", "m1"))) == ["m0"]
    assert sorted(begun(shared(4, "m0", "m1", "m2", "m3", "a0", "b0", "c0"))) == ["a0", "b0", "c0", "m0"]


def test_a_key_that_waits_for_a_place_runs_as_soon_as_there_is_one() -> None:
    found = shared(4, "m0", "m1", "m2", "m3")
    first = begun(found)
    assert len(first) == 2

    assert found.done(first[0])
    assert len(begun(found)) == 1


@given(st.integers(1, 8), st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=60))
def test_shares_lose_no_key(places: int, planned: list[tuple[str, int]]) -> None:
    keys = {f"{owner}{number}" for owner, number in planned}
    found = shared(places, *keys)
    ran: set[str] = set()
    while running := begun(found):
        for key in running:
            found.done(key)
        assert not ran.intersection(running)
        ran.update(running)

    assert (ran, len(found)) == (keys, 0)
