"""What a replica is given from outside, and the parts of its loop that leases and pushes use as well."""

from collections.abc import Callable
from dataclasses import dataclass

from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.source.answer_memory import AnswerMemory
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import KubeClient
from phase_operator.kube.cluster import KubeCluster
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.leases import LeaseClient
from phase_operator.phase.pushes import PushClient
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.removal import Removal
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Clock, LabelsOf, Restarts, Wake
from phase_operator.reconcile.queue.work_queue import WorkQueue
from phase_operator.reconcile.store import Stores
from phase_operator.settings import Settings
from phase_operator.telemetry.metrics import Metrics

# Of every random key.
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Clients:
    """The edges to Phase: one for reads, one for leases, one for entries that are pushed."""

    phase: PhaseClient
    leases: LeaseClient
    pushes: PushClient


@dataclass(frozen=True, slots=True)
class Edges:
    """What the parts of a replica are given from outside."""

    settings: Settings
    client: KubeClient
    clients: Clients
    background: BackgroundThread
    metrics: Metrics
    clock: Clock


@dataclass(frozen=True, slots=True)
class Shared:
    """The parts of the loop that leases and pushes use as well."""

    edges: Edges
    queue: WorkQueue[ObjectKey]
    wake: Wake
    resources: Stores
    cluster: KubeCluster
    poller: Poller
    errands: Errands
    memory: AnswerMemory
    tokens: Tokens
    # Whether a resource reads its token of Phase in a Secret.
    is_token: Callable[[ObjectKey], bool]
    tenancy: Tenancy
    labels_of: LabelsOf
    restarts: Restarts
    digest_key: Callable[[], bytes]
    removal: Removal
    # The time by which all processes judge what they record in statuses.
    ledger_clock: Clock
