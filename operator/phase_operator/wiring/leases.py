"""Build what drives the leases of PhaseDynamicSecrets: each part is given the parts that it calls."""

import secrets
from collections.abc import Callable

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
from phase_operator.reconcile.queue.schedule import Priority
from phase_operator.reconcile.run.parts import Parts
from phase_operator.settings import Settings
from phase_operator.telemetry.metrics import Metrics
from phase_operator.wiring.shared import Clients, Shared

_BITS = 64


class LeaseLoop:
    """The parts that are about leases. Runs can be built when the parts for targets are."""

    def __init__(self, settings: Settings, clients: Clients, shared: Shared, metrics: Metrics, kind: str) -> None:
        self._settings, self._clients, self._shared = settings, clients, shared
        self._metrics, clock = metrics, shared.clock
        self._lists, self._rate = Lists(), LeaseRate(settings.leases_per_minute)
        wake = shared.wake
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
            errands=shared.errands,
            calls=self._calls,
            lists=self._lists,
            rate=self._rate,
            accounts=shared.poller,
            clock=clock,
            wake=wake,
        )
        metrics.track_leases(self.subjects.states, self.subjects.soonest_end, self.subjects.ending)

    def close(self) -> None:
        """Begin no more calls that make a lease."""
        self._rate.close()

    def runs(self, parts: Parts, is_complete: Callable[[], bool]) -> LeaseRuns:
        """Return what reconciles PhaseDynamicSecrets."""
        shared, cluster = self._shared, self._shared.cluster
        known = KnownLeases(
            subjects=self.subjects,
            lists=self._lists,
            rate=self._rate,
            gates=shared.poller,
            clock=shared.clock,
            is_complete=is_complete,
        )
        driver = Driver(
            cluster=cluster,
            resources=shared.resources,
            errands=shared.errands,
            calls=self._calls,
            known=known,
            news=LeaseNews(cluster, shared.clock, self._metrics),
            digest_key=shared.digest_key,
            bits=lambda: secrets.randbits(_BITS),
        )
        return LeaseRuns(
            subjects=self.subjects,
            driver=driver,
            calls=self._calls,
            errands=shared.errands,
            targets=LeaseTargets(cluster, parts.writer, shared.background),
            ending=Ending(cluster, parts.finalizer, shared.removal),
            registration=parts.registration,
            restarts=shared.restarts,
            tokens=shared.tokens,
            phase=self._clients.phase,
            tenancy=shared.tenancy,
            labels_of=shared.labels_of,
            wake_in=lambda key, delay: shared.queue.add(key, delay=delay, priority=Priority.PERIODIC),
        )
