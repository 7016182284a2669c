"""When a run that failed is repeated: back-off for each PhaseSecret, one pace for all while the API server is away."""

from phase_operator.core.flow.backoff import retry_resource
from phase_operator.core.flow.outage import Fault, Outage
from phase_operator.core.outcome import Failed, Outcome
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.queue.schedule import Priority
from phase_operator.reconcile.queue.work_queue import WorkQueue


class Retries:
    """Counts failures in a row, and queues the next try."""

    def __init__(self, queue: WorkQueue[ObjectKey], clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._failures: dict[ObjectKey, int] = {}
        self._outage: Outage[ObjectKey] = Outage()

    def is_first(self, key: ObjectKey) -> bool:
        """Return True unless the run before failed as well. Thousands may fail together: log the first failure only."""
        return key not in self._failures

    def forget(self, key: ObjectKey) -> None:
        """Reset the count: the PhaseSecret was edited, or a run succeeded."""
        self._failures.pop(key, None)

    def run_ended(self, key: ObjectKey, outcome: Outcome) -> bool:
        """Queue the next try, if there is to be one. Return True if the run shows that the API server is back."""
        found, is_back = self._outage.ended(key, outcome)
        transient = retry_wanted(outcome)
        if transient is None:
            self.forget(key)
        else:
            self.repeat(key, transient=transient, found=found, at_least=pause_wanted(outcome))
        return is_back

    def repeat(self, key: ObjectKey, *, transient: bool, found: Fault | None = None, at_least: float = 0.0) -> None:
        """Queue the next try: soon if the failure is `transient`, slowly if a person has to act first.

        `at_least` is a pause in seconds that a server asked for.
        """
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = retry_resource(transient=transient, failures=failures, identity=str(key))
        if found is not None:
            delay = self._outage.failed(key, found, delay, self._clock.monotonic())
        self._queue.add(key, delay=max(delay, at_least), priority=Priority.PERIODIC)

    def kubernetes_is_back(self) -> bool:
        """Queue the runs that failed because of the API server. Return False if it flaps: they then wait a little."""
        delay = self._outage.pause(self._clock.monotonic())
        for key in self._outage.drain():
            self._queue.add(key, delay=delay)
        return not delay


def retry_wanted(outcome: Outcome) -> bool | None:
    """Return how a run is repeated: True soon, False slowly, None not at all."""
    if isinstance(outcome, Failed):
        return outcome.transient
    # Only the outcome of a run that brought targets in step has any.
    bad = [target for target in outcome.targets if not target.ready]
    return any(target.transient for target in bad) if bad else None


def pause_wanted(outcome: Outcome) -> float:
    """Return the longest pause in seconds that a server asked for during the run; 0 if none did."""
    asked = [target.after or 0.0 for target in outcome.targets if not target.ready]
    if isinstance(outcome, Failed):
        asked.append(outcome.after or 0.0)
    return max(asked, default=0.0)
