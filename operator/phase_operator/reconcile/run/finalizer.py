"""The end of a PhaseSecret, and the finalizer that makes it wait for that end.

Rule: the finalizer is set before the first object is written that the garbage collector would leave behind, and goes
after the last of them.
"""

from phase_operator.api.reasons import Reason
from phase_operator.core.outcome import Failed, Gone, Outcome
from phase_operator.core.targets.policy import needs_finalizer
from phase_operator.reconcile.context import Declared
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.run.pruner import Pruner
from phase_operator.reconcile.store import Lifecycle, Resource, Resources

# Targets that a message names.
_NAMED = 3


class Finalizer:
    """Sets and removes our finalizer, for runs of any PhaseSecret."""

    def __init__(self, cluster: Cluster, resources: Resources, removals: Pruner) -> None:
        self._cluster = cluster
        self._resources = resources
        self._pruner = removals

    async def set_if_needed(self, declared: Declared) -> None:
        """Set the finalizer if the targets need one and it is not set; raise ExpectedError."""
        if declared.resource.life is Lifecycle.NO_FINALIZER and _is_needed(declared):
            await self._set(declared.resource, wanted=True)

    async def remove_if_needless(self, declared: Declared) -> None:
        """Remove the finalizer if it is set and no target needs one any more; raise ExpectedError."""
        if declared.resource.life is Lifecycle.HAS_FINALIZER and not _is_needed(declared):
            await self._set(declared.resource, wanted=False)

    async def end(self, declared: Declared) -> Outcome:
        """Remove what goes with a PhaseSecret that is being deleted, and then its finalizer; Phase is not asked.

        Raises ExpectedError.
        """
        left = tuple(await self._pruner.end(declared))
        if left:
            message = "; ".join(f"{result.ref}: {result.message}" for result in left[:_NAMED])
            is_transient = any(result.transient for result in left)
            return Failed(Reason.REMOVAL_PENDING, message, transient=is_transient, targets=left)
        await self._set(declared.resource, wanted=False)
        return Gone()

    async def _set(self, resource: Resource, *, wanted: bool) -> None:
        await self._cluster.set_finalizer(resource.key, resource.uid, wanted=wanted)
        self._resources.set_finalizer_kept(resource.key, resource.uid, wanted)


def _is_needed(declared: Declared) -> bool:
    return needs_finalizer(declared.target_policies, declared.key.namespace)
