"""Appliers on any cluster, for PhaseSecrets that may write in their own namespace alone, and reasons to remove."""

from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.removal import Delete, Needless, Retyped, Unwanted, removal
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.restarts.disabled import NoRestarts
from phase_operator.reconcile.run.applier import TargetApplier
from phase_operator.reconcile.run.rivals import OwnerConflicts

DROPPED, RETYPED, NEEDLESS = Unwanted(), Retyped(), Needless()


def own_namespace(namespace: str, to: str) -> str:
    """Refuse PhaseSecrets every namespace but their own."""
    return "" if namespace == to else "no grant"


def applier_of(cluster: Cluster) -> TargetApplier:
    """Make a TargetApplier that restarts nothing."""
    return TargetApplier(cluster, NoRestarts(), OwnerConflicts(cluster, own_namespace))


def deletion(desired: Desired, observed: Observed) -> Delete:
    """Return the deletion of an object that was judged to be ours."""
    action = removal(desired.ref, observed, desired.owner, Retyped())
    assert isinstance(action, Delete)
    return action
