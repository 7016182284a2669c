"""Remove what a PhaseSecret names no more: it is found by the status and by marks, and reported while it waits.

Rule: nothing is announced that would not be done. An object that no status records is found by its marks, so a crash
between a write and the status forgets nothing.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Invalid
from phase_operator.core.outcome import Event, TargetResult
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.status.recorded import recorded_refs, removed_targets
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.policy import TargetPolicy
from phase_operator.core.targets.removal import Leave, Removal, Unwanted, is_version_of, removal
from phase_operator.core.targets.type_change import copy_owner, copy_ref, original_ref
from phase_operator.core.targets.versions import version_label
from phase_operator.reconcile.context import Declared
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.run.applier import TargetApplier, pending, pending_for
from phase_operator.reconcile.run.rivals import Refusal

# With those that the spec names, fewer than a status takes. What is not reported is found again by its marks.
_MOST_REPORTED = 100


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An object that may have to go, and the target that it belongs to."""

    ref: TargetRef
    base: TargetRef
    why: Unwanted
    # As the watches have shown it.
    known: Observed | None


class Pruner:
    """Takes away what is not wanted any more, for runs of any PhaseSecret."""

    def __init__(self, cluster: Cluster, applier: TargetApplier, refusal: Refusal) -> None:
        self._cluster = cluster
        self._applier = applier
        self._refusal = refusal

    async def let_go(self, declared: Declared, results: Sequence[TargetResult]) -> list[TargetResult]:
        """Remove what the spec names no more, once all that it names is in step; return what is left to remove."""
        recorded = dict.fromkeys(removed_targets(declared.resource.status, declared.target_policies))
        candidates = await self._candidates(declared, recorded, is_last=False)
        self._report_spared(declared, [each for each in candidates if each.why.is_recorded])
        due = [each for each in candidates if not isinstance(_decision(each, declared), Leave)]
        if not all(result.ready for result in results):
            return _announced(due)
        # What the watches do not show may have lost the label that they go by.
        unseen = [each for each in candidates if each.known is None]
        versioned = list(filter(declared.versions.__contains__, recorded))
        left = await self._remove(declared, [*unseen, *due], versioned)
        unfinished = await self._finish(declared, (), self._copied(declared) - declared.target_policies.keys())
        return _by_target([*left, *unfinished])[:_MOST_REPORTED]

    async def clear(self, declared: Declared, target: TargetRef) -> TargetResult | None:
        """Remove a target that takes no entry any more, with its versions; return what is left to remove, or None."""
        why = self._why(declared, target, declared.target_policies[target], is_recorded=True, is_last=False)
        found = _versions(target, self._cluster.known_versions(target), why)
        known = await self._cluster.observe(target, live=False)
        left = await self._remove(declared, [_Candidate(target, target, why, known), *found], [])
        return left[0] if left else None

    async def end(self, declared: Declared) -> list[TargetResult]:
        """Remove what is to be deleted with a PhaseSecret; return what is left to remove."""
        # Where the spec cannot be read, the marks on objects say what is to become of them.
        targets = dict(declared.target_policies) | {
            target: declared.target_policies.get(target) for target in recorded_refs(declared.resource.status)
        }
        left = await self.finish(declared)
        candidates = await self._candidates(declared, targets, is_last=True)
        self._report_spared(declared, candidates)
        elsewhere = [target for target in declared.versions if target.key.namespace != declared.key.namespace]
        return left or await self._remove(declared, candidates, elsewhere, is_last=True)

    async def finish(self, declared: Declared) -> list[TargetResult]:
        """Finish replacements that a crash or a refusal interrupted; return what is left to do.

        The spec may want those targets differently by now. What a copy holds is restored before the copy is removed. No
        answer of Phase is needed.
        """
        replaced = [target for target, policy in declared.target_policies.items() if policy.replace]
        return await self._finish(declared, replaced, self._copied(declared))

    async def _finish(
        self, declared: Declared, replaced: Iterable[TargetRef], seen: Set[TargetRef]
    ) -> list[TargetResult]:
        left: list[TargetResult | None] = []
        for target in dict.fromkeys([*replaced, *sorted(seen)]):
            if self._refusal(declared.key.namespace, target.key.namespace):
                continue
            try:
                rest = await self._applier.finish(target, declared.owner, is_seen=target in seen)
                left.append(rest and replace(rest, ref=target, message=f"{rest.ref}: {rest.message}"))
            except ExpectedError as error:
                left.append(_unlisted(target, error))
        return [each for each in left if each is not None]

    def _copied(self, declared: Declared) -> set[TargetRef]:
        """Return the targets whose copies, made by this PhaseSecret, the watches show."""
        copies = self._cluster.marked(copy_owner(declared.key))
        if not copies:
            return set()
        known = {
            copy_ref(target): target for target in (*declared.target_policies, *recorded_refs(declared.resource.status))
        }
        found = (known.get(copy) or original_ref(copy) for copy in copies)
        return {target for target in found if target is not None}

    async def _candidates(
        self, declared: Declared, targets: Mapping[TargetRef, TargetPolicy | None], *, is_last: bool
    ) -> list[_Candidate]:
        """Return the objects of these targets, and what else carries our marks and is wanted no more, as known."""
        found: dict[TargetRef, _Candidate] = {}
        for target, policy in targets.items():
            why = self._why(declared, target, policy, is_recorded=True, is_last=is_last)
            known = await self._cluster.observe(target, live=False)
            found[target] = _Candidate(target, target, why, known)
            found |= {each.ref: each for each in _versions(target, self._cluster.known_versions(target), why)}
        # In the end nothing is kept.
        kept: Mapping[TargetRef, TargetPolicy] = {} if is_last else declared.target_policies
        return [*found.values(), *self._marked(declared, found, kept, is_last=is_last)]

    def _marked(
        self,
        declared: Declared,
        found: Container[TargetRef],
        kept: Mapping[TargetRef, TargetPolicy],
        *,
        is_last: bool,
    ) -> list[_Candidate]:
        """Return what carries our marks, was not found, and is no target or version that is kept."""
        marked = self._cluster.marked(declared.key).items()
        others = {ref: each for ref, each in marked if ref not in found and ref not in kept}
        versions = set(_of_bases(others, kept)) if others else set()
        return [
            _Candidate(ref, ref, self._why(declared, ref, None, is_recorded=False, is_last=is_last), each)
            for ref, each in others.items()
            if ref not in versions
        ]

    def _why(
        self, declared: Declared, ref: TargetRef, policy: TargetPolicy | None, *, is_recorded: bool, is_last: bool
    ) -> Unwanted:
        is_collected = is_last and ref.key.namespace == declared.key.namespace
        return Unwanted(policy, is_collected, self._refusal(declared.key.namespace, ref.key.namespace), is_recorded)

    async def _remove(
        self,
        declared: Declared,
        candidates: Sequence[_Candidate],
        versioned: Sequence[TargetRef],
        *,
        is_last: bool = False,
    ) -> list[TargetResult]:
        """Remove all candidates, although some may fail; versions of the versioned ones are listed by a live read."""
        left: list[TargetResult | None] = []
        by_ref = {each.ref: each for each in candidates}
        for base in versioned:
            try:
                by_ref = await self._listed(declared, base, is_last=is_last) | by_ref
            except ExpectedError as error:
                left.append(_unlisted(base, error))
        left += [await self._take_away(declared, each, is_last=is_last) for each in by_ref.values()]
        return _by_target([each for each in left if each is not None])[:_MOST_REPORTED]

    async def _listed(self, declared: Declared, base: TargetRef, *, is_last: bool) -> dict[TargetRef, _Candidate]:
        """Return the versions of a target by a live read; raise ExpectedError."""
        why = self._why(declared, base, None, is_recorded=True, is_last=is_last)
        return {each.ref: each for each in _versions(base, await self._cluster.versions(base), why)}

    async def _take_away(self, declared: Declared, each: _Candidate, *, is_last: bool) -> TargetResult | None:
        try:
            found = await self._applier.take_away(each.ref, declared.owner, each.why)
        except Invalid as error:
            if not is_last:
                return pending(each.base, error.message, transient=False)
            # Nothing that we could wait for would change it, and a PhaseSecret that cannot be deleted helps nobody.
            self._post(declared, error.reason, f"{each.ref}: our keys stay in it: {error.message}")
            return None
        if isinstance(found, Leave):
            return None
        message = found.message if each.ref == each.base else f"{each.ref}: {found.message}"
        return TargetResult(each.base, False, found.reason, message=message, transient=found.transient)

    def _report_spared(self, declared: Declared, candidates: Sequence[_Candidate]) -> None:
        for each in candidates:
            found = _decision(each, declared)
            if isinstance(found, Leave) and found.why:
                self._post(declared, Reason.CROSS_NAMESPACE, f"{each.ref} stays as it is: {found.why}")

    def _post(self, declared: Declared, reason: Reason, message: str) -> None:
        self._cluster.record_event(declared.key, declared.resource.uid, [Event("Warning", str(reason), message)])


