"""What is told about restarts: in statuses, and in Events on PhaseSecrets and workloads, each once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import Notice
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.workload import Workload, WorkloadRef
from phase_operator.core.status.restarts import MAX_RESTARTED, MAX_WAITING, NOTHING, Some, Told, listed, told_before
from phase_operator.core.targets.fingerprint import Content
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.ports import Workloads
from phase_operator.reconcile.restarts.followed import Known
from phase_operator.reconcile.writers import Writers

# Of a look: a workload that is told of is kept until it ends, and nobody reads more.
_EVENTS = 50
# So many names are kept of one content; of what is more than that only the number.
_NAMES = 1000
_FAILED = "workloads cannot be looked at"
EVENT_RESTARTED, EVENT_DELAYED = "WorkloadRestarted", "RestartDelayed"


@dataclass(slots=True)
class Look:
    """What one look at the workloads of a namespace comes to."""

    feeds: Known = field(default_factory=dict)
    restarted: dict[TargetRef, Some] = field(default_factory=dict)
    waiting: dict[TargetRef, Some] = field(default_factory=dict)
    # Kinds of workloads that could not be read.
    failed: list[ExpectedError] = field(default_factory=list)
    # What is worth an Event, when it is new.
    delayed: list[tuple[Workload, tuple[TargetRef, ...], str]] = field(default_factory=list)
    # Something has to be looked at again without being told, and soon.
    again: bool = False
    soon: bool = False
    # When a roll-out that does not get on has been waited for long enough, by the monotonic clock.
    due: float | None = None
    has_freed: bool = False
    # Workloads wait for a place among the roll-outs.
    wants: bool = False

    def restart(self, workload: Workload, targets: Iterable[TargetRef]) -> None:
        """Take down that a workload was restarted."""
        for target in targets:
            self.restarted.setdefault(target, Some(_NAMES)).add(name_of(workload))

    def wait(self, workload: Workload, targets: Iterable[TargetRef], why: str, *, event: bool = True) -> None:
        """Take down that a workload is not restarted now."""
        concerned = tuple(targets)
        for target in concerned:
            self.waiting.setdefault(target, Some(MAX_WAITING)).add(f"{name_of(workload)}: {why}")
        if event and len(self.delayed) < _EVENTS:
            self.delayed.append((workload, concerned, why))


class Telling:
    """Keeps what statuses tell of targets, and posts Events where it is new."""

    def __init__(
        self,
        workloads: Workloads,
        writers: Writers,
        wake: Callable[[TargetRef], None],
        tell: Callable[[ObjectKey, Notice], None],
    ) -> None:
        self._workloads = workloads
        self._writers = writers
        self._wake = wake
        self._tell = tell
        self._told: dict[TargetRef, Told] = {}
        # What the last look at a namespace had Events posted for.
        self._delayed: dict[str, frozenset[tuple[WorkloadRef, str]]] = {}
        # For which content the workloads that are told were restarted.
        self._waves: dict[TargetRef, tuple[bytes, Some]] = {}

    def told(self, target: TargetRef) -> Told:
        """Return what there is to tell of a target."""
        return self._told.get(target, NOTHING)

    def told_to(self, key: ObjectKey, target: TargetRef) -> Told | None:
        """Return what there is to tell of a target to a PhaseSecret; None if it does not write it."""
        return self.told(target) if key in self._writers.of(target) else None

    def waiting(self) -> int:
        """Return how many targets have workloads whose restart waits for something."""
        return sum(bool(told.waiting) for told in self._told.values())

    def remember(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Take over what the status of a PhaseSecret tells of those targets that it writes."""
        told = told_before(status)
        for target in targets:
            if target in told and key in self._writers.of(target):
                self._told.setdefault(target, told[target])

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Drop what is remembered of targets: of whoever is admitted to them next, nothing of it is true."""
        for target in targets:
            self._told.pop(target, None)
            self._waves.pop(target, None)

    def restarted(self, workload: Workload, targets: Iterable[TargetRef]) -> None:
        """Tell the workload what it was restarted for."""
        why = f"restarted for {', '.join(map(str, targets))}"
        self._workloads.notify(workload, [Notice("Normal", EVENT_RESTARTED, why)])

    def report(
        self, namespace: str, look: Look, failures: Iterable[ExpectedError] = (), targets: Iterable[TargetRef] = ()
    ) -> None:
        """Tell what a look came to that has seen every workload of its namespace, but for kinds that failed.

        `failures` are worth a word, on `targets`.
        """
        self.report_restarted(look)
        failed = tuple(f"{_FAILED}: {error.message}" for error in failures)
        concerned = {each for each in self._told if each.key.namespace == namespace} | look.waiting.keys()
        followed = frozenset(targets)
        for target in sorted(concerned | followed):
            before = self.told(target)
            waiting = look.waiting[target].lines() if target in look.waiting else ()
            told = failed if target in followed else ()
            if look.failed and not failed:
                # It is not known to have ended.
                told = tuple(why for why in before.waiting if why.startswith(_FAILED))
            for why in told:
                if why not in before.waiting:
                    self._tell_users(target, Notice("Warning", EVENT_DELAYED, f"{target}: {why}"))
            self._keep(target, before, Told(before.restarted, (*waiting[: MAX_WAITING - len(told)], *told)))
        known = self._delayed.pop(namespace, frozenset())
        for workload, targets, why in look.delayed:
            if (workload.ref, why) not in known:
                self._workloads.notify(workload, [Notice("Warning", EVENT_DELAYED, why)])
                for target in targets:
                    self._tell_users(target, Notice("Warning", EVENT_DELAYED, f"{target}: {name_of(workload)}: {why}"))
        if look.delayed:
            self._delayed[namespace] = frozenset((workload.ref, why) for workload, _, why in look.delayed)

    def report_restarted(self, look: Look) -> None:
        """Tell what was restarted, also if the look did not come to its end."""
        for target, names in sorted(look.restarted.items()):
            some = ", ".join(listed(names.first[:MAX_WAITING], MAX_WAITING, names.count))
            self._tell_users(target, Notice("Normal", EVENT_RESTARTED, f"{target}: restarted {some}"))
            before = self.told(target)
            wave = self._wave(target, names, look)
            restarted = listed(wave.first[:MAX_RESTARTED], MAX_RESTARTED, wave.count)
            self._keep(target, before, Told(restarted, before.waiting))

    def _wave(self, target: TargetRef, names: Some, look: Look) -> Some:
        """Return all workloads that were restarted for what the target holds now."""
        feed = look.feeds.get(target)
        content = feed.content.whole if feed is not None and isinstance(feed.content, Content) else b""
        kept, before = self._waves.get(target, (content, Some(_NAMES)))
        if kept != content:
            before = Some(_NAMES)
        together = sorted({*before.first, *names.first})
        # Beyond what is kept, nobody knows who was restarted twice.
        more = before.count - len(before.first) + names.count - len(names.first)
        found = Some(_NAMES, together[:_NAMES], len(together) + more)
        self._waves[target] = (content, found)
        return found

    def refused(self, target: TargetRef, message: str) -> None:
        """Tell that the workloads that read a target cannot be looked at."""
        before = self.told(target)
        why = f"{_FAILED}: {message}"
        if why not in before.waiting:
            self._tell_users(target, Notice("Warning", EVENT_DELAYED, f"{target}: {why}"))
        self._keep(target, before, Told(before.restarted, (why,)))

    def _keep(self, target: TargetRef, before: Told, after: Told) -> None:
        if after == before:
            return
        if after == NOTHING or not self._writers.of(target):
            self._told.pop(target, None)
            self._waves.pop(target, None)
        else:
            self._told[target] = after
        self._wake(target)

    def _tell_users(self, target: TargetRef, notice: Notice) -> None:
        for key in self._writers.of(target):
            self._tell(key, notice)


def name_of(workload: Workload) -> str:
    """Return kind and name, as statuses tell them."""
    return f"{workload.ref.kind} {workload.ref.key.name}"
