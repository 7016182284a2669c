"""One target: bring it in step, create it again with another type, remove it.

Rule: observe, decide, and act on the version that was judged; an object that changed meanwhile is observed again. The
new object exists before the old one is deleted.
"""

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from typing import assert_never
from weakref import WeakValueDictionary

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Invalid, Transient, Waiting
from phase_operator.core.json_access import mapping, text
from phase_operator.core.outcome import TargetResult
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.annotation_limit import check_marks
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.plan import Apply, Plan, Refuse, Unchanged, plan
from phase_operator.core.targets.removal import Delete, Leave, Needless, Retyped, Why, removal
from phase_operator.core.targets.type_change import copy_of, copy_owner, copy_ref
from phase_operator.reconcile.attempts import attempts
from phase_operator.reconcile.ports import Cluster, Restarts
from phase_operator.reconcile.run.rivals import OwnerConflicts
from phase_operator.reconcile.run.type_change import TypeChangeBackoff

_BUSY = "it keeps changing while it is written"


Doubt = Callable[[Observed | None], ExpectedError | None]


def believed(_: Observed | None) -> None:
    """Doubt nothing."""


class TargetApplier:
    """Acts on targets, for runs of any PhaseSecret."""

    def __init__(self, cluster: Cluster, restarts: Restarts, owner_conflicts: OwnerConflicts) -> None:
        self._cluster = cluster
        self._owner_conflicts = owner_conflicts
        self._restarts = restarts
        # Targets in whose place an object of another owner was found the last time.
        self._refused: set[TargetRef] = set()
        # Where no copy is left from a replacement, as far as is known.
        self._without_copy: set[TargetRef] = set()
        self._refusals = TypeChangeBackoff()
        # PhaseSecrets that merge into one object take turns.
        self._turns: WeakValueDictionary[TargetRef, asyncio.Lock] = WeakValueDictionary()

    def forget(self, targets: Collection[TargetRef]) -> None:
        """Drop what is remembered of targets that no PhaseSecret wants any more."""
        self._refused.difference_update(targets)
        self._without_copy.difference_update(targets)
        self._refusals.forget(targets)

    # Bring in step.

    async def bring_in_step(self, desired: Desired, doubt: Doubt = believed) -> TargetResult:
        """Make a target what it should be and return its result; raise ExpectedError.

        `doubt` gets the object as it is now, and returns why it must not be touched; None if it may.
        """
        if not desired.policy.merges:
            if desired.policy.replace:
                await self.finish(desired.ref, desired.owner)
            return await self._bring_in_step(desired, doubt)
        async with self._turn(desired.ref):
            return await self._bring_in_step(desired, doubt)

    def _turn(self, target: TargetRef) -> asyncio.Lock:
        return self._turns.setdefault(target, asyncio.Lock())

    async def _bring_in_step(self, desired: Desired, doubt: Doubt) -> TargetResult:
        busy = TargetResult(desired.ref, False, Reason.KUBERNETES_UNAVAILABLE, message=_BUSY, transient=True)
        return await attempts(partial(self._attempt, desired, doubt)) or busy

    async def _attempt(self, desired: Desired, doubt: Doubt, number: int) -> TargetResult | None:
        """Look, judge and act once; return None if the object changed in between."""
        ref = desired.ref
        live = number > 0 or self._has_to_be_read(desired)
        observed = await self._cluster.observe(ref, live=live)
        if (error := doubt(observed)) is not None:
            return TargetResult.failed(ref, error)
        action = await self._judge(desired, observed)
        self._refused.discard(ref)
        match action:
            case Unchanged():
                return TargetResult(ref, True, Reason.SYNCED, len(desired.keys))
            case Refuse(why=why):
                self._refused.add(ref)
                return TargetResult(ref, False, Reason.TARGET_CONFLICT, message=why)
            case Apply():
                if not await self._write(desired, action, observed):
                    return None
                written, resealed = not action.only_seal, action.only_seal
                return TargetResult(ref, True, Reason.SYNCED, len(desired.keys), written=written, resealed=resealed)
            case _:
                assert_never(action)

    def _has_to_be_read(self, desired: Desired) -> bool:
        """Return whether an object has to be observed by a live read at once.

        A foreign object is rare, and the API server refuses a write whose resourceVersion we did not see. So a live
        read is worth its request only after such a refusal, or if one was there the last time.
        """
        return desired.policy.merges or desired.ref in self._refused

    async def _judge(self, desired: Desired, observed: Observed | None) -> Plan:
        """Return the plan; other PhaseSecrets in the way are asked first whether they still want the object."""
        gone: set[str] = set()
        while True:
            action = plan(desired, observed, gone)
            if not isinstance(action, Refuse) or not action.by:
                return action
            let_go = [each for each in action.by if await self._owner_conflicts.has_let_go(each, desired.ref)]
            if not set(let_go) - gone:
                return action
            gone.update(let_go)

    async def _write(self, desired: Desired, action: Apply, observed: Observed | None) -> bool:
        check_marks(desired, observed)
        if action.adds_owner:
            await self._check_owner(desired)
        if desired.content is None or _is_repair(desired, observed):
            return await self._change(desired, action, observed)
        # What pods have read is known before the write, and not after it.
        await self._restarts.prepare(
            desired.ref, desired.content, is_new=observed is None, is_followed=desired.policy.is_followed
        )
        try:
            return await self._change(desired, action, observed)
        finally:
            # Also if it failed: an answer that got lost may have been a yes.
            self._restarts.written(desired.ref)

    async def _check_owner(self, desired: Desired) -> None:
        """Raise Transient if the owner is not there, or is being deleted.

        `kubectl delete --cascade=orphan` takes the reference off a target, which to the watch of targets is an edit. A
        repair before the deletion is seen would have Kubernetes delete what it was told to keep.
        """
        found = mapping((await self._cluster.find_resource(desired.owner.key) or {}).get("metadata"))
        if text(found.get("uid")) != desired.owner.uid or "deletionTimestamp" in found:
            message = f"{desired.ref} is not written: its owner {desired.owner.key} is being deleted"
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, message)

    async def _change(self, desired: Desired, action: Apply, observed: Observed | None) -> bool:
        try:
            return await self._cluster.apply_target(desired, action)
        except Waiting as error:
            if error.reason is not Reason.TYPE_IMMUTABLE or not desired.policy.replace:
                raise
            old = removal(desired.ref, observed, desired.owner, Retyped())
            if not isinstance(old, Delete):
                raise
        return await self._make_anew(desired, old)

    # Make anew, with another type.

    async def _make_anew(self, desired: Desired, old: Delete) -> bool:
        """Replace an object by one of another type; a copy of the old one is kept while there is none."""
        self._refusals.check(desired)
        if desired.names_owner:
            await self._check_owner(desired)
        self._without_copy.discard(desired.ref)
        copy = copy_of(desired)
        await self._free_place(copy)
        # It may still be refused for its name; but most that is wrong with it comes to light here.
        await self._cluster.prove(copy)
        if not await self._cluster.keep(desired.ref, old.resource_version, copy):
            return False
        if not await self._cluster.remove(desired.ref, old):
            return False
        try:
            done = await self._cluster.apply_target(desired, Apply(resource_version=None))
        except Transient:
            raise
        except ExpectedError as error:
            refusal = self._refusals.add(desired, error)
            await self.finish(desired.ref, desired.owner)
            raise refusal from error
        if done:
            await self._drop_copy(desired.ref, desired.owner)
        return done

    async def _free_place(self, copy: Desired) -> None:
        """Remove an old copy from the place of a new one; raise Waiting if a foreign object is there."""
        await self.take_away(copy.ref, copy.owner, Needless())
        if await self._cluster.observe(copy.ref, live=True) is not None:
            message = f"{copy.ref}, where a copy is kept while the type changes, is taken; what stands there has to go"
            raise Waiting(Reason.TARGET_CONFLICT, message)

    async def finish(self, target: TargetRef, owner: Owner, *, is_seen: bool = False) -> TargetResult | None:
        """Finish what a crash or a refusal left of a replacement; return what is left to do, raise ExpectedError.

        Asks once after a start or a failure, and if the watches have seen a copy.
        """
        if target in self._without_copy and not is_seen:
            return None
        copy = copy_ref(target)
        found = await self._cluster.observe(copy, live=True)
        if isinstance(removal(copy, found, Owner(copy_owner(owner.key), owner.uid), Needless()), Delete):
            if await self._cluster.observe(target, live=True) is None:
                await self._restore(copy, target)
            return await self._drop_copy(target, owner)
        self._without_copy.add(target)
        return None

    async def _restore(self, copy: TargetRef, target: TargetRef) -> None:
        try:
            await self._cluster.restore(copy, target)
        except Waiting as error:
            message = f"{target} cannot be brought back, what it held stands in {copy}: {error.message}"
            raise Waiting(error.reason, message) from error

    async def _drop_copy(self, target: TargetRef, owner: Owner) -> TargetResult | None:
        copies = Owner(copy_owner(owner.key), owner.uid)
        left = await self.take_away(copy_ref(target), copies, Needless())
        if not isinstance(left, Leave):
            return left
        self._without_copy.add(target)
        return None

    # Take away.

    async def take_away(self, target: TargetRef, owner: Owner, why: Why) -> TargetResult | Leave:
        """Remove an object, or our part of it, if it is to be removed; return what is left to do.

        Leave: nothing, it is gone or it stays. Raises Invalid if our part cannot be taken out of the object, whenever
        it is tried.
        """

        async def attempt(_: int) -> Leave | None:
            action = removal(target, await self._cluster.observe(target, live=True), owner, why)
            if isinstance(action, Leave):
                return action
            return Leave() if await self._cluster.remove(target, action) else None

        try:
            async with self._turn(target):
                left = await attempts(attempt)
        except Invalid:
            raise
        except ExpectedError as error:
            if error.reason is Reason.NAMESPACE_NOT_FOUND:
                return Leave()
            return pending_for(target, error)
        return left or pending(target, _BUSY, transient=True)


def _is_repair(desired: Desired, observed: Observed | None) -> bool:
    """Return whether an object already carries the digest of this content, so that it is no news for its followers."""
    return observed is not None and observed.digest == desired.digest


def pending(target: TargetRef, why: str, *, transient: bool) -> TargetResult:
    """Return the result of a target that is still to be removed, and why."""
    why_left = f"it is not wanted any more and still to be removed: {why}"
    return TargetResult(target, False, Reason.REMOVAL_PENDING, message=why_left, transient=transient)


def pending_for(target: TargetRef, error: ExpectedError) -> TargetResult:
    """Return the result of a target that an error kept from being removed."""
    return pending(target, error.message, transient=isinstance(error, Transient))
