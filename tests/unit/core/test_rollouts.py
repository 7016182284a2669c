"""So many roll-outs at once, and none that holds up the others for ever."""

from phase_operator.core.progress import WorkloadKind
from phase_operator.core.rollouts import Rollouts
from phase_operator.core.values import ObjectKey
from phase_operator.core.workloads import WorkloadRef


def workload(name: str) -> WorkloadRef:
    return WorkloadRef(WorkloadKind.DEPLOYMENT, ObjectKey("team", name))


A, B, C = workload("a"), workload("b"), workload("c")


def test_no_more_than_the_limit_go_on_at_once() -> None:
    rollouts = Rollouts(2)

    assert [rollouts.begin(each, 0.0, 600.0) for each in (A, B, C)] == [True, True, False]
    assert rollouts.under_way() == [A, B]


def test_the_end_of_one_lets_another_begin() -> None:
    rollouts = Rollouts(1)
    rollouts.begin(A, 0.0, 600.0)
    rollouts.end(A)

    assert rollouts.begin(B, 1.0, 600.0)


def test_who_has_a_place_keeps_it() -> None:
    rollouts = Rollouts(1)
    rollouts.begin(A, 0.0, 600.0)

    assert rollouts.begin(A, 1.0, 600.0)
    assert len(rollouts) == 1


def test_a_place_is_free_again_after_the_deadline_whatever_happens() -> None:
    rollouts = Rollouts(1)
    rollouts.begin(A, 0.0, 600.0)

    assert rollouts.next_free() == 600.0
    assert not rollouts.begin(B, 599.0, 600.0)
    assert rollouts.begin(B, 600.0, 600.0)


def test_a_roll_out_in_the_way_is_waited_for_until_its_deadline() -> None:
    rollouts = Rollouts(1)

    assert rollouts.is_patient(A, 5.0, 600.0)
    assert rollouts.is_patient(A, 604.0, 600.0)
    assert not rollouts.is_patient(A, 605.0, 600.0)


def test_a_new_roll_out_is_waited_for_anew() -> None:
    rollouts = Rollouts(1)
    rollouts.is_patient(A, 0.0, 600.0)
    rollouts.begin(A, 600.0, 600.0)

    assert rollouts.is_patient(A, 700.0, 600.0)


def test_nobody_is_waited_for_after_the_end() -> None:
    rollouts = Rollouts(1)
    rollouts.is_patient(A, 0.0, 600.0)
    rollouts.end(A)
    rollouts.end(B)

    assert rollouts.is_patient(A, 601.0, 600.0)
    assert rollouts.next_free() is None
