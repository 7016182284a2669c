"""What one look at the workloads of a namespace has come to, so far."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.workload import Workload, WorkloadRef
from phase_operator.core.status.restarts import MAX_WAITING, FirstLines
from phase_operator.reconcile.restarts.followed import Known

# Each Event to come keeps its workload in memory until the look ends, and people read no more Events than this.
_EVENTS = 50
# How many names of restarted workloads are kept for one content; of further ones only the number is.
MAX_NAMES = 1000


@dataclass(slots=True)
class Look:
    """What was restarted, what waits and what failed, and when to look again."""

    # The targets that were asked for, each once in a look.
    followed_targets: Known = field(default_factory=dict)
    restarted: dict[TargetRef, FirstLines] = field(default_factory=dict)
    waiting: dict[TargetRef, FirstLines] = field(default_factory=dict)
    # Kinds of workloads that could not be listed.
    failed: list[ExpectedError] = field(default_factory=list)
    # Restarts that wait, and get an Event if they did not wait at the last look.
    delayed: list[tuple[Workload, tuple[TargetRef, ...], str]] = field(default_factory=list)
    # Whether to look again although no target is written, and whether to do so after seconds.
    again: bool = False
    soon: bool = False
    # When a stalled roll-out has been waited for long enough, by the monotonic clock.
    due: float | None = None
    # The places of roll-outs in other namespaces were checked: that costs requests, so it is done once in a look.
    has_freed: bool = False
    # Some workload waits for a place among the roll-outs.
    wants: bool = False
    # Workloads whose roll-out is under way.
    under_way: set[WorkloadRef] = field(default_factory=set)
    # Targets that some pods may have read before they got what they hold now: until a roll-out ends, or for good,
    # because a workload that reads them does not follow them.
    behind: set[TargetRef] = field(default_factory=set)
    unfollowed: set[TargetRef] = field(default_factory=set)
    # How many targets had been written when it began.
    writes: int = 0
    # How many workloads in a row the API server has failed to write.
    failures: int = 0

    def failed_lastingly(self) -> list[ExpectedError]:
        """Return the failures that do not pass by themselves."""
        return [error for error in self.failed if not isinstance(error, Transient)]

    def restart(self, workload: Workload, targets: Iterable[TargetRef]) -> None:
        """Record that a workload was restarted for these targets."""
        for target in targets:
            self.restarted.setdefault(target, FirstLines(MAX_NAMES)).add(name_of(workload))

    def wait(self, workload: Workload, targets: Iterable[TargetRef], why: str, *, event: bool = True) -> None:
        """Record that a workload is not restarted now; `event`: people should learn of it by an Event, too."""
        concerned = tuple(targets)
        for target in concerned:
            self.waiting.setdefault(target, FirstLines(MAX_WAITING)).add(f"{name_of(workload)}: {why}")
        if event and len(self.delayed) < _EVENTS:
            self.delayed.append((workload, concerned, why))


def name_of(workload: Workload) -> str:
    """Return kind and name, as a status has them."""
    return f"{workload.ref.kind} {workload.ref.key.name}"
