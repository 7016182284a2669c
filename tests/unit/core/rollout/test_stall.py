"""Which roll-outs get on, which stand still, and that nothing of one that is gone is kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.rollout.progress import LONGEST_DEADLINE, WorkloadKind
from phase_operator.core.rollout.stall import Patience, StallTracker
from phase_operator.core.rollout.workload import Workload
from support.workloads import Server, reads_all

KINDS = [kind for kind in WorkloadKind if kind is not WorkloadKind.CRON_JOB]
FOR_THE_END, WHILE_IT_GETS_ON, OVER = Patience.FOR_THE_END, Patience.WHILE_IT_GETS_ON, Patience.OVER


def broken(server: Server, ready: int = 0, updated: int = 1, replicas: int = 4) -> Workload:
    """Return a workload as its controller shows it while new pods are not ready."""
    server.found["spec"]["replicas"] = 3
    server.set_status(
        observedGeneration=server.found["metadata"]["generation"],
        replicas=replicas,
        updatedReplicas=updated,
        readyReplicas=ready,
        updatedNumberScheduled=updated,
        numberReady=ready,
        numberAvailable=ready,
        desiredNumberScheduled=3,
        phase="Progressing",
        updateRevision=f"b{updated}",
    )
    return server.read()


def server(kind: WorkloadKind = WorkloadKind.DEPLOYMENT, **spec: Any) -> Server:
    found = Server(kind)
    found.hold = True
    found.found["spec"] |= spec
    return found


def seen(stillness: StallTracker, workload: Workload, now: float) -> Patience:
    stillness.see(workload, now)
    return stillness.patience(workload.ref, now)


@pytest.mark.parametrize("kind", KINDS)
def test_a_roll_out_that_stands_still_is_waited_for_for_seconds(kind: WorkloadKind) -> None:
    stillness, stuck = StallTracker(), server(kind)

    assert [seen(stillness, broken(stuck), now) for now in (0.0, 9.0, 10.0)] == [
        FOR_THE_END,
        FOR_THE_END,
        WHILE_IT_GETS_ON,
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_roll_out_that_progresses_is_waited_for_until_its_deadline(kind: WorkloadKind) -> None:
    stillness, slow = StallTracker(), server(kind)
    deadline = broken(slow).rollout_state.deadline

    for step in range(60):
        workload = broken(slow, updated=1 + step)
        assert seen(stillness, workload, 9.0 * step) is FOR_THE_END
    assert seen(stillness, broken(slow, updated=99), deadline) is OVER


@given(st.sampled_from(KINDS), st.lists(st.tuples(st.integers(1, 20), st.integers(0, 2)), min_size=60, max_size=60))
def test_a_cure_is_rolled_within_a_minute_whatever_a_crash_loop_shows(
    kind: WorkloadKind, looks: list[tuple[int, int]]
) -> None:
    stillness, crashing, now = StallTracker(), server(kind), 0.0
    for pause, ready in looks:
        if seen(stillness, broken(crashing, ready=ready), now) is not FOR_THE_END:
            break
        now += pause

    # Up to two pods were ready for the first time meanwhile.
    assert now <= 3 * 10 + 3 * 20


def test_pods_that_come_and_go_are_no_progress() -> None:
    stillness, crashing = StallTracker(), server()

    found = [seen(stillness, broken(crashing, ready=2 + number % 2), 3.0 * number) for number in range(6)]

    assert found[-1] is WHILE_IT_GETS_ON


def test_pods_that_are_ready_and_not_counted_as_available_yet_are_waited_for() -> None:
    stillness, patient = StallTracker(), server(minReadySeconds=100)

    found = [seen(stillness, broken(patient, ready=4), now) for now in (0.0, 50.0, 109.0, 110.0)]

    assert found == [FOR_THE_END, FOR_THE_END, FOR_THE_END, WHILE_IT_GETS_ON]


def test_a_canary_between_two_steps_is_no_standstill() -> None:
    stillness, canary = StallTracker(), server(WorkloadKind.ROLLOUT)
    broken(canary)
    canary.set_status(phase="Paused")

    assert [seen(stillness, canary.read(), now) for now in (0.0, 599.0, 600.0)] == [FOR_THE_END, FOR_THE_END, OVER]


@pytest.mark.parametrize("asked", [2**31 - 1, 2**40, 10**30, "never", -1, 0])
def test_nobody_waits_for_ever(asked: Any) -> None:
    stillness, slow = StallTracker(), server(progressDeadlineSeconds=asked, minReadySeconds=asked)
    seen(stillness, broken(slow, ready=4), 0.0)

    assert seen(stillness, broken(slow, ready=4), 2.0 * LONGEST_DEADLINE) is not FOR_THE_END


def test_a_workload_that_changes_all_the_time_is_rolled_over_ever_more_slowly() -> None:
    stillness, slow = StallTracker(), server()
    pauses, now = [], 0.0
    for number in range(6):
        slow.template["spec"]["containers"][0]["image"] = f"app:{number}"
        began = now
        while seen(stillness, broken(slow), now) is FOR_THE_END:
            now += 1.0
        stillness.roll_over(slow.ref)
        pauses.append(now - began)

    assert pauses == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_namesake_is_met_with_fresh_patience() -> None:
    stillness, stuck = StallTracker(), server()
    seen(stillness, broken(stuck), 0.0)
    assert seen(stillness, broken(stuck), 700.0) is OVER

    stuck.found["metadata"]["uid"] = "another"

    assert seen(stillness, broken(stuck), 701.0) is FOR_THE_END


def test_nothing_is_kept_of_what_is_over_gone_or_long_ago() -> None:
    stillness = StallTracker()
    for number in range(100):
        each = Server(WorkloadKind.DEPLOYMENT, reads_all(), name=f"web-{number}")
        stillness.see(broken(each), float(number))
    assert len(stillness) == 100

    stillness.end(each.ref)
    stillness.keep("another", [])
    assert len(stillness) == 99
    stillness.keep("team", [Server(name="web-1").ref])
    assert len(stillness) == 1
    stillness.see(broken(Server(name="late")), 3 * LONGEST_DEADLINE)

    assert len(stillness) == 1
