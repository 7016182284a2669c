"""One PhaseSecret, once: the story from top to bottom.

Rule: nothing here waits for Phase. A run takes what is known of its source, and the source wakes it when there is more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from phase_operator.api.reasons import Reason
from phase_operator.core.access.admission import Admitted, admit
from phase_operator.core.access.grants import Use
from phase_operator.core.access.tenancy import (
    Tenancy,
    check_annotation,
    check_targets,
    impersonates,
    keeps_token,
    reach_refusal,
)
from phase_operator.core.errors import ExpectedError, Invalid, Waiting
from phase_operator.core.flow.fair_queue import Urgency
from phase_operator.core.outcome import (
    Confirmed,
    Failed,
    Gone,
    Outcome,
    Pending,
    Suspended,
    Synced,
    TargetResult,
)
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.query import Revision, SourceQuery, source_query
from phase_operator.core.source.selection import nothing_selected
from phase_operator.core.source.unresolved import check_references, unresolved
from phase_operator.core.status.recorded import standing, written_before
from phase_operator.core.targets.available import vain_patterns
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.loss_guard import Clear, Fill, Hold
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.targets.policy import Claim, needs_finalizer
from phase_operator.core.targets.provenance import basis, holds, part_holds, sealed
from phase_operator.core.targets.rendering import renderings, units
from phase_operator.core.targets.unread import unread
from phase_operator.core.text import listing
from phase_operator.core.values import Entry, ObjectKey
from phase_operator.reconcile.admissions import Admissions, Change
from phase_operator.reconcile.background import Beside
from phase_operator.reconcile.context import Task
from phase_operator.reconcile.polling.calls import Broken, Fresh, SourceState, Unread
from phase_operator.reconcile.polling.poller import Sources
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Cluster, Credential, LabelsOf, PhaseApi, Restarts
from phase_operator.reconcile.run.applier import Doubt, Keeper, believed
from phase_operator.reconcile.run.loss_guard import Heard, Judge, source_facts, told_facts
from phase_operator.reconcile.run.pruner import Removals
from phase_operator.reconcile.run.redaction import take_out
from phase_operator.reconcile.run.rivals import Rivals
from phase_operator.reconcile.run.version_gc import Versions
from phase_operator.reconcile.store import Life, Resource, Resources
from phase_operator.reconcile.writers import carries


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a spec takes of an answer."""

    entries: Sequence[Entry]
    # Why the targets stay as they are. If it is the patterns, the entries of other types than config are all there are;
    error: ExpectedError | None = None
    # and so are those of type config, unless it is exact.
    is_exact: bool = True

    @property
    def is_any(self) -> bool:
        """Whether anything is taken, or that is not known."""
        return bool(self.entries) or self.error is not None


