"""One PhaseSecret, once: the story from top to bottom.

Rule: nothing here waits for Phase. A run takes what is known of its source, and the source wakes it when there is more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import assert_never

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import OnSecretReferenceError
from phase_operator.core.agenda import Urgency
from phase_operator.core.claims import Claim
from phase_operator.core.errors import ExpectedError, Invalid, Transient, Waiting
from phase_operator.core.folders import Folders, folders, normal_path
from phase_operator.core.guard import Guard
from phase_operator.core.keys import listing
from phase_operator.core.outcome import (
    Confirmed,
    Failed,
    Gone,
    Notice,
    Outcome,
    Pending,
    SourceFacts,
    Suspended,
    Synced,
    TargetResult,
    Warned,
)
from phase_operator.core.pacing import DEFAULT_INTERVAL
from phase_operator.core.plan import Delete
from phase_operator.core.query import Revision, SourceQuery, asked_url, source_query
from phase_operator.core.references import unresolved
from phase_operator.core.rendering import Rendering, renderings
from phase_operator.core.seal import basis, holds, part_holds, sealed
from phase_operator.core.selection import select
from phase_operator.core.targets import Kind, Owner, TargetRef
from phase_operator.core.targets.parts import merge_manager
from phase_operator.core.tenancy import Tenancy, annotation_allows, check_tenancy, impersonates
from phase_operator.core.values import Entry, ObjectKey, Snapshot
from phase_operator.core.versions import spare
from phase_operator.core.wanted import dropped, named, needs_finalizer, wanted
from phase_operator.core.words import close_tags, did_you_mean
from phase_operator.reconcile.dependents import Dependents
from phase_operator.reconcile.keeper import Keeper, pending
from phase_operator.reconcile.ports import Cluster, LabelsOf, PhaseApi
from phase_operator.reconcile.questions import Broken, Fresh, Subscription, Unread
from phase_operator.reconcile.resources import Life, Resource, Resources
from phase_operator.reconcile.sources import Sources
from phase_operator.reconcile.specs import parse_spec
from phase_operator.reconcile.tokens import Tokens

# Thousands of resources say the same: one instance serves them all.
_guard = lru_cache(1024)(Guard)
_subscription = lru_cache(1024)(Subscription)
# An object that changes under our hands is looked at again at once, this many times in one run.
_ATTEMPTS = 3


class Reconciler:
    """Brings the targets of one PhaseSecret in step with Phase."""

    def __init__(
        self,
        *,
        resources: Resources,
        sources: Sources,
        tokens: Tokens,
        cluster: Cluster,
        phase: PhaseApi,
        token_users: Dependents[ObjectKey],
        target_users: Dependents[TargetRef],
        digest_key: Callable[[], bytes],
        tenancy: Tenancy,
        labels_of: LabelsOf,
    ) -> None:
        self._resources = resources
        self._sources = sources
        self._tokens = tokens
        self._cluster = cluster
        self._phase = phase
        self._token_users = token_users
        self._target_users = target_users
        self._digest_key = digest_key
        self._tenancy = tenancy
        self._labels_of = labels_of
        # The value of the sync annotation that a read was asked for, while the answer is awaited.
        self._forcing: dict[ObjectKey, str] = {}
        self._keeper = Keeper(cluster)

    async def reconcile(self, key: ObjectKey) -> Outcome:
        """Do one run and return what it came to; expected failures are outcomes, not exceptions."""
        resource = self._resources.get(key)
        if resource is None:
            self._release(key)
            return Gone()
        try:
            if resource.life is Life.ENDING:
                return await self._end(resource)
            return await self._run(resource)
        except Invalid as error:
            self._release(key)
            return Failed(error.reason, error.message)
        except ExpectedError as error:
            return Failed(error.reason, error.message, transient=isinstance(error, Transient))

    async def _run(self, resource: Resource) -> Outcome:
        spec = parse_spec(resource.spec)
        targets = target_refs(spec, resource.key.namespace)
        versions = standing_versions(resource)
        stand = [standing(target, versions) for target in targets]
        self._use_targets(resource.key, stand)
        claims = wanted(spec, resource.key.namespace)
        for target in (target for target, claim in claims.items() if claim.replace):
            await self._keeper.finish(target, resource.key)
        if spec.suspend:
            self._sources.unsubscribe(resource.key)
            self._use_token(resource.key, ())
            return Suspended()
        token_key = token_place(spec, resource.key)
        labels = self._labels_of(resource.key.namespace)
        check_tenancy(self._tenancy, spec, resource.key, labels, token_key, targets)
        self._use_token(resource.key, [token_key])
        check_targets(targets, token_key)
        token = await self._tokens.get(token_key)
        if not annotation_allows(token.hosts, asked_url(spec)):
            # Whoever is refused asks no more, also with what he was given before.
            self._sources.unsubscribe(resource.key)
            raise host_not_annotated(token_key)
        credential = self._phase.credential(token.text)
        query = source_query(spec, credential.account)
        state = self._sources.subscribe(resource.key, query, credential, subscription(resource, spec))
        if self._forced_now(resource):
            self._sources.want(resource.key, Urgency.FORCED)
        if resource.life is Life.FREE and needs_finalizer(claims, resource.key.namespace):
            # Before anything is written that somebody has to take away.
            await self._set_finalizer(resource, wanted=True)
        match state:
            case Unread(revision=revision):
                return await self._confirm(resource, spec, query, revision, claims)
            case Fresh():
                return await self._follow(resource, spec, query, state)
            case Broken(error=error, full=full):
                if full is None:
                    # Not raised: an error that is kept would keep the frames of every run that raises it, for ever.
                    return Failed(error.reason, error.message, transient=isinstance(error, Transient))
                # Phase is silent, but a target that was edited by hand is mended from the last good answer.
                last = await self._sync(resource, spec, query, full, None)
                return Failed(error.reason, error.message, targets=last.targets)
            case _:
                assert_never(state)

    async def _confirm(
        self,
        resource: Resource,
        spec: PhaseSecretSpec,
        query: SourceQuery,
        revision: Revision | None,
        claims: Mapping[TargetRef, Claim],
    ) -> Outcome:
        """Compare the targets' seals with the revision that a probe saw; ask for a read only if one is broken."""
        if revision is None:
            return Pending()
        # What was allowed before a restart may not be any more: rendering finds out.
        if is_settled(resource) and (self._tenancy.impersonation or not impersonates(spec)):
            made_from = basis(resource.spec, query, revision)
            if all([await self._holds(target, claim, resource, made_from) for target, claim in claims.items()]):
                self._sources.confirm(resource.key, revision)
                return Confirmed()
        self._sources.want(resource.key, urgency(resource))
        return Pending()

    async def _holds(self, target: TargetRef, claim: Claim, resource: Resource, made_from: bytes) -> bool:
        observed = await self._cluster.observe(standing(target, standing_versions(resource)), surely=False)
        if claim.merges:
            return part_holds(observed, merge_manager(resource.key), made_from, self._digest_key())
        return holds(observed, made_from, self._digest_key())

    async def _follow(
        self,
        resource: Resource,
        spec: PhaseSecretSpec,
        query: SourceQuery,
        state: Fresh,
    ) -> Outcome:
        """Bring the targets in step with an answer, unless it would empty them and nobody allowed that."""
        if spec.allow_empty or select(state.answer.entries, query, spec.keys, folders(spec)):
            return await self._sync(resource, spec, query, state.answer, state.revision)
        targets: tuple[TargetResult, ...] = ()
        if state.full is not None and select(state.full.entries, query, spec.keys, folders(spec)):
            targets = (await self._sync(resource, spec, query, state.full, None)).targets
        message = nothing_there(query, state.answer, folders(spec), state.tags)
        return Failed(Reason.NO_ENTRIES, message, targets=targets)

    async def _sync(
        self,
        resource: Resource,
        spec: PhaseSecretSpec,
        query: SourceQuery,
        snapshot: Snapshot,
        revision: Revision | None,
    ) -> Synced:
        entries = select(snapshot.entries, query, spec.keys, folders(spec))
        warning = reference_warning(entries, spec)
        path = normal_path(spec.phase_app_env_path)
        facts = SourceFacts(snapshot.app_id, query.environment, path, len(entries))
        owner = Owner(resource.key, resource.uid)
        made_from = basis(resource.spec, query, revision) if revision is not None else None
        before = standing_versions(resource)
        results = [
            replace(
                await self._refuse_token_secret(resource, rendering.ref)
                or await self._target(rendering, owner, made_from, before.get(rendering.ref)),
                left_out=rendering.left_out,
            )
            for rendering in renderings(
                spec,
                resource.key.namespace,
                entries,
                self._digest_key(),
                impersonation=self._tenancy.impersonation,
            )
        ]
        results += await self._let_go(resource, wanted(spec, resource.key.namespace), results)
        versions = {each.ref: each.version for each in results if each.version is not None}
        if versions != before:
            self._use_targets(resource.key, [standing(each.ref, versions) for each in results])
        return Synced(facts, tuple(results), warning)

    async def _refuse_token_secret(self, resource: Resource, target: TargetRef) -> TargetResult | None:
        """Refuse a target from which another PhaseSecret reads its token, unless this one was there first.

        Else anybody could stop the target of another by naming it as his token.
        """
        others = [key for key in self._token_users.of(target.key) if key != resource.key]
        if target.kind is not Kind.SECRET or not others:
            return None
        try:
            observed = await self._cluster.observe(target, surely=True)
        except ExpectedError as error:
            transient = isinstance(error, Transient)
            return TargetResult(target, False, error.reason, message=error.message, transient=transient)
        if stood(resource, target) if observed is None else observed.owner == str(resource.key):
            return None
        message = f"PhaseSecret {listing(map(str, others))} reads its Phase token there; choose another name"
        return TargetResult(target, False, Reason.TARGET_IS_TOKEN, message=message)

    async def _target(
        self, rendering: Rendering, owner: Owner, made_from: bytes | None, version: str | None
    ) -> TargetResult:
        """Bring one target in step; `version` is the name of the newest object that stands, if it is versioned."""
        try:
            desired = rendering.render(owner)
            if made_from is not None:
                desired = sealed(desired, made_from, self._digest_key())
            result = replace(await self._keeper.bring_in_step(desired), ref=rendering.ref)
            if rendering.keep is None:
                return result
            if not result.ready:
                return replace(result, version=version)
            result = replace(result, version=desired.ref.key.name)
            return await self._collect(result, rendering.keep) if result.written else result
        except ExpectedError as error:
            transient = isinstance(error, Transient)
            return TargetResult(
                rendering.ref, False, error.reason, message=error.message, transient=transient, version=version
            )

    async def _collect(self, result: TargetResult, keep: int) -> TargetResult:
        """Delete versions that are not kept any more and that no pod template names; say if that cannot be told."""
        try:
            old = spare(await self._cluster.versions(result.ref), keep, result.version or "")
            names_ = [each.name for each in old]
            named = await self._cluster.mentioned(result.ref.key.namespace, names_) if old else frozenset()
            for each in old:
                if each.name not in named:
                    ref = TargetRef(result.ref.kind, ObjectKey(result.ref.key.namespace, each.name))
                    await self._cluster.remove(ref, Delete(each.uid, each.resource_version))
        except ExpectedError as error:
            return replace(result, message=f"older versions stay: {error.message}")
        return result

    async def _let_go(
        self, resource: Resource, claims: Mapping[TargetRef, Claim], results: Sequence[TargetResult]
    ) -> list[TargetResult]:
        """Deal with the targets that the spec names no more, once all that it names are in step; say what is left."""
        left = dropped(resource.status, claims)
        if not all(result.ready for result in results):
            return [pending(target, "the others are not in step yet", transient=False) for target in left]
        found = [await self._take_away(target, resource, None) for target in left]
        still = [result for result in found if result is not None]
        if not still and resource.life is Life.GUARDED and not needs_finalizer(claims, resource.key.namespace):
            await self._set_finalizer(resource, wanted=False)
        return still

    async def _end(self, resource: Resource) -> Outcome:
        """Take away what goes with a PhaseSecret, without asking Phase, and let it go."""
        self._release(resource.key)
        try:
            claims = wanted(parse_spec(resource.spec), resource.key.namespace)
        except Invalid:
            # What was written is known from the status, and its marks say what is to become of it.
            claims = {}
        targets = dict.fromkeys([*claims, *named(resource.status)])
        found = [await self._take_away(target, resource, claims.get(target), last=True) for target in targets]
        left = tuple(result for result in found if result is not None)
        if left:
            told = "; ".join(f"{result.ref}: {result.message}" for result in left[:3])
            transient = any(result.transient for result in left)
            return Failed(Reason.REMOVAL_PENDING, told, transient=transient, targets=left)
        await self._set_finalizer(resource, wanted=False)
        return Gone()

    async def _take_away(
        self, target: TargetRef, resource: Resource, claim: Claim | None, *, last: bool = False
    ) -> TargetResult | None:
        try:
            is_collected = last and target.key.namespace == resource.key.namespace
            for each in [target, *await self._versions(target, resource)]:
                left = await self._keeper.take_away(each, resource.key, claim, is_collected=is_collected)
                if left is not None:
                    return left
            return None
        except Invalid as error:
            if not last:
                return pending(target, error.message, transient=False)
            # Nothing that we could wait for would change it, and a PhaseSecret that cannot be deleted helps nobody.
            told = f"{target}: our keys stay in it: {error.message}"
            self._cluster.notify(resource.key, resource.uid, [Notice("Warning", str(error.reason), told)])
            return None

    async def _versions(self, target: TargetRef, resource: Resource) -> list[TargetRef]:
        """Return the objects that stand for a target, if it is versioned."""
        if target not in standing_versions(resource):
            return []
        found = await self._cluster.versions(target)
        return [TargetRef(target.kind, ObjectKey(target.key.namespace, each.name)) for each in found]

    async def _set_finalizer(self, resource: Resource, *, wanted: bool) -> None:
        await self._cluster.set_finalizer(resource.key, resource.uid, wanted=wanted)
        self._resources.set_guarded(resource.key, resource.uid, wanted)

    def _forced_now(self, resource: Resource) -> bool:
        """Say whether the sync annotation asks for a read that has not been asked for yet."""
        wanted = resource.sync
        if wanted is None or wanted in (resource.status.get("lastForcedSync"), self._forcing.get(resource.key)):
            return False
        self._forcing[resource.key] = wanted
        return True

    def forced(self, key: ObjectKey) -> str | None:
        """Return the value of the sync annotation that the run just ended has answered, if any."""
        return None if self._sources.is_owed(key) else self._forcing.pop(key, None)

    def _release(self, key: ObjectKey) -> None:
        self._sources.unsubscribe(key)
        self._use_token(key, ())
        self._use_targets(key, ())
        self._forcing.pop(key, None)

    def _use_targets(self, key: ObjectKey, targets: Sequence[TargetRef]) -> None:
        self._keeper.forget(self._target_users.set(key, targets))

    def _use_token(self, key: ObjectKey, secrets: Sequence[ObjectKey]) -> None:
        for orphan in self._token_users.set(key, secrets):
            self._tokens.forget(orphan)


