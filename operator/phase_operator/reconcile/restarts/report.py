"""Report restarts: in the status of PhaseSecrets, and in Events on PhaseSecrets and workloads, each once."""

from collections.abc import Callable, Iterable, Mapping

from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import Event
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.workload import Workload, WorkloadRef
from phase_operator.core.status.restarts import (
    MAX_RESTARTED,
    MAX_WAITING,
    NO_RESTARTS,
    FirstLines,
    RestartReport,
    listed,
    recorded_restarts,
)
from phase_operator.core.targets.fingerprint import KeyDigests
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.ports import Workloads
from phase_operator.reconcile.restarts.look import MAX_NAMES, Look, name_of
from phase_operator.reconcile.writers import Writers

_FAILED = "workloads cannot be looked at"
EVENT_RESTARTED, EVENT_DELAYED = "WorkloadRestarted", "RestartDelayed"


class RestartReporter:
    """Keeps the restart report of each target, posts Events for what is new, and wakes the writers of the target."""

    def __init__(
        self,
        workloads: Workloads,
        writers: Writers,
        wake: Callable[[TargetRef], None],
        post: Callable[[ObjectKey, Event], None],
    ) -> None:
        self._workloads = workloads
        self._writers = writers
        self.wake = wake
        self._post = post
        self._reports: dict[TargetRef, RestartReport] = {}
        # Which delays the last look at a namespace posted Events for.
        self._delayed: dict[str, frozenset[tuple[WorkloadRef, str]]] = {}
        # The content that the reported workloads were restarted for, and their names.
        self._waves: dict[TargetRef, tuple[bytes, FirstLines]] = {}

    def report_of(self, target: TargetRef) -> RestartReport:
        """Return the report of a target."""
        return self._reports.get(target, NO_RESTARTS)

    def report_for(self, key: ObjectKey, target: TargetRef) -> RestartReport | None:
        """Return the report of a target for a PhaseSecret; None if the PhaseSecret does not write it."""
        return self.report_of(target) if key in self._writers.of(target) else None

    def waiting(self) -> int:
        """Return how many targets have workloads whose restart waits for something."""
        return sum(bool(each.waiting) for each in self._reports.values())

    def remember(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Take the reports of targets over from the status of a PhaseSecret, where it writes the target."""
        recorded = recorded_restarts(status)
        for target in targets:
            if target in recorded and key in self._writers.of(target):
                self._reports.setdefault(target, recorded[target])

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Drop the reports of targets: for the next PhaseSecret that is admitted to them, they would not be true."""
        for target in targets:
            self._reports.pop(target, None)
            self._waves.pop(target, None)

    def restarted(self, workload: Workload, targets: Iterable[TargetRef]) -> None:
        """Post an Event on a workload that says what it was restarted for."""
        why = f"restarted for {', '.join(map(str, targets))}"
        self._workloads.record_event(workload, [Event("Normal", EVENT_RESTARTED, why)])

    def report(
        self, namespace: str, look: Look, failures: Iterable[ExpectedError] = (), targets: Iterable[TargetRef] = ()
    ) -> None:
        """Report a look that has seen every workload of its namespace, except for kinds that could not be listed.

        `failures` are reported, on `targets`.
        """
        self.report_restarted(look)
        failed = tuple(f"{_FAILED}: {error.message}" for error in failures)
        concerned = {each for each in self._reports if each.key.namespace == namespace} | look.waiting.keys()
        followed = frozenset(targets)
        for target in sorted(concerned | followed):
            self._report_waiting(target, look, failed, is_failed=target in followed)
        self._post_delays(namespace, look)

    def _report_waiting(self, target: TargetRef, look: Look, failed: tuple[str, ...], *, is_failed: bool) -> None:
        before = self.report_of(target)
        waiting = look.waiting[target].lines() if target in look.waiting else ()
        # An earlier failure is not known to have ended while there are failures that are not reported.
        failing = _failures(before) if look.failed and not failed else failed if is_failed else ()
        self._post_new(target, before, failing)
        self._keep(target, before, RestartReport(before.restarted, (*waiting[: MAX_WAITING - len(failing)], *failing)))

    def _post_new(self, target: TargetRef, before: RestartReport, reasons: Iterable[str]) -> None:
        """Post an Event for each of these reasons that the report did not have before."""
        for why in reasons:
            if why not in before.waiting:
                self._post_to_owners(target, Event("Warning", EVENT_DELAYED, f"{target}: {why}"))

    def _post_delays(self, namespace: str, look: Look) -> None:
        """Post an Event for each restart that waits now and did not wait for the same at the last look."""
        known = self._delayed.pop(namespace, frozenset())
        for workload, targets, why in look.delayed:
            if (workload.ref, why) not in known:
                self._post_delay(workload, targets, why)
        if look.delayed:
            self._delayed[namespace] = frozenset((workload.ref, why) for workload, _, why in look.delayed)

    def _post_delay(self, workload: Workload, targets: Iterable[TargetRef], why: str) -> None:
        """Post on a workload, and on the owners of these targets, why its restart waits."""
        self._workloads.record_event(workload, [Event("Warning", EVENT_DELAYED, why)])
        for target in targets:
            self._post_to_owners(target, Event("Warning", EVENT_DELAYED, f"{target}: {name_of(workload)}: {why}"))

    def report_restarted(self, look: Look) -> None:
        """Report the restarts of a look, which may have failed before its end."""
        for target, names in sorted(look.restarted.items()):
            some = ", ".join(listed(names.first[:MAX_WAITING], MAX_WAITING, names.count))
            self._post_to_owners(target, Event("Normal", EVENT_RESTARTED, f"{target}: restarted {some}"))
            before = self.report_of(target)
            wave = self._wave(target, names, look)
            restarted = listed(wave.first[:MAX_RESTARTED], MAX_RESTARTED, wave.count)
            self._keep(target, before, RestartReport(restarted, before.waiting))

    def _wave(self, target: TargetRef, names: FirstLines, look: Look) -> FirstLines:
        """Return all workloads that were restarted for the content that the target has now."""
        followed_target = look.followed_targets.get(target)
        digests = followed_target.content if followed_target is not None else None
        content = digests.whole if isinstance(digests, KeyDigests) else b""
        kept, before = self._waves.get(target, (content, FirstLines(MAX_NAMES)))
        if kept != content:
            before = FirstLines(MAX_NAMES)
        together = sorted({*before.first, *names.first})
        # Workloads beyond the kept names may be counted twice.
        more = before.count - len(before.first) + names.count - len(names.first)
        found = FirstLines(MAX_NAMES, together[:MAX_NAMES], len(together) + more)
        self._waves[target] = (content, found)
        return found

    def refused(self, target: TargetRef, message: str) -> None:
        """Report that the workloads that read a target cannot be looked at."""
        before = self.report_of(target)
        why = f"{_FAILED}: {message}"
        self._post_new(target, before, [why])
        self._keep(target, before, RestartReport(before.restarted, (why,)))

    def _keep(self, target: TargetRef, before: RestartReport, after: RestartReport) -> None:
        if after == before:
            return
        if after == NO_RESTARTS or not self._writers.of(target):
            self._reports.pop(target, None)
            self._waves.pop(target, None)
        else:
            self._reports[target] = after
        self.wake(target)

    def _post_to_owners(self, target: TargetRef, event: Event) -> None:
        for key in self._writers.of(target):
            self._post(key, event)


def _failures(report: RestartReport) -> tuple[str, ...]:
    """Return the reasons of a report that are failures to look at workloads."""
    return tuple(why for why in report.waiting if why.startswith(_FAILED))
