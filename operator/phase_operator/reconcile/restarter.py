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
from phase_operator.core.contents import Content
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.outcome import Notice
from phase_operator.core.pacing import doubled
from phase_operator.core.progress import Progress, WorkloadKind
from phase_operator.core.restarts import Cause, Keep, Record, RollOut, Wait, decide, prepare
from phase_operator.core.rollouts import Rollouts
from phase_operator.core.settling import Settling
from phase_operator.core.targets import TargetRef
from phase_operator.core.told import NOTHING, Told
from phase_operator.core.values import ObjectKey
from phase_operator.core.workloads import Workload
from phase_operator.reconcile.dependents import Users
from phase_operator.reconcile.feeds import Feeds, targets_of
from phase_operator.reconcile.ports import Clock, KnownObjects, Observer, Workloads
from phase_operator.reconcile.queue import QueueClosedError, wait_for
from phase_operator.reconcile.resources import Resources
from phase_operator.reconcile.telling import Look, Telling, name_of
from phase_operator.reconcile.writers import Writers

log = logging.getLogger(__name__)

# A workload that changes under our hands is looked at again at once, this many times.
_ATTEMPTS = 3
# Nothing tells us when a roll-out ends, or that a workload is resumed.
_SOON, _SELDOM = 3.0, 60.0
_NOT_YET = 0.5


@dataclass(slots=True)
class _Batch:
    """Targets of a namespace that are about to be written, and share one look."""

    coming: dict[TargetRef, Content] = field(default_factory=dict)
    is_done: bool = False
    error: ExpectedError | None = None


