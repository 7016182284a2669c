"""One PhaseSecret, once: the story from top to bottom.

Rule: nothing here waits for Phase. A run takes what is known of its source, and the source wakes it when there is more.
"""

from collections.abc import Callable, Sequence
from typing import assert_never

from pydantic import ValidationError

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import OnSecretReferenceError
from phase_operator.core.errors import ExpectedError, Invalid, Transient, Waiting
from phase_operator.core.keys import listing
from phase_operator.core.outcome import (
    Failed,
    Gone,
    Outcome,
    Pending,
    SourceFacts,
    Suspended,
    Synced,
    TargetResult,
    Warned,
)
from phase_operator.core.pacing import DEFAULT_INTERVAL
from phase_operator.core.plan import Apply, Keep, Refuse, plan
from phase_operator.core.query import SourceQuery, source_query
from phase_operator.core.references import unresolved
from phase_operator.core.rendering import Rendering, renderings
from phase_operator.core.selection import select
from phase_operator.core.targets import Owner, TargetRef
from phase_operator.core.values import Entry, ObjectKey, Snapshot
from phase_operator.reconcile.dependents import Dependents
from phase_operator.reconcile.ports import Cluster, PhaseApi
from phase_operator.reconcile.resources import Resource, Resources
from phase_operator.reconcile.sources import Broken, Fresh, Sources, Unread
from phase_operator.reconcile.tokens import Tokens

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

    async def reconcile(self, key: ObjectKey) -> Outcome:
        """Do one run and return what it came to; expected failures are outcomes, not exceptions."""
        resource = self._resources.get(key)
        if resource is None:
            self._release(key)
            return Gone()
        try:
            return await self._run(resource)
        except Invalid as error:
            self._release(key)
            return Failed(error.reason, error.message)
        except ExpectedError as error:
            return Failed(error.reason, error.message, transient=isinstance(error, Transient))

    async def _run(self, resource: Resource) -> Outcome:
        spec = parse_spec(resource)
        targets = target_refs(spec, resource.key.namespace)
        self._target_users.set(resource.key, targets)
        if spec.suspend:
            self._sources.unsubscribe(resource.key)
            self._use_token(resource.key, ())
            return Suspended()
        token_key = own_namespace_token(spec, resource.key)
        self._use_token(resource.key, [token_key])
        check_targets(targets, resource.key, token_key)
        credential = self._phase.credential(await self._tokens.get(token_key))
        query = source_query(spec, credential.account)
        interval = float(spec.polling_interval or DEFAULT_INTERVAL)
        state = self._sources.subscribe(resource.key, query, credential, interval)
        if self._forced_now(resource):
            self._sources.refresh(resource.key)
        match state:
            case Unread():
                return Pending()
            case Fresh(snapshot=snapshot):
                return await self._sync(resource, spec, query, snapshot)
            case Broken(error=error, snapshot=snapshot):
                if snapshot is None:
                    raise error
                # Phase is silent, but a target that was edited by hand is mended from the last good answer.
                last = await self._sync(resource, spec, query, snapshot)
                return Failed(error.reason, error.message, targets=last.targets)
            case _:
                assert_never(state)

    async def _sync(self, resource: Resource, spec: PhaseSecretSpec, query: SourceQuery, snapshot: Snapshot) -> Synced:
        entries = select(snapshot.entries, query, spec.keys)
        warning = reference_warning(entries, spec)
        facts = SourceFacts(snapshot.app_id, query.environment, query.path or "/", len(entries))
        owner = Owner(resource.key, resource.uid)
        results = [
            await self._bring_in_step(rendering, owner)
            for rendering in renderings(spec, resource.key.namespace, entries, self._digest_key())
        ]
        return Synced(facts, tuple(results), warning)

    async def _bring_in_step(self, rendering: Rendering, owner: Owner) -> TargetResult:
        try:
            desired = rendering.render(owner)
            for _ in range(_ATTEMPTS):
                observed = await self._cluster.observe(rendering.ref)
                action = plan(desired, observed)
                match action:
                    case Keep():
                        return TargetResult(rendering.ref, True, Reason.SYNCED, len(desired.keys))
                    case Refuse(why=why):
                        return TargetResult(rendering.ref, False, Reason.TARGET_CONFLICT, message=why)
                    case Apply():
                        if await self._cluster.carry_out(desired, action):
                            return TargetResult(rendering.ref, True, Reason.SYNCED, len(desired.keys), written=True)
                    case _:
                        assert_never(action)
        except ExpectedError as error:
            transient = isinstance(error, Transient)
            return TargetResult(rendering.ref, False, error.reason, message=error.message, transient=transient)
        busy = "it keeps changing while it is written"
        return TargetResult(rendering.ref, False, Reason.KUBERNETES_UNAVAILABLE, message=busy, transient=True)

    def _forced_now(self, resource: Resource) -> bool:
        """Say whether the sync annotation asks for a read that has not been asked for yet."""
        wanted = resource.sync
        if wanted is None or wanted in (resource.status.get("lastForcedSync"), self._forcing.get(resource.key)):
            return False
        self._forcing[resource.key] = wanted
        return True

    def forced(self, key: ObjectKey) -> str | None:
        """Return the value of the sync annotation that the run just ended has answered, if any."""
        return None if self._sources.awaits(key) else self._forcing.pop(key, None)

    def _release(self, key: ObjectKey) -> None:
        self._sources.unsubscribe(key)
        self._use_token(key, ())
        self._target_users.set(key, ())
        self._forcing.pop(key, None)

    def _use_token(self, key: ObjectKey, secrets: Sequence[ObjectKey]) -> None:
        for orphan in self._token_users.set(key, secrets):
            self._tokens.forget(orphan)


def parse_spec(resource: Resource) -> PhaseSecretSpec:
    """Read the spec; raise Invalid with the field's path. Input is not quoted: a value may have been pasted there."""
    try:
        return PhaseSecretSpec.model_validate(resource.spec)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["spec", *(str(part) for part in first["loc"])])
        raise Invalid(Reason.INVALID_SPEC, f"{where}: {first['msg']}") from None


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
