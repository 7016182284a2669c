"""What the targets that a workload reads hold, and who follows them: asked once for each target and look."""

from collections.abc import Callable, Iterator, Mapping

from phase_operator.api.v1alpha1.phasesecret import Followers
from phase_operator.core.errors import Invalid
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.followers import ABSENT, Feed, Gap, Holding, Policy, holding
from phase_operator.core.rollout.followers import policies as policies_of
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.status.recorded import standing, standing_versions
from phase_operator.core.targets.policy import places
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.context import parse_spec
from phase_operator.reconcile.index import Users
from phase_operator.reconcile.ports import Workloads
from phase_operator.reconcile.store import Resource, Resources
from phase_operator.reconcile.writers import Writers

# None: its PhaseSecrets do not say who follows it.
Known = dict[TargetRef, Feed | None]


class Feeds:
    """Puts together what the PhaseSecrets that write a target say of it and what it says of itself."""

    def __init__(
        self,
        workloads: Workloads,
        resources: Resources,
        admitted: Users[TargetRef],
        writers: Writers,
        digest_key: Callable[[], bytes],
    ) -> None:
        self._workloads = workloads
        self._resources = resources
        self._admitted = admitted
        self._writers = writers
        self._digest_key = digest_key

    async def of(self, workload: Workload, known: Known) -> dict[TargetRef, Feed]:
        """Return the targets of ours that a workload reads; what is not in `known` is asked for and put there."""
        found: dict[TargetRef, Feed] = {}
        for target in targets_of(workload):
            if target not in self._admitted and not self._writers.marked(target):
                continue
            if target not in known:
                known[target] = await self._feed(target)
            feed = known[target]
            if feed is not None:
                found[target] = feed
        return found

    def may_be_followed(self, target: TargetRef) -> bool:
        """Say whether any PhaseSecret lets workloads follow a target."""
        found, _, _ = self._said(target)
        return any(policy.followers is not Followers.NONE for policy in found)

    async def _feed(self, target: TargetRef) -> Feed | None:
        policies, versions, is_versioned = self._said(target)
        if not policies:
            return None
        if all(policy.followers is Followers.NONE for policy in policies):
            return Feed(tuple(policies), Gap.UNKNOWN)
        held = await self._held(target, versions, is_versioned=is_versioned)
        return Feed(tuple(policies), held.content, held.written_at)

    def _said(self, target: TargetRef) -> tuple[list[Policy], Mapping[TargetRef, str], bool]:
        """Return who follows a target, the newest versions of its PhaseSecrets, and whether it is versioned."""
        policies = []
        versions: Mapping[TargetRef, str] = {}
        is_versioned = False
        for resource in self._writing(target):
            try:
                spec = parse_spec(resource.spec)
                policy = policies_of(spec, resource.key.namespace).get(target)
            except Invalid:
                continue
            if policy is not None:
                policies.append(policy)
                fields = [each for ref, each in places(spec, resource.key.namespace) if ref == target]
                is_versioned = is_versioned or any(each.versioned for each in fields)
                versions = {**versions, **standing_versions(resource.status)}
        return policies, versions, is_versioned

    def _writing(self, target: TargetRef) -> Iterator[Resource]:
        """Yield those that write a target, and those of its namespace that wrote it and are suspended since.

        What these wrote before still reaches the pods.
        """
        writing = self._writers.of(target)
        for key in dict.fromkeys([*writing, *self._writers.marked(target)]):
            resource = self._resources.get(key)
            if resource is not None and (key in writing or resource.spec.get("suspend") is True):
                yield resource

    async def _held(self, target: TargetRef, versions: Mapping[TargetRef, str], *, is_versioned: bool) -> Holding:
        key = self._digest_key()
        held = holding(await self._workloads.metadata(target), key)
        if not is_versioned:
            return held
        if held != ABSENT:
            # Somebody else's object has the name that ours only have in front of a hash.
            return Holding(Gap.UNKNOWN)
        newest = standing(target, versions)
        return ABSENT if newest == target else holding(await self._workloads.metadata(newest), key)


def targets_of(workload: Workload) -> list[TargetRef]:
    """Return what a workload reads, whosoever it is."""
    namespace = workload.ref.key.namespace
    return [TargetRef(reference.kind, ObjectKey(namespace, reference.name)) for reference in workload.references]
