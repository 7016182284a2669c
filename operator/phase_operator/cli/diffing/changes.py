"""Desired and observed objects -> what the next run of the operator would change, as data.

Rule: whose an object is, and what may be done to it, the operator's own code decides. Values are compared by digests;
a change has them only so that --show-values can show them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.cli.diffing.contents import Content, values_of
from phase_operator.core.errors import ExpectedError
from phase_operator.core.json_access import at, mapping, mappings, text, texts
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import MergedShare
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.plan import Refuse, plan
from phase_operator.core.targets.policy import TargetPolicy
from phase_operator.core.targets.removal import Delete, Unwanted, Withdraw, removal
from phase_operator.core.targets.reserved import is_reserved

_USUAL_TYPE = "Opaque"
Body = Mapping[str, Any]


class Sign(StrEnum):
    """How a line of a diff begins."""

    ADDED = "+"
    REMOVED = "-"
    CHANGED = "~"


class Verdict(StrEnum):
    """What would become of an object."""

    SAME = "no change"
    CREATE = "would be created"
    CHANGE = "would change"
    NEW_VERSION = "would get a new version"
    REPLACE = "would be deleted and made anew"
    REFUSED = "would be refused"
    KEPT = "would stay as it is"
    DELETE = "would be deleted"
    WITHDRAW = "would lose the keys of the resource"
    LEFT = "would stay, and nobody would write it any more"


@dataclass(frozen=True, slots=True)
class Change:
    """One line: what is added, removed or changed, and its value before and after."""

    sign: Sign
    # "key", or another part of an object.
    what: str
    name: str
    before: bytes | None = field(default=None, repr=False)
    after: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TargetDiff:
    """What would become of one object; `before` and `after` are its content, None where that stays."""

    ref: TargetRef
    verdict: Verdict
    why: str = ""
    changes: tuple[Change, ...] = ()
    before: Content | None = field(default=None, repr=False)
    after: Content | None = field(default=None, repr=False)

    @property
    def exists(self) -> bool:
        """Whether there is an object now."""
        return self.verdict is not Verdict.CREATE

    @property
    def is_same(self) -> bool:
        """Whether nothing would be done."""
        return self.verdict is Verdict.SAME


def not_made(ref: TargetRef, error: ExpectedError) -> TargetDiff:
    """Return what becomes of a target whose object cannot be made."""
    return TargetDiff(ref, Verdict.KEPT, f"{error.reason}: {error.message}")


def target_diff(
    ref: TargetRef, desired: Desired, existing: Body | None, digest_key: bytes, gone: Collection[str] = ()
) -> TargetDiff:
    """Return what would become of a target.

    `existing` is the object in its place, of a versioned target its newest version; `gone` are resources that have let
    go of it.
    """
    wanted = Content.of(values_of(ref.kind, desired.manifest), digest_key)
    if existing is None:
        nothing = Content.of({}, digest_key)
        return TargetDiff(ref, Verdict.CREATE, "", tuple(_keys(nothing, wanted)), nothing, wanted)
    observed = observe(mapping(existing.get("metadata")))
    before = Content.of(values_of(ref.kind, existing), digest_key)
    is_version = desired.ref != ref
    if is_version and before.digests != wanted.digests:
        return TargetDiff(ref, Verdict.NEW_VERSION, "", tuple(_keys(before, wanted)))
    found = plan(desired, observed, gone)
    if isinstance(found, Refuse):
        return TargetDiff(ref, Verdict.REFUSED, f"TargetConflict: {found.why}")
    after = before.with_changes(_removed(desired, observed, before), wanted)
    changes = (*_keys(before, after), *_around(desired, observed, existing))
    if not changes:
        return TargetDiff(ref, Verdict.SAME)
    verdict, why = _fate(desired, existing, changes)
    return TargetDiff(ref, verdict, why, changes, before, after)


def left_diff(ref: TargetRef, owner: Owner, existing: Body | None, digest_key: bytes) -> TargetDiff | None:
    """Return what would become of an object that the status records and the spec does not name; None: nothing."""
    if existing is None:
        return None
    diff = _let_go(ref, owner, existing, Unwanted(), digest_key)
    observed = observe(mapping(existing.get("metadata")))
    is_ours = observed.belongs_to(owner.key) or observed.share_of(owner.key) is not None
    return TargetDiff(ref, Verdict.LEFT) if diff is None and is_ours else diff


def emptied_diff(
    ref: TargetRef, owner: Owner, existing: Body, policy: TargetPolicy, digest_key: bytes
) -> TargetDiff | None:
    """Return how a target goes for which no entry is left; None if it stays, and is emptied."""
    diff = _let_go(ref, owner, existing, Unwanted(policy), digest_key)
    return None if diff is None else replace(diff, why="no entry is left for it")


def _let_go(ref: TargetRef, owner: Owner, existing: Body, why: Unwanted, digest_key: bytes) -> TargetDiff | None:
    """Return what is removed of an object that is not wanted; None: nothing."""
    observed = observe(mapping(existing.get("metadata")))
    before = Content.of(values_of(ref.kind, existing), digest_key)
    nothing = Content.of({}, digest_key)
    share = observed.share_of(owner.key)
    match removal(ref, observed, owner, why):
        case Delete():
            return TargetDiff(ref, Verdict.DELETE, "", tuple(_keys(before, nothing)), before, nothing)
        case Withdraw():
            after = before.with_changes(_own(share, observed, before), nothing)
            return TargetDiff(ref, Verdict.WITHDRAW, "", tuple(_keys(before, after)), before, after)
    return None


def claimants(desired: Desired, existing: Body, gone: Collection[str]) -> Sequence[str]:
    """Return the resources that stand in a target's way, as far as they have not let go."""
    found = plan(desired, observe(mapping(existing.get("metadata"))), gone)
    return found.by if isinstance(found, Refuse) else ()


