"""Build what pushes entries to Phase: each part is given the parts that it calls."""

import asyncio
import secrets
from collections.abc import Callable

from phase_operator.core.push.marks import installation
from phase_operator.core.push.readers import PushReaders
from phase_operator.core.values import ObjectKey
from phase_operator.kube.push_homes import KubePushHomes
from phase_operator.kube.push_sources import KubePushSources
from phase_operator.kube.push_watch import PushWakes
from phase_operator.reconcile.pushes.calls import PushCalls
from phase_operator.reconcile.pushes.disabled import DisabledPushes
from phase_operator.reconcile.pushes.driver import PushDriver
from phase_operator.reconcile.pushes.ending import PushEnding
from phase_operator.reconcile.pushes.gathered import SourceGatherer
from phase_operator.reconcile.pushes.generating import GeneratedValues
from phase_operator.reconcile.pushes.runs import PushRuns
from phase_operator.reconcile.pushes.specs import PushSpecs
from phase_operator.reconcile.pushes.subjects import PushSubjects
from phase_operator.reconcile.queue.schedule import Priority
from phase_operator.reconcile.run.registration import Registration
from phase_operator.reconcile.workers import Runs
from phase_operator.wiring.shared import KEY_BYTES, Shared

_ATTEMPT_BITS = 32


class PushParts:
    """The parts that are about pushes. Runs can be built when the parts for targets are."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        edges, clock = shared.edges, shared.ledger_clock
        self._readers = PushReaders()
        # What the watches of Secrets and ConfigMaps tell of what they show.
        self.wakes = PushWakes(self._readers, self._wake_in, _call_later, clock)
        self._calls = PushCalls(
            api=edges.clients.pushes,
            phase=edges.clients.phase,
            errands=shared.errands,
            cluster=shared.cluster,
            counter=edges.metrics,
            memory=shared.memory,
            clock=clock,
        )
        self.subjects = PushSubjects(
            errands=shared.errands,
            readers=self._readers,
            clock=clock,
            memory_key=lambda: secrets.token_bytes(KEY_BYTES),
        )
        edges.metrics.track_pushes(self.subjects.in_step, self.subjects.conflicts)

    def runs(self, registration: Registration) -> Runs:
        """Return what reconciles PhasePushSecrets."""
        shared, edges = self._shared, self._shared.edges
        ending = PushEnding(shared.cluster, shared.removal)
        if not edges.settings.push:
            return DisabledPushes(ending)
        specs = PushSpecs(
            registration=registration,
            tokens=shared.tokens,
            phase=edges.clients.phase,
            tenancy=shared.tenancy,
            labels_of=shared.labels_of,
        )
        return PushRuns(
            subjects=self.subjects,
            driver=self._driver(),
            calls=self._calls,
            errands=shared.errands,
            ending=ending,
            specs=specs,
            probes=shared.poller,
            installation=lambda: installation(edges.settings.cluster_name, shared.digest_key()),
            wake_in=self._wake_in,
        )

    def _driver(self) -> PushDriver:
        shared, edges = self._shared, self._shared.edges
        homes = KubePushHomes(edges.client, self.wakes.writing)
        return PushDriver(
            cluster=shared.cluster,
            resources=shared.resources,
            errands=shared.errands,
            calls=self._calls,
            gatherer=SourceGatherer(KubePushSources(edges.client, shared.is_token), shared.memory),
            readers=self._readers,
            generated=GeneratedValues(homes, shared.cluster, edges.background, secrets.token_bytes),
            gates=shared.poller,
            background=edges.background,
            clock=shared.ledger_clock,
            bits=lambda: secrets.randbits(_ATTEMPT_BITS),
        )

    def _wake_in(self, key: ObjectKey, delay: float) -> None:
        self._shared.queue.add(key, delay=delay, priority=Priority.CHANGED)


def _call_later(seconds: float, work: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, work)