def _versions(base: TargetRef, found: Mapping[TargetRef, Observed], why: Unwanted) -> list[_Candidate]:
    """Return those of the objects found that are versions of a target."""
    return [_Candidate(ref, base, why, each) for ref, each in found.items() if is_version_of(ref, each, base)]


def _unlisted(base: TargetRef, error: ExpectedError) -> TargetResult | None:
    """Return what is left to remove of a target whose versions cannot be listed; None if its namespace is gone."""
    return None if error.reason is Reason.NAMESPACE_NOT_FOUND else pending_for(base, error)


def _decision(each: _Candidate, declared: Declared) -> Removal | Leave:
    return removal(each.ref, each.known, declared.owner, each.why)


def _announced(due: Iterable[_Candidate]) -> list[TargetResult]:
    """Return what is left to remove while the targets that the spec names are not in step."""
    waiting = dict.fromkeys(each.base for each in due)
    return [pending(base, "the others are not in step yet", transient=False) for base in waiting][:_MOST_REPORTED]


def _by_target(left: Sequence[TargetResult]) -> list[TargetResult]:
    """Return one result for each target; its message counts the other objects of the target that are left."""
    first: dict[TargetRef, TargetResult] = {}
    more: Counter[TargetRef] = Counter()
    for each in left:
        more[each.ref] += first.setdefault(each.ref, each) is not each
    return [
        replace(each, message=f"{each.message}; and {more[ref]} more of it") if more[ref] else each
        for ref, each in first.items()
    ]


def _of_bases(marked: Mapping[TargetRef, Observed], bases: Mapping[TargetRef, TargetPolicy]) -> Iterator[TargetRef]:
    """Yield the objects that are versions of one of these targets."""
    labels: dict[tuple[Kind, str, str], TargetRef] = {
        (base.kind, base.key.namespace, version_label(base.key.name)): base for base in bases
    }
    for ref, each in marked.items():
        base = labels.get((ref.kind, ref.key.namespace, each.version_of))
        if base is not None and is_version_of(ref, each, base):
            yield ref
