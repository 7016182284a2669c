"""Build the reconcile loop from the inside out: each part is given the parts that it calls."""

import asyncio
import socket
from collections.abc import Callable, Mapping

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS, Definition
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.values import ObjectKey
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.events import Recorder
from phase_operator.kube.namespaces import NamespaceLabels
from phase_operator.kube.record_cache import RecordCache
from phase_operator.kube.target_cache import TargetCache
from phase_operator.kube.workloads import KubeWorkloads
from phase_operator.reconcile.admissions import Admissions
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.ledger_clock import LedgerClock
from phase_operator.reconcile.errands.removal import Removal
from phase_operator.reconcile.polling.calls import Policy
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Restarts
from phase_operator.reconcile.queue.work_queue import WorkQueue
from phase_operator.reconcile.report import Events, Report
from phase_operator.reconcile.restarts.disabled import NoRestarts
from phase_operator.reconcile.restarts.followed import FollowedTargets
from phase_operator.reconcile.restarts.report import RestartReporter
from phase_operator.reconcile.restarts.restarter import Limits, Restarter
from phase_operator.reconcile.retries import Retries
from phase_operator.reconcile.run.parts import Parts
from phase_operator.reconcile.run.reconciler import Reconciler
from phase_operator.reconcile.store import PhaseSecretStore, Stores
from phase_operator.reconcile.triggers import Triggers
from phase_operator.reconcile.workers import Runs, Workers
from phase_operator.reconcile.writers import Writers
from phase_operator.settings import Settings
from phase_operator.wiring.leases import LeaseParts
from phase_operator.wiring.pushes import PushParts
from phase_operator.wiring.shared import Edges, Shared

# Seconds between two looks whether all that goes on outside the cluster is over, at the end of the process.
_LOOK_EVERY = 0.1


class Startup:
    """What becomes known after the start: the digest key, and that all PhaseSecrets were seen once."""

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.listed = asyncio.Event()
        # Whether all resources of the kinds that are served were seen; the watches say so.
        self.all_seen: Callable[[], bool] = self.listed.is_set

    def goes_on(self) -> bool:
        """Return whether all that the watch has shown so far was there when it began, as far as is known."""
        return not self.listed.is_set()

    def digest_key(self) -> bytes:
        """Return the key; raise RuntimeError before it was read, which is before any run."""
        if self.key is None:
            raise RuntimeError("a run began before the digest key was read")
        return self.key