def _removed(desired: Desired, observed: Observed, before: Content) -> frozenset[str]:
    """Return the keys that the next write takes out."""
    if not desired.policy.merges:
        return frozenset(before.digests.keys() - desired.keys)
    if observed.belongs_to(desired.owner.key):
        # The whole object was this resource's until now: it lets go of all that nobody else holds.
        return frozenset(before.digests.keys() - _held_by_others(observed, desired.manager) - desired.keys)
    return _own(observed.part(desired.manager), observed, before) - desired.keys


def _own(share: MergedShare | None, observed: Observed, before: Content) -> frozenset[str]:
    """Return the keys of a share that nobody else holds."""
    if share is None:
        return frozenset(before.digests.keys() - _held_by_others(observed, ""))
    return share.keys - _held_by_others(observed, share.manager)


def _held_by_others(observed: Observed, manager: str) -> frozenset[str]:
    return frozenset[str]().union(*(each.keys for each in observed.field_managers if each.manager != manager))


def _keys(before: Content, after: Content) -> Iterator[Change]:
    for key in sorted(after.digests.keys() - before.digests.keys()):
        yield Change(Sign.ADDED, "key", key, None, after.values[key])
    for key in sorted(before.digests.keys() - after.digests.keys()):
        yield Change(Sign.REMOVED, "key", key, before.values[key])
    for key in before.changed_in(after):
        yield Change(Sign.CHANGED, "key", key, before.values[key], after.values[key])


def _around(desired: Desired, observed: Observed, existing: Body) -> Iterator[Change]:
    """Yield what changes of an object besides its keys."""
    is_own = _is_own(desired, observed)
    if not is_own:
        yield from _said("owner", observed.owner or "others", str(desired.owner.key))
    if desired.policy.merges:
        return
    for what in ("label", "annotation"):
        yield from _metadata(what, desired, existing)
    if "type" in desired.manifest:
        yield from _said("type", text(existing.get("type")) or _USUAL_TYPE, str(desired.manifest["type"]))
    yield from _said("immutable", _immutable(existing), _immutable(desired.manifest))
    if is_own:
        policies = (DeletionPolicy.RETAIN, DeletionPolicy.DELETE)
        yield from _said("deletionPolicy", policies[observed.deletes], policies[desired.policy.deletes])


def _is_own(desired: Desired, observed: Observed) -> bool:
    """Return whether the resource has the object already, or the share of it that it merges."""
    if desired.policy.merges:
        return observed.part(desired.manager) is not None
    return observed.belongs_to(desired.owner.key)


def _immutable(body: Body) -> str:
    return str(body.get("immutable") is True).lower()


def _said(what: str, before: str, after: str) -> Iterator[Change]:
    """Yield the change of something that is no secret, if it changes."""
    if before != after:
        yield Change(Sign.CHANGED, what, f"{before} -> {after}")


def _metadata(what: str, desired: Desired, existing: Body) -> Iterator[Change]:
    """Yield the labels or annotations that change; of those that are gone, the ones that only our apply wrote."""
    found = mapping(existing.get("metadata"))
    before = texts(found.get(f"{what}s"))
    after = {name: each for name, each in desired.manifest["metadata"][f"{what}s"].items() if not is_reserved(name)}
    for name in sorted(after):
        if name not in before:
            yield Change(Sign.ADDED, what, name, None, after[name].encode())
        elif before[name] != after[name]:
            yield Change(Sign.CHANGED, what, name, before[name].encode(), after[name].encode())
    ours, others = _written(found, f"f:{what}s", desired.manager)
    for name in sorted((ours - others) & before.keys() - after.keys()):
        if not is_reserved(name):
            yield Change(Sign.REMOVED, what, name, before[name].encode())


def _written(metadata: Body, part: str, manager: str) -> tuple[set[str], set[str]]:
    """Return the labels or annotations that our apply owns, and those that others own."""
    ours: set[str] = set()
    others: set[str] = set()
    for entry in mappings(metadata.get("managedFields")):
        names = {each[2:] for each in at(entry.get("fieldsV1"), ("f:metadata", part)) if each.startswith("f:")}
        is_ours = (entry.get("manager"), entry.get("operation")) == (manager, "Apply")
        (ours if is_ours else others).update(names)
    return ours, others


def _fate(desired: Desired, existing: Body, changes: Sequence[Change]) -> tuple[Verdict, str]:
    """Return what a change comes to, and why Kubernetes would refuse it; "" if it would not."""
    changed = {each.what for each in changes}
    if "type" in changed:
        if desired.policy.replace:
            return Verdict.REPLACE, "its type changes"
        return Verdict.REFUSED, "TypeImmutable: Kubernetes cannot change its type; onTypeChange: Replace makes it anew"
    if existing.get("immutable") is True and changed & {"key", "immutable"}:
        return Verdict.REFUSED, "TargetImmutable: it is immutable; delete it so that it is made anew, or use versioned"
    return Verdict.CHANGE, ""
