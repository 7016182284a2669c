"""Which PhaseSecrets may use which token Secrets and targets, and run again when one of these changes.

Rule: only what tenancy admitted can be entered, because `enter` takes an `Admitted`. `renew` adds no more than versions
of admitted targets, and the properties give a read-only view.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from phase_operator.core.access.admission import Admitted
from phase_operator.core.refs import TargetRef
from phase_operator.core.status.recorded import newest_version
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.index import ReverseIndex, Users


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of an entry did: targets that are used for the first time, and things that are no longer used."""

    new_targets: tuple[TargetRef, ...] = ()
    orphaned_targets: tuple[TargetRef, ...] = ()
    orphaned_tokens: tuple[ObjectKey, ...] = ()


class Admissions:
    """What each PhaseSecret was admitted to when it last ran; one that was refused or suspended has no entry."""

    def __init__(self) -> None:
        self._targets: ReverseIndex[TargetRef] = ReverseIndex()
        self._tokens: ReverseIndex[ObjectKey] = ReverseIndex()
        # The newest objects of versioned targets, where there are any.
        self._versions: dict[ObjectKey, tuple[TargetRef, ...]] = {}

    @property
    def targets(self) -> Users[TargetRef]:
        """Targets, and the newest objects of versioned ones, with the PhaseSecrets that may write them."""
        return self._targets

    @property
    def tokens(self) -> Users[ObjectKey]:
        """Token Secrets, with the PhaseSecrets that may read them."""
        return self._tokens

    def enter(self, admitted: Admitted, versions: Mapping[TargetRef, str]) -> Change:
        """Replace a PhaseSecret's entry. `versions` names the newest object of each versioned target."""
        orphaned = self._tokens.set(admitted.key, (admitted.token,)).orphaned
        return self._set(admitted.key, tuple(admitted.target_policies), versions, orphaned)

    def renew(self, key: ObjectKey, versions: Mapping[TargetRef, str]) -> Change:
        """Replace the newest objects of the versioned targets that a PhaseSecret was admitted to."""
        before = self._versions.get(key, ())
        return self._set(key, tuple(each for each in self._targets.uses(key) if each not in before), versions)

    def leave(self, key: ObjectKey) -> Change:
        """Remove a PhaseSecret's entry."""
        return self._set(key, (), {}, self._tokens.set(key, ()).orphaned)

    def _set(
        self,
        key: ObjectKey,
        targets: tuple[TargetRef, ...],
        versions: Mapping[TargetRef, str],
        orphaned_tokens: tuple[ObjectKey, ...] = (),
    ) -> Change:
        newest = (newest_version(each, versions) for each in targets if each in versions)
        objects = tuple(dict.fromkeys([*targets, *newest]))
        self._versions.pop(key, None)
        if extra := objects[len(targets) :]:
            self._versions[key] = extra
        changed = self._targets.set(key, objects)
        return Change(changed.new, changed.orphaned, orphaned_tokens)
