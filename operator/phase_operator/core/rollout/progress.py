"""How far the last roll-out of a workload is, by its status.

Rule: a roll-out is over when nothing of it is left to happen, which is not the same as all pods being well: pods that
crash long after it must not hold back the content that would cure them. Whether one that is not over gets on is told
by counts that grow, here as data; core/rollout/stall.py compares them over time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any, assert_never

from phase_operator.core.json_access import mapping, mappings, number, text

# Kubernetes' own default for progressDeadlineSeconds; we take it for kinds that have none, too.
_DEADLINE = 600
# Whatever a workload asks for: the largest number is a usual way to say "never".
LONGEST_DEADLINE = 1800
_ON_DELETE = "its update strategy is OnDelete: pods that run keep what they began with until somebody deletes them"
_PARTITION = "its update strategy has a partition: pods below it keep what they began with"


class WorkloadKind(StrEnum):
    """The kinds that are restarted."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"
    ROLLOUT = "Rollout"


class Progress(Enum):
    """Where the last roll-out stands."""

    ENDED = "ended"
    UNDER_WAY = "under way"
    # It has stopped to make progress, as its own controller says.
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the status and the strategy of a workload say."""

    progress: Progress
    paused: bool = False
    # Why a roll-out leaves pods as they are, and whether there are such pods now.
    holds: str | None = None
    held: bool = False
    # Seconds after which a roll-out is not waited for any longer, at most LONGEST_DEADLINE.
    deadline: float = _DEADLINE
    # What grows while a roll-out gets on: new pods, old pods that are gone (negative), pods that are ready.
    counts: tuple[int, ...] = ()
    # Seconds for which these may stand although all is well: every pod is ready, and not counted as available yet.
    rest: float = 0.0
    # Its controller replaces no pod while one of them is not ready, so a broken one has to be deleted by somebody.
    ordered: bool = False


def standing(kind: WorkloadKind, workload: Mapping[str, Any]) -> Standing:
    """Say where a workload stands; what is missing in foreign JSON counts as nothing."""
    spec, status = mapping(workload.get("spec")), mapping(workload.get("status"))
    generation = number(mapping(workload.get("metadata")).get("generation"))
    unseen = number(status.get("observedGeneration")) < generation
    match kind:
        case WorkloadKind.DEPLOYMENT:
            progress = Progress.UNDER_WAY if unseen else _deployment(spec, status)
            return _of_replicas(spec, status, progress)
        case WorkloadKind.ROLLOUT:
            progress = Progress.UNDER_WAY if unseen else _rollout(spec, status)
            found = _of_replicas(spec, status, progress)
            # Between two steps it waits as its author planned, and begins its steps anew if it is rolled over.
            return replace(found, rest=float(LONGEST_DEADLINE)) if status.get("phase") == "Paused" else found
        case WorkloadKind.STATEFUL_SET:
            return _stateful_set(spec, status, unseen=unseen)
        case WorkloadKind.DAEMON_SET:
            return _daemon_set(spec, status, unseen=unseen)
        case WorkloadKind.CRON_JOB:
            # Each Job makes its pods anew.
            return Standing(Progress.ENDED)
        case _:
            assert_never(kind)


def _of_replicas(spec: Mapping[str, Any], status: Mapping[str, Any], progress: Progress) -> Standing:
    return Standing(
        progress,
        paused=spec.get("paused") is True,
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
    # Stands from the end of a roll-out to the beginning of the next one, whatever becomes of the pods meanwhile.
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


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any], *, unseen: bool) -> Standing:
    strategy = mapping(spec.get("updateStrategy"))
    updated = number(status.get("updatedReplicas"))
    if strategy.get("type") == "OnDelete":
        return Standing(Progress.ENDED, holds=_ON_DELETE, held=updated < number(status.get("replicas")))
    partition = number(mapping(strategy.get("rollingUpdate")).get("partition"))
    # The controller makes them one at the end of a roll-out.
    ended = not unseen and status.get("currentRevision") == status.get("updateRevision")
    is_held = partition > 0
    if is_held:
        ended = ended or (not unseen and updated >= _replicas(spec) - partition)
    return Standing(
        Progress.ENDED if ended else Progress.UNDER_WAY,
        holds=_PARTITION if is_held else None,
        held=is_held and updated < number(status.get("replicas")),
        counts=_counts(status),
        rest=_rest(spec, number(status.get("readyReplicas")), _replicas(spec)),
        ordered=spec.get("podManagementPolicy") != "Parallel",
    )


def _daemon_set(spec: Mapping[str, Any], status: Mapping[str, Any], *, unseen: bool) -> Standing:
    wanted, updated = number(status.get("desiredNumberScheduled")), number(status.get("updatedNumberScheduled"))
    if mapping(spec.get("updateStrategy")).get("type") == "OnDelete":
        return Standing(Progress.ENDED, holds=_ON_DELETE, held=updated < wanted)
    ended = not unseen and updated >= wanted and number(status.get("numberAvailable")) >= wanted
    ready = number(status.get("numberReady"))
    progress = Progress.ENDED if ended else Progress.UNDER_WAY
    return Standing(progress, counts=(updated, ready), rest=_rest(spec, ready, wanted))


def _replicas(spec: Mapping[str, Any]) -> int:
    return 1 if spec.get("replicas") is None else number(spec.get("replicas"))


def _deadline(spec: Mapping[str, Any]) -> float:
    asked = number(spec.get("progressDeadlineSeconds"))
    return min(asked, LONGEST_DEADLINE) if asked > 0 else _DEADLINE
