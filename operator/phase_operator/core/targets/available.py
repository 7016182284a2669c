"""What an answer has for one target, and which entries have left the target on purpose.

Rule: an entry left on purpose if Phase still has it. While the process remembers where it was, its id shows that. After
a restart, only an entry of another type shows it that has the key, in a folder that the target takes. An entry with the
same key in another folder proves nothing.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import CreationPolicy, Followers, Format, TargetFields
from phase_operator.core.content.keys import target_key
from phase_operator.core.globs import matcher
from phase_operator.core.refs import Kind
from phase_operator.core.source.folders import folders, target_folders
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.source.selection import matching_if_feasible, select
from phase_operator.core.source.shrink_guard import Moved, is_same_place
from phase_operator.core.targets.fingerprint import name_digest
from phase_operator.core.targets.loss_guard import AvailableEntries, CurrentTarget, LossPolicy, is_surely_same
from phase_operator.core.targets.policy import TargetPolicy
from phase_operator.core.targets.rendering import Rendering, offers_type
from phase_operator.core.targets.reserved import is_reserved
from phase_operator.core.text import clean, listing
from phase_operator.core.values import Entry

_NAMED = 5
# The limit of keys for a hint about patterns: users choose how many patterns and keys there are.
_MOST_COMPARED = 500
# Letters of patterns times letters of keys: that is some hundredths of a second of the event loop, at worst.
_MOST_TRIED = 10_000_000
_WILD = re.compile(r"[*?\[]")


def available(
    rendering: Rendering,
    spec: PhaseSecretSpec,
    query: SourceQuery,
    app_id: str,
    entries: Sequence[Entry],
    gone: Collection[Moved],
    current: CurrentTarget | None,
    names: frozenset[bytes] = frozenset(),
) -> AvailableEntries:
    """Return what an answer has for a target whose keys have these names; the PhaseSecret selects `entries` of it."""
    left = [each.was for each in departed(rendering, spec, query, entries, gone)]
    retyped = _retyped(rendering, spec, entries, current, names) if current is not None else ()
    return AvailableEntries(
        names,
        len(rendering.taken),
        rendering.request,
        app_id,
        frozenset(name_digest(_key(rendering, entry)) for entry in (*left, *retyped)),
        len(left),
        len(entries),
        len(retyped),
    )


def _retyped(
    rendering: Rendering,
    spec: PhaseSecretSpec,
    entries: Sequence[Entry],
    current: CurrentTarget,
    names: frozenset[bytes],
) -> Sequence[Entry]:
    """Return the entries that a target may have had, and that have another type now."""
    if not _may_have_left(rendering, current, names):
        return ()
    return _of_other_types(rendering, spec, entries, None if current.is_made else current.names)


def _may_have_left(rendering: Rendering, current: CurrentTarget, names: frozenset[bytes]) -> bool:
    """Return whether a target has more than an answer has for it, for another reason than an edit of the spec."""
    if not (current.names - names or current.entries > len(rendering.taken)):
        return False
    # A ConfigMap takes one type, whatever the spec says: an entry that has another type now has left it.
    return rendering.ref.kind is Kind.CONFIG_MAP or is_surely_same(current, rendering.request)


def declared_secret(
    rendering: Rendering, spec: PhaseSecretSpec, entries: Sequence[Entry], held: frozenset[bytes] | None = None
) -> frozenset[str]:
    """Return the keys of entries that a ConfigMap had and that have another type now, without the keys it has today.

    `held` limits the search to keys whose names have these digests.
    """
    others = {_key(rendering, entry) for entry in _of_other_types(rendering, spec, entries, held)}
    return frozenset(others.difference(_key(rendering, entry) for entry in rendering.taken))


def key_names(rendering: Rendering) -> frozenset[bytes]:
    """Return digests of the keys that its entries have in a target, whether or not the target can be made."""
    return frozenset(name_digest(_key(rendering, entry)) for entry in rendering.taken)


def departed(
    rendering: Rendering, spec: PhaseSecretSpec, query: SourceQuery, entries: Sequence[Entry], gone: Collection[Moved]
) -> list[Moved]:
    """Return the moved entries that a target took before and does not take now."""
    if not gone:
        return []
    there = {entry.id for entry in rendering.taken}
    left = (each for each in gone if each.was.id not in there)
    return [each for each in left if _took(rendering, spec, query, each.was) and not _is_back(each.was, entries)]


def _took(rendering: Rendering, spec: PhaseSecretSpec, query: SourceQuery, was: Entry) -> bool:
    return bool(select([was], query, spec.keys, folders(spec))) and _takes(rendering, spec, was)


def _is_back(was: Entry, entries: Iterable[Entry]) -> bool:
    return any(entry.id == was.id and is_same_place(entry, was) for entry in entries)


def note(rendering: Rendering, left: Sequence[Moved]) -> str | None:
    """Return the note in the status for a target that is in step, or None."""
    return "; ".join([*_empty(rendering), *_left(left), *asked_in_vain(rendering)]) or None


def _empty(rendering: Rendering) -> Iterator[str]:
    """Yield why a target is empty."""
    if rendering.may_be_empty and rendering.no_folder:
        yield f"it is empty: {rendering.no_folder}"
    if not (rendering.may_be_empty or rendering.taken):
        yield f"it is empty: {rendering.nothing}"


def _left(left: Sequence[Moved]) -> Iterator[str]:
    """Yield a sentence on the entries that left a target on purpose."""
    ordered = sorted({f'"{each.was.key}" {each.now}' for each in left})
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    if ordered:
        yield f"left it on purpose: {', '.join(ordered[:_NAMED])}{more}"


def asked_in_vain(rendering: Rendering) -> Iterator[str]:
    """Yield a sentence for each field of the spec that has no effect on this target."""
    target = rendering.target
    yield from _contradictions(target)
    yield from _vain_metadata(target)
    if rendering.taken and (target.processors or target.keys.include):
        yield from _vain_keys(target, {entry.key for entry in rendering.taken})


def _vain_keys(target: TargetFields, there: Collection[str]) -> Iterator[str]:
    """Yield a sentence for the processors and patterns that match no key."""
    if vain := sorted(key for key in target.processors if key not in there):
        yield f"processors: no entry has the key {listing(map(clean, vain))}"
    if patterns := vain_patterns(target.keys.include, there):
        yield patterns


def _vain_metadata(target: TargetFields) -> Iterator[str]:
    """Yield a sentence for the labels and annotations that are not written."""
    metadata = target.template.metadata
    if target.creation_policy is CreationPolicy.MERGE and (metadata.labels or metadata.annotations):
        yield "template.metadata is left out: with Merge, labels and annotations are those of the object's keepers"
    for name, wanted in (("labels", metadata.labels), ("annotations", metadata.annotations)):
        if reserved := sorted(filter(is_reserved, wanted)):
            yield f"template.metadata.{name}: {listing(reserved)} is left out: by it, tools know what is theirs"


def _contradictions(target: TargetFields) -> Iterator[str]:
    """Yield a sentence for each field that another one excludes: in specs from before the API server refused that."""
    if target.template.replaces_entries and target.format not in (None, Format.KEY_PER_ENTRY):
        yield "format is left out: template.data takes its place"
    if target.versioned is not None and target.immutable is False:
        yield "immutable is left out: every object of a versioned target is immutable"
    if target.restart.workloads is Followers.NONE and target.restart.selector:
        yield "restart.selector is left out: with workloads None nothing is restarted"


def vain_patterns(include: Sequence[str], keys: Collection[str]) -> str | None:
    """Return a sentence that names the patterns without a match, or None; with many keys only plain names are tried."""
    vain = [each for each in include if _matches_none(each, keys)]
    return f"keys.include: no entry matches {listing(map(clean, vain))}" if vain else None


def vain_tags(tags: Sequence[str], entries: Iterable[Entry]) -> str | None:
    """Return a sentence on those of several tags that no entry has; None if no tag is like that, or all of them are."""
    if len(tags) < 2:
        return None
    # Many entries have the same tags, and each may have hundreds.
    there = frozenset[str]().union(*{entry.tags for entry in entries})
    vain = [each for each in tags if each not in there]
    return f"phaseAppEnvTags: no entry has the tag {listing(map(clean, vain))}" if 0 < len(vain) < len(tags) else None


def _matches_none(pattern: str, keys: Collection[str]) -> bool:
    if not _WILD.search(pattern):
        return pattern not in keys
    return len(keys) <= _MOST_COMPARED and not any(fnmatchcase(key, pattern) for key in keys)


def loss_policy(
    rendering: Rendering,
    spec: PhaseSecretSpec,
    policy: TargetPolicy,
    status_entry: Mapping[str, Any],
    *,
    selects: bool,
    twice: bool,
) -> LossPolicy:
    """Return what the spec allows a target to lose; `selects`: the PhaseSecret selects at least one entry.

    `status_entry` is the entry of its status for the target.
    """
    return LossPolicy(
        shrink=spec.shrink or 100,
        allow_empty=bool(spec.allow_empty),
        may_lack=selects and not _is_required(rendering),
        required=bool(rendering.target.required),
        deletes=policy.deletes and not policy.merges,
        is_cleared=status_entry.get("ready") is True and status_entry.get("keys") == 0,
        twice=twice,
    )


def _is_required(rendering: Rendering) -> bool:
    """Return whether a target without entries is not ready; by default that is so for a Secret."""
    required = rendering.target.required
    return rendering.ref.kind is Kind.SECRET if required is None else required


def _of_other_types(
    rendering: Rendering, spec: PhaseSecretSpec, entries: Sequence[Entry], held: frozenset[bytes] | None
) -> Sequence[Entry]:
    """Return entries of other types that a target would take otherwise; `held` limits them to keys it has.

    Patterns that are too costly are not matched: a key that the target has, of an entry with another type now, has left
    it either way.
    """
    inside, keys = target_folders(rendering.target, spec), rendering.target.keys
    found = [each for each in entries if not offers_type(spec, rendering.target, each) and inside.holds(each.path)]
    if held is not None:
        found = [each for each in found if name_digest(_key(rendering, each)) in held]
    return matching_if_feasible(keys, found, _MOST_TRIED)


def _takes(rendering: Rendering, spec: PhaseSecretSpec, entry: Entry) -> bool:
    target = rendering.target
    is_inside = target_folders(target, spec).holds(entry.path)
    return is_inside and offers_type(spec, target, entry) and matcher(target.keys)(entry.key)


def _key(rendering: Rendering, entry: Entry) -> str:
    target = rendering.target
    return target_key(entry.key, target.name_transformer, target.processors.get(entry.key), target.prefix or "")
