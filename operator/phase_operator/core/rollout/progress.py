"""How far the last roll-out of a workload is, by its status.

Rule: a roll-out has ended when its controller has nothing left to do for it, whether or not its pods are well: pods
that crash long after it must not delay the content that would cure them. A roll-out that has not ended makes progress
while its counts grow; core/rollout/stall.py compares these over time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any

from phase_operator.core.json_access import mapping, mappings, number, text

# The default of Kubernetes for progressDeadlineSeconds. We use it for kinds without that field, too.
_DEADLINE = 600
# A bound for what a workload asks for: people write the largest number to say "never".
LONGEST_DEADLINE = 1800
_ON_DELETE = "its update strategy is OnDelete: running pods keep what they began with until they are deleted"
_PARTITION = "its update strategy has a partition: pods below it keep what they began with"


class WorkloadKind(StrEnum):
    """The kinds of workloads that are restarted."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"
    ROLLOUT = "Rollout"


class Progress(Enum):
    """How far the last roll-out is."""

    ENDED = "ended"
    UNDER_WAY = "under way"
    # Its controller says that it has stopped making progress.
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class RolloutState:
    """The state of a workload's last roll-out, by its status and its update strategy."""

    progress: Progress
    paused: bool = False
    # Why the update strategy keeps old pods in a roll-out, and whether there are such pods now.
    holds: str | None = None
    held: bool = False
    # Seconds for which a roll-out is waited for, LONGEST_DEADLINE at most.
    deadline: float = _DEADLINE
    # These grow while a roll-out makes progress: new pods, minus the old pods that are left, ready pods.
    counts: tuple[int, ...] = ()
    # Seconds for which the counts may rest although all is well: every pod is ready, and none counts as available yet.
    rest: float = 0.0
    # The controller replaces no pod while one of them is not ready, so a person has to delete a broken one.
    ordered: bool = False
    # Pods that were told to end still finish their work. Kubernetes says so of Deployments, since 1.35.
    has_leaving: bool = False


def rollout_state(kind: WorkloadKind, workload: Mapping[str, Any]) -> RolloutState:
    """Return the state of a workload's last roll-out; a field that is missing counts as zero or empty."""
    spec, status = mapping(workload.get("spec")), mapping(workload.get("status"))
    generation = number(mapping(workload.get("metadata")).get("generation"))
    unseen = number(status.get("observedGeneration")) < generation
    return _STATES[kind](spec, status, unseen)