# Units that it takes to compare a tag with those asked for.
_NEAR = 10
_UNPROBED = 'Phase is read at every interval, because the account lacks the permission "Environments: read"'


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
        admissions: Admissions,
        digest_key: Callable[[], bytes],
        tenancy: Tenancy,
        labels_of: LabelsOf,
        restarts: Restarts,
        beside: Beside | None = None,
    ) -> None:
        self._resources = resources
        self._sources = sources
        self._tokens = tokens
        self._cluster = cluster
        self._phase = phase
        self._admissions = admissions
        self._digest_key = digest_key
        self._tenancy = tenancy
        self._labels_of = labels_of
        # The value of the sync annotation that a read was asked for, while the answer is awaited.
        self._forcing: dict[ObjectKey, str] = {}
        self._restarts = restarts
        rivals = Rivals(cluster, self._reach_refusal)
        self._keeper = Keeper(cluster, restarts, rivals)
        self._beside = beside or Beside()
        self._versions = Versions(cluster, rivals)
        self._removals = Removals(cluster, self._keeper, self._reach_refusal)

    async def reconcile(self, key: ObjectKey) -> Outcome:
        """Do one run and return what it came to; expected failures are outcomes, not exceptions."""
        resource = self._resources.get(key)
        if resource is None:
            self._release(key)
            return Gone()
        try:
            task = Task(resource)
            return await (self._end(task) if resource.life is Life.ENDING else self._run(task))
        except Invalid as error:
            self._release(key)
            return Failed(error.reason, error.message)
        except ExpectedError as error:
            return Failed.of(error)

    async def _run(self, task: Task) -> Outcome:
        resource, spec = task.resource, task.spec
        # Before anything is registered or read: what is refused, or suspended, leaves no trace elsewhere.
        admitted = admit(self._tenancy, spec, task.key, self._labels_of(task.key.namespace))
        if spec.suspend:
            self._release(task.key)
            return Suspended()
        check_targets(admitted.claims, admitted.token)
        task.check()
        self._took_effect(self._admissions.enter(admitted, task.versions), resource)
        # What fails here is told by the target that is replaced, or when the rest is in step.
        await self._removals.finish(task, task.claims)
        credential = await self._credential(task, admitted)
        query = source_query(admitted.ask, credential.account)
        state = self._sources.subscribe(task.key, query, credential, task.subscription())
        if self._forced_now(resource):
            state = self._sources.want(task.key, Urgency.FORCED)
        if resource.life is Life.FREE and needs_finalizer(task.claims, task.key.namespace):
            # Before anything is written that somebody has to take away.
            try:
                await self._set_finalizer(resource, wanted=True)
            except ExpectedError as refused:
                return await self._unguarded(task, query, state, refused)
        match state:
            case Unread(revision=revision):
                return await self._confirm(task, query, revision)
            case Fresh():
                return await self._follow(task, query, state)
            case Broken(error=error, full=full):
                if full is None:
                    # Not raised: an error that is kept would keep the frames of every run that raises it, for ever.
                    # The pause that Phase asked for is kept by those who call it: a run makes no call.
                    return replace(Failed.of(error), after=None)
                # Phase is silent, but a target that was edited by hand is mended from the last good answer.
                last = await self._sync(task, Heard(query, full, None, state.twice, state.moved))
                return Failed(error.reason, error.message, targets=last.targets)
            case _:
                assert_never(state)

    async def _unguarded(self, task: Task, query: SourceQuery, state: SourceState, error: ExpectedError) -> Outcome:
        """Write nothing, without the finalizer, that somebody has to take away; what was declared secret leaves."""
        if not isinstance(state, Fresh):
            raise error
        heard = Heard(query, state.answer, state.revision, state.twice, state.moved)
        chosen = await self._choose(task, heard)
        found = await self._hold(task, heard, replace(chosen, error=error))
        if any(each.reason is Reason.ANSWER_DOUBTED for each in found.targets):
            self._sources.doubt(task.key)
        return found

    async def _credential(self, task: Task, admitted: Admitted) -> Credential:
        """Return what Phase is asked with; raise ExpectedError.

        A PhaseSecret whose token is gone, no token or bound to other hosts asks no more, also not with an earlier one.
        """
        try:
            token = await self._tokens.get(admitted.token)
            check_annotation(token.hosts, admitted.ask.base_url, admitted.token)
            return self._phase.credential(token.text)
        except Waiting:
            self._sources.unsubscribe(task.key)
            raise

    async def _confirm(self, task: Task, query: SourceQuery, revision: Revision | None) -> Outcome:
        """Compare the targets' seals with the revision that a probe saw; ask for a read only if one is broken."""
        if revision is None:
            return Pending()
        # What was allowed before a restart may not be any more: rendering finds out.
        if task.is_settled and (self._tenancy.impersonation or not impersonates(task.spec)):
            made_from = basis(task.resource.spec, query, revision)
            if all([await self._holds(target, claim, task, made_from) for target, claim in task.claims.items()]):
                self._sources.confirm(task.key, revision)
                return Confirmed()
        self._sources.want(task.key, task.urgency)
        return Pending()

    async def _holds(self, target: TargetRef, claim: Claim, task: Task, made_from: bytes) -> bool:
        observed = await self._cluster.observe(standing(target, task.versions), surely=False)
        if claim.merges:
            return part_holds(observed, merge_manager(task.key), made_from, self._digest_key())
        return holds(observed, made_from, self._digest_key())

    async def _follow(self, task: Task, query: SourceQuery, state: Fresh) -> Outcome:
        """Bring the targets in step with an answer, unless it would empty them and nobody allowed that."""
        heard = Heard(query, state.answer, state.revision, state.twice, state.moved, state.misdated)
        found = await self._sync(task, heard)
        if any(each.reason is Reason.ANSWER_DOUBTED for each in found.targets):
            self._sources.doubt(task.key)
            return found
        is_well = all(each.ready for each in found.targets)
        if state.is_unprobed:
            found = replace(found, note=_UNPROBED if found.note is None else f"{found.note}; {_UNPROBED}")
        if is_well or task.spec.allow_empty or (await self._choose(task, heard)).is_any:
            return found
        # Where none is in step, all stay as they were told of before.
        targets = found.targets if any(each.ready for each in found.targets) else ()
        full = replace(heard, answer=state.full or state.answer, revision=None)
        if state.full is not None and (await self._choose(task, full)).is_any:
            targets = (await self._sync(task, full)).targets
        message = await self._beside.run(
            lambda: nothing_selected(query, state.answer.entries, task.folders, state.tags),
            len(state.answer.entries) + _NEAR * len(state.tags),
            task.key.namespace,
        )
        left = unread(task.spec, state.answer.dynamic)
        return Failed(Reason.NO_ENTRIES, message if left is None else f"{message}; {left}", targets=targets)

    async def _choose(self, task: Task, heard: Heard) -> Chosen:
        """Choose what the spec takes of an answer, as far as its patterns can be tried."""
        answer, query, namespace = heard.answer, heard.query, task.key.namespace
        patterns = len(task.spec.keys.include) + len(task.spec.keys.exclude)
        many = len(answer.entries) * (1 + patterns)
        try:
            return Chosen(await self._beside.run(lambda: task.select(answer, query), many, namespace))
        except Waiting as error:
            rest, exact = await self._beside.run(lambda: task.select_without_patterns(answer, query), many, namespace)
            return Chosen(rest, error, exact)

    async def _sync(self, task: Task, heard: Heard) -> Synced:
        chosen = await self._choose(task, heard)
        if chosen.error is not None:
            return await self._hold(task, heard, chosen)
        entries = chosen.entries
        many = units(task.spec, entries)
        try:
            warning = await self._beside.run(
                lambda: check_references(entries, task.spec.on_secret_reference_error), many, task.key.namespace
            )
        except Waiting as error:
            return await self._hold(task, heard, replace(chosen, error=error))
        results: list[TargetResult] = []
        async for judge in self._judges(task, heard, entries, many):
            result = await self._refuse_token_secret(task, judge.rendering.ref)
            result = result or await take_out(self._cluster, judge, await self._target(heard, judge, many))
            results.append(replace(result, left_out=judge.rendering.left_out))
        facts = source_facts(task, heard, entries)
        if any(each.reason is Reason.ANSWER_DOUBTED for each in results):
            # What it is doubted by has to outlive it.
            facts = told_facts(task.resource.status) or facts
        results += await self._let_go(task, results)
        versions = {each.ref: each.version for each in results if each.version is not None}
        if versions != task.versions:
            self._took_effect(self._admissions.renew(task.key, versions), task.resource)
        include = task.spec.keys.include
        vain = vain_patterns(include, {entry.key for entry in entries}) if include and entries else None
        left = unread(task.spec, heard.answer.dynamic)
        told = "; ".join(each for each in (f"spec.{vain}" if vain else None, left) if each)
        return Synced(facts, tuple(results), warning, told or None)

    async def _hold(self, task: Task, heard: Heard, chosen: Chosen) -> Synced:
        """Leave targets as they are, but for what was declared secret; raise the error if nothing was."""
        error, entries = chosen.error, chosen.entries
        assert error is not None
        if not task.spec.managed_config_map_references:
            raise error
        many = units(task.spec, entries)
        results = [
            replace(await self._held(heard, judge, many, chosen), left_out=judge.rendering.left_out)
            async for judge in self._judges(task, heard, entries, many)
        ]
        if not any(each.written or each.reason is Reason.ANSWER_DOUBTED for each in results):
            raise error
        return Synced(told_facts(task.resource.status) or source_facts(task, heard, entries), tuple(results))

    async def _held(self, heard: Heard, judge: Judge, units: int, chosen: Chosen) -> TargetResult:
        rendering, error = judge.rendering, chosen.error
        assert error is not None
        result = await take_out(self._cluster, judge, judge.stays(error))
        if result.reason is not error.reason or result.written or not chosen.is_exact or unresolved(rendering.taken):
            return result
        observed = await self._cluster.observe(standing(rendering.ref, judge.task.versions), surely=False)
        return await self._target(heard, judge, units) if judge.holds_declared(observed) else result

    async def _judges(self, task: Task, heard: Heard, entries: Sequence[Entry], units: int) -> AsyncIterator[Judge]:
        """Yield what judges each target, in the spec's order."""
        namespace = task.key.namespace
        rest = renderings(
            task.spec,
            namespace,
            entries,
            self._digest_key(),
            impersonation=self._tenancy.impersonation,
            dynamic=heard.answer.dynamic,
        )
        is_first = True
        while (rendering := await self._beside.run(lambda: next(rest, None), units, namespace)) is not None:
            if not is_first:
                # Where nothing is to be written nothing is awaited, and there may be many targets.
                await asyncio.sleep(0)
            is_first = False
            yield Judge(task, heard, rendering, entries)

    async def _refuse_token_secret(self, task: Task, target: TargetRef) -> TargetResult | None:
        """Refuse a target from which another PhaseSecret reads its token, unless this one was there first.

        Else anybody could stop the target of another by naming it as his token.
        """
        if target.kind is not Kind.SECRET or target.key not in self._admissions.tokens:
            return None
        others = [
            key
            for key in self._admissions.tokens.of(target.key)
            if key != task.key and keeps_token(key, task.key, target.key, is_used=self._sources.asks(key))
        ]
        if not others:
            return None
        try:
            observed = await self._cluster.observe(target, surely=True)
        except ExpectedError as error:
            return TargetResult.failed(target, error)
        if written_before(task.resource.status, target) if observed is None else carries(observed, task.key):
            return None
        message = f"PhaseSecret {listing(map(str, others))} reads its Phase token there; choose another name"
        return TargetResult(target, False, Reason.TARGET_IS_TOKEN, message=message)

    async def _target(self, heard: Heard, judge: Judge, units: int) -> TargetResult:
        """Bring one target in step, as far as what it holds lets the answer be believed."""
        task, rendering = judge.task, judge.rendering
        version = task.versions.get(rendering.ref)
        try:
            if rendering.taken:
                await self._beside.run(lambda: judge.desired, units, task.key.namespace)
            if rendering.taken and rendering.keep is None:
                return await self._whole(heard, judge, version, judge.doubt)
            # What stands has to be known before something is made, or under another name.
            observed = await self._cluster.observe(standing(rendering.ref, task.versions), surely=False)
            match decision := judge.decide(observed):
                case Hold(error=error):
                    return TargetResult.failed(rendering.ref, error, version=version)
                case Clear():
                    return await self._clear(task, heard, judge)
                case Fill() if rendering.keep is None:
                    return await self._whole(heard, judge, version)
                case Fill():
                    async with self._versions.turn(rendering.ref):
                        return await self._version(heard, judge, rendering.keep, version)
                case _:
                    assert_never(decision)
        except ExpectedError as error:
            return TargetResult.failed(rendering.ref, error, version=version)

    async def _whole(self, heard: Heard, judge: Judge, version: str | None, doubt: Doubt = believed) -> TargetResult:
        """Write a target that has no versions; it may have had: `version` is the newest that the status tells of."""
        result = await self._fill(heard, judge, doubt)
        # It had versions until now, or may have had when the status could not be written.
        had_versions = result.ready and (result.written or version is not None)
        return await self._versions.retire(result, judge.desired.owner, version) if had_versions else result

    async def _clear(self, task: Task, heard: Heard, judge: Judge) -> TargetResult:
        """Take a target away for which nothing is left; one that may not be deleted holds nothing any more."""
        ref = judge.rendering.ref
        left = await self._removals.clear(task, ref)
        if left is None and await self._cluster.observe(standing(ref, task.versions), surely=False) is not None:
            return await self._fill(heard, judge)
        return left or judge.told(TargetResult(ref, True, Reason.SYNCED, 0))

    async def _fill(self, heard: Heard, judge: Judge, doubt: Doubt = believed) -> TargetResult:
        """Write what an answer has for a target."""
        desired = self._bounded(judge.desired)
        if heard.revision is not None:
            spec, wrong = judge.task.resource.spec, heard.misdated
            misdated = basis(spec, heard.query, wrong) if wrong is not None else None
            desired = sealed(desired, basis(spec, heard.query, heard.revision), self._digest_key(), misdated)
        return judge.told(await self._keeper.bring_in_step(desired, doubt))

    async def _version(self, heard: Heard, judge: Judge, keep: int, version: str | None) -> TargetResult:
        """Write it as a version of its own; `version` is the name of the newest that stands."""
        base, desired = judge.rendering.ref, judge.desired
        why = await self._versions.objection(base, desired.owner, is_told=version is not None)
        if why is not None:
            return TargetResult(base, False, Reason.TARGET_CONFLICT, message=why)
        result = await self._fill(heard, judge)
        if not result.ready:
            return replace(result, version=version)
        result = replace(result, version=desired.ref.key.name)
        if result.written:
            result = await self._versions.collect(result, desired.owner, keep)
        if base.kind is Kind.SECRET:
            return result
        return await self._versions.retract(result, desired.owner, judge.is_declared_in)

    async def _let_go(self, task: Task, results: Sequence[TargetResult]) -> list[TargetResult]:
        """Deal with what the spec names no more, once all that it names is in step; say what is left."""
        still = await self._removals.let_go(task, results)
        is_done = not still and all(result.ready for result in results)
        is_guarded = task.resource.life is Life.GUARDED
        if is_done and is_guarded and not needs_finalizer(task.claims, task.key.namespace):
            await self._set_finalizer(task.resource, wanted=False)
        return still

    async def _end(self, task: Task) -> Outcome:
        """Take away what goes with a PhaseSecret, without asking Phase, and let it go."""
        self._release(task.key)
        left = tuple(await self._removals.end(task))
        if left:
            told = "; ".join(f"{result.ref}: {result.message}" for result in left[:3])
            transient = any(result.transient for result in left)
            return Failed(Reason.REMOVAL_PENDING, told, transient=transient, targets=left)
        await self._set_finalizer(task.resource, wanted=False)
        return Gone()

    def _bounded(self, desired: Desired) -> Desired:
        """Leave the objects of others alone in another namespace, unless a grant says adopt."""
        namespace, to = desired.owner.key.namespace, desired.ref.key.namespace
        if reach_refusal(self._tenancy, Use.ADOPT, namespace, self._labels_of(namespace), to) is None:
            return desired
        return replace(desired, claim=desired.claim.without_taking())

    def _reach_refusal(self, namespace: str, to: str) -> str:
        """Say why PhaseSecrets of a namespace do not write targets in another one; "" if they may."""
        if namespace == to:
            return ""
        if self._tenancy.watched and namespace not in self._tenancy.watched:
            return f'the operator does not watch namespace "{namespace}" (--namespace)'
        return reach_refusal(self._tenancy, Use.TARGET, namespace, self._labels_of(namespace), to) or ""

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
        # It stands until another value comes: a status that cannot be written is no reason to read again.
        return None if self._sources.is_owed(key) else self._forcing.get(key)

    def _release(self, key: ObjectKey) -> None:
        self._sources.unsubscribe(key)
        self._forcing.pop(key, None)
        self._took_effect(self._admissions.leave(key))

    def _took_effect(self, change: Change, resource: Resource | None = None) -> None:
        if resource is not None and change.new_targets:
            self._restarts.expect(resource.key, change.new_targets, resource.status)
        self._restarts.forget(change.orphaned_targets)
        self._keeper.forget(change.orphaned_targets)
        self._restarts.forget(change.orphaned_targets)
        for token in change.orphaned_tokens:
            self._tokens.forget(token)
