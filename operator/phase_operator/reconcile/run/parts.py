"""The parts that bring targets in step, for the runs of all kinds of resources: one of each in a process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.admissions import Admissions
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Cluster, LabelsOf, Restarts
from phase_operator.reconcile.run.applier import TargetApplier
from phase_operator.reconcile.run.finalizer import Finalizer
from phase_operator.reconcile.run.pruner import Pruner
from phase_operator.reconcile.run.registration import Registration
from phase_operator.reconcile.run.rivals import OwnerConflicts
from phase_operator.reconcile.run.target_access import TargetAccess
from phase_operator.reconcile.run.version_gc import VersionCollector
from phase_operator.reconcile.run.writer import Writer
from phase_operator.reconcile.store import Resources


@dataclass(frozen=True, slots=True)
class Parts:
    """What the runs of all kinds share."""

    pruner: Pruner
    finalizer: Finalizer
    registration: Registration
    writer: Writer

    @classmethod
    def build(
        cls,
        *,
        cluster: Cluster,
        resources: Resources,
        admissions: Admissions,
        tokens: Tokens,
        tenancy: Tenancy,
        labels_of: LabelsOf,
        restarts: Restarts,
        background: BackgroundThread,
        digest_key: Callable[[], bytes],
        uses_token: Callable[[ObjectKey], bool],
    ) -> Self:
        """Build and connect them; `uses_token` says whether a resource calls Phase with its token."""
        access = TargetAccess(cluster, tenancy, labels_of, admissions.tokens, uses_token)
        owner_conflicts = OwnerConflicts(cluster, access.refusal)
        applier = TargetApplier(cluster, restarts, owner_conflicts)
        pruner = Pruner(cluster, applier, access.refusal)
        finalizer = Finalizer(cluster, resources, pruner)
        registration = Registration(admissions, restarts, applier, tokens)
        writer = Writer(
            cluster=cluster,
            applier=applier,
            versions=VersionCollector(cluster, owner_conflicts),
            removals=pruner,
            finalizer=finalizer,
            registration=registration,
            access=access,
            background=background,
            digest_key=digest_key,
        )
        return cls(pruner, finalizer, registration, writer)