def _deployment_state(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> RolloutState:
    return _of_replicas(spec, status, _deployment(spec, status), unseen)


def _rollout_resource_state(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> RolloutState:
    found = _of_replicas(spec, status, _rollout(spec, status), unseen)
    # Between two steps it waits as its author planned. A restart would begin its steps again.
    return replace(found, rest=float(LONGEST_DEADLINE)) if status.get("phase") == "Paused" else found


def _cron_job_state(_: Mapping[str, Any], __: Mapping[str, Any], ___: bool) -> RolloutState:
    # Each Job makes new pods.
    return RolloutState(Progress.ENDED)


def _of_replicas(spec: Mapping[str, Any], status: Mapping[str, Any], progress: Progress, unseen: bool) -> RolloutState:
    return RolloutState(
        Progress.UNDER_WAY if unseen else progress,
        paused=spec.get("paused") is True,
        has_leaving=number(status.get("terminatingReplicas")) > 0,
        deadline=_deadline(spec),
        counts=_counts(status),
        rest=_rest(spec, number(status.get("readyReplicas")), max(_replicas(spec), number(status.get("replicas")))),
    )


def _counts(status: Mapping[str, Any]) -> tuple[int, ...]:
    updated = number(status.get("updatedReplicas"))
    return (updated, updated - number(status.get("replicas")), number(status.get("readyReplicas")))


def _rest(spec: Mapping[str, Any], ready: int, wanted: int) -> float:
    return float(min(max(number(spec.get("minReadySeconds")), 0), LONGEST_DEADLINE)) if ready >= wanted else 0.0


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    reasons = {
        text(condition.get("reason"))
        for condition in mappings(status.get("conditions"))
        if condition.get("type") == "Progressing"
    }
    if "ProgressDeadlineExceeded" in reasons:
        return Progress.OVERDUE
    if not _replaced(spec, status):
        return Progress.UNDER_WAY
    # True from the end of a roll-out to the beginning of the next one, whatever happens to the pods between.
    if "NewReplicaSetAvailable" in reasons:
        return Progress.ENDED
    return _available(status)


def _rollout(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    match status.get("phase"):
        case "Healthy":
            return Progress.ENDED
        case "Degraded":
            return Progress.OVERDUE
        case "Progressing" | "Paused":
            return Progress.UNDER_WAY
        case _:
            return _available(status) if _replaced(spec, status) else Progress.UNDER_WAY


def _replaced(spec: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    updated = number(status.get("updatedReplicas"))
    return updated >= _replicas(spec) and updated >= number(status.get("replicas"))


def _available(status: Mapping[str, Any]) -> Progress:
    available, updated = number(status.get("availableReplicas")), number(status.get("updatedReplicas"))
    return Progress.ENDED if available >= updated else Progress.UNDER_WAY


def _stateful_set_state(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> RolloutState:
    strategy = mapping(spec.get("updateStrategy"))
    updated = number(status.get("updatedReplicas"))
    has_old = updated < number(status.get("replicas"))
    if strategy.get("type") == "OnDelete":
        return RolloutState(Progress.ENDED, holds=_ON_DELETE, held=has_old)
    partition = number(mapping(strategy.get("rollingUpdate")).get("partition"))
    is_held = partition > 0
    return RolloutState(
        Progress.ENDED if not unseen and _has_ended(spec, status, partition) else Progress.UNDER_WAY,
        holds=_PARTITION if is_held else None,
        held=is_held and has_old,
        counts=_counts(status),
        rest=_rest(spec, number(status.get("readyReplicas")), _replicas(spec)),
        ordered=spec.get("podManagementPolicy") != "Parallel",
    )


def _has_ended(spec: Mapping[str, Any], status: Mapping[str, Any], partition: int) -> bool:
    # At the end of a roll-out the controller sets both to the same revision; with a partition it does not.
    is_same = status.get("currentRevision") == status.get("updateRevision")
    return is_same or (partition > 0 and number(status.get("updatedReplicas")) >= _replicas(spec) - partition)


def _daemon_set_state(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> RolloutState:
    wanted, updated = number(status.get("desiredNumberScheduled")), number(status.get("updatedNumberScheduled"))
    if mapping(spec.get("updateStrategy")).get("type") == "OnDelete":
        return RolloutState(Progress.ENDED, holds=_ON_DELETE, held=updated < wanted)
    ended = not unseen and updated >= wanted and number(status.get("numberAvailable")) >= wanted
    ready = number(status.get("numberReady"))
    progress = Progress.ENDED if ended else Progress.UNDER_WAY
    return RolloutState(progress, counts=(updated, ready), rest=_rest(spec, ready, wanted))


def _replicas(spec: Mapping[str, Any]) -> int:
    return 1 if spec.get("replicas") is None else number(spec.get("replicas"))


def _deadline(spec: Mapping[str, Any]) -> float:
    asked = number(spec.get("progressDeadlineSeconds"))
    return min(asked, LONGEST_DEADLINE) if asked > 0 else _DEADLINE


_STATES: Mapping[WorkloadKind, Callable[[Mapping[str, Any], Mapping[str, Any], bool], RolloutState]] = {
    WorkloadKind.DEPLOYMENT: _deployment_state,
    WorkloadKind.STATEFUL_SET: _stateful_set_state,
    WorkloadKind.DAEMON_SET: _daemon_set_state,
    WorkloadKind.CRON_JOB: _cron_job_state,
    WorkloadKind.ROLLOUT: _rollout_resource_state,
}
