"""The worker loops: they run keys, make calls to Phase, and check namespaces for restarts.

No exception of a step ends a loop: an unexpected one (reconcile/internal_errors.py) becomes the outcome InternalError,
and the step is repeated.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from phase_operator.core.outcome import Event, Outcome
from phase_operator.core.refs import TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.index import Users
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.polling.calls import Call
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.ports import Clock, Restarts
from phase_operator.reconcile.queue.work_queue import QueueClosedError, WorkQueue
from phase_operator.reconcile.report import INTERNAL, Events, Report
from phase_operator.reconcile.retries import Retries
from phase_operator.reconcile.store import Resource, Resources
from phase_operator.reconcile.triggers import Triggers

log = logging.getLogger(__name__)

EVENT_CONTESTED = "TargetContested"


class Runs(Protocol):
    """Reconciles one resource of a kind."""

    async def reconcile(self, key: ObjectKey, resource: Resource | None) -> Outcome:
        """Do one run and return its outcome; expected failures are outcomes, not exceptions.

        `resource` is the resource as it is now, None if it is gone.
        """

    def forced(self, key: ObjectKey) -> str | None:
        """Return the value of the sync annotation that the last run has answered, if any."""


class Workers:
    """Runs queued keys and due calls, from the start of the process to its end."""

    def __init__(
        self,
        *,
        queue: WorkQueue[ObjectKey],
        resources: Resources,
        targets: Users[TargetRef],
        runs: Mapping[str, Runs],
        poller: Poller,
        errands: Errands,
        restarts: Restarts,
        triggers: Triggers,
        retries: Retries,
        report: Report,
        events: Events,
        clock: Clock,
        internal_errors: InternalErrors,
    ) -> None:
        self._queue = queue
        self._resources = resources
        self._targets = targets
        # By the kind in a key.
        self._runs = runs
        self._poller = poller
        self._errands = errands
        self._restarts = restarts
        self._triggers = triggers
        self._retries = retries
        self._report = report
        self._events = events
        self._clock = clock
        self._internal_errors = internal_errors

    async def run(self, workers: int, phase_workers: int) -> None:
        """Work until `stop`; return when the last run has ended.

        `phase_workers` bounds the calls to Phase in flight, quick and slow; the scheduler chooses them. Errands are
        calls of their own, since one may wait for minutes for a cloud provider; their queue has shares for them.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._internal_errors.keep("resources", self._run_resources, self._clock))
            asking = partial(self._ask_phase, group, asyncio.Semaphore(phase_workers))
            group.create_task(self._internal_errors.keep("sources", asking, self._clock))
            begin_errands = partial(self._begin_errands, group)
            group.create_task(self._internal_errors.keep("errands", begin_errands, self._clock))
            group.create_task(self._internal_errors.keep("restarts", self._restart, self._clock))

    def stop(self) -> None:
        """Begin no more runs."""
        self._queue.close()
        self._poller.close()
        self._errands.close()
        self._restarts.close()

    def kubernetes_is_back(self) -> None:
        """Repeat what failed because of the API server: a watch or a run has shown that it answers again."""
        if self._retries.kubernetes_is_back():
            self._restarts.retry_now()

    async def _run_resources(self) -> None:
        while True:
            try:
                key = await self._queue.take()
            except QueueClosedError:
                return
            try:
                run = self._run_resource(key)
                # A bug in what follows a run must not end the worker.
                if not await self._internal_errors.succeeded("run failed", run, task="resources", subject=str(key)):
                    self._retries.repeat(key, transient=True)
            finally:
                self._queue.done(key)

    async def _run_resource(self, key: ObjectKey) -> None:
        began = self._clock.monotonic()
        # The run and its report are about the resource as it is now; an edit meanwhile starts another run.
        resource, before = self._resources.get(key), self._targets.uses(key)
        runs = self._runs[key.kind]
        outcome = (
            await self._internal_errors.attempt(
                "run failed", runs.reconcile(key, resource), task="resources", subject=str(key)
            )
            or INTERNAL
        )
        outcome = await self._report.run_ended(resource, outcome, runs.forced(key))
        written = [target.ref for target in outcome.targets if target.written]
        for fight in self._triggers.run_ended(key, before=before, written=written):
            message = f"{fight}; it is looked at more and more slowly meanwhile"
            self._events.post(key, Event("Warning", EVENT_CONTESTED, message))
        if self._retries.run_ended(key, outcome):
            self.kubernetes_is_back()
        seconds = self._clock.monotonic() - began
        log.debug("run ended", extra={"object": str(key), "outcome": type(outcome).__name__, "seconds": seconds})
        self._report.count(outcome, seconds)

    async def _ask_phase(self, group: asyncio.TaskGroup, free: asyncio.Semaphore) -> None:
        """Make the calls that are due, concurrently."""
        while True:
            await free.acquire()
            with ExitStack() as undo:
                undo.callback(free.release)
                try:
                    call = await self._poller.take()
                except QueueClosedError:
                    return
                undo.pop_all()
            group.create_task(self._make(call, free))

    async def _make(self, call: Call, free: asyncio.Semaphore) -> None:
        try:
            made, subject = self._poller.make(call), type(call).__name__
            if not await self._internal_errors.succeeded("asking Phase failed", made, task="sources", subject=subject):
                failed = partial(self._poller.ended_by_bug, call)
                self._internal_errors.attempt_now("asking Phase failed", failed, task="sources", subject=subject)
        finally:
            free.release()

    async def _begin_errands(self, group: asyncio.TaskGroup) -> None:
        """Make the errands that may begin, concurrently."""
        while True:
            try:
                errand = await self._errands.take()
            except QueueClosedError:
                return
            group.create_task(self._make_errand(errand))

    async def _make_errand(self, errand: Errand) -> None:
        made = self._errands.make(errand)
        await self._internal_errors.attempt("errand failed", made, task="errands", subject=str(errand.subject))

    async def _restart(self) -> None:
        while True:
            try:
                namespace = await self._restarts.take()
            except QueueClosedError:
                return
            look = self._restarts.look(namespace)
            await self._internal_errors.attempt("restarting failed", look, task="restarts", subject=namespace)
