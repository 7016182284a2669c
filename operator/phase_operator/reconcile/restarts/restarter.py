"""Workloads follow their targets: noted before a target is written, restarted once what changes together has changed.

Rule: nothing is remembered that a restart of the operator may not forget. What pods have seen stands on the workloads,
what a target holds on the target; here is only when to look, and how many roll-outs go on. core/rollout/decision.py
decides.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.outcome import Notice
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import Cause, Keep, Record, RollOut, Wait, decide
from phase_operator.core.rollout.progress import Progress, WorkloadKind
from phase_operator.core.rollout.slots import Rollouts
from phase_operator.core.rollout.stall import Patience, Stillness
from phase_operator.core.rollout.workload import Workload, WorkloadRef
from phase_operator.core.status.restarts import Told
from phase_operator.core.targets.fingerprint import Content
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.index import Users
from phase_operator.reconcile.ports import Clock, KnownObjects, Observer, Workloads
from phase_operator.reconcile.restarts.baseline_writer import ATTEMPTS, Noting
from phase_operator.reconcile.restarts.followed import Feeds, targets_of
from phase_operator.reconcile.restarts.looks import Looks
from phase_operator.reconcile.restarts.report import Look, Telling
from phase_operator.reconcile.store import Resources
from phase_operator.reconcile.writers import Writers

log = logging.getLogger(__name__)
# Seconds after which a look lets other namespaces pass, and how many may stand aside so: each holds what it read.
_TURN, _ASIDE = 1.0, 8
# So many workloads in a row that cannot be written for the API server's sake: it is the API server, and no workload.
_FAILURES = 3
_ORDERED = (
    "one of its pods is not ready, and its controller replaces none until it is (podManagementPolicy OrderedReady): "
    "delete that pod if it does not recover by itself"
)


@dataclass(slots=True)
class _Visit:
    """A look at the workloads of a namespace, which may be let go on later."""

    workloads: AsyncIterator[Workload]
    look: Look
    under_way: set[WorkloadRef] = field(default_factory=set)
    failures: int = 0


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
        self._stillness = Stillness()
        self._noting = Noting(
            workloads=workloads,
            feeds=self._feeds,
            stillness=self._stillness,
            digest_key=digest_key,
            clock=clock,
            all_known=all_known,
            window=window,
            refused=self._refused,
        )
        self._all_known = all_known
        self._at_once = at_once
        self._looks = Looks(clock, window, self._settled)
        self._rollouts = Rollouts(at_once)
        # Looks that let other namespaces pass.
        self._visits: dict[str, _Visit] = {}

    # For runs.

    def expect(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Take note of targets that nobody was admitted to before; `status` is that of their PhaseSecret."""
        new = list(targets)
        self._telling.remember(key, new, status)
        for target in new:
            self._looks.touch(target.key.namespace)

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Drop what is remembered of targets that nobody is admitted to any more."""
        self._telling.forget(targets)

    async def prepare(self, target: TargetRef, content: Content, *, is_new: bool) -> None:
        """Have noted what the pods that read a target run with, before it gets this content.

        Raises Transient if that cannot be done now. What cannot be done at all is told, and keeps no target from its
        content: the workloads in question may lack a restart then.
        """
        await self._noting.prepare(target, content, is_new=is_new)

    def written(self, target: TargetRef) -> None:
        """Take note that a target was written: its workloads are looked at once all is quiet."""
        self._looks.touch(target.key.namespace)

    def told(self, target: TargetRef, key: ObjectKey) -> Told | None:
        """Return what the status of a PhaseSecret is to tell of a target; None if that is not for it to know."""
        return self._telling.told_to(key, target)

    # For the worker.

    async def take(self) -> str:
        """Wait for the next namespace whose workloads are to be looked at; raise QueueClosedError after `close`."""
        return await self._looks.take(self._all_known)

    async def look(self, namespace: str) -> None:
        """Bring the workloads of a namespace in step with what their targets hold."""
        visit = self._visits.pop(namespace, None)
        if visit is None:
            look = Look()
            visit = _Visit(self._workloads.each(namespace, look.failed), look)
        look = visit.look
        # Whatever happens: only a look that came to its end may say that there is nothing left to do.
        look.again = True
        try:
            if not await self._look(namespace, visit):
                self._visits[namespace] = visit
        except ExpectedError as error:
            self._observer.restart_failed()
            self._telling.report_restarted(look)
            log.warning("workloads not looked at", extra={"namespace": namespace, "detail": error.message})
        finally:
            if namespace in self._visits:
                self._looks.go_on(namespace)
            else:
                self._looks.plan(namespace, look)

    def close(self) -> None:
        """Give out no more namespaces."""
        self._looks.close()

    # For metrics.

    def under_way(self) -> int:
        """Return how many roll-outs that we began hold a place."""
        return len(self._rollouts)

    def waiting(self) -> int:
        """Return how many targets have workloads whose restart waits for something."""
        return self._telling.waiting()

    def _refused(self, target: TargetRef, message: str) -> None:
        self._observer.restart_failed()
        self._telling.refused(target, message)

    # After a write.

    async def _look(self, namespace: str, visit: _Visit) -> bool:
        """Look at workloads until all were seen, and return True; return False to let other namespaces pass."""
        look, began = visit.look, self._clock.monotonic()
        async for workload in visit.workloads:
            if workload.running or any(target in self._admitted for target in targets_of(workload)):
                await self._bring_in_step(workload, visit)
            # A namespace may have thousands of workloads, and their templates are as large as their users make them.
            await asyncio.sleep(0)
            if self._clock.monotonic() - began >= _TURN and self._others_wait():
                return False
        self._stillness.keep(namespace, visit.under_way)
        if not look.wants:
            self._rollouts.wants_no_more(namespace)
        if look.failed:
            self._observer.restart_failed()
        look.again = look.soon or bool(look.again and (look.waiting or look.failed))
        # An unlucky answer is not worth a word; what lasts is.
        lasts = self._looks.has_lasted(namespace)
        failed = [error for error in look.failed if lasts or not isinstance(error, Transient)]
        targets = self._followed_in(namespace) if failed else ()
        self._telling.report(namespace, look, failed, targets)
        return True

    def _followed_in(self, namespace: str) -> list[TargetRef]:
        beside = (each for each in self._admitted.things() if each.key.namespace == namespace)
        return [each for each in beside if self._feeds.may_be_followed(each)]

    def _others_wait(self) -> bool:
        """Say whether another namespace is due, and there is room for this one to stand aside."""
        return len(self._visits) < _ASIDE and self._looks.others_wait()

    async def _bring_in_step(self, workload: Workload, visit: _Visit) -> None:
        found: Workload | None = workload
        try:
            for _ in range(ATTEMPTS):
                if found is None or await self._act(found, visit):
                    visit.failures = 0
                    return
                found = await self._workloads.get(found.ref)
        except Transient as error:
            visit.failures += 1
            if visit.failures >= _FAILURES:
                raise
            # It may be this workload, as with a webhook that is down: the others are not held up.
            self._observer.restart_failed()
            why = f"it cannot be restarted: {error.message}"
            visit.look.wait(workload, self._followed(workload), why, event=False)
            return
        visit.look.soon = True

    def _followed(self, workload: Workload) -> list[TargetRef]:
        return [target for target in targets_of(workload) if target in self._admitted]

    async def _act(self, workload: Workload, visit: _Visit) -> bool:
        """Do what is to be done; return False if the workload is not the one that was judged."""
        look, is_under_way = visit.look, workload.standing.progress is Progress.UNDER_WAY
        if is_under_way:
            visit.under_way.add(workload.ref)
            self._stillness.see(workload, self._clock.monotonic())
        else:
            self._ended(workload.ref)
        feeds = await self._feeds.of(workload, look.feeds)
        decision = decide(workload, feeds, self._digest_key())
        if isinstance(decision, Wait) and decision.cause is Cause.ROLLING_OUT:
            waits = self._stillness.patience(workload.ref, self._clock.monotonic())
            if waits is not Patience.FOR_THE_END:
                decision = decide(workload, feeds, self._digest_key(), waits=waits)
            else:
                due = self._stillness.ends_at(workload.ref)
                look.due = due if look.due is None else min(look.due, due)
        match decision:
            case Keep(holds=holds):
                if holds is not None:
                    look.wait(workload, [target for target, feed in feeds.items() if feed.admits(workload)], holds)
                elif self._is_blocked(workload):
                    look.wait(workload, [target for target, feed in feeds.items() if feed.admits(workload)], _ORDERED)
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
        is_under_way = workload.standing.progress is Progress.UNDER_WAY
        takes_place = workload.ref.kind is not WorkloadKind.CRON_JOB and action.holds is None
        if takes_place and not await self._begin(workload, look):
            look.wants = True
            why = f"its turn has not come; {self._at_once} roll-outs at once"
            look.wait(workload, action.targets, why, event=False)
            return True
        done = await self._apply(workload, action, look)
        if not done:
            self._rollouts.end(workload.ref)
        elif is_under_way:
            self._stillness.roll_over(workload.ref)
            if workload.standing.ordered and action.holds is None:
                # Its controller may wait for a pod of before; told until it does not.
                look.wait(workload, action.targets, _ORDERED)
        return done

    def _is_blocked(self, workload: Workload) -> bool:
        """Say whether a roll-out that took the place of another one cannot begin by itself."""
        standing = workload.standing
        is_held = standing.ordered and standing.progress is Progress.UNDER_WAY
        return is_held and self._stillness.was_rolled_over(workload.ref)

    def _ended(self, ref: WorkloadRef) -> None:
        self._rollouts.end(ref)
        self._stillness.end(ref)

    async def _begin(self, workload: Workload, look: Look) -> bool:
        ref, deadline = workload.ref, workload.standing.deadline
        if self._rollouts.begin(ref, self._clock.monotonic(), deadline):
            return True
        if look.has_freed:
            return False
        look.has_freed = True
        # Places may be held in namespaces that nobody has looked at since.
        for other in self._rollouts.in_the_way(ref.key.namespace):
            found = await self._workloads.get(other)
            if found is None or found.standing.progress is not Progress.UNDER_WAY:
                self._ended(other)
            else:
                now = self._clock.monotonic()
                self._stillness.see(found, now)
                self._rollouts.rest(other, is_still=self._stillness.is_stuck(other, now))
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
            look.restart(workload, targets)
            if action.holds is not None:
                look.wait(workload, targets, action.holds)
            self._observer.restarted(str(workload.ref.kind))
            log.info("workload restarted", extra={"object": str(workload.ref), "detail": ", ".join(map(str, targets))})
            self._telling.restarted(workload, targets)
        return True

    # When to look.

    def _settled(self, namespace: str) -> None:
        if namespace in self._visits:
            # What it has passed may be concerned.
            self._visits[namespace].look.soon = True

    def hurry(self) -> None:
        """Give out now what was to be tried again later."""
        self._looks.hurry()
