"""What the edges to Phase are, and the parts of the loop that resources of all kinds use."""

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


@dataclass(frozen=True, slots=True)
class Clients:
    """The edges to Phase: one for reads, one for leases, one for entries that are pushed."""

    phase: PhaseClient
    leases: LeaseClient
    pushes: PushClient


@dataclass(frozen=True, slots=True)
class Shared:
    """The parts of the loop that leases and pushes use as well."""

    client: KubeClient
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
    background: BackgroundThread
    digest_key: Callable[[], bytes]
    removal: Removal
    # The time by which all processes judge what they record in statuses.
    clock: Clock
