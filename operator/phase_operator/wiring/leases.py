"""Build what drives the leases of PhaseDynamicSecrets: each part is given the parts that it calls."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.source.answer_memory import AnswerMemory
from phase_operator.core.values import ObjectKey
from phase_operator.kube.cluster import KubeCluster
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.leases import LeaseClient
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.lease_rate import LeaseRate
from phase_operator.reconcile.leases.calls import LeaseCalls
from phase_operator.reconcile.leases.driver import Driver
from phase_operator.reconcile.leases.ending import Ending
from phase_operator.reconcile.leases.events import LeaseNews
from phase_operator.reconcile.leases.known import KnownLeases
from phase_operator.reconcile.leases.lists import Lists
from phase_operator.reconcile.leases.runs import LeaseRuns
from phase_operator.reconcile.leases.subjects import Subjects
from phase_operator.reconcile.leases.targets import LeaseTargets
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Clock, LabelsOf, Restarts, Wake
from phase_operator.reconcile.queue.schedule import Priority
from phase_operator.reconcile.queue.work_queue import WorkQueue
from phase_operator.reconcile.run.parts import Parts
from phase_operator.reconcile.store import Stores
from phase_operator.settings import Settings
from phase_operator.telemetry.metrics import Metrics

_BITS = 64
# Seconds between two looks whether all leases are recorded, at the end of the process.
_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Clients:
    """The edges to Phase: one for reads, one for leases."""

    phase: PhaseClient
    leases: LeaseClient


@dataclass(frozen=True, slots=True)
class Shared:
    """The parts of the loop that leases use as well."""

    queue: WorkQueue[ObjectKey]
    wake: Wake
    resources: Stores
    cluster: KubeCluster
    poller: Poller
    memory: AnswerMemory
    tokens: Tokens
    tenancy: Tenancy
    labels_of: LabelsOf
    restarts: Restarts
    background: BackgroundThread
    digest_key: Callable[[], bytes]


class LeaseLoop:
    """The parts that are about leases. Runs can be built when the parts for targets are."""

    def __init__(
        self, settings: Settings, clients: Clients, shared: Shared, metrics: Metrics, clock: Clock, kind: str
    ) -> None:
        self._settings, self._clients, self._shared = settings, clients, shared
        self._metrics, self._clock = metrics, clock
        self._lists, self._rate = Lists(), LeaseRate(settings.leases_per_minute)
        wake = shared.wake
        self.errands = Errands(shared.poller, clock, wake, metrics.lease_called, settings.errand_workers)
        self._calls = LeaseCalls(
            api=clients.leases,
            phase=clients.phase,
            lists=self._lists,
            rate=self._rate,
            memory=shared.memory,
            clock=clock,
            wake=wake,
        )
        self.subjects = Subjects(
            resources=shared.resources.of(kind),
            digest_key=shared.digest_key,
            errands=self.errands,
            calls=self._calls,
            lists=self._lists,
            rate=self._rate,
            accounts=shared.poller,
            clock=clock,
            wake=wake,
        )
        metrics.track_leases(self.subjects.states, self.subjects.soonest_end, self.subjects.ending)

    async def settle(self) -> None:
        """Begin no more calls; return when each that makes a lease has ended and its answer is recorded."""
        self._rate.close()
        self.errands.close()
        while not self.subjects.are_settled():  # noqa: ASYNC110 - runs and calls change it, and this is the end
            await asyncio.sleep(_LOOK_EVERY)

    def runs(self, parts: Parts, is_complete: Callable[[], bool]) -> LeaseRuns:
        """Return what reconciles PhaseDynamicSecrets."""
        shared, cluster = self._shared, self._shared.cluster
        known = KnownLeases(
            subjects=self.subjects,
            lists=self._lists,
            rate=self._rate,
            gates=shared.poller,
            clock=self._clock,
            is_complete=is_complete,
        )
        driver = Driver(
            cluster=cluster,
            resources=shared.resources,
            errands=self.errands,
            calls=self._calls,
            known=known,
            news=LeaseNews(cluster, self._clock, self._metrics),
            digest_key=shared.digest_key,
            bits=lambda: secrets.randbits(_BITS),
        )
        return LeaseRuns(
            subjects=self.subjects,
            driver=driver,
            calls=self._calls,
            errands=self.errands,
            targets=LeaseTargets(cluster, parts.writer, shared.background),
            ending=Ending(cluster, self._calls, parts.finalizer, self._settings.removal_seconds),
            registration=parts.registration,
            restarts=shared.restarts,
            tokens=shared.tokens,
            phase=self._clients.phase,
            tenancy=shared.tenancy,
            labels_of=shared.labels_of,
            wake_in=lambda key, delay: shared.queue.add(key, delay=delay, priority=Priority.PERIODIC),
        )
