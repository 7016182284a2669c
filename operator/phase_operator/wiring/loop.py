"""Build the reconcile loop from the inside out: each part is given the parts that it calls."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS, Definition
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import KubeClient
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.events import Recorder
from phase_operator.kube.namespaces import NamespaceLabels
from phase_operator.kube.record_cache import RecordCache
from phase_operator.kube.target_cache import TargetCache
from phase_operator.kube.workloads import KubeWorkloads
from phase_operator.reconcile.admissions import Admissions
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.leases.lease_clock import LeaseClock
from phase_operator.reconcile.polling.calls import Policy
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Clock, Restarts
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
from phase_operator.reconcile.workers import Workers
from phase_operator.reconcile.writers import Writers
from phase_operator.settings import Settings
from phase_operator.telemetry.metrics import Metrics
from phase_operator.wiring.leases import Clients, LeaseLoop, Shared

KEY_BYTES = 32


class Startup:
    """What becomes known after the start: the digest key, and that all PhaseSecrets were seen once."""

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.listed = asyncio.Event()
        # Whether all resources of the kinds that are served were seen; the watches say so.
        self.all_seen: Callable[[], bool] = self.listed.is_set

    def digest_key(self) -> bytes:
        """Return the key; raise RuntimeError before it was read, which is before any run."""
        if self.key is None:
            raise RuntimeError("a run began before the digest key was read")
        return self.key


@dataclass(frozen=True, slots=True)
class Loop:
    """The connected parts that watches, probes and metrics use."""

    queue: WorkQueue[ObjectKey]
    resources: Stores
    records: RecordCache
    known: TargetCache
    recorder: Recorder
    cluster: KubeCluster
    tokens: Tokens
    tenancy: Tenancy
    labels: NamespaceLabels
    poller: Poller
    memory: AnswerMemory
    triggers: Triggers
    events: Events
    workers: Workers
    leases: LeaseLoop


def build_loop(
    settings: Settings,
    client: KubeClient,
    clients: Clients,
    background: BackgroundThread,
    metrics: Metrics,
    clock: Clock,
    startup: Startup,
) -> Loop:
    """Build and connect the parts; nothing runs yet."""
    queue: WorkQueue[ObjectKey] = WorkQueue(clock, lambda key: key.namespace, settings.workers)
    resources = Stores(*(PhaseSecretStore(kind_in_keys(each)) for each in DEFINITIONS))
    admissions, records = Admissions(), RecordCache()
    known = TargetCache(admissions.targets.kept)
    retries = Retries(queue, clock)
    triggers = Triggers(queue, resources, admissions, retries, clock)
    recorder = Recorder(client, clock, socket.gethostname(), metrics.event_posted, metrics.internal_errors)
    cluster = KubeCluster(client, known, recorder, triggers.target_changed, background, records)
    tokens = Tokens(cluster, admissions.tokens, triggers.token_changed)
    events = Events(cluster, resources)
    labels = NamespaceLabels(triggers.namespace_changed)
    tenancy, memory = _tenancy(settings), AnswerMemory(settings.answers_mib * MIB)
    poller = Poller(clients.phase, clock, queue.add, metrics, events.post, _policy(settings), memory, background)
    restarts: Restarts = NoRestarts()
    if settings.restarts:
        workloads, writers = KubeWorkloads(client, recorder), Writers(admissions.targets, known)
        restarter = Restarter(
            workloads=workloads,
            followed_targets=FollowedTargets(workloads, resources, admissions.targets, writers, startup.digest_key),
            report=RestartReporter(workloads, writers, wake=triggers.restarts_changed, post=events.post),
            clock=clock,
            observer=metrics,
            all_known=lambda: startup.listed.is_set() and queue.all_ran(resources.keys()),
            limits=Limits(settings.restart_settle_seconds, settings.restarts_at_once),
        )
        metrics.track_restarts(restarter.under_way, restarter.waiting)
        restarts = restarter
    shared = Shared(queue, resources, cluster, poller, memory, tokens, tenancy, labels.of, restarts, background)
    lease_clock = LeaseClock(clock, lambda: client.server_date)
    leases = LeaseLoop(settings, clients, shared, metrics, lease_clock, names.KIND_PHASE_DYNAMIC_SECRET)
    parts = Parts.build(
        cluster=cluster,
        resources=resources,
        admissions=admissions,
        tokens=tokens,
        tenancy=tenancy,
        labels_of=labels.of,
        restarts=restarts,
        background=background,
        digest_key=startup.digest_key,
        uses_token=lambda key: poller.has_query(key) or leases.subjects.uses_token(key),
    )
    reconciler = Reconciler(
        background=background,
        poller=poller,
        tokens=tokens,
        phase=clients.phase,
        tenancy=tenancy,
        labels_of=labels.of,
        parts=parts,
    )
    report = Report(
        cluster=cluster,
        resources=resources,
        retries=retries,
        restarts=restarts,
        clock=clock,
        observer=metrics,
        internal_errors=metrics.internal_errors,
    )
    workers = Workers(
        queue=queue,
        resources=resources,
        targets=admissions.targets,
        runs={
            "": reconciler,
            names.KIND_PHASE_DYNAMIC_SECRET: leases.runs(parts, startup.digest_key, lambda: startup.all_seen()),
        },
        poller=poller,
        errands=leases.errands,
        restarts=restarts,
        triggers=triggers,
        retries=retries,
        report=report,
        events=events,
        clock=clock,
        internal_errors=metrics.internal_errors,
    )
    return Loop(
        queue=queue,
        resources=resources,
        records=records,
        known=known,
        recorder=recorder,
        cluster=cluster,
        tokens=tokens,
        tenancy=tenancy,
        labels=labels,
        poller=poller,
        memory=memory,
        triggers=triggers,
        events=events,
        workers=workers,
        leases=leases,
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
    )