class Restarter:
    """Restarts workloads, for targets of any PhaseSecret."""

    def __init__(
        self,
        *,
        workloads: Workloads,
        resources: Resources,
        admitted: Users[TargetRef],
        known: KnownObjects,
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
        self._admitted = admitted
        self._digest_key = digest_key
        self._clock = clock
        self._observer = observer
        writers = Writers(admitted, known)
        self._feeds = Feeds(workloads, resources, admitted, writers, digest_key)
        self._telling = Telling(workloads, writers, wake, tell)
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
        self._changed = asyncio.Event()
        self._closed = False

    # For runs.

    def expect(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Take note of targets that nobody was admitted to before; `status` is that of their PhaseSecret."""
        new = list(targets)
        self._telling.remember(key, new, status)
        for target in new:
            self._touch(target.key.namespace)

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Drop what is remembered of targets that nobody is admitted to any more."""
        self._telling.forget(targets)

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
            self._observer.restart_failed()
            self._telling.refused(target, batch.error.message)

    def written(self, target: TargetRef) -> None:
        """Take note that a target was written: its workloads are looked at once all is quiet."""
        self._touch(target.key.namespace)

    def told(self, target: TargetRef, key: ObjectKey) -> Told | None:
        """Return what the status of a PhaseSecret is to tell of a target; None if that is not for it to know."""
        return self._telling.told_to(key, target)

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
        look = Look()
        # Whatever happens: only a look that came to its end may say that there is nothing left to do.
        look.again = True
        try:
            await self._look(namespace, look)
        except ExpectedError as error:
            self._observer.restart_failed()
            self._telling.report_restarted(look)
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
        return self._telling.waiting()

    # Before a write.

    def _may_be_read(self, target: TargetRef) -> bool:
        """Say whether pods may read what does not exist yet: they can, if they say that it is optional."""
        seen = self._reads.get(target.key.namespace)
        return seen is None or seen[0] + self._window < self._clock.monotonic() or target in seen[1]

    async def _note(self, namespace: str, coming: Mapping[TargetRef, Content]) -> None:
        look = Look()
        reads: set[TargetRef] = set()
        began = self._clock.monotonic()
        async for workload in self._workloads.each(namespace):
            targets = targets_of(workload)
            reads.update(targets)
            if not coming.keys().isdisjoint(targets):
                await self._prepare(workload, coming, look)
        self._reads = {each: seen for each, seen in self._reads.items() if seen[0] + self._window >= began}
        self._reads[namespace] = (began, frozenset(reads))

    async def _prepare(self, workload: Workload, coming: Mapping[TargetRef, Content], look: Look) -> None:
        found: Workload | None = workload
        for _ in range(_ATTEMPTS):
            if found is None:
                return
            feeds = await self._feeds.of(found, look.feeds)
            action = prepare(found, feeds, coming, self._digest_key(), whole=self._all_known())
            if isinstance(action, Keep) or await self._workloads.apply(found, action):
                return
            found = await self._workloads.get(found.ref)
        raise Transient(Reason.KUBERNETES_UNAVAILABLE, f"{workload.ref} keeps changing while it is noted")

    # After it.

    async def _look(self, namespace: str, look: Look) -> None:
        async for workload in self._workloads.each(namespace):
            if workload.running or any(target in self._admitted for target in targets_of(workload)):
                await self._bring_in_step(workload, look)
        look.again = look.soon or bool(look.again and look.waiting)
        self._telling.report(namespace, look)

    async def _bring_in_step(self, workload: Workload, look: Look) -> None:
        found: Workload | None = workload
        for _ in range(_ATTEMPTS):
            if found is None or await self._act(found, look):
                return
            found = await self._workloads.get(found.ref)
        look.soon = True

    async def _act(self, workload: Workload, look: Look) -> bool:
        """Do what is to be done; return False if the workload is not the one that was judged."""
        now, deadline = self._clock.monotonic(), workload.standing.deadline
        if workload.standing.progress is not Progress.UNDER_WAY:
            self._rollouts.end(workload.ref)
        feeds = await self._feeds.of(workload, look.feeds)
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

    async def _roll_out(self, workload: Workload, action: RollOut, look: Look) -> bool:
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

    async def _begin(self, workload: Workload, look: Look) -> bool:
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

    async def _apply(self, workload: Workload, action: Record | RollOut, look: Look) -> bool:
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
            what = "it cannot be restarted" if targets else "what its pods run with cannot be noted"
            look.wait(workload, targets or targets_of(workload), f"{what}: {error.message}")
            return True
        if isinstance(action, RollOut):
            for target in targets:
                look.restarted.setdefault(target, []).append(name_of(workload))
            if action.holds is not None:
                look.wait(workload, targets, action.holds)
            self._observer.restarted(str(workload.ref.kind))
            log.info("workload restarted", extra={"object": str(workload.ref), "detail": ", ".join(map(str, targets))})
            self._telling.restarted(workload, targets)
        return True

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

    def hurry(self) -> None:
        """Give out now what was to be tried again later."""
        self._tries.clear()
        self._again = dict.fromkeys(self._again, self._clock.monotonic())
        self._changed.set()

    def _plan(self, namespace: str, look: Look) -> None:
        if not look.again:
            self._tries.pop(namespace, None)
            return
        tries = self._tries[namespace] = 0 if look.soon else self._tries.get(namespace, -1) + 1
        delay = doubled(_SOON, _SELDOM, tries)
        self._again.setdefault(namespace, self._clock.monotonic() + delay)
        self._changed.set()


class NoRestarts:
    """What stands in for a Restarter where whoever runs the operator forbids restarts: no workload is even read."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    def expect(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Expect nothing of them."""

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Forget nothing."""

    async def prepare(self, target: TargetRef, content: Content, *, is_new: bool) -> None:
        """Note nothing."""

    def written(self, target: TargetRef) -> None:
        """Follow nothing."""

    def told(self, target: TargetRef, key: ObjectKey) -> Told | None:
        """Return that there is nothing to tell."""
        return NOTHING

    async def take(self) -> str:
        """Raise QueueClosedError after `close`, and not before."""
        await self._closed.wait()
        raise QueueClosedError

    async def look(self, namespace: str) -> None:
        """Look at nothing."""

    def hurry(self) -> None:
        """Hurry nothing."""

    def close(self) -> None:
        """Let `take` end."""
        self._closed.set()
