"""When a roll-out is over, for each kind."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.rollout.progress import Progress, RolloutState, WorkloadKind, rollout_state

ENDED, UNDER_WAY, OVERDUE = Progress.ENDED, Progress.UNDER_WAY, Progress.OVERDUE


def of(kind: WorkloadKind, status: dict[str, Any], *, generation: int = 2, **spec: Any) -> RolloutState:
    status = {"observedGeneration": 2, **status}
    return rollout_state(
        kind, {"metadata": {"generation": generation}, "spec": {"replicas": 3, **spec}, "status": status}
    )


def counts(updated: int, total: int, available: int) -> dict[str, Any]:
    return {"updatedReplicas": updated, "replicas": total, "availableReplicas": available}


def progressing(reason: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Available", "reason": "x"}, {"type": "Progressing", "reason": reason}]}


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        pytest.param(counts(3, 3, 3), ENDED, id="all pods are new and available"),
        pytest.param(counts(2, 3, 3), UNDER_WAY, id="not all are new"),
        pytest.param(counts(3, 4, 3), UNDER_WAY, id="old ones are left"),
        pytest.param(counts(3, 3, 2), UNDER_WAY, id="not all are available"),
        pytest.param({}, UNDER_WAY, id="nothing yet"),
        pytest.param(
            counts(3, 3, 0) | progressing("NewReplicaSetAvailable"), ENDED, id="it ended, and pods crash since"
        ),
        pytest.param(counts(2, 3, 2) | progressing("ReplicaSetUpdated"), UNDER_WAY, id="it moves"),
        pytest.param(counts(1, 4, 3) | progressing("ProgressDeadlineExceeded"), OVERDUE, id="it is stuck"),
        pytest.param(counts(3, 3, 3) | {"observedGeneration": 1}, UNDER_WAY, id="its controller has not looked yet"),
    ],
)
def test_a_deployment_is_judged_by_its_status(status: dict[str, Any], progress: Progress) -> None:
    assert of(WorkloadKind.DEPLOYMENT, status).progress is progress


def test_a_workload_without_replicas_has_one() -> None:
    assert of(WorkloadKind.DEPLOYMENT, counts(1, 1, 1), replicas=None).progress is ENDED
    assert of(WorkloadKind.DEPLOYMENT, {}, replicas=None).progress is UNDER_WAY
    assert of(WorkloadKind.DEPLOYMENT, {}, replicas=0).progress is ENDED


@pytest.mark.parametrize("kind", [WorkloadKind.DEPLOYMENT, WorkloadKind.ROLLOUT])
def test_a_pause_and_a_deadline_are_told(kind: WorkloadKind) -> None:
    assert of(kind, {}, paused=True).paused
    assert not of(kind, {}).paused
    assert of(kind, {}).deadline == 600
    assert of(kind, {}, progressDeadlineSeconds=30).deadline == 30


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        pytest.param({"phase": "Healthy"}, ENDED, id="healthy"),
        pytest.param({"phase": "Healthy", "observedGeneration": "2"}, ENDED, id="Argo writes the number as text"),
        pytest.param({"phase": "Healthy", "observedGeneration": "1"}, UNDER_WAY, id="not looked yet"),
        pytest.param({"phase": "Progressing"}, UNDER_WAY, id="progressing"),
        pytest.param({"phase": "Paused"}, UNDER_WAY, id="between two steps"),
        pytest.param({"phase": "Degraded"}, OVERDUE, id="stuck or aborted"),
        pytest.param(counts(3, 3, 3), ENDED, id="an old controller, all new"),
        pytest.param(counts(1, 3, 3), UNDER_WAY, id="an old controller, one new"),
    ],
)
def test_a_rollout_is_judged_by_its_status(status: dict[str, Any], progress: Progress) -> None:
    assert of(WorkloadKind.ROLLOUT, status).progress is progress


def revisions(current: str, update: str, updated: int = 0) -> dict[str, Any]:
    return {"currentRevision": current, "updateRevision": update, "updatedReplicas": updated, "replicas": 3}


@pytest.mark.parametrize(
    ("status", "partition", "progress", "held"),
    [
        pytest.param(revisions("a", "a", 3), 0, ENDED, False, id="one revision"),
        pytest.param(revisions("a", "b", 2), 0, UNDER_WAY, False, id="two revisions"),
        pytest.param(revisions("a", "b", 3), 0, UNDER_WAY, False, id="all are new and not all are ready"),
        pytest.param(revisions("a", "b", 0), 2, UNDER_WAY, True, id="above a partition, not yet"),
        pytest.param(revisions("a", "b", 1), 2, ENDED, True, id="above a partition, done"),
        pytest.param(revisions("a", "a", 3), 2, ENDED, False, id="a partition with nothing to hold"),
        pytest.param(revisions("a", "a", 3) | {"observedGeneration": 1}, 0, UNDER_WAY, False, id="not looked yet"),
    ],
)
def test_a_stateful_set(status: dict[str, Any], partition: int, progress: Progress, held: bool) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}

    found = of(WorkloadKind.STATEFUL_SET, status, updateStrategy=strategy)

    assert (found.progress, found.held, found.holds is not None) == (progress, held, partition > 0)


def scheduled(updated: int, wanted: int, available: int) -> dict[str, Any]:
    return {"updatedNumberScheduled": updated, "desiredNumberScheduled": wanted, "numberAvailable": available}


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        pytest.param(scheduled(3, 3, 3), ENDED, id="all pods are new and available"),
        pytest.param(scheduled(2, 3, 3), UNDER_WAY, id="not all are new"),
        pytest.param(scheduled(3, 3, 2), UNDER_WAY, id="not all are available"),
        pytest.param({}, ENDED, id="no node wants one"),
        pytest.param({"observedGeneration": 1}, UNDER_WAY, id="not looked yet"),
    ],
)
def test_a_daemon_set(status: dict[str, Any], progress: Progress) -> None:
    assert of(WorkloadKind.DAEMON_SET, status).progress is progress


@pytest.mark.parametrize(
    ("kind", "status", "held"),
    [
        pytest.param(WorkloadKind.STATEFUL_SET, revisions("a", "b", 1), True, id="a StatefulSet with old pods"),
        pytest.param(WorkloadKind.STATEFUL_SET, revisions("a", "b", 3), False, id="a StatefulSet without"),
        pytest.param(WorkloadKind.DAEMON_SET, scheduled(1, 3, 3), True, id="a DaemonSet with old pods"),
        pytest.param(WorkloadKind.DAEMON_SET, scheduled(3, 3, 3), False, id="a DaemonSet without"),
    ],
)
def test_on_delete_has_no_roll_out_and_tells_of_old_pods(
    kind: WorkloadKind, status: dict[str, Any], held: bool
) -> None:
    found = of(kind, status, generation=3, updateStrategy={"type": "OnDelete"})

    assert (found.progress, found.held) == (ENDED, held)
    assert found.holds


def test_a_cron_job_has_no_roll_out() -> None:
    assert of(WorkloadKind.CRON_JOB, {}, generation=9) == RolloutState(ENDED)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    *("replicas", "paused", "updateStrategy", "progressDeadlineSeconds", "conditions", "phase", "updatedReplicas"),
    *("observedGeneration", "currentRevision", "desiredNumberScheduled", "type", "rollingUpdate", "partition"),
)


@given(
    st.sampled_from(WorkloadKind),
    st.dictionaries(
        st.sampled_from(["metadata", "spec", "status"]),
        JSON | st.dictionaries(st.sampled_from(FIELDS), JSON | st.dictionaries(st.sampled_from(FIELDS), JSON)),
    ),
)
def test_any_json_has_a_verdict_that_agrees_with_itself(kind: WorkloadKind, found: dict[str, Any]) -> None:
    verdict = rollout_state(kind, found)

    assert verdict.holds is not None or not verdict.held
    assert 0 <= verdict.deadline < float("inf")
