"""The careful end of an installation: resources go, one kind after the other, and every target stays.

Rule: it stops at the first surprise, and then nothing more is begun. To run it again goes on where it stopped.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.cli.acting.awaited import Ending, Judge, gone, taken_in
from phase_operator.cli.acting.key_changes import KeyState, key_state
from phase_operator.cli.acting.waiting import Awaited, Machine, verdicts
from phase_operator.cli.common.cluster import all_of
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.resources import OF_TARGETS, place_of, resource_of, uid_of
from phase_operator.cli.common.terminal import say
from phase_operator.cli.uninstalling.leavers import Leaver, leaver, losses, releasing, retaining, version_of
from phase_operator.core.json_access import mapping
from phase_operator.core.refs import TargetRef
from phase_operator.core.text import listing
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Suppressed, Trouble, UserError
from phase_operator.kube.user_resources import DYNAMIC_SECRETS, OURS, PHASE_SECRETS, PUSH_SECRETS, Request

# What is outside the cluster goes first, while the operator runs.
_ORDER = ((DYNAMIC_SECRETS, PUSH_SECRETS), (PHASE_SECRETS,))
_VERBS = ("list", "get", "patch", "delete")
# A resource that others change all the time is tried so often.
_TRIES = 5
_MANAGED = f"{names.LABEL_TARGET}={names.LABEL_TARGET_VALUE}"
_OPERATOR_GONE = "if the operator is gone for good, give --operator-gone"


@dataclass(frozen=True, slots=True)
class Departure:
    """The steps, in a namespace or in all for ""."""

    cluster: UserCluster
    namespace: str
    timeout: float
    # Nobody takes the finalizers off but we.
    operator_gone: bool = False
    clock: Machine = field(default_factory=Machine)

    async def check_rights(self, requests: Sequence[Request]) -> None:
        """Raise UserError for the first right that the person lacks."""
        for request, allowed in zip(requests, await all_of(requests, self.cluster.may), strict=True):
            if not allowed:
                raise UserError(Trouble.NO_RIGHT, f"you have no right to {request}; nothing was done", request)

    def requests(self) -> list[Request]:
        """Return what the person has to be allowed."""
        return [Request(verb, kind, self.namespace) for kind in OURS for verb in _VERBS]

    async def resources(self) -> list[Leaver]:
        """Return every resource of the namespace, in the order in which they go; raise UserError."""
        found: list[Leaver] = []
        for kind in (kind for kinds in _ORDER for kind in kinds):
            with Suppressed(Trouble.NOT_FOUND):
                found += [leaver(each) async for each in self.cluster.each(kind, self.namespace)]
        return found

    async def kept(self, leavers: Sequence[Leaver]) -> dict[TargetRef, KeyState]:
        """Return the objects that have to stay, each with the names of its keys; raise UserError."""
        found: dict[TargetRef, KeyState] = {}
        for kind, resource in OF_TARGETS.items():
            async for each in self.cluster.each(resource, self.namespace, labels=_MANAGED, metadata=True):
                found[TargetRef(kind, place_of(each))] = key_state(mapping(each.get("metadata")))
        # What is merged into objects of others, or lies in other namespaces.
        left = sorted({target for each in leavers for target in each.targets} - found.keys())
        elsewhere = await self._look(left)
        return found | {target: keys for target, keys in elsewhere.items() if keys is not None}

    async def check_kept(self, before: Mapping[TargetRef, KeyState]) -> None:
        """Raise Failure if an object is gone, or has lost keys."""
        if lost := losses(before, await self._look(sorted(before))):
            raise Failure(f"this was not to be expected: {listing(lost)}; nothing more was done")

    async def _look(self, targets: Sequence[TargetRef]) -> dict[TargetRef, KeyState | None]:
        async def look(target: TargetRef) -> KeyState | None:
            kind = OF_TARGETS[target.kind]
            metadata = await self.cluster.metadata(kind, target.key.namespace, target.key.name)
            return None if metadata is None else key_state(metadata)

        return dict(zip(targets, await all_of(targets, look), strict=True))

    async def leave(self, leavers: Sequence[Leaver], kept: Mapping[TargetRef, KeyState]) -> None:
        """Delete the resources so that their targets stay; raise Failure at the first surprise."""
        for kinds in _ORDER:
            group = [each for each in leavers if each.resource in kinds]
            if group:
                await self._take_away(group)
                await self.check_kept(kept)
                say(f"{len(group)} gone: {', '.join(sorted({each.kind for each in group}))}")
        if again := await self.resources():
            raise Failure(
                f"{listing(map(str, again))} came meanwhile: find out who makes them, a GitOps tool for instance, and "
                "run this again"
            )

    async def _take_away(self, group: Sequence[Leaver]) -> None:
        """Delete resources that may go at the same time, after their targets were set to Retain."""
        await all_of(group, self._retain)
        if not self.operator_gone:
            await self._until_taken_in(group)
        await all_of(group, self._delete)
        if self.operator_gone:
            await all_of(group, self._release)
        await self._until_gone(group)

    async def _retain(self, leaving: Leaver) -> None:
        """Set every target of a resource to Retain."""
        for _ in range(_TRIES):
            found = await self._same(leaving)
            body = None if found is None else retaining(found)
            if found is None or body is None:
                return
            await self._written(found, body)
        raise self._restless(leaving)

    async def _until_taken_in(self, group: Sequence[Leaver]) -> None:
        """Wait until the operator writes no target by a spec that says Delete: it would own the target once more."""
        if late := await self._late(group, taken_in):
            raise Failure(
                f"the operator did not take in {listing(late)} in {self.timeout:g} s, and might still write targets "
                f"that would go; {_OPERATOR_GONE}. Nothing more was done",
                ExitCode.TIMED_OUT,
            )

    async def _delete(self, leaving: Leaver) -> None:
        """Delete a resource whose targets are all kept, exactly as it was seen, and orphan its objects."""
        for _ in range(_TRIES):
            found = await self._same(leaving)
            if found is None:
                return
            if retaining(found) is not None:
                break
            if "deletionTimestamp" in mapping(found.get("metadata")) or await self._written(found, None):
                return
        raise self._restless(leaving)

    def _restless(self, leaving: Leaver) -> Failure:
        return Failure(
            f"{leaving} changes all the time: find out who edits it, and run this again; nothing more was done"
        )

    async def _written(self, found: Mapping[str, Any], body: Mapping[str, Any] | None) -> bool:
        """Write one step; return True if it was the deletion. False: look again."""
        kind, place = resource_of(found), place_of(found)
        with Suppressed(Trouble.CONFLICT):
            if body is not None:
                await self.cluster.patch(kind, place.namespace, place.name, body)
                return False
            only = {"uid": uid_of(found), "resourceVersion": version_of(found)}
            await self.cluster.delete(kind, place.namespace, place.name, orphan=True, only=only)
            return True
        return False

    async def _release(self, leaving: Leaver) -> None:
        """Take our finalizers off a resource that is being deleted."""
        for _ in range(_TRIES):
            found = await self._same(leaving)
            body = None if found is None else releasing(found)
            if found is None or body is None:
                return
            try:
                await self.cluster.patch(resource_of(found), leaving.key.namespace, leaving.key.name, body)
            except UserError as error:
                if error.trouble is Trouble.NOT_FOUND:
                    return
                if error.trouble is not Trouble.CONFLICT:
                    raise
        raise Failure(f"the finalizer of {leaving} comes back: an operator runs; leave --operator-gone out")

    async def _same(self, leaving: Leaver) -> Mapping[str, Any] | None:
        """Return a resource as it is now; None if it is gone. Another one of its name is a surprise."""
        found = await self.cluster.find(leaving.resource, leaving.key.namespace, leaving.key.name)
        if found is not None and uid_of(found) != leaving.uid:
            raise Failure(f"{leaving} was made anew meanwhile: find out by whom, and run this again")
        return found

    async def _until_gone(self, group: Sequence[Leaver]) -> None:
        if late := await self._late(group, gone):
            raise Failure(
                f"{listing(late)} did not go in {self.timeout:g} s: the operator takes the finalizer off when it has "
                f"given back what is outside the cluster; {_OPERATOR_GONE}. Nothing more was done",
                ExitCode.TIMED_OUT,
            )

    async def _late(self, group: Sequence[Leaver], judge: Callable[[str], Judge]) -> list[str]:
        """Wait for resources, and return those that did not get there in time."""
        awaited = [Awaited(each.resource, each.key.namespace, each.key.name, judge(each.uid)) for each in group]
        return [
            str(each)
            async for each, _, verdict in verdicts(self.cluster, awaited, self.timeout, self.clock, say)
            if verdict.ending is Ending.TIMED_OUT
        ]
