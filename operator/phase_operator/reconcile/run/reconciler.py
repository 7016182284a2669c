"""One PhaseSecret, once: the story from top to bottom.

Rule: nothing here waits for Phase. A run takes what is known of its source, and the source wakes it when there is more.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

from phase_operator.api.reasons import Reason
from phase_operator.core.access.admission import Admitted, admit
from phase_operator.core.access.tenancy import Tenancy, check_targets, impersonates
from phase_operator.core.errors import ExpectedError, Invalid, Waiting
from phase_operator.core.json_access import mappings, text
from phase_operator.core.outcome import Confirmed, Failed, Gone, Outcome, Pending, Suspended, Synced, TargetResult
from phase_operator.core.pipeline import Chosen, check, choose, note
from phase_operator.core.source.query import Revision, SourceQuery, source_query
from phase_operator.core.source.selection import nothing_selected
from phase_operator.core.targets.provenance import inputs_digest
from phase_operator.core.targets.unread import unread
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.context import RunContext, declared_by, spec_of, task_of
from phase_operator.reconcile.polling.calls import Broken, Fresh, SourceState, Unread
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Credential, LabelsOf, PhaseApi
from phase_operator.reconcile.run.forced_reads import ForcedReads
from phase_operator.reconcile.run.loss_guard import ReceivedAnswer
from phase_operator.reconcile.run.parts import Parts
from phase_operator.reconcile.run.writer import Inputs
from phase_operator.reconcile.store import Lifecycle, Resource

# Units that it takes to compare a tag with those asked for.
_NEAR = 10
_UNPROBED = 'Phase is read at every interval, because the account lacks the permission "Environments: read"'


class Reconciler:
    """Brings the targets of one PhaseSecret in step with Phase."""

    def __init__(
        self,
        *,
        poller: Poller,
        tokens: Tokens,
        phase: PhaseApi,
        tenancy: Tenancy,
        labels_of: LabelsOf,
        parts: Parts,
        background: BackgroundThread | None = None,
    ) -> None:
        self._poller = poller
        self._tokens = tokens
        self._phase = phase
        self._tenancy = tenancy
        self._labels_of = labels_of
        self._background = background or BackgroundThread()
        self._forced = ForcedReads(poller)
        self._pruner = parts.pruner
        self._finalizer = parts.finalizer
        self._registration = parts.registration
        self._writer = parts.writer

    async def reconcile(self, key: ObjectKey, resource: Resource | None) -> Outcome:
        """Do one run and return what it came to; expected failures are outcomes, not exceptions.

        `resource` is the PhaseSecret as it is now, None if it is gone.
        """
        if resource is None:
            self._release(key)
            return Gone()
        try:
            return await (self._end(resource) if resource.life is Lifecycle.DELETING else self._run(resource))
        except Invalid as error:
            self._release(key)
            return Failed(error.reason, error.message)
        except ExpectedError as error:
            return Failed.of(error)

    async def _end(self, resource: Resource) -> Outcome:
        # Phase is asked nothing more.
        self._release(resource.key)
        return await self._finalizer.end(declared_by(resource))

    async def _run(self, resource: Resource) -> Outcome:
        key, spec = resource.key, spec_of(resource)
        # Before anything is registered or read: what is refused, or suspended, leaves no trace elsewhere.
        admitted = admit(self._tenancy, spec, key, self._labels_of(key.namespace))
        if spec.suspend:
            self._release(key)
            return Suspended()
        check_targets(admitted.target_policies, admitted.token)
        context = task_of(resource, admitted.spec, admitted.target_policies, admitted.assumed_host)
        self._registration.enter(admitted, context)
        # What fails here is reported by the target that is replaced, or when the rest is in step.
        await self._pruner.finish(context)
        credential = await self._credential(admitted)
        query = source_query(admitted.ask, credential.account)
        state = self._poller.subscribe(key, query, credential, context.subscription())
        if self._forced.take(resource):
            state = self._poller.want(key, PollPriority.FORCED)
        try:
            # Before anything is written that has to be removed in the end.
            await self._finalizer.set_if_needed(context)
        except ExpectedError as refused:
            return await self._unguarded(context, query, state, refused)
        return await self._answered(context, query, state)

    async def _answered(self, context: RunContext, query: SourceQuery, state: SourceState) -> Outcome:
        """Do what the state of the source allows."""
        match state:
            case Unread(revision=revision):
                return await self._confirm(context, query, revision)
            case Fresh():
                return await self._follow(context, query, state)
            case Broken(error=error, full=full):
                if full is None:
                    # Not raised: an error that is kept would keep the frames of every run that raises it, for ever.
                    # Without the pause that Phase asked for: it is for the poller, and a run makes no call to Phase.
                    return replace(Failed.of(error), after=None)
                # Phase is silent, but a target that was edited by hand is repaired from the last good answer.
                received = ReceivedAnswer(query, full, None, state.twice, state.moved)
                last = await self._sync(context, received, await self._choose(context, received))
                return Failed(error.reason, error.message, targets=last.targets)
            case _:
                assert_never(state)

    async def _unguarded(
        self, context: RunContext, query: SourceQuery, state: SourceState, error: ExpectedError
    ) -> Outcome:
        """Write nothing that needs the finalizer, which could not be set; what was declared secret is taken out."""
        if not isinstance(state, Fresh):
            raise error
        received = ReceivedAnswer.of(query, state)
        chosen = await self._choose(context, received)
        inputs = Inputs.of(context, received, chosen.entries)
        return self._doubting(context, await self._writer.hold(context, inputs, error, is_exact=chosen.is_exact))

    async def _credential(self, admitted: Admitted) -> Credential:
        """Return what Phase is asked with; raise ExpectedError.

        A PhaseSecret whose token is gone, no token or bound to other hosts asks no more, also not with an earlier one.
        """
        try:
            return await self._tokens.credential(admitted.ask, self._phase)
        except Waiting:
            self._poller.unsubscribe(admitted.key)
            raise

    async def _confirm(self, context: RunContext, query: SourceQuery, revision: Revision | None) -> Outcome:
        """Compare the targets' seals with the revision that a probe saw; ask for a read only if one is broken."""
        if revision is None:
            return Pending()
        # What was allowed before a restart may not be any more: rendering finds out.
        is_allowed = self._tenancy.impersonation or not impersonates(context.spec)
        # A probe was answered, so the account may probe: a status that denies it is written anew.
        is_true = not _says_unprobed(context.resource.status)
        may_be_confirmed = context.is_settled and is_allowed and is_true
        if may_be_confirmed and await self._writer.has_made(
            context, inputs_digest(context.resource.spec, query, revision)
        ):
            self._poller.confirm(context.key, revision)
            return Confirmed()
        self._poller.want(context.key, context.urgency)
        return Pending()

    async def _follow(self, context: RunContext, query: SourceQuery, state: Fresh) -> Outcome:
        """Bring the targets in step with an answer, unless it would empty them and nobody allowed that."""
        received = ReceivedAnswer.of(query, state)
        chosen = await self._choose(context, received)
        found = self._doubting(context, await self._sync(context, received, chosen))
        if found.is_doubted:
            return found
        is_well = all(each.ready for each in found.targets)
        if state.is_unprobed:
            found = replace(found, note=_UNPROBED if found.note is None else f"{found.note}; {_UNPROBED}")
        if is_well or context.spec.allow_empty or chosen.is_any:
            return found
        return await self._without_entries(context, received, state, found)

    async def _without_entries(
        self, context: RunContext, received: ReceivedAnswer, state: Fresh, found: Synced
    ) -> Failed:
        """Return why an answer has nothing for a PhaseSecret; its targets follow the full answer."""
        targets = await self._targets_without_entries(context, received, state, found)
        message = await self._background.run(
            lambda: nothing_selected(received.query, state.answer.entries, context.folders, state.tags),
            len(state.answer.entries) + _NEAR * len(state.tags),
            context.key.namespace,
        )
        left = unread(context.spec, state.answer.dynamic)
        return Failed(Reason.NO_ENTRIES, message if left is None else f"{message}; {left}", targets=targets)

    async def _targets_without_entries(
        self, context: RunContext, received: ReceivedAnswer, state: Fresh, found: Synced
    ) -> tuple[TargetResult, ...]:
        """Return the targets where an answer has no entry for them; if the full answer has one, they follow that."""
        # If none is in step, all keep the entries that the status has of them.
        targets = found.targets if any(each.ready for each in found.targets) else ()
        if state.full is None:
            return targets
        full = replace(received, answer=state.full, revision=None, misdated=None)
        chosen = await self._choose(context, full)
        return (await self._sync(context, full, chosen)).targets if chosen.is_any else targets

    async def _choose(self, context: RunContext, received: ReceivedAnswer) -> Chosen:
        patterns = len(context.spec.keys.include) + len(context.spec.keys.exclude)
        many = len(received.answer.entries) * (1 + patterns)
        return await self._background.run(
            lambda: choose(context.spec, received.query, received.answer, context.folders), many, context.key.namespace
        )

    async def _sync(self, context: RunContext, received: ReceivedAnswer, chosen: Chosen) -> Synced:
        """Bring the targets in step with what was chosen of an answer; raise ExpectedError if nothing can be taken."""
        inputs = Inputs.of(context, received, chosen.entries)
        if chosen.error is None:
            work = partial(check, context.spec, chosen)
            chosen = await self._background.run(work, inputs.units, context.key.namespace)
        if chosen.error is not None:
            return await self._writer.hold(context, inputs, chosen.error, is_exact=chosen.is_exact)
        found = await self._writer.bring(context, inputs)
        said = note(context.spec, chosen, received.answer)
        return found if chosen.warning is None and said is None else replace(found, warning=chosen.warning, note=said)

    def _doubting(self, context: RunContext, found: Synced) -> Synced:
        """Return the outcome; if it doubts the answer, have the source read again."""
        if found.is_doubted:
            self._poller.doubt(context.key)
        return found

    def forced(self, key: ObjectKey) -> str | None:
        """Return the value of the sync annotation that the run just ended has answered, if any."""
        return self._forced.answered(key)

    def _release(self, key: ObjectKey) -> None:
        self._poller.unsubscribe(key)
        self._forced.forget(key)
        self._registration.leave(key)


def _says_unprobed(status: Mapping[str, Any]) -> bool:
    """Return whether a status says that the account may not probe."""
    return any(_UNPROBED in text(each.get("message")) for each in mappings(status.get("conditions")))
