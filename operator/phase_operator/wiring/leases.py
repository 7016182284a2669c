"""Build what drives the leases of PhaseDynamicSecrets: each part is given the parts that it calls."""

import secrets
from collections.abc import Callable

from phase_operator.api import names
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
from phase_operator.wiring.shared import Shared

_BITS = 64


class LeaseParts:
    """The parts that are about leases. Runs can be built when the parts for targets are."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        edges, clock, wake = shared.edges, shared.ledger_clock, shared.wake
        self._lists, self._rate = Lists(), LeaseRate(edges.settings.leases_per_minute)
        self._calls = LeaseCalls(
            api=edges.clients.leases,
            phase=edges.clients.phase,
            lists=self._lists,
            rate=self._rate,
            memory=shared.memory,
            clock=clock,
            wake=wake,
        )
        self.subjects = Subjects(
            resources=shared.resources.of(names.KIND_PHASE_DYNAMIC_SECRET),
            digest_key=shared.digest_key,
            errands=shared.errands,
            calls=self._calls,
            lists=self._lists,
            rate=self._rate,
            clock=clock,
            wake=wake,
        )
        edges.metrics.track_leases(self.subjects.states, self.subjects.soonest_end, self.subjects.ending)

    def close(self) -> None:
        """Begin no more calls that make a lease."""
        self._rate.close()

    def runs(self, parts: Parts, is_complete: Callable[[], bool]) -> LeaseRuns:
        """Return what reconciles PhaseDynamicSecrets."""
        shared, edges, cluster = self._shared, self._shared.edges, self._shared.cluster
        known = KnownLeases(
            subjects=self.subjects,
            lists=self._lists,
            rate=self._rate,
            gates=shared.poller,
            clock=shared.ledger_clock,
            is_complete=is_complete,
        )
        driver = Driver(
            cluster=cluster,
            resources=shared.resources,
            errands=shared.errands,
            calls=self._calls,
            known=known,
            news=LeaseNews(cluster, shared.ledger_clock, edges.metrics),
            digest_key=shared.digest_key,
            bits=lambda: secrets.randbits(_BITS),
        )
        return LeaseRuns(
            subjects=self.subjects,
            driver=driver,
            calls=self._calls,
            errands=shared.errands,
            targets=LeaseTargets(cluster, parts.writer, edges.background),
            ending=Ending(cluster, parts.finalizer, shared.removal),
            registration=parts.registration,
            restarts=shared.restarts,
            tokens=shared.tokens,
            phase=edges.clients.phase,
            tenancy=shared.tenancy,
            labels_of=shared.labels_of,
            wake_in=lambda key, delay: shared.queue.add(key, delay=delay, priority=Priority.PERIODIC),
        )
