"""From the entries that a resource takes to its targets in the cluster: judge, fill, version, clear and let go.

Rule: an error of one target is the result of that target, and the others are brought in step.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self, assert_never

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import SourceFacts, Synced, TargetResult
from phase_operator.core.pipeline import render
from phase_operator.core.refs import Kind
from phase_operator.core.source.unresolved import unresolved
from phase_operator.core.status.recorded import newest_version
from phase_operator.core.targets.loss_guard import LeaveUnchanged, RemoveEmpty, Write
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.targets.provenance import inputs_digest, share_stamp_matches, stamp_matches, stamped
from phase_operator.core.targets.rendering import Rendering, units
from phase_operator.core.values import Entry
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.context import Declared, RunContext
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.run.applier import Doubt, TargetApplier, believed
from phase_operator.reconcile.run.finalizer import Finalizer
from phase_operator.reconcile.run.loss_guard import LossGuard, ReceivedAnswer, recorded_facts, source_facts
from phase_operator.reconcile.run.pruner import Pruner
from phase_operator.reconcile.run.redaction import take_out
from phase_operator.reconcile.run.registration import Registration
from phase_operator.reconcile.run.target_access import TargetAccess
from phase_operator.reconcile.run.version_gc import VersionCollector


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the targets of a resource are made from."""

    received: ReceivedAnswer
    # What the resource takes of it.
    entries: Sequence[Entry]
    facts: SourceFacts
    # About how many microseconds it takes to make one target of them.
    units: int
    # core/targets/provenance.py: what targets are sealed with, None if that is not known; and what an earlier run
    # sealed them with by mistake.
    inputs: bytes | None = None
    misdated: bytes | None = None

    @classmethod
    def of(cls, context: RunContext, received: ReceivedAnswer, entries: Sequence[Entry]) -> Self:
        """Return what a PhaseSecret's targets are made from, where it takes these entries of an answer."""
        spec, query = context.resource.spec, received.query
        inputs = inputs_digest(spec, query, received.revision) if received.revision is not None else None
        misdated = inputs_digest(spec, query, received.misdated) if received.misdated is not None else None
        facts = source_facts(context, received, entries)
        return cls(received, entries, facts, units(context.spec, entries), inputs, misdated)


