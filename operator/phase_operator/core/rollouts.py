"""How many roll-outs go on at once, and for how long one is waited for.

Rule: a place is held until its roll-out was seen to have ended or its deadline has passed, so a roll-out that never
ends, or of which we never hear again, cannot keep the others waiting for ever. Nothing here has to outlive the process.
"""

from phase_operator.core.workloads import WorkloadRef


class Rollouts:
    """The roll-outs that we began or wait for. Times are seconds of one monotonic clock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Workloads that we rolled out, and until when they hold a place.
        self._places: dict[WorkloadRef, float] = {}
        # Workloads whose roll-out, by whomever, is in the way of ours, and since when.
        self._awaited: dict[WorkloadRef, float] = {}

    def __len__(self) -> int:
        return len(self._places)

    def begin(self, workload: WorkloadRef, now: float, deadline: float) -> bool:
        """Take a place and return True, or return False if none is free. Called before the write."""
        for other in [each for each, until in self._places.items() if until <= now]:
            del self._places[other]
        if workload not in self._places and len(self._places) >= self._limit:
            return False
        self._places[workload] = now + deadline
        self._awaited.pop(workload, None)
        return True

    def is_patient(self, workload: WorkloadRef, now: float, deadline: float) -> bool:
        """Say whether the roll-out in our way is still to be waited for; the first time begins the wait."""
        return now < self._awaited.setdefault(workload, now) + deadline

    def end(self, workload: WorkloadRef) -> None:
        """Free the place: the roll-out has ended, never began, or the workload is gone."""
        self._places.pop(workload, None)
        self._awaited.pop(workload, None)

    def under_way(self) -> list[WorkloadRef]:
        """Return the workloads that hold a place, to be looked at until they do not, sorted."""
        return sorted(self._places)

    def next_free(self) -> float | None:
        """Return when a place becomes free at the latest, or None if all are free."""
        return min(self._places.values(), default=None)
