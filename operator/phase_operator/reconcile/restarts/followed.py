"""The targets that a workload reads, as its followers see them: asked for once for each target and look."""

from collections.abc import Callable, Iterator, Mapping

from phase_operator.api.v1alpha1.phasesecret import Followers
from phase_operator.core.errors import Invalid
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.followers import ABSENT, FollowedTarget, Gap, KnownContent, Policy, known_content
from phase_operator.core.rollout.followers import policies as policies_of
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.status.recorded import newest_version, newest_versions
from phase_operator.core.targets.policy import spec_targets
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.context import parse_spec
from phase_operator.reconcile.index import Users
from phase_operator.reconcile.ports import Workloads
from phase_operator.reconcile.store import Resource, Resources
from phase_operator.reconcile.writers import Writers

# What a look has asked for. None: no spec of a PhaseSecret that writes the target can be used.
Known = dict[TargetRef, FollowedTarget | None]


class FollowedTargets:
    """Puts together who follows a target, by its PhaseSecrets, and what it holds, by its metadata."""

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
        # The key of content digests and of baselines.
        self.digest_key = digest_key

    async def of(self, workload: Workload, known: Known) -> dict[TargetRef, FollowedTarget]:
        """Return the targets of ours that a workload reads; one that `known` lacks is asked for and added to it."""
        found: dict[TargetRef, FollowedTarget] = {}
        for target in targets_of(workload):
            if target not in self._admitted and not self._writers.marked(target):
                continue
            if target not in known:
                known[target] = await self._feed(target)
            followed_target = known[target]
            if followed_target is not None:
                found[target] = followed_target
        return found

    def may_be_followed(self, target: TargetRef) -> bool:
        """Return whether any PhaseSecret lets workloads follow a target."""
        found, _, _ = self._by_specs(target)
        return any(policy.followers is not Followers.NONE for policy in found)

    def admitted(self, workload: Workload) -> list[TargetRef]:
        """Return the targets that a workload reads and that a PhaseSecret is admitted to."""
        return [target for target in targets_of(workload) if target in self._admitted]

    def followed_in(self, namespace: str) -> list[TargetRef]:
        """Return the targets in a namespace that workloads may follow."""
        found = (each for each in self._admitted.things() if each.key.namespace == namespace)
        return [each for each in found if self.may_be_followed(each)]

    async def _feed(self, target: TargetRef) -> FollowedTarget | None:
        policies, versions, is_versioned = self._by_specs(target)
        if not policies:
            return None
        if all(policy.followers is Followers.NONE for policy in policies):
            return FollowedTarget(tuple(policies), Gap.UNKNOWN)
        held = await self._held(target, versions, is_versioned=is_versioned)
        return FollowedTarget(tuple(policies), held.content, held.written_at)

    def _by_specs(self, target: TargetRef) -> tuple[list[Policy], Mapping[TargetRef, str], bool]:
        """Return who follows a target, the newest versions of its PhaseSecrets, and whether it is versioned."""
        policies: list[Policy] = []
        versions: dict[TargetRef, str] = {}
        is_versioned = False
        for resource in self._writing(target):
            found = _policy(resource, target)
            if found is not None:
                policies.append(found[0])
                is_versioned = is_versioned or found[1]
                versions.update(newest_versions(resource.status))
        return policies, versions, is_versioned

    def _writing(self, target: TargetRef) -> Iterator[Resource]:
        """Yield the PhaseSecrets that write a target, and those of its namespace that are suspended and wrote it.

        What a suspended PhaseSecret wrote still reaches the pods.
        """
        writing = self._writers.of(target)
        for key in dict.fromkeys([*writing, *self._writers.marked(target)]):
            resource = self._resources.get(key)
            if resource is not None and (key in writing or resource.spec.get("suspend") is True):
                yield resource

    async def _held(self, target: TargetRef, versions: Mapping[TargetRef, str], *, is_versioned: bool) -> KnownContent:
        key = self.digest_key()
        held = known_content(await self._workloads.metadata(target), key)
        if not is_versioned:
            return held
        if held != ABSENT:
            # A foreign object has the plain name; ours have a hash after it.
            return KnownContent(Gap.UNKNOWN)
        newest = newest_version(target, versions)
        return ABSENT if newest == target else known_content(await self._workloads.metadata(newest), key)


def _policy(resource: Resource, target: TargetRef) -> tuple[Policy, bool] | None:
    """Return who follows a target by a spec, and whether it is versioned; None if the spec is not valid or lacks it."""
    namespace = resource.key.namespace
    try:
        spec = parse_spec(resource.spec, resource.key.kind)
        policy = policies_of(spec, namespace).get(target)
    except Invalid:
        return None
    named = (fields for ref, fields in spec_targets(spec, namespace) if ref == target)
    return None if policy is None else (policy, any(fields.versioned for fields in named))


def targets_of(workload: Workload) -> list[TargetRef]:
    """Return the objects that a workload reads, ours or not."""
    namespace = workload.ref.key.namespace
    return [TargetRef(reference.kind, ObjectKey(namespace, reference.name)) for reference in workload.references]
