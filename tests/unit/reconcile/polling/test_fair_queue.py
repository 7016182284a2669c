"""Urgent first, namespaces in turn, and nobody waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.reconcile.polling.fair_queue import FairQueue, Lane, PollPriority


def taken(fair_queue: FairQueue[str], now: float = 0.0, count: int = 100) -> list[str]:
    found = (fair_queue.take(now) for _ in range(count))
    return [task for task in found if task is not None]


def test_a_task_is_taken_when_it_is_due_and_once() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    fair_queue.plan("a", 5.0, PollPriority.NEW)

    assert fair_queue.take(4.9) is None
    assert fair_queue.next_due() == 5.0
    assert taken(fair_queue, 5.0) == ["a"]
    assert fair_queue.next_due() is None


def test_the_more_urgent_goes_first() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    for urgency in reversed(PollPriority):
        fair_queue.plan(urgency.name, 0.0, urgency)

    assert taken(fair_queue) == [urgency.name for urgency in PollPriority]


def test_planning_again_brings_forward_and_never_puts_off() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    fair_queue.plan("a", 5.0, PollPriority.MOVED)
    fair_queue.plan("a", 9.0, PollPriority.PERIODIC)
    fair_queue.plan("b", 5.0, PollPriority.MOVED)
    fair_queue.plan("b", 9.0, PollPriority.NEW)

    assert taken(fair_queue, 5.0) == ["b", "a"]


def test_a_dropped_task_is_not_taken() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    fair_queue.plan("a", 0.0, PollPriority.NEW)
    fair_queue.drop("a")

    assert fair_queue.take(0.0) is None
    assert len(fair_queue) == 0


def test_namespaces_take_turns_whatever_they_ask() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    for number in range(5):
        fair_queue.plan(f"big-{number}", 0.0, PollPriority.MOVED, namespace="big")
    fair_queue.plan("small-0", 0.0, PollPriority.MOVED, namespace="small")

    assert taken(fair_queue).index("small-0") <= 1


def test_probes_and_reads_alternate_while_both_are_due() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    for number in range(3):
        fair_queue.plan(f"probe-{number}", 0.0, PollPriority.NEW, lane=Lane.PROBE)
        fair_queue.plan(f"read-{number}", 0.0, PollPriority.NEW)

    kinds = [task.split("-")[0] for task in taken(fair_queue)]
    assert kinds == ["probe", "read"] * 3


def test_the_task_that_has_waited_longest_gets_one_turn_in_eight() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    fair_queue.plan("patient", 0.0, PollPriority.PERIODIC)
    order = []
    for number in range(20):
        fair_queue.plan(f"new-{number}", 0.0, PollPriority.NEW)
        fair_queue.plan(f"also-{number}", 0.0, PollPriority.NEW)
        order.append(fair_queue.take(0.0))

    assert "patient" in order[:8]


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.floats(0, 10), st.sampled_from(PollPriority), st.sampled_from(["a", "b"])),
        max_size=40,
    )
)
def test_everything_planned_is_taken_exactly_once_when_time_has_passed(
    plans: list[tuple[int, float, PollPriority, str]],
) -> None:
    fair_queue: FairQueue[int] = FairQueue()
    for task, due, urgency, namespace in plans:
        fair_queue.plan(task, due, urgency, namespace=namespace, lane=Lane(task % 2))

    found = [fair_queue.take(10.0) for _ in range(len(plans) + 1)]

    assert sorted(task for task in found if task is not None) == sorted({task for task, *_ in plans})


def test_due_tasks_are_listed_by_lane_with_the_time_they_became_due() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    fair_queue.plan("late", 3.0, PollPriority.NEW)
    fair_queue.plan("brought forward", 20.0, PollPriority.PERIODIC)
    fair_queue.plan("brought forward", 5.0, PollPriority.EDITED)
    fair_queue.plan("later", 11.0, PollPriority.NEW)
    fair_queue.plan("dropped", 1.0, PollPriority.NEW)
    fair_queue.drop("dropped")
    fair_queue.plan("probe", 4.0, PollPriority.NEW, lane=Lane.PROBE)

    assert sorted(fair_queue.due(10.0, Lane.READ)) == [3.0, 5.0]
    assert fair_queue.due(10.0, Lane.PROBE) == [4.0]
    assert fair_queue.take(10.0, [Lane.READ]) == "late"
    assert fair_queue.due(10.0, Lane.READ) == [5.0]


def test_attempts_can_be_held_back_without_what_works() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    fair_queue.plan("new", 0.0, PollPriority.NEW, is_attempt=True)
    fair_queue.plan("works", 0.0, PollPriority.PERIODIC)
    fair_queue.plan("probe", 0.0, PollPriority.PERIODIC, lane=Lane.PROBE)

    assert fair_queue.take(0.0, attempts=False) in {"works", "probe"}
    assert fair_queue.take(0.0, attempts=False) in {"works", "probe"}
    assert not fair_queue.is_due(0.0, attempts=False)
    assert fair_queue.is_due(0.0, [])
    assert fair_queue.take(0.0, []) == "new"


def test_a_task_that_began_to_fail_is_an_attempt_from_then_on() -> None:
    fair_queue: FairQueue[str] = FairQueue()
    fair_queue.plan("a", 0.0, PollPriority.MOVED)
    fair_queue.plan("a", 9.0, PollPriority.PERIODIC, is_attempt=True)

    assert fair_queue.take(0.0, attempts=False) is None
    assert fair_queue.take(0.0) == "a"
