"""Which PhaseSecrets write a target: those that were admitted to it and those whose mark its object carries.

Rule: a PhaseSecret that only names a target is no writer of it. Restarts, and the statuses that report them, depend on
the writers found here and not on specs.
"""

from phase_operator.core.refs import TargetRef
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.versions import is_version
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.index import Users
from phase_operator.reconcile.ports import KnownObjects


class Writers:
    """Joins the admissions with the objects that the watches have shown."""

    def __init__(self, admitted: Users[TargetRef], known: KnownObjects) -> None:
        self._admitted = admitted
        self._known = known

    def of(self, target: TargetRef) -> list[ObjectKey]:
        """Return the PhaseSecrets that write a target, sorted; while it does not exist, all that may write it."""
        admitted = self._admitted.of(target)
        found = self._known.get(target)
        if found is not None:
            return [key for key in admitted if carries(found, key)]
        return [key for key in admitted if self._has_version(key, target)] or admitted

    def marked(self, target: TargetRef) -> list[ObjectKey]:
        """Return the PhaseSecrets of the target's own namespace whose mark it carries, admitted or not."""
        found = self._known.get(target)
        if found is None:
            return []
        names = dict.fromkeys([found.owner, *(part.of for part in found.parts)])
        keys = [key for key in map(ObjectKey.read, names) if key.namespace == target.key.namespace]
        return [key for key in keys if carries(found, key)]

    def _has_version(self, key: ObjectKey, target: TargetRef) -> bool:
        versions = (each for each in self._admitted.uses(key) if _is_version(each, target))
        known = map(self._known.get, versions)
        return any(found is not None and carries(found, key) for found in known)


def _is_version(ref: TargetRef, base: TargetRef) -> bool:
    """Return whether an object may be, by its name, a version of a target."""
    beside = (ref.kind, ref.key.namespace) == (base.kind, base.key.namespace)
    return beside and is_version(ref.key.name, base.key.name)


def carries(observed: Observed, key: ObjectKey) -> bool:
    """Return whether an object carries the mark of a PhaseSecret, written by an apply of ours."""
    is_whole = observed.belongs_to(key) and observed.is_applied
    return is_whole or observed.share_of(key) is not None
