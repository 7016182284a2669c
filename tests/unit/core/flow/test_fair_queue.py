"""Urgent first, namespaces in turn, and nobody waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.flow.fair_queue import Agenda, Lane, Urgency


def taken(agenda: Agenda[str], now: float = 0.0, count: int = 100) -> list[str]:
    found = (agenda.take(now) for _ in range(count))
    return [task for task in found if task is not None]


def test_a_task_is_taken_when_it_is_due_and_once() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.plan("a", 5.0, Urgency.NEW)

    assert agenda.take(4.9) is None
    assert agenda.next_due() == 5.0
    assert taken(agenda, 5.0) == ["a"]
    assert agenda.next_due() is None


def test_the_more_urgent_goes_first() -> None:
    agenda: Agenda[str] = Agenda()
    for urgency in reversed(Urgency):
        agenda.plan(urgency.name, 0.0, urgency)

    assert taken(agenda) == [urgency.name for urgency in Urgency]


def test_planning_again_brings_forward_and_never_puts_off() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.plan("a", 5.0, Urgency.MOVED)
    agenda.plan("a", 9.0, Urgency.PERIODIC)
    agenda.plan("b", 5.0, Urgency.MOVED)
    agenda.plan("b", 9.0, Urgency.NEW)

    assert taken(agenda, 5.0) == ["b", "a"]


def test_a_dropped_task_is_not_taken() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.plan("a", 0.0, Urgency.NEW)
    agenda.drop("a")

    assert agenda.take(0.0) is None
    assert len(agenda) == 0


def test_namespaces_take_turns_whatever_they_ask() -> None:
    agenda: Agenda[str] = Agenda()
    for number in range(5):
        agenda.plan(f"big-{number}", 0.0, Urgency.MOVED, namespace="big")
    agenda.plan("small-0", 0.0, Urgency.MOVED, namespace="small")

    assert taken(agenda).index("small-0") <= 1


def test_probes_and_reads_alternate_while_both_are_due() -> None:
    agenda: Agenda[str] = Agenda()
    for number in range(3):
        agenda.plan(f"probe-{number}", 0.0, Urgency.NEW, lane=Lane.PROBE)
        agenda.plan(f"read-{number}", 0.0, Urgency.NEW)

    kinds = [task.split("-")[0] for task in taken(agenda)]
    assert kinds == ["probe", "read"] * 3


def test_whoever_has_waited_longest_gets_one_turn_in_eight() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.plan("patient", 0.0, Urgency.PERIODIC)
    order = []
    for number in range(20):
        agenda.plan(f"new-{number}", 0.0, Urgency.NEW)
        agenda.plan(f"also-{number}", 0.0, Urgency.NEW)
        order.append(agenda.take(0.0))

    assert "patient" in order[:8]


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.floats(0, 10), st.sampled_from(Urgency), st.sampled_from(["a", "b"])),
        max_size=40,
    )
)
def test_everything_planned_is_taken_exactly_once_when_time_has_passed(
    plans: list[tuple[int, float, Urgency, str]],
) -> None:
    agenda: Agenda[int] = Agenda()
    for task, due, urgency, namespace in plans:
        agenda.plan(task, due, urgency, namespace=namespace, lane=Lane(task % 2))

    found = [agenda.take(10.0) for _ in range(len(plans) + 1)]

    assert sorted(task for task in found if task is not None) == sorted({task for task, *_ in plans})


def test_what_is_due_says_since_when() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.plan("late", 3.0, Urgency.NEW)
    agenda.plan("brought forward", 20.0, Urgency.PERIODIC)
    agenda.plan("brought forward", 5.0, Urgency.EDITED)
    agenda.plan("later", 11.0, Urgency.NEW)
    agenda.plan("dropped", 1.0, Urgency.NEW)
    agenda.drop("dropped")
    agenda.plan("probe", 4.0, Urgency.NEW, lane=Lane.PROBE)

    assert sorted(agenda.due(10.0, Lane.READ)) == [3.0, 5.0]
    assert agenda.due(10.0, Lane.PROBE) == [4.0]
    assert agenda.take(10.0, [Lane.READ]) == "late"
    assert agenda.due(10.0, Lane.READ) == [5.0]


def test_attempts_can_be_held_back_without_what_works() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.plan("new", 0.0, Urgency.NEW, is_attempt=True)
    agenda.plan("works", 0.0, Urgency.PERIODIC)
    agenda.plan("probe", 0.0, Urgency.PERIODIC, lane=Lane.PROBE)

    assert agenda.take(0.0, attempts=False) in {"works", "probe"}
    assert agenda.take(0.0, attempts=False) in {"works", "probe"}
    assert not agenda.is_due(0.0, attempts=False)
    assert agenda.is_due(0.0, [])
    assert agenda.take(0.0, []) == "new"


def test_what_began_to_fail_is_an_attempt_from_then_on() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.plan("a", 0.0, Urgency.MOVED)
    agenda.plan("a", 9.0, Urgency.PERIODIC, is_attempt=True)

    assert agenda.take(0.0, attempts=False) is None
    assert agenda.take(0.0) == "a"
