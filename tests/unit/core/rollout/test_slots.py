"""So many roll-outs at once, a share for each namespace, and none that holds up the others for ever."""

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.slots import RolloutSlots
from phase_operator.core.rollout.workload import WorkloadRef
from phase_operator.core.values import ObjectKey


def workload(name: str, namespace: str = "team") -> WorkloadRef:
    return WorkloadRef(WorkloadKind.DEPLOYMENT, ObjectKey(namespace, name))


A, B, C = workload("a"), workload("b", "other"), workload("c", "third")


def begun(rollouts: RolloutSlots, namespace: str, number: int, now: float = 0.0) -> int:
    """Let a namespace begin as many as it may, and return how many these are."""
    return sum(rollouts.begin(workload(f"{each}", namespace), now, 600.0) for each in range(number))


def test_no_more_than_the_limit_go_on_at_once() -> None:
    rollouts = RolloutSlots(2)

    assert [rollouts.begin(each, 0.0, 600.0) for each in (A, B, C)] == [True, True, False]
    assert len(rollouts) == 2


def test_a_workload_that_stood_still_begins_again_within_the_limit() -> None:
    rollouts = RolloutSlots(2)
    rollouts.begin(A, 0.0, 600.0)
    rollouts.rest(A, is_still=True)
    rollouts.begin(B, 0.0, 600.0)
    rollouts.begin(C, 0.0, 600.0)

    assert rollouts.begin(A, 1.0, 600.0)
    assert len(rollouts) == 2


def test_the_end_of_one_lets_another_begin() -> None:
    rollouts = RolloutSlots(1)
    rollouts.begin(A, 0.0, 600.0)
    rollouts.end(A)

    assert rollouts.begin(B, 1.0, 600.0)


def test_a_workload_that_has_a_place_keeps_it() -> None:
    rollouts = RolloutSlots(1)
    rollouts.begin(A, 0.0, 600.0)

    assert rollouts.begin(A, 1.0, 600.0)
    assert len(rollouts) == 1


def test_a_place_is_free_again_after_the_deadline_whatever_happens() -> None:
    rollouts = RolloutSlots(1)
    rollouts.begin(A, 0.0, 600.0)

    assert not rollouts.begin(B, 599.0, 600.0)
    assert rollouts.begin(B, 600.0, 600.0)


def test_a_namespace_that_is_alone_leaves_the_last_places_to_others() -> None:
    rollouts = RolloutSlots(10)

    assert begun(rollouts, "team", 20) == 8
    assert begun(rollouts, "other", 20) == 1
    assert begun(rollouts, "third", 20) == 1
    assert not rollouts.begin(workload("x", "fourth"), 0.0, 600.0)


def test_places_that_become_free_go_to_who_has_less_than_a_share() -> None:
    rollouts = RolloutSlots(10)
    begun(rollouts, "team", 20)
    begun(rollouts, "other", 20)

    for each in range(4):
        rollouts.end(workload(f"{each}"))

    assert begun(rollouts, "team", 4) == 1, "its share is half of them"
    assert begun(rollouts, "other", 20) == 3


def test_a_namespace_that_wants_no_more_leaves_its_share_to_others() -> None:
    rollouts = RolloutSlots(10)
    begun(rollouts, "team", 9)
    rollouts.begin(B, 0.0, 600.0)
    rollouts.begin(workload("again", "other"), 0.0, 600.0)
    rollouts.end(B)
    for each in range(8):
        rollouts.end(workload(f"{each}"))
    rollouts.wants_no_more("other")

    assert begun(rollouts, "team", 20) == 8


def test_a_workload_that_stands_still_takes_a_place_of_its_own_namespace_only() -> None:
    rollouts = RolloutSlots(10)
    begun(rollouts, "team", 8)
    for each in range(8):
        rollouts.rest(workload(f"{each}"), is_still=True)

    assert len(rollouts) == 0
    assert begun(rollouts, "other", 20) == 8
    assert not rollouts.begin(workload("one more"), 0.0, 600.0)
    assert rollouts.in_the_way("third") == [workload(f"{each}", "other") for each in range(8)]


@given(st.integers(1, 12), st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 30)), max_size=200))
def test_a_namespace_begins_whatever_stuck_workloads_others_have(limit: int, others: list[tuple[str, int]]) -> None:
    rollouts = RolloutSlots(limit)
    for namespace, number in others:
        rollouts.begin(stuck := workload(f"{number}", namespace), 0.0, 1800.0)
        rollouts.rest(stuck, is_still=True)

    assert rollouts.begin(workload("good", "good"), 1.0, 600.0)


@given(st.integers(1, 12), st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9), st.booleans()), max_size=99))
def test_the_limit_is_kept_and_no_namespace_has_all(limit: int, steps: list[tuple[str, int, bool]]) -> None:
    rollouts = RolloutSlots(limit)
    held: set[WorkloadRef] = set()
    for now, (namespace, number, ends) in enumerate(steps):
        each = workload(f"{number}", namespace)
        if ends:
            rollouts.end(each)
            held.discard(each)
        elif rollouts.begin(each, float(now), 600.0):
            held.add(each)
        of_one = max((sum(each.key.namespace == name for each in held) for name in "abcd"), default=0)

        assert len(rollouts) == len(held) <= limit
        assert limit == 1 or of_one < limit
