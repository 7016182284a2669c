"""Compare a PhaseSecret's targets, and the workloads that follow them, with the cluster.

Rule: only reads, with the person's own rights. What may not be looked up is told, or counts as a claim.
"""

from collections.abc import AsyncIterator, Sequence

from phase_operator.cli.common.desired import Subject, made, subject
from phase_operator.cli.common.phase import of_phase
from phase_operator.cli.common.resources import kind_named
from phase_operator.cli.diffing.changes import TargetDiff, claimants, emptied_diff, left_diff, not_made, target_diff
from phase_operator.cli.diffing.means import SUSPENDED, Body, Means
from phase_operator.cli.diffing.report import Report
from phase_operator.cli.diffing.restarts import ComingRestart, Followed, coming_restart, followed
from phase_operator.cli.tracing.objects import workloads
from phase_operator.core.errors import ExpectedError
from phase_operator.core.json_access import mapping, text
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.followers import policies
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.status.recorded import newest_version, removed_targets
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.loss_guard import LeaveUnchanged, RemoveEmpty
from phase_operator.core.targets.observed import observe
from phase_operator.core.targets.rendering import Rendering
from phase_operator.core.values import ObjectKey, Snapshot
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Suppressed, Trouble, UserError
from phase_operator.kube.user_resources import OURS
from phase_operator.reconcile.run.loss_guard import LossGuard
from phase_operator.reconcile.run.rivals import OwnerConflicts


async def compared_targets(means: Means, title: str, body: Body, existing: Body | None, namespace: str) -> Report:
    """Return what would be done for a PhaseSecret; raise Invalid for its spec, UserError, Failure."""
    of = subject(body, namespace, existing, default_host=means.default_host)
    if of.context.spec.suspend:
        return Report(title, notes=(SUSPENDED,))
    answer = await _answer(means, of)
    try:
        found = made(of, answer, means.digest_key)
    except ExpectedError as error:
        return Report(title, [not_made(ref, error) for ref in of.context.target_policies])
    looker = _Looker(means, of)
    targets: list[TargetDiff] = []
    notes = [*found.notes]
    for guard, unconfirmed in zip(found.guards(twice=True), found.guards(twice=False), strict=True):
        diff, why = await looker.target(guard, unconfirmed)
        targets.append(diff)
        notes += [why] if why else []
    targets += [each async for each in looker.left()]
    restarts, unseen = await _restarts(means, of, targets)
    return Report(title, targets, (), restarts, (*notes, *unseen))


async def _answer(means: Means, of: Subject) -> Snapshot:
    if means.entries is not None:
        # They stand for the same app as before.
        app_id = text(mapping(of.context.resource.status.get("source")).get("appId"))
        return Snapshot.of(app_id, means.entries)
    token = await means.token_of(of.ask)
    with of_phase():
        return await means.reader.read(of.context.spec, of.key.namespace, token.text)


class _Looker:
    """Looks at the objects of one PhaseSecret."""

    def __init__(self, means: Means, of: Subject) -> None:
        self._means = means
        self._context = of.context
        self._rivals = OwnerConflicts(_Resources(means.cluster), lambda *_: "")

    async def target(self, guard: LossGuard, unconfirmed: LossGuard) -> tuple[TargetDiff, str]:
        """Return what would become of a target, and what it has to wait for; "" for nothing."""
        ref, key = guard.rendering.ref, self._means.digest_key
        there = await self._there(guard.rendering)
        observed = None if there is None else observe(mapping(there.get("metadata")))
        try:
            match guard.decide(observed):
                case LeaveUnchanged(error=error):
                    return not_made(ref, error), ""
                case RemoveEmpty() if there is not None:
                    policy = self._context.target_policies[ref]
                    diff = emptied_diff(ref, self._context.owner, there, policy, key)
                    if diff is not None:
                        return diff, ""
            desired = guard.desired
        except ExpectedError as error:
            return not_made(ref, error), ""
        gone = set() if there is None else await self._gone(desired, there)
        diff = target_diff(ref, desired, there, key, gone)
        doubt = unconfirmed.doubt(observed)
        return diff, "" if doubt is None or diff.is_same else f"{ref}: not at once: {doubt.message}"

    async def _there(self, rendering: Rendering) -> Body | None:
        """Return the object of a target, the newest version of a versioned one; None if there is none."""
        if rendering.keep is None:
            return await self._means.object(rendering.ref)
        newest = newest_version(rendering.ref, self._context.versions)
        return None if newest == rendering.ref else await self._means.object(newest)

    async def left(self) -> AsyncIterator[TargetDiff]:
        """Yield what would become of the objects that the spec does not name any more."""
        for ref in removed_targets(self._context.resource.status, self._context.target_policies):
            there = await self._means.object(newest_version(ref, self._context.versions))
            diff = left_diff(ref, self._context.owner, there, self._means.digest_key)
            if diff is not None:
                yield diff

    async def _gone(self, desired: Desired, there: Body) -> set[str]:
        """Return the resources in the way that have let go of a target."""
        gone: set[str] = set()
        while True:
            let_go = {each for each in claimants(desired, there, gone) if await self._has_let_go(each, desired.ref)}
            if not let_go - gone:
                return gone
            gone |= let_go

    async def _has_let_go(self, other: str, ref: TargetRef) -> bool:
        with Suppressed(Trouble.NO_RIGHT):
            return await self._rivals.has_let_go(other, ref)
        return False


class _Resources:
    """Looks up resources that marks name."""

    def __init__(self, cluster: UserCluster) -> None:
        self._cluster = cluster

    async def find_resource(self, key: ObjectKey) -> Body | None:
        """Return a resource, or None; raise UserError."""
        return await self._cluster.find(kind_named(key.kind) or OURS[0], key.namespace, key.name)


async def _restarts(means: Means, of: Subject, diffs: Sequence[TargetDiff]) -> tuple[list[ComingRestart], list[str]]:
    """Return the workloads that would restart, and what could not be looked at."""
    targets = followed(diffs, policies(of.context.spec, of.key.namespace), means.digest_key)
    found: list[ComingRestart] = []
    unseen: list[str] = []
    for namespace in sorted({ref.key.namespace for ref in targets}):
        for kind in WorkloadKind:
            try:
                found += [each async for each in _restarting(means, kind, namespace, targets)]
            except UserError as error:
                # A cluster without Argo Rollouts has none.
                if error.trouble is Trouble.NO_RIGHT:
                    unseen.append(f"who restarts is not known in full: {error.message}")
                elif error.trouble is not Trouble.NOT_FOUND:
                    raise
    return found, unseen


async def _restarting(
    means: Means, kind: WorkloadKind, namespace: str, targets: dict[TargetRef, Followed]
) -> AsyncIterator[ComingRestart]:
    async for workload in workloads(means.cluster, kind, namespace):
        coming = coming_restart(workload, targets, means.digest_key)
        if coming is not None:
            yield coming