def subscription(resource: Resource, spec: PhaseSecretSpec) -> Subscription:
    """Say how a PhaseSecret takes part in its question."""
    settled = is_settled(resource)
    known = (resource.status.get("source") or {}).get("entries") or 0
    guard = _guard(
        tuple(spec.keys.include), tuple(spec.keys.exclude), spec.shrink or 100, known if settled else 0, folders(spec)
    )
    return _subscription(float(spec.polling_interval or DEFAULT_INTERVAL), urgency(resource), guard, settled)


def urgency(resource: Resource) -> Urgency:
    """Say how urgent a first answer is."""
    return Urgency.EDITED if resource.status.get("lastSyncedTime") else Urgency.NEW


def is_settled(resource: Resource) -> bool:
    """Say whether the status claims that all is in step, for the spec as it is now."""
    status = resource.status
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or [])
    forced = resource.sync is not None and resource.sync != status.get("lastForcedSync")
    return ready and not forced and status.get("observedGeneration") == resource.generation


def nothing_there(query: SourceQuery, answer: Snapshot, taken: Folders, tags: Sequence[str]) -> str:
    """Say that nothing is selected, and where; `tags` are those that stand there, if none of those asked for does."""
    if any(taken.holds(entry.path) for entry in answer.entries):
        return "spec.keys leaves out every entry that Phase answers; targets stay as they are"
    where = f"folder {listing(taken.roots)}" + (" or below" if taken.recursive else "")
    tagged = f" with tag {listing(query.tags)}" if query.tags else ""
    there = f'environment "{query.environment}" of app {query.app} has no entries in {where}{tagged}'
    return f"{there}; targets stay as they are{did_you_mean(close_tags(query.tags, tags))}"