class Loop:
    """The connected parts, from the work queue to the workers; nothing runs yet."""

    def __init__(self, edges: Edges, startup: Startup) -> None:
        self._edges, self._startup = edges, startup
        settings, client, metrics, clock = edges.settings, edges.client, edges.metrics, edges.clock

        self.queue: WorkQueue[ObjectKey] = WorkQueue(clock, lambda key: key.namespace, settings.workers)
        self.resources = Stores(*(PhaseSecretStore(kind_in_keys(each), startup.goes_on) for each in DEFINITIONS))
        self._admissions, self.records = Admissions(), RecordCache()
        self.known = TargetCache(self._admissions.targets.kept)
        self._retries = Retries(self.queue, clock)
        self.triggers = Triggers(self.queue, self.resources, self._admissions, self._retries, clock)
        self.recorder = Recorder(client, clock, socket.gethostname(), metrics.event_posted, metrics.internal_errors)
        touched = self.triggers.target_changed
        self.cluster = KubeCluster(client, self.known, self.recorder, touched, edges.background, self.records)
        self.tokens = Tokens(self.cluster, self._admissions.tokens, self.triggers.token_changed)
        self.events = Events(self.cluster, self.resources)
        self.labels = NamespaceLabels(self.triggers.namespace_changed)
        self.tenancy, self.memory = _tenancy(settings), AnswerMemory(settings.answers_mib * MIB)
        wake, post = self.triggers.answered, self.events.post
        self.poller = Poller(
            edges.clients.phase, clock, wake, metrics, post, _policy(settings), self.memory, edges.background
        )

        restarts = self._restarter() if settings.restarts else NoRestarts()
        shared = self._shared(restarts)
        self.errands = shared.errands
        self.leases, self.pushes = LeaseParts(shared), PushParts(shared)
        self.workers = self._workers(restarts, self._runs(restarts))

    def _restarter(self) -> Restarts:
        """Return what restarts the workloads that read targets."""
        workloads = KubeWorkloads(self._edges.client, self.recorder)
        targets, startup, settings = self._admissions.targets, self._startup, self._edges.settings
        writers = Writers(targets, self.known)
        restarter = Restarter(
            workloads=workloads,
            followed_targets=FollowedTargets(workloads, self.resources, targets, writers, startup.digest_key),
            report=RestartReporter(workloads, writers, wake=self.triggers.restarts_changed, post=self.events.post),
            clock=self._edges.clock,
            observer=self._edges.metrics,
            all_known=lambda: startup.listed.is_set() and self.queue.all_ran(self.resources.keys()),
            limits=Limits(settings.restart_settle_seconds, settings.restarts_at_once),
        )
        self._edges.metrics.track_restarts(restarter.under_way, restarter.waiting)
        return restarter

    def _shared(self, restarts: Restarts) -> Shared:
        """Return the parts that leases and pushes use as well."""
        edges, client = self._edges, self._edges.client
        clock = LedgerClock(edges.clock, lambda: client.server_date, lambda: client.dated_at)
        wake, settings = self.triggers.answered, edges.settings
        return Shared(
            edges=edges,
            queue=self.queue,
            wake=wake,
            resources=self.resources,
            cluster=self.cluster,
            poller=self.poller,
            errands=Errands(self.poller, clock, wake, edges.metrics.errand_made, settings.errand_workers),
            memory=self.memory,
            tokens=self.tokens,
            is_token=self._admissions.tokens.__contains__,
            tenancy=self.tenancy,
            labels_of=self.labels.of,
            restarts=restarts,
            digest_key=self._startup.digest_key,
            removal=Removal(self.cluster, clock, settings.removal_seconds),
            ledger_clock=clock,
        )

    async def settle(self) -> None:
        """Begin no more errands; return when no lease is unrecorded, and no call that pushes is under way."""
        self.leases.close()
        self.errands.close()
        while not (self.leases.subjects.are_settled() and self.pushes.subjects.are_settled()):  # noqa: ASYNC110 - the end
            await asyncio.sleep(_LOOK_EVERY)

    def _runs(self, restarts: Restarts) -> Mapping[str, Runs]:
        """Return what reconciles the resources of each kind; all of them keep targets in step by the same parts."""
        poller, leases, pushes, startup = self.poller, self.leases, self.pushes, self._startup
        parts = Parts.build(
            cluster=self.cluster,
            resources=self.resources,
            admissions=self._admissions,
            tokens=self.tokens,
            tenancy=self.tenancy,
            labels_of=self.labels.of,
            restarts=restarts,
            background=self._edges.background,
            digest_key=startup.digest_key,
            uses_token=lambda key: (
                poller.has_query(key) or leases.subjects.uses_token(key) or pushes.subjects.uses_token(key)
            ),
        )
        reconciler = Reconciler(
            background=self._edges.background,
            poller=poller,
            tokens=self.tokens,
            phase=self._edges.clients.phase,
            tenancy=self.tenancy,
            labels_of=self.labels.of,
            parts=parts,
        )
        lease_runs = leases.runs(parts, lambda: startup.all_seen())
        return {
            "": reconciler,
            names.KIND_PHASE_DYNAMIC_SECRET: lease_runs,
            names.KIND_PHASE_PUSH_SECRET: pushes.runs(parts.registration),
        }

    def _workers(self, restarts: Restarts, runs: Mapping[str, Runs]) -> Workers:
        """Return what takes keys from the queue, runs them, and reports what came of it."""
        report = Report(
            cluster=self.cluster,
            resources=self.resources,
            retries=self._retries,
            restarts=restarts,
            clock=self._edges.clock,
            observer=self._edges.metrics,
            internal_errors=self._edges.metrics.internal_errors,
        )
        return Workers(
            queue=self.queue,
            resources=self.resources,
            targets=self._admissions.targets,
            runs=runs,
            poller=self.poller,
            errands=self.errands,
            restarts=restarts,
            triggers=self.triggers,
            retries=self._retries,
            report=report,
            events=self.events,
            clock=self._edges.clock,
            internal_errors=self._edges.metrics.internal_errors,
        )


def kind_in_keys(definition: Definition) -> str:
    """Return how keys of resources name their kind."""
    return "" if definition.kind == names.KIND_PHASE_SECRET else definition.kind


def _policy(settings: Settings) -> Policy:
    return Policy(
        places=settings.phase_workers,
        quota=settings.phase_quota,
        wide_above=settings.whole_environment_above,
        reference_bound=settings.reference_seconds,
        full_read=settings.full_read_seconds,
    )


def _tenancy(settings: Settings) -> Tenancy:
    return Tenancy(
        grants=settings.grant,
        hosts=settings.allow_phase_host,
        operator_namespace=settings.pod_namespace,
        watched=frozenset(settings.namespace),
        impersonation=settings.allow_impersonation_types,
        default_host=settings.default_host or names.DEFAULT_HOST,
    )
