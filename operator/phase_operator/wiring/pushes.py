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
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.pushes import PushClient
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
from phase_operator.settings import Settings
from phase_operator.telemetry.metrics import Metrics
from phase_operator.wiring.shared import Shared

_KEY_BYTES = 32
_ATTEMPT_BITS = 32


class PushLoop:
    """The parts that are about pushes. Runs can be built when the parts for targets are."""

    def __init__(
        self, settings: Settings, phase: PhaseClient, api: PushClient, shared: Shared, metrics: Metrics
    ) -> None:
        self._settings, self._phase, self._shared = settings, phase, shared
        self._readers = PushReaders()
        # What the watches of Secrets and ConfigMaps tell of what they show.
        self.wakes = PushWakes(self._readers, self._wake_in, _call_later, shared.clock)
        self._calls = PushCalls(
            api=api,
            phase=phase,
            cluster=shared.cluster,
            counter=metrics,
            memory=shared.memory,
            clock=shared.clock,
        )
        self.subjects = PushSubjects(
            errands=shared.errands,
            accounts=shared.poller,
            readers=self._readers,
            clock=shared.clock,
            memory_key=lambda: secrets.token_bytes(_KEY_BYTES),
        )
        metrics.track_pushes(self.subjects.in_step, self.subjects.conflicts)

    def runs(self, registration: Registration) -> Runs:
        """Return what reconciles PhasePushSecrets."""
        shared = self._shared
        ending = PushEnding(shared.cluster, shared.removal)
        if not self._settings.push:
            return DisabledPushes(ending)
        specs = PushSpecs(
            registration=registration,
            tokens=shared.tokens,
            phase=self._phase,
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
            installation=lambda: installation(self._settings.cluster_name, shared.digest_key()),
            wake_in=self._wake_in,
        )

    def _driver(self) -> PushDriver:
        shared = self._shared
        homes = KubePushHomes(shared.client, self.wakes.writing)
        return PushDriver(
            cluster=shared.cluster,
            resources=shared.resources,
            errands=shared.errands,
            calls=self._calls,
            gatherer=SourceGatherer(KubePushSources(shared.client, shared.is_token), shared.memory),
            readers=self._readers,
            generated=GeneratedValues(homes, shared.cluster, shared.background, lambda: secrets.token_bytes),
            gates=shared.poller,
            background=shared.background,
            clock=shared.clock,
            bits=lambda: secrets.randbits(_ATTEMPT_BITS),
        )

    def _wake_in(self, key: ObjectKey, delay: float) -> None:
        self._shared.queue.add(key, delay=delay, priority=Priority.CHANGED)


def _call_later(seconds: float, work: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, work)
