"""What differs in the Secrets themselves: what Phase holds, rendered as the official operator does and as we do.

Rule: keys are compared by the entries that they are made of, so no value is looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.official import Version, has_tag, keys_of
from phase_operator.core.content.keys import target_key
from phase_operator.core.errors import ExpectedError
from phase_operator.core.pipeline import Chosen, RenderedTarget, check, choose, render
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.source.folders import folders, normal_path
from phase_operator.core.source.query import ask_of, source_query
from phase_operator.core.targets.desired import Desired
from phase_operator.core.text import clean, clean_listing, counted
from phase_operator.core.values import DynamicKey, Entry, ObjectKey, Snapshot

# The digests of what is rendered are compared with nothing.
_NO_KEY = b"\0" * 32


@dataclass(frozen=True, slots=True)
class Compared:
    """The findings, and the objects that can be made, by their place."""

    findings: Sequence[Finding]
    made: Mapping[TargetRef, Desired] = field(default_factory=dict)


def compared(
    key: ObjectKey, spec: PhaseSecretSpec, held: Snapshot, version: Version, *, impersonation: bool = False
) -> Compared:
    """Compare what both make of the entries of a folder; `held` has them all, whatever their tags."""
    try:
        chosen = choose(spec, source_query(ask_of(spec, key.namespace), ""), held, folders(spec))
    except ExpectedError as error:
        return Compared([_stops("spec", error)])
    if chosen.error is not None:
        return Compared([_stops("spec.keys", chosen.error)])
    findings = [*_references(check(spec, chosen), version), *_dynamic(spec, held.dynamic)]
    made: dict[TargetRef, Desired] = {}
    for ours in render(spec, Owner(key, ""), chosen.entries, _NO_KEY, impersonation=impersonation):
        target, result = ours.rendering.target, ours.result
        if isinstance(target, ManagedSecretReference):
            theirs = keys_of(target, spec, held.entries, version)
            findings += _of_target(spec, target, ours, theirs, version)
        if isinstance(result, Desired):
            made[ours.rendering.ref] = result
    return Compared(findings, made)


def _stops(where: str, error: ExpectedError, cure: str = "") -> Finding:
    return Finding(Severity.STOPS, where, f"{error.reason}: {error.message}", cure)


def _references(checked: Chosen, version: Version) -> Iterator[Finding]:
    where = "spec.onSecretReferenceError"
    if checked.error is not None:
        stops = _stops(where, checked.error, "version 1 writes them as they stand, as Warn does")
        # The second version fails as well.
        yield stops if version is Version.FIRST else Finding(Severity.NOTE, where, stops.what)
    elif checked.warning is not None:
        yield Finding(Severity.NOTE, where, f"{checked.warning.message}: written as text, with a Warning Event")


def _dynamic(spec: PhaseSecretSpec, dynamic: Sequence[DynamicKey]) -> Iterator[Finding]:
    path = normal_path(spec.phase_app_env_path)
    left = [each.key for each in dynamic if each.path == path]
    if left:
        what = f"keys of dynamic secrets are in no target: {clean_listing(left)}"
        yield Finding(Severity.DIFFERS, "spec", what, "a PhaseDynamicSecret leases them")


def _of_target(
    spec: PhaseSecretSpec,
    target: ManagedSecretReference,
    ours: RenderedTarget,
    theirs: Mapping[str, Sequence[Entry]],
    version: Version,
) -> Iterator[Finding]:
    where, taken = clean(str(ours.rendering.ref)), _keys(target, ours.rendering.taken)
    result = ours.result
    if isinstance(result, ExpectedError):
        yield from _refused(where, result, theirs)
    if theirs:
        yield from _lost(spec, where, taken, theirs)
    yield from _empty(where, taken, ours.rendering.taken, version)


def _keys(target: ManagedSecretReference, entries: Sequence[Entry]) -> Mapping[str, Entry]:
    return {
        target_key(each.key, target.name_transformer, target.processors.get(each.key), target.prefix or ""): each
        for each in entries
    }


def _refused(where: str, error: ExpectedError, theirs: Mapping[str, Sequence[Entry]]) -> Iterator[Finding]:
    if error.reason is Reason.NO_ENTRIES and not theirs:
        what = f"{error.reason}: {error.message}"
        yield Finding(Severity.DIFFERS, where, what, "the official operator writes an empty Secret")
        return
    cures = {
        Reason.KEY_COLLISION: "the official operator lets one win",
        Reason.VALUE_INVALID: "the official operator logs an error",
        Reason.TYPE_MISMATCH: "the official operator writes the keys as they come",
    }
    yield _stops(where, error, cures.get(error.reason, ""))


def _lost(
    spec: PhaseSecretSpec, where: str, taken: Mapping[str, Entry], theirs: Mapping[str, Sequence[Entry]]
) -> Iterator[Finding]:
    lost = sorted(theirs.keys() - taken.keys())
    if not lost:
        return
    what = f"loses {counted(len(lost), 'key')}: {clean_listing(lost)}"
    tag = spec.phase_app_env_tag
    if tag is None:
        yield Finding(
            Severity.BREAKS, where, what, "the official operator does not know the fields that leave them out"
        )
        return
    tags = {each for key in lost for entry in theirs[key] for each in entry.tags if has_tag(tag, [each])}
    cure = f'tag "{clean(tag)}" is the whole tag here: phaseAppEnvTags takes several, {clean_listing(tags)} among them'
    # With no key left, the resource says so; with some, nothing does.
    severity = Severity.BREAKS if taken else Severity.STOPS
    yield Finding(severity, where, what, cure)


def _empty(where: str, taken: Mapping[str, Entry], entries: Sequence[Entry], version: Version) -> Iterator[Finding]:
    empty = sorted(key for key, entry in taken.items() if not entry.value)
    if not empty:
        return
    keys = counted(len(empty), "key")
    if version is Version.FIRST:
        what = f"version 1 fails at {keys} without a value, which is written here"
    else:
        what = f"gets {keys} with an empty value, left out there"
    yield Finding(Severity.DIFFERS, where, f"{what}: {clean_listing(empty)}")
