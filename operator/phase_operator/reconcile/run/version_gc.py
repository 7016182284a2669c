"""The versions of a versioned target: who may write some, which exist, and which may be deleted.

Rule: a base name is claimed like an object: as long as versions of one PhaseSecret stand under it, and that one still
wants it, no other writes there. A version that any pod template of the namespace names stays, however old; if that
cannot be told, all stay.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from operator import itemgetter
from weakref import WeakValueDictionary

from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import TargetResult
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.removal import Delete, Leave, Removal, Superseded, Unwanted, is_version_of, removal
from phase_operator.core.targets.versions import Made, prunable
from phase_operator.core.text import listing
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.run.rivals import OwnerConflicts, records_version


class VersionCollector:
    """Looks after versions, for runs of any PhaseSecret."""

    def __init__(self, cluster: Cluster, owner_conflicts: OwnerConflicts) -> None:
        self._cluster = cluster
        self._owner_conflicts = owner_conflicts
        self._turns: WeakValueDictionary[TargetRef, asyncio.Lock] = WeakValueDictionary()

    def turn(self, base: TargetRef) -> asyncio.Lock:
        """Return the lock of a base name; a run holds it while it judges and writes a version."""
        return self._turns.setdefault(base, asyncio.Lock())

    async def objection(self, base: TargetRef, owner: Owner, *, is_recorded: bool) -> str | None:
        """Return why no version may be written under this name; None if one may. Raises ExpectedError.

        `is_recorded`: the status records a version that this PhaseSecret wrote under the name.
        """
        standing = _applied(self._cluster.known_versions(base), base)
        # The newest of each owner. Whoever may write here may forge any number in one name, which is asked for once.
        newest = {owner_of: (created, name) for created, name, owner_of in sorted(standing)}
        mine = newest.pop(str(owner.key), None)
        own = None if mine is None else (*mine, str(owner.key))
        for rival, (created, name) in sorted(newest.items(), key=itemgetter(1), reverse=True):
            found = await self._owner_conflicts.keeps_versions(rival, base)
            if found is None:
                continue
            # Both have some after a race, or from the time when nobody looked: who is known to have it keeps it.
            first = (is_recorded, own) > (records_version(found, base), (created, name, rival)) if own else False
            if not first:
                return f"versions of it belong to PhaseSecret {rival}; choose another name, or let that one go first"
        return None

    async def collect(self, result: TargetResult, owner: Owner, keep: int) -> TargetResult:
        """Delete versions that are not kept and that no pod template names; the result says if that cannot be known."""
        try:
            found = await self._cluster.versions(result.ref)
            await self._remove(result.ref, found, owner, keep, result.version or "")
        except ExpectedError as error:
            return replace(result, message=f"older versions stay: {error.message}")
        return result

    async def retract(self, result: TargetResult, owner: Owner, is_bad: Callable[[Observed], bool]) -> TargetResult:
        """Delete older versions that are bad and that no pod template names; the result names the others."""
        base = result.ref
        known = self._cluster.known_versions(base)
        bad = {ref: each for ref, each in known.items() if ref.key.name != result.version and is_bad(each)}
        if not bad:
            return result
        try:
            named = await self._remove(base, bad, owner, 0, "")
        except ExpectedError as error:
            return replace(result, message=f"versions that hold what became secret stay: {error.message}")
        if not named:
            return result
        why = f"a pod template names {listing(named)}, which still holds what became secret"
        return replace(result, message=why if result.message is None else f"{why}; {result.message}")

    async def retire(self, result: TargetResult, owner: Owner, version: str | None) -> TargetResult:
        """Delete the versions of a target that is versioned no more, if they say so and no pod template names them.

        If that fails, the result says so and still names the version, so that the next run tries again.
        """
        known = self._cluster.known_versions(result.ref)
        old = {ref: each for ref, each in known.items() if isinstance(removal(ref, each, owner, Unwanted()), Delete)}
        try:
            if old:
                await self._remove(result.ref, old, owner, 0, "")
        except ExpectedError as error:
            return replace(result, version=version, message=f"its versions stay: {error.message}")
        return result

    async def _remove(
        self, base: TargetRef, found: Mapping[TargetRef, Observed], owner: Owner, keep: int, newest: str
    ) -> list[str]:
        """Remove what is ours and not kept, and return what pod templates name; raise the first error after all."""
        removals = {ref: removal(ref, each, owner, Superseded(base)) for ref, each in found.items()}
        made = [Made(ref.key.name, found[ref].created) for ref, action in removals.items() if action != Leave()]
        old = [each.name for each in prunable(made, keep, newest)]
        if not old:
            return []
        named = await self._cluster.mentioned(base.key.namespace, old)
        by_name = {ref.key.name: (ref, action) for ref, action in removals.items()}
        await self._remove_each([by_name[name] for name in old if name not in named])
        return sorted(named)

    async def _remove_each(self, removals: Iterable[tuple[TargetRef, Removal | Leave]]) -> None:
        """Remove versions; raise the first error after all."""
        failures = [await self._failure(ref, action) for ref, action in removals]
        if first := next(filter(None, failures), None):
            raise first

    async def _failure(self, ref: TargetRef, action: Removal | Leave) -> ExpectedError | None:
        """Remove a version, unless the action leaves it; return the error if that fails."""
        try:
            if not isinstance(action, Leave):
                await self._cluster.remove(ref, action)
        except ExpectedError as error:
            return error
        return None


def _applied(known: Mapping[TargetRef, Observed], base: TargetRef) -> list[tuple[str, str, str]]:
    """Return when and under which name versions were made, and whose they are; copies that others made are nobody's."""
    return [
        (each.created, ref.key.name, each.owner)
        for ref, each in known.items()
        if each.is_applied and each.owner and not each.terminating and is_version_of(ref, each, base)
    ]
