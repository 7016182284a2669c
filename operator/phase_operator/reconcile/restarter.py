"""Workloads follow their targets: noted before a target is written, restarted once what changes together has changed.

Rule: nothing is remembered that a restart of the operator may not forget. What pods have seen stands on the workloads,
what a target holds on the target; here is only when to look, and how many roll-outs go on. core/restarts.py decides.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never
from weakref import WeakValueDictionary

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import Followers
from phase_operator.core.contents import Content
from phase_operator.core.errors import ExpectedError, Invalid, Transient
from phase_operator.core.feeds import ABSENT, Holding, holding
from phase_operator.core.outcome import Notice
from phase_operator.core.progress import Progress, WorkloadKind
from phase_operator.core.restarts import Cause, Feed, Gap, Keep, Record, RollOut, Wait, decide, prepare
from phase_operator.core.rollouts import Rollouts
from phase_operator.core.settling import Settling
from phase_operator.core.targets import TargetRef
from phase_operator.core.told import MAX_RESTARTED, MAX_WAITING, NOTHING, Told, listed, told_before
from phase_operator.core.values import ObjectKey
from phase_operator.core.wanted import standing
from phase_operator.core.workloads import Workload, WorkloadRef
from phase_operator.reconcile.dependents import Dependents
from phase_operator.reconcile.ports import Clock, Observer, Workloads
from phase_operator.reconcile.queue import QueueClosedError, wait_for
from phase_operator.reconcile.resources import Resources
from phase_operator.reconcile.task import Task

log = logging.getLogger(__name__)

# A workload that changes under our hands is looked at again at once, this many times.
_ATTEMPTS = 3
# Nothing tells us when a roll-out ends, or that a workload is resumed.
_SOON, _SELDOM = 3.0, 60.0
_NOT_YET = 0.5
EVENT_RESTARTED, EVENT_DELAYED = "WorkloadRestarted", "RestartDelayed"


@dataclass(slots=True)
class _Batch:
    """Targets of a namespace that are about to be written, and share one look."""

    coming: dict[TargetRef, Content] = field(default_factory=dict)
    is_done: bool = False
    error: ExpectedError | None = None


@dataclass(slots=True)
class _Look:
    """What one look at the workloads of a namespace comes to."""

    # None: its PhaseSecrets do not say who follows it.
    feeds: dict[TargetRef, Feed | None] = field(default_factory=dict)
    restarted: dict[TargetRef, list[str]] = field(default_factory=dict)
    waiting: dict[TargetRef, list[str]] = field(default_factory=dict)
    # What is worth an Event, when it is new.
    delayed: list[tuple[Workload, tuple[TargetRef, ...], str]] = field(default_factory=list)
    # Something has to be looked at again without being told, and soon.
    again: bool = False
    soon: bool = False
    has_freed: bool = False

    def wait(self, workload: Workload, targets: Iterable[TargetRef], why: str, *, event: bool = True) -> None:
        """Take down that a workload is not restarted now."""
        concerned = tuple(targets)
        for target in concerned:
            self.waiting.setdefault(target, []).append(f"{_name(workload)}: {why}")
        if event:
            self.delayed.append((workload, concerned, why))


class Restarter:
    """Restarts workloads, for targets of any PhaseSecret."""

    def __init__(
        self,
        *,
        workloads: Workloads,
        resources: Resources,
        target_users: Dependents[TargetRef],
        digest_key: Callable[[], bytes],
        clock: Clock,
        observer: Observer,
        wake: Callable[[TargetRef], None],
        tell: Callable[[ObjectKey, Notice], None],
        all_known: Callable[[], bool],
        window: float,
        at_once: int,
    ) -> None:
        self._workloads = workloads
        self._resources = resources
        self._target_users = target_users
        self._digest_key = digest_key
        self._clock = clock
        self._observer = observer
        self._wake = wake
        self._tell = tell
        self._all_known = all_known
        self._window = window
        self._at_once = at_once
        self._settling: Settling[str] = Settling(window)
        self._rollouts = Rollouts(at_once)
        # When to look again although nothing was touched, and how often that was so in a row.
        self._again: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._batches: dict[str, _Batch] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # What the workloads of a namespace read, as seen a moment ago.
        self._reads: dict[str, tuple[float, frozenset[TargetRef]]] = {}
        self._told: dict[TargetRef, Told] = {}
        # What the last look at a namespace had Events posted for.
        self._delayed: dict[str, frozenset[tuple[WorkloadRef, str]]] = {}
        # For which content the workloads that are told were restarted.
        self._waves: dict[TargetRef, tuple[bytes, list[str]]] = {}
        self._changed = asyncio.Event()
        self._closed = False

    # For runs.

    def expect(self, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Take note of targets that were not known before; `status` is that of their PhaseSecret."""
        new = [target for target in targets if target not in self._target_users]
        if not new:
            return
        told = told_before(status)
        for target in new:
            if target in told:
                self._told.setdefault(target, told[target])
            self._touch(target.key.namespace)

    async def prepare(self, target: TargetRef, content: Content, *, is_new: bool) -> None:
        """Have noted what the pods that read a target run with, before it gets this content.

        Raises Transient if that cannot be done now. What cannot be done at all is told, and keeps no target from its
        content: the workloads in question may lack a restart then.
        """
        namespace = target.key.namespace
        if is_new and not self._may_be_read(target):
            return
        batch = self._batches.setdefault(namespace, _Batch())
        batch.coming[target] = content
        async with self._turns.setdefault(namespace, asyncio.Lock()):
            if not batch.is_done:
                # Who comes from now on waits for the next look: this one may have passed what concerns it.
                del self._batches[namespace]
                batch.error = Transient(Reason.INTERNAL_ERROR, "workloads could not be noted")
                try:
                    await self._note(namespace, batch.coming)
                    batch.error = None
                except ExpectedError as error:
                    batch.error = error.to_keep()
                finally:
                    batch.is_done = True
        if isinstance(batch.error, Transient):
            raise Transient(batch.error.reason, batch.error.message)
        if batch.error is not None:
            self._tell_at_once(target, batch.error)

    def written(self, target: TargetRef) -> None:
        """Take note that a target was written: its workloads are looked at once all is quiet."""
        self._touch(target.key.namespace)

    def told(self, target: TargetRef) -> Told:
        """Return what a status is to tell of a target."""
        return self._told.get(target, NOTHING)

    # For the worker.

    async def take(self) -> str:
        """Wait for the next namespace whose workloads are to be looked at; raise QueueClosedError after `close`."""
        while not self._closed:
            now = self._clock.monotonic()
            due = [each for each in (self._settling.next_due(), *self._again.values()) if each is not None]
            self._changed.clear()
            if not due or min(due) > now:
                await wait_for(self._changed, min(due) - now if due else None)
            elif not self._all_known():
                # What is not known yet would look as if nobody wrote it any more.
                await wait_for(self._changed, _NOT_YET)
            elif found := self._due(now):
                return found
        raise QueueClosedError

    async def look(self, namespace: str) -> None:
        """Bring the workloads of a namespace in step with what their targets hold."""
        look = _Look()
        # Whatever happens: only a look that came to its end may say that there is nothing left to do.
        look.again = True
        try:
            await self._look(namespace, look)
        except ExpectedError as error:
            self._observer.restart_failed()
            log.warning("workloads not looked at", extra={"namespace": namespace, "detail": error.message})
        finally:
            self._plan(namespace, look)

    def close(self) -> None:
        """Give out no more namespaces."""
        self._closed = True
        self._changed.set()

    # For metrics.

    def under_way(self) -> int:
        """Return how many roll-outs that we began hold a place."""
        return len(self._rollouts)

    def waiting(self) -> int:
        """Return how many targets have workloads whose restart waits for something."""
        return sum(bool(told.waiting) for told in self._told.values())

    # Before a write.

    def _may_be_read(self, target: TargetRef) -> bool:
        """Say whether pods may read what does not exist yet: they can, if they say that it is optional."""
        seen = self._reads.get(target.key.namespace)
        return seen is None or seen[0] + self._window < self._clock.monotonic() or target in seen[1]

    async def _note(self, namespace: str, coming: Mapping[TargetRef, Content]) -> None:
        look = _Look()
        reads: set[TargetRef] = set()
        began = self._clock.monotonic()
        async for workload in self._workloads.each(namespace):
            targets = _targets(workload)
            reads.update(targets)
            if not coming.keys().isdisjoint(targets):
                await self._prepare(workload, coming, look)
        self._reads = {each: seen for each, seen in self._reads.items() if seen[0] + self._window >= began}
        self._reads[namespace] = (began, frozenset(reads))

    async def _prepare(self, workload: Workload, coming: Mapping[TargetRef, Content], look: _Look) -> None:
        found: Workload | None = workload
        for _ in range(_ATTEMPTS):
            if found is None:
                return
            feeds = await self._feeds_of(found, look)
            action = prepare(found, feeds, coming, self._digest_key(), whole=self._all_known())
            if isinstance(action, Keep) or await self._workloads.apply(found, action):
                return
            found = await self._workloads.get(found.ref)
        raise Transient(Reason.KUBERNETES_UNAVAILABLE, f"{workload.ref} keeps changing while it is noted")

    # After it.

    async def _look(self, namespace: str, look: _Look) -> None:
        async for workload in self._workloads.each(namespace):
            if workload.running or any(target in self._target_users for target in _targets(workload)):
                await self._bring_in_step(workload, look)
        look.again = look.soon or bool(look.again and look.waiting)
        self._report(namespace, look)

    async def _bring_in_step(self, workload: Workload, look: _Look) -> None:
        found: Workload | None = workload
        for _ in range(_ATTEMPTS):
            if found is None or await self._act(found, look):
                return
            found = await self._workloads.get(found.ref)
        look.soon = True

    async def _act(self, workload: Workload, look: _Look) -> bool:
        """Do what is to be done; return False if the workload is not the one that was judged."""
        now, deadline = self._clock.monotonic(), workload.standing.deadline
        if workload.standing.progress is not Progress.UNDER_WAY:
            self._rollouts.end(workload.ref)
        feeds = await self._feeds_of(workload, look)
        decision = decide(workload, feeds, self._digest_key())
        if isinstance(decision, Wait) and decision.cause is Cause.ROLLING_OUT:
            patient = self._rollouts.is_patient(workload.ref, now, deadline)
            decision = decide(workload, feeds, self._digest_key(), patient=patient)
        match decision:
            case Keep(holds=holds):
                if holds is not None:
                    look.wait(workload, [target for target, feed in feeds.items() if feed.admits(workload)], holds)
                return True
            case Wait(cause=cause, why=why, targets=targets):
                look.wait(workload, targets, why, event=cause is not Cause.ROLLING_OUT)
                return True
            case Record():
                return await self._apply(workload, decision, look)
            case RollOut():
                return await self._roll_out(workload, decision, look)
            case _:
                assert_never(decision)

    async def _roll_out(self, workload: Workload, action: RollOut, look: _Look) -> bool:
        takes_place = workload.ref.kind is not WorkloadKind.CRON_JOB and action.holds is None
        if takes_place and not await self._begin(workload, look):
            look.soon = True
            why = f"its turn has not come; {self._at_once} roll-outs at once"
            look.wait(workload, action.targets, why, event=False)
            return True
        done = await self._apply(workload, action, look)
        if not done:
            self._rollouts.end(workload.ref)
        return done

    async def _begin(self, workload: Workload, look: _Look) -> bool:
        ref, deadline = workload.ref, workload.standing.deadline
        if self._rollouts.begin(ref, self._clock.monotonic(), deadline):
            return True
        if look.has_freed:
            return False
        look.has_freed = True
        # Places may be held in namespaces that nobody has looked at since.
        for other in self._rollouts.under_way():
            found = await self._workloads.get(other)
            if found is None or found.standing.progress is not Progress.UNDER_WAY:
                self._rollouts.end(other)
        return self._rollouts.begin(ref, self._clock.monotonic(), deadline)

    async def _apply(self, workload: Workload, action: Record | RollOut, look: _Look) -> bool:
        targets = action.targets if isinstance(action, RollOut) else ()
        try:
            if not await self._workloads.apply(workload, action):
                return False
        except Transient:
            self._rollouts.end(workload.ref)
            raise
        except ExpectedError as error:
            self._rollouts.end(workload.ref)
            self._observer.restart_failed()
            look.soon = True
            look.wait(workload, targets or _targets(workload), f"it cannot be restarted: {error.message}")
            return True
        if isinstance(action, RollOut):
            for target in targets:
                look.restarted.setdefault(target, []).append(_name(workload))
            if action.holds is not None:
                look.wait(workload, targets, action.holds)
            self._observer.restarted(str(workload.ref.kind))
            told = f"restarted for {', '.join(map(str, targets))}"
            log.info("workload restarted", extra={"object": str(workload.ref), "detail": told})
            self._workloads.notify(workload, [Notice("Normal", EVENT_RESTARTED, told)])
        return True

    # What targets hold, and who follows them.

    async def _feeds_of(self, workload: Workload, look: _Look) -> dict[TargetRef, Feed]:
        found: dict[TargetRef, Feed] = {}
        for target in _targets(workload):
            if target not in self._target_users:
                continue
            if target not in look.feeds:
                look.feeds[target] = await self._feed(target)
            feed = look.feeds[target]
            if feed is not None:
                found[target] = feed
        return found

    async def _feed(self, target: TargetRef) -> Feed | None:
        policies = []
        versions: Mapping[TargetRef, str] = {}
        is_versioned = False
        for key in self._target_users.of(target):
            resource = self._resources.get(key)
            if resource is None:
                continue
            task = Task(resource)
            try:
                policy = task.policies.get(target)
            except Invalid:
                continue
            if policy is not None:
                policies.append(policy)
                is_versioned = is_versioned or target in task.versioned
                versions = {**versions, **task.versions}
        if not policies:
            return None
        if all(policy.followers is Followers.NONE for policy in policies):
            return Feed(tuple(policies), Gap.UNKNOWN)
        held = await self._held(target, versions, is_versioned=is_versioned)
        return Feed(tuple(policies), held.content, held.written_at)

    async def _held(self, target: TargetRef, versions: Mapping[TargetRef, str], *, is_versioned: bool) -> Holding:
        key = self._digest_key()
        held = holding(await self._workloads.metadata(target), key)
        if not is_versioned:
            return held
        if held != ABSENT:
            # Somebody else's object has the name that ours only have in front of a hash.
            return Holding(Gap.UNKNOWN)
        newest = standing(target, versions)
        return ABSENT if newest == target else holding(await self._workloads.metadata(newest), key)

    # What is told.

    def _report(self, namespace: str, look: _Look) -> None:
        concerned = [each for each in self._told if each.key.namespace == namespace]
        for target in sorted({*concerned, *look.waiting, *look.restarted}):
            if names := look.restarted.get(target):
                self._tell_users(target, Notice("Normal", EVENT_RESTARTED, f"{target}: restarted {_some(names)}"))
            before = self.told(target)
            restarted = before.restarted if not names else listed(self._wave(target, names, look), MAX_RESTARTED)
            after = Told(restarted, listed(look.waiting.get(target, []), MAX_WAITING))
            self._keep(target, before, after)
        known = self._delayed.pop(namespace, frozenset())
        for workload, targets, why in look.delayed:
            if (workload.ref, why) not in known:
                self._workloads.notify(workload, [Notice("Warning", EVENT_DELAYED, why)])
                for target in targets:
                    self._tell_users(target, Notice("Warning", EVENT_DELAYED, f"{target}: {_name(workload)}: {why}"))
        if look.delayed:
            self._delayed[namespace] = frozenset((workload.ref, why) for workload, _, why in look.delayed)

    def _wave(self, target: TargetRef, names: list[str], look: _Look) -> list[str]:
        """Return all workloads that were restarted for what the target holds now."""
        feed = look.feeds.get(target)
        content = feed.content.whole if feed is not None and isinstance(feed.content, Content) else b""
        kept, before = self._waves.get(target, (content, []))
        found = sorted({*(before if kept == content else ()), *names})
        self._waves[target] = (content, found)
        return found

    def _tell_at_once(self, target: TargetRef, error: ExpectedError) -> None:
        self._observer.restart_failed()
        before = self.told(target)
        why = f"workloads cannot be looked at: {error.message}"
        if why not in before.waiting:
            self._tell_users(target, Notice("Warning", EVENT_DELAYED, f"{target}: {why}"))
        self._keep(target, before, Told(before.restarted, (why,)))

    def _keep(self, target: TargetRef, before: Told, after: Told) -> None:
        if after == before:
            return
        if after == NOTHING or target not in self._target_users:
            self._told.pop(target, None)
            self._waves.pop(target, None)
        else:
            self._told[target] = after
        self._wake(target)

    def _tell_users(self, target: TargetRef, notice: Notice) -> None:
        for key in self._target_users.of(target):
            self._tell(key, notice)

    # When to look.

    def _touch(self, namespace: str) -> None:
        self._settling.touch(namespace, self._clock.monotonic())
        self._changed.set()

    def _due(self, now: float) -> str | None:
        self._again |= dict.fromkeys(self._settling.take(now), now)
        found = min(((due, each) for each, due in self._again.items() if due <= now), default=None)
        if found is None:
            return None
        del self._again[found[1]]
        return found[1]

    def _plan(self, namespace: str, look: _Look) -> None:
        if not look.again:
            self._tries.pop(namespace, None)
            return
        tries = self._tries[namespace] = 0 if look.soon else self._tries.get(namespace, -1) + 1
        delay = min(_SOON * 2.0 ** min(tries, 16), _SELDOM)
        self._again.setdefault(namespace, self._clock.monotonic() + delay)
        self._changed.set()


class NoRestarts:
    """What stands in for a Restarter where whoever runs the operator forbids restarts: no workload is even read."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    def expect(self, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Expect nothing of them."""

    async def prepare(self, target: TargetRef, content: Content, *, is_new: bool) -> None:
        """Note nothing."""

    def written(self, target: TargetRef) -> None:
        """Follow nothing."""

    def told(self, target: TargetRef) -> Told:
        """Return that there is nothing to tell."""
        return NOTHING

    async def take(self) -> str:
        """Raise QueueClosedError after `close`, and not before."""
        await self._closed.wait()
        raise QueueClosedError

    async def look(self, namespace: str) -> None:
        """Look at nothing."""

    def close(self) -> None:
        """Let `take` end."""
        self._closed.set()


def _targets(workload: Workload) -> list[TargetRef]:
    namespace = workload.ref.key.namespace
    return [TargetRef(reference.kind, ObjectKey(namespace, reference.name)) for reference in workload.references]


def _name(workload: Workload) -> str:
    return f"{workload.ref.kind} {workload.ref.key.name}"


def _some(names: list[str]) -> str:
    return ", ".join(listed(names, MAX_WAITING))