def target_refs(spec: PhaseSecretSpec, namespace: str) -> list[TargetRef]:
    """Return where a spec wants objects, in its order."""
    return [rendering.ref for rendering in renderings(spec, namespace, (), b"")]


def standing_versions(resource: Resource) -> dict[TargetRef, str]:
    """Return the newest object of each versioned target, as the status has it."""
    return {
        TargetRef(Kind(each["kind"]), ObjectKey(each["namespace"], each["name"])): each["version"]
        for each in resource.status.get("targets") or []
        if each.get("version")
    }


def standing(target: TargetRef, versions: Mapping[TargetRef, str]) -> TargetRef:
    """Return the object that stands for a target: its newest version, if it is versioned."""
    name = versions.get(target)
    return target if name is None else TargetRef(target.kind, ObjectKey(target.key.namespace, name))


def token_place(spec: PhaseSecretSpec, key: ObjectKey) -> ObjectKey:
    """Return where the token Secret lies; raise Invalid if it is the operator's own."""
    reference = spec.authentication.service_token.service_token_secret_reference
    if reference.secret_name == names.DIGEST_KEY_SECRET:
        raise Invalid(Reason.INVALID_SPEC, f"Secret {reference.secret_name} is the operator's own and holds no token")
    return ObjectKey(reference.secret_namespace or key.namespace, reference.secret_name)


