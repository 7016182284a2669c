"""One PhaseSecret, once: the story from top to bottom.

Rule: nothing here waits for Phase. A run takes what is known of its source, and the source wakes it when there is more.
"""

from collections.abc import Callable, Mapping, Sequence
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
from phase_operator.core.query import Revision, SourceQuery, source_query
from phase_operator.core.references import unresolved
from phase_operator.core.rendering import Rendering, renderings
from phase_operator.core.seal import basis, holds, part_holds, sealed
from phase_operator.core.selection import select
from phase_operator.core.targets import Owner, TargetRef
from phase_operator.core.targets.parts import merge_manager
from phase_operator.core.values import Entry, ObjectKey, Snapshot
from phase_operator.core.wanted import dropped, named, needs_finalizer, wanted
from phase_operator.reconcile.dependents import Dependents
from phase_operator.reconcile.keeper import Keeper, pending
from phase_operator.reconcile.ports import Cluster, PhaseApi
from phase_operator.reconcile.questions import Broken, Fresh, Subscription, Unread
from phase_operator.reconcile.resources import Life, Resource, Resources
from phase_operator.reconcile.sources import Sources
from phase_operator.reconcile.specs import parse_spec
from phase_operator.reconcile.tokens import Tokens

# Thousands of resources say the same: one instance serves them all.
_guard = lru_cache(1024)(Guard)
_subscription = lru_cache(1024)(Subscription)


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
    ) -> None:
        self._resources = resources
        self._sources = sources
        self._tokens = tokens
        self._cluster = cluster
        self._phase = phase
        self._token_users = token_users
        self._target_users = target_users
        self._digest_key = digest_key
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
        self._keeper.forget(self._target_users.set(resource.key, targets))
        claims = wanted(spec, resource.key.namespace)
        for target in (target for target, claim in claims.items() if claim.replace):
            await self._keeper.finish(target, resource.key)
        if spec.suspend:
            self._sources.unsubscribe(resource.key)
            self._use_token(resource.key, ())
            return Suspended()
        token_key = own_namespace_token(spec, resource.key)
        self._use_token(resource.key, [token_key])
        check_targets(targets, resource.key, token_key)
        credential = self._phase.credential(await self._tokens.get(token_key))
        query = source_query(spec, credential.account)
        state = self._sources.subscribe(resource.key, query, credential, subscription(resource, spec))
        if self._forced_now(resource):
            self._sources.want(resource.key, Urgency.FORCED)
        if resource.life is Life.FREE and needs_finalizer(claims, resource.key.namespace):
            # Before anything is written that somebody has to take away.
            await self._set_finalizer(resource, wanted=True)
        match state:
            case Unread(revision=revision):
                return await self._confirm(resource, query, revision, claims)
            case Fresh(answer=answer, full=full, revision=revision):
                return await self._follow(resource, spec, query, answer, full, revision)
            case Broken(error=error, full=full):
                if full is None:
                    raise error
                # Phase is silent, but a target that was edited by hand is mended from the last good answer.
                last = await self._sync(resource, spec, query, full, None)
                return Failed(error.reason, error.message, targets=last.targets)
            case _:
                assert_never(state)

    async def _confirm(
        self, resource: Resource, query: SourceQuery, revision: Revision | None, claims: Mapping[TargetRef, Claim]
    ) -> Outcome:
        """Compare the targets' seals with the revision that a probe saw; ask for a read only if one is broken."""
        if revision is None:
            return Pending()
        if is_settled(resource):
            made_from = basis(resource.spec, query, revision)
            if all([await self._holds(target, claim, resource, made_from) for target, claim in claims.items()]):
                self._sources.confirm(resource.key, revision)
                return Confirmed()
        self._sources.want(resource.key, urgency(resource))
        return Pending()

    async def _holds(self, target: TargetRef, claim: Claim, resource: Resource, made_from: bytes) -> bool:
        observed = await self._cluster.observe(target, surely=False)
        if claim.merges:
            return part_holds(observed, merge_manager(resource.key), made_from, self._digest_key())
        return holds(observed, made_from, self._digest_key())

    async def _follow(
        self,
        resource: Resource,
        spec: PhaseSecretSpec,
        query: SourceQuery,
        answer: Snapshot,
        full: Snapshot | None,
        revision: Revision | None,
    ) -> Outcome:
        """Bring the targets in step with an answer, unless it would empty them and nobody allowed that."""
        if spec.allow_empty or select(answer.entries, query, spec.keys, folders(spec)):
            return await self._sync(resource, spec, query, answer, revision)
        targets: tuple[TargetResult, ...] = ()
        if full is not None and select(full.entries, query, spec.keys, folders(spec)):
            targets = (await self._sync(resource, spec, query, full, None)).targets
        return Failed(Reason.NO_ENTRIES, nothing_there(query, answer, folders(spec)), targets=targets)

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
        results = [
            await self._bring_in_step(rendering, owner, made_from)
            for rendering in renderings(spec, resource.key.namespace, entries, self._digest_key())
        ]
        results += await self._let_go(resource, wanted(spec, resource.key.namespace), results)
        return Synced(facts, tuple(results), warning)

    async def _bring_in_step(self, rendering: Rendering, owner: Owner, made_from: bytes | None) -> TargetResult:
        try:
            desired = rendering.render(owner)
            if made_from is not None:
                desired = sealed(desired, made_from, self._digest_key())
            return await self._keeper.bring_in_step(desired)
        except ExpectedError as error:
            transient = isinstance(error, Transient)
            return TargetResult(rendering.ref, False, error.reason, message=error.message, transient=transient)

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
            return await self._keeper.take_away(target, resource.key, claim, is_collected=is_collected)
        except Invalid as error:
            if not last:
                return pending(target, error.message, transient=False)
            # Nothing that we could wait for would change it, and a PhaseSecret that cannot be deleted helps nobody.
            told = f"{target}: our keys stay in it: {error.message}"
            self._cluster.notify(resource.key, resource.uid, [Notice("Warning", str(error.reason), told)])
            return None

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
        self._keeper.forget(self._target_users.set(key, ()))
        self._forcing.pop(key, None)

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