class Writer:
    """Brings targets in step with entries, for runs of any resource."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        applier: TargetApplier,
        versions: VersionCollector,
        removals: Pruner,
        finalizer: Finalizer,
        registration: Registration,
        access: TargetAccess,
        background: BackgroundThread,
        digest_key: Callable[[], bytes],
    ) -> None:
        self._cluster = cluster
        self._applier = applier
        self._versions = versions
        self._pruner = removals
        self._finalizer = finalizer
        self._registration = registration
        self._access = access
        self._background = background
        self._digest_key = digest_key

    async def has_made(self, declared: Declared, inputs: bytes) -> bool:
        """Return True if every target is as it was applied, and made from exactly this; nothing is read from Phase."""
        key, manager = self._digest_key(), merge_manager(declared.key)
        found = []
        for target, policy in declared.target_policies.items():
            observed = await self._cluster.observe(newest_version(target, declared.versions), live=False)
            merges = policy.merges
            found.append(
                share_stamp_matches(observed, manager, inputs, key) if merges else stamp_matches(observed, inputs, key)
            )
        return all(found)

    async def bring(self, context: RunContext, inputs: Inputs) -> Synced:
        """Bring every target in step, remove what the spec names no more, and return the results of all.

        An error of a target is its result. Raises ExpectedError if the finalizer cannot be removed.
        """
        results: list[TargetResult] = []
        async for loss_guard in self._loss_guards(context, inputs):
            result = await self._access.token_refusal(context, loss_guard.rendering.ref)
            result = result or await take_out(self._cluster, loss_guard, await self._target(inputs, loss_guard))
            results.append(_with_left_out(result, loss_guard.rendering))
        found = Synced(inputs.facts, tuple(results))
        if found.is_doubted:
            # The facts that an answer is doubted by have to outlive it.
            found = replace(found, source=recorded_facts(context.resource.status) or inputs.facts)
        results += await self._let_go(context, results)
        self._registration.renew(context, {each.ref: each.version for each in results if each.version is not None})
        return replace(found, targets=tuple(results))

    async def hold(self, context: RunContext, inputs: Inputs, error: ExpectedError, *, is_exact: bool) -> Synced:
        """Leave targets as they are, but for entries that were declared secret; raise the error if there are none.

        `is_exact`: the entries of type config in `inputs` are those that the spec takes, and no more.
        """
        if not context.spec.managed_config_map_references:
            raise error
        results = [
            _with_left_out(await self._held(inputs, loss_guard, error, is_exact=is_exact), loss_guard.rendering)
            async for loss_guard in self._loss_guards(context, inputs)
        ]
        if not any(each.written or each.reason is Reason.ANSWER_DOUBTED for each in results):
            raise error
        return Synced(recorded_facts(context.resource.status) or inputs.facts, tuple(results))

    async def _held(
        self, inputs: Inputs, loss_guard: LossGuard, error: ExpectedError, *, is_exact: bool
    ) -> TargetResult:
        rendering = loss_guard.rendering
        result = await take_out(self._cluster, loss_guard, loss_guard.stays(error))
        if result.reason is not error.reason or result.written or not is_exact or unresolved(rendering.taken):
            return result
        observed = await self._cluster.observe(newest_version(rendering.ref, loss_guard.context.versions), live=False)
        return await self._target(inputs, loss_guard) if loss_guard.holds_declared(observed) else result

    async def _loss_guards(self, context: RunContext, inputs: Inputs) -> AsyncIterator[LossGuard]:
        """Yield what judges each target, in the spec's order."""
        rest = render(
            context.spec,
            context.owner,
            inputs.entries,
            self._digest_key(),
            dynamic=inputs.received.answer.dynamic,
            impersonation=self._access.impersonation,
        )
        is_first = True
        while (
            target := await self._background.run(lambda: next(rest, None), inputs.units, context.key.namespace)
        ) is not None:
            if not is_first:
                # Where nothing is to be written nothing is awaited, and there may be many targets.
                await asyncio.sleep(0)
            is_first = False
            yield LossGuard(context, inputs.received, target, inputs.entries)

    async def _target(self, inputs: Inputs, loss_guard: LossGuard) -> TargetResult:
        """Bring one target in step, as far as what it holds lets the answer be believed."""
        context, rendering = loss_guard.context, loss_guard.rendering
        version = context.versions.get(rendering.ref)
        try:
            if rendering.taken:
                await self._background.run(lambda: loss_guard.desired, inputs.units, context.key.namespace)
            if rendering.taken and rendering.keep is None:
                return await self._whole(inputs, loss_guard, version, loss_guard.doubt)
            # The object has to be known before another one is written, also one under another name.
            observed = await self._cluster.observe(newest_version(rendering.ref, context.versions), live=False)
            match decision := loss_guard.decide(observed):
                case LeaveUnchanged(error=error):
                    return TargetResult.failed(rendering.ref, error, version=version)
                case RemoveEmpty():
                    return await self._clear(inputs, loss_guard)
                case Write():
                    return await self._write(inputs, loss_guard, version)
                case _:
                    assert_never(decision)
        except ExpectedError as error:
            return TargetResult.failed(rendering.ref, error, version=version)

    async def _write(self, inputs: Inputs, loss_guard: LossGuard, version: str | None) -> TargetResult:
        """Write a target, as a whole or as a new version; what it holds has let the answer be believed."""
        rendering = loss_guard.rendering
        if rendering.keep is None:
            return await self._whole(inputs, loss_guard, version)
        async with self._versions.turn(rendering.ref):
            return await self._version(inputs, loss_guard, rendering.keep, version)

    async def _whole(
        self, inputs: Inputs, loss_guard: LossGuard, version: str | None, doubt: Doubt = believed
    ) -> TargetResult:
        """Write a target that has no versions; `version` is the newest that the status records from earlier."""
        result = await self._fill(inputs, loss_guard, doubt)
        # It had versions until now, or may have had when the status could not be written.
        had_versions = result.ready and (result.written or version is not None)
        return await self._versions.retire(result, loss_guard.desired.owner, version) if had_versions else result

    async def _clear(self, inputs: Inputs, loss_guard: LossGuard) -> TargetResult:
        """Remove a target for which nothing is left; empty one that may not be deleted."""
        context, ref = loss_guard.context, loss_guard.rendering.ref
        left = await self._pruner.clear(context, ref)
        if left is None and await self._cluster.observe(newest_version(ref, context.versions), live=False) is not None:
            return await self._fill(inputs, loss_guard)
        return left or loss_guard.described(TargetResult(ref, True, Reason.SYNCED, 0))

    async def _fill(self, inputs: Inputs, loss_guard: LossGuard, doubt: Doubt = believed) -> TargetResult:
        """Write what an answer has for a target."""
        desired = stamped(self._access.bounded(loss_guard.desired), inputs.inputs, self._digest_key(), inputs.misdated)
        return loss_guard.described(await self._applier.bring_in_step(desired, doubt))

    async def _version(self, inputs: Inputs, loss_guard: LossGuard, keep: int, version: str | None) -> TargetResult:
        """Write a target as a version of its own; `version` is the name of the newest that the status records."""
        base, desired = loss_guard.rendering.ref, loss_guard.desired
        why = await self._versions.objection(base, desired.owner, is_recorded=version is not None)
        if why is not None:
            return TargetResult(base, False, Reason.TARGET_CONFLICT, message=why)
        result = await self._fill(inputs, loss_guard)
        if not result.ready:
            return replace(result, version=version)
        result = replace(result, version=desired.ref.key.name)
        if result.written:
            result = await self._versions.collect(result, desired.owner, keep)
        if base.kind is Kind.SECRET:
            return result
        return await self._versions.retract(result, desired.owner, loss_guard.is_declared_in)

    async def _let_go(self, context: RunContext, results: Sequence[TargetResult]) -> list[TargetResult]:
        """Remove what the spec names no more, once all that it names is in step; return what is left to remove."""
        left = await self._pruner.let_go(context, results)
        if not left and all(result.ready for result in results):
            await self._finalizer.remove_if_needless(context)
        return left


def _with_left_out(result: TargetResult, rendering: Rendering) -> TargetResult:
    """Return the result of a target, with the entries that it leaves out."""
    return replace(result, left_out=rendering.left_out) if rendering.left_out else result
