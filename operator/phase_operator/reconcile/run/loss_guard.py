"""Judge one target: by its object, by what an answer has for it, and by what the spec says of losses.

Rule: nothing is awaited or written here; `decide` of core/targets/loss_guard.py has the word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.json_access import mapping, text
from phase_operator.core.outcome import SourceFacts, TargetResult
from phase_operator.core.pipeline import RenderedTarget
from phase_operator.core.refs import Kind
from phase_operator.core.source.folders import normal_path
from phase_operator.core.source.query import Revision, SourceQuery
from phase_operator.core.source.shrink_guard import Moved
from phase_operator.core.status.recorded import recorded_targets
from phase_operator.core.targets.available import available, declared_secret, departed, key_names, loss_policy, note
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.fingerprint import name_digest, split_digests
from phase_operator.core.targets.loss_guard import (
    AvailableEntries,
    CurrentTarget,
    Decision,
    LeaveUnchanged,
    current_target,
    decide,
    doubt,
)
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.targets.observed import Observed
from phase_operator.core.values import Entry, Snapshot
from phase_operator.reconcile.context import RunContext
from phase_operator.reconcile.polling.calls import Fresh


@dataclass(frozen=True, slots=True)
class ReceivedAnswer:
    """An answer to a question, and how far it is to be believed."""

    query: SourceQuery
    answer: Snapshot
    # None: it is not known to be the newest.
    revision: Revision | None
    # Phase said so at least twice.
    twice: bool
    # What left on purpose.
    moved: tuple[Moved, ...]
    # The date that it was given first, if that was wrong or is not certain.
    misdated: Revision | None = None

    @classmethod
    def of(cls, query: SourceQuery, state: Fresh) -> Self:
        """Return the answer of a source that is up to date."""
        return cls(query, state.answer, state.revision, state.twice, state.moved, state.misdated)


class LossGuard:
    """Judges one target."""

    def __init__(
        self, context: RunContext, received: ReceivedAnswer, target: RenderedTarget, entries: Sequence[Entry]
    ) -> None:
        self.context, self.rendering = context, target.rendering
        self._target = target
        self._received, self._entries = received, entries
        status = context.resource.status
        self._before = next((entry for ref, entry in recorded_targets(status) if ref == self.rendering.ref), {})
        self._loss_policy = loss_policy(
            self.rendering,
            context.spec,
            context.target_policies[self.rendering.ref],
            self._before,
            selects=bool(entries),
            twice=received.twice,
        )

    @property
    def desired(self) -> Desired:
        """The target as it should be, also one without any entry; raises ExpectedError if it cannot be made."""
        return self._target.made

    def decide(self, observed: Observed | None) -> Decision:
        """Return what to do with the target whose object looks like this."""
        current = self._current(observed)
        names = self.desired.names if self.rendering.taken else frozenset()
        decision = decide(current, self._available(current, names), self._loss_policy)
        if isinstance(decision, LeaveUnchanged) and decision.error.reason is Reason.NO_ENTRIES:
            how = "it is empty" if current is not None and not current.entries else "it stays as it is"
            return LeaveUnchanged(Waiting(Reason.NO_ENTRIES, f"{self.rendering.nothing}; {how}"))
        return decision

    def doubt(self, observed: Observed | None) -> ExpectedError | None:
        """Return why the object must be left as it is; None if it may be written."""
        decision = self.decide(observed)
        return decision.error if isinstance(decision, LeaveUnchanged) else None

    def declared_secret(self, observed: Observed | None) -> tuple[str, ...]:
        """Return the keys of a ConfigMap whose entries have another type in Phase now.

        Empty if the keys do not show which entries the ConfigMap is made of.
        """
        current = self._current(observed)
        if current is None or current.is_made or self.rendering.ref.kind is not Kind.CONFIG_MAP:
            return ()
        declared = declared_secret(self.rendering, self.context.spec, self._entries, current.names)
        # A key that another field manager owns as well is for that one to remove.
        return tuple(sorted(declared - self._keys_of_others(observed)))

    def _keys_of_others(self, observed: Observed | None) -> set[str]:
        """Return the keys of an object that other field managers own."""
        mine, managers = merge_manager(self.context.key), observed.field_managers if observed is not None else ()
        return {key for each in managers if each.manager != mine for key in each.keys}

    def holds_declared(self, observed: Observed | None) -> bool:
        """Return True if a ConfigMap may hold, in any form, an entry that has another type in Phase now."""
        current = self._current(observed)
        if current is None or self.rendering.ref.kind is not Kind.CONFIG_MAP:
            return False
        if not current.is_made:
            return bool(self.declared_secret(observed))
        is_less = current.entries > len(self.rendering.taken)
        return is_less and bool(declared_secret(self.rendering, self.context.spec, self._entries))

    def is_declared_in(self, version: Observed) -> bool:
        """Return True if an older version of a ConfigMap has a key whose entry has another type in Phase now."""
        keys = split_digests(version.names) - self.desired.names
        return bool(keys) and not keys.isdisjoint(self._declared)

    @cached_property
    def _declared(self) -> frozenset[bytes]:
        return frozenset(map(name_digest, declared_secret(self.rendering, self.context.spec, self._entries)))

    def doubt_keys(self, observed: Observed) -> ExpectedError | None:
        """Return why no key may be taken out of the object; None if keys may. The target need not be renderable."""
        current = self._current(observed)
        if current is None or self._received.twice:
            return None
        return doubt(current, self._available(current, key_names(self.rendering)), self._loss_policy.shrink)

    def held(self, observed: Observed) -> int:
        """Return how many keys of ours the object has."""
        current = self._current(observed)
        return len(current.names) if current is not None else 0

    def _current(self, observed: Observed | None) -> CurrentTarget | None:
        resource = self.context.resource
        return current_target(observed, self.context.key, self._before, resource.status, resource.generation)

    def _available(self, current: CurrentTarget | None, names: frozenset[bytes]) -> AvailableEntries:
        received = self._received
        return available(
            self.rendering,
            self.context.spec,
            received.query,
            received.answer.app_id,
            self._entries,
            received.moved,
            current,
            names,
        )

    def stays(self, error: ExpectedError) -> TargetResult:
        """Return the result of a target that stays as the status describes it, because of an error."""
        keys = self._before.get("keys")
        ref = self.rendering.ref
        known = keys if isinstance(keys, int) else None
        # The pause that an error may ask for is not this target's.
        return replace(TargetResult.failed(ref, error, keys=known, version=self.context.versions.get(ref)), after=None)

    def described(self, result: TargetResult) -> TargetResult:
        """Return the result of a write, with what the status is to say about the target."""
        rendering = self.rendering
        if not result.ready:
            return replace(result, ref=rendering.ref)
        spec, received, taken = self.context.spec, self._received, len(rendering.taken)
        found = replace(
            result,
            ref=rendering.ref,
            message=note(rendering, departed(rendering, spec, received.query, self._entries, received.moved)),
            selection=str(rendering.request),
            entries=taken if taken != result.keys else None,
        )
        return found if taken or not self._has_to_take else replace(found, ready=False, reason=Reason.NO_ENTRIES)

    @property
    def _has_to_take(self) -> bool:
        """Whether a target without entries is one that is not ready."""
        return self._loss_policy.required and not self._loss_policy.allow_empty


def source_facts(context: RunContext, received: ReceivedAnswer, entries: Sequence[Entry]) -> SourceFacts:
    """Return what was read, as the status says it."""
    path, environment = normal_path(context.spec.phase_app_env_path), received.query.environment
    return SourceFacts(received.answer.app_id, environment, path, len(entries), host=context.assumed_host)


def recorded_facts(status: Mapping[str, Any]) -> SourceFacts | None:
    """Return what was read according to a status; None if the status does not say it in full."""
    source = mapping(status.get("source"))
    match source:
        case {"appId": str(app_id), "environment": str(environment), "path": str(path), "entries": int(entries)}:
            return SourceFacts(app_id, environment, path, entries, host=text(source.get("host")))
        case _:
            return None
