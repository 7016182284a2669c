"""The versions of a versioned target: which stand, and which may go.

Rule: a version that any pod template of the namespace names stays, however old; if that cannot be told, all stay.
"""

from dataclasses import replace

from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import TargetResult
from phase_operator.core.plan import Delete
from phase_operator.core.targets import TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.core.versions import spare
from phase_operator.reconcile.ports import Cluster


class Versions:
    """Looks after versions, for runs of any PhaseSecret."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def standing(self, base: TargetRef) -> list[TargetRef]:
        """Return the objects that stand for a target; raise ExpectedError."""
        return [_ref(base, each.name) for each in await self._cluster.versions(base)]

    async def collect(self, result: TargetResult, keep: int) -> TargetResult:
        """Delete versions that are not kept any more and that no pod template names; say if that cannot be told."""
        try:
            old = spare(await self._cluster.versions(result.ref), keep, result.version or "")
            names = [each.name for each in old]
            named = await self._cluster.mentioned(result.ref.key.namespace, names) if old else frozenset()
            for each in old:
                if each.name not in named:
                    await self._cluster.remove(_ref(result.ref, each.name), Delete(each.uid, each.resource_version))
        except ExpectedError as error:
            return replace(result, message=f"older versions stay: {error.message}")
        return result


def _ref(base: TargetRef, name: str) -> TargetRef:
    return TargetRef(base.kind, ObjectKey(base.key.namespace, name))