def host_not_annotated(token: ObjectKey) -> Waiting:
    """Say that a token's Secret leaves out the host. The annotation is not quoted: it is another's."""
    return Waiting(
        Reason.HOST_REFUSED,
        f"the annotation {names.ANNOTATION_ALLOWED_HOSTS} of Secret {token} does not list the host in spec.phaseHost",
    )


def stood(resource: Resource, target: TargetRef) -> bool:
    """Say whether the status tells that a target was written; no user can make it say so."""
    place = {"kind": str(target.kind), "namespace": target.key.namespace, "name": target.key.name}
    return any(place.items() <= each.items() and "keys" in each for each in resource.status.get("targets") or [])


def check_targets(targets: Sequence[TargetRef], token: ObjectKey) -> None:
    """Refuse targets that no run may write: doubles, the token Secret, the operator's own."""
    for target in targets:
        if target.kind == "Secret" and target.key == token:
            raise Invalid(Reason.INVALID_SPEC, f"{target} is the token Secret itself; choose another name")
        if target.kind == "Secret" and target.key.name == names.DIGEST_KEY_SECRET:
            raise Invalid(Reason.INVALID_SPEC, f"{target} is the operator's own; choose another name")
    doubles = sorted({str(target) for target in targets if targets.count(target) > 1})
    if doubles:
        raise Invalid(Reason.INVALID_SPEC, f"the same target is named twice: {listing(doubles)}")


def reference_warning(entries: Sequence[Entry], spec: PhaseSecretSpec) -> Warned | None:
    """Apply onSecretReferenceError: raise under Fail, return a warning under Warn."""
    left = unresolved(entries)
    if not left:
        return None
    message = f"Phase left references unresolved in {listing(left)}"
    if (spec.on_secret_reference_error or OnSecretReferenceError.FAIL) is OnSecretReferenceError.FAIL:
        raise Waiting(Reason.UNRESOLVED_REFERENCES, f"{message}; targets stay as they are")
    return Warned(Reason.UNRESOLVED_REFERENCES, message)