def nothing_there(query: SourceQuery, answer: Snapshot, taken: Folders) -> str:
    """Say that nothing is selected, and where."""
    if any(taken.holds(entry.path) for entry in answer.entries):
        return "spec.keys leaves out every entry that Phase answers; targets stay as they are"
    where = f"folder {listing(taken.roots)}" + (" or below" if taken.recursive else "")
    tags = f" with tag {listing(query.tags)}" if query.tags else ""
    there = f'environment "{query.environment}" of app {query.app} has no entries in {where}{tags}'
    return f"{there}; targets stay as they are"


def target_refs(spec: PhaseSecretSpec, namespace: str) -> list[TargetRef]:
    """Return where a spec wants objects, in its order."""
    return [rendering.ref for rendering in renderings(spec, namespace, (), b"")]


def own_namespace_token(spec: PhaseSecretSpec, key: ObjectKey) -> ObjectKey:
    """Return the token Secret; raise Invalid if it lies in another namespace."""
    reference = spec.authentication.service_token.service_token_secret_reference
    namespace = reference.secret_namespace or key.namespace
    if namespace != key.namespace:
        raise Invalid(
            Reason.CROSS_NAMESPACE,
            f'the token Secret lies in namespace "{namespace}"; a PhaseSecret reads tokens of its own namespace only',
        )
    return ObjectKey(namespace, reference.secret_name)


def check_targets(targets: Sequence[TargetRef], key: ObjectKey, token: ObjectKey) -> None:
    """Refuse targets that no run may write: foreign namespaces, doubles, the token Secret, the operator's own."""
    for target in targets:
        if target.key.namespace != key.namespace:
            raise Invalid(
                Reason.CROSS_NAMESPACE,
                f'{target} lies in namespace "{target.key.namespace}"; a PhaseSecret writes to its own namespace only',
            )
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
