"""The way from a spec and an answer to the objects that a PhaseSecret wants: choose, check, render; without a cluster.

Rule: an error in rendering one target concerns only that target. An error in choosing the entries concerns all targets.
A target is rendered only when its object is first used, so a caller may pause between two targets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.outcome import Warned
from phase_operator.core.refs import Owner
from phase_operator.core.source.folders import Folders, folders
from phase_operator.core.source.query import SourceQuery, ask_of, source_query
from phase_operator.core.source.selection import select, select_without_patterns
from phase_operator.core.source.unresolved import check_references
from phase_operator.core.targets.available import vain_patterns, vain_tags
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.rendering import Rendering, renderings
from phase_operator.core.targets.unread import overridden, unread
from phase_operator.core.values import DynamicKey, Entry, Snapshot

# Equal queries of two accounts select the same entries.
_ANY_ACCOUNT = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entries of an answer that a spec selects."""

    entries: Sequence[Entry]
    # The error because of which the targets are not written; None if there is none.
    error: ExpectedError | None = None
    # If the patterns take too long: whether they were tried on the entries of type config alone (True) or on none.
    is_exact: bool = True
    warning: Warned | None = None

    @property
    def is_any(self) -> bool:
        """Whether an entry is selected, or this is not known."""
        return bool(self.entries) or self.error is not None


@dataclass(frozen=True)
class RenderedTarget:
    """One target of a spec; its object is rendered on first use."""

    rendering: Rendering
    owner: Owner

    @cached_property
    def made(self) -> Desired:
        """The object, also one without any entry; raises ExpectedError if it cannot be made."""
        return self.rendering.make(self.owner)

    @property
    def result(self) -> Desired | ExpectedError:
        """The object, or the error instead; a target without any entry has an object only if the spec allows it."""
        try:
            return self.rendering.render(self.owner)
        except ExpectedError as error:
            return error


def render_all(
    spec: PhaseSecretSpec, owner: Owner, answer: Snapshot, digest_key: bytes, *, impersonation: bool = False
) -> Iterator[RenderedTarget]:
    """Return the targets of a spec for an answer, in the spec's order; raise ExpectedError if all of them fail.

    `impersonation` also allows Secrets of the types that let their holder act as another user.
    """
    query = source_query(ask_of(spec, owner.key.namespace), _ANY_ACCOUNT)
    chosen = check(spec, choose(spec, query, answer, folders(spec)))
    if chosen.error is not None:
        raise chosen.error
    return render(spec, owner, chosen.entries, digest_key, dynamic=answer.dynamic, impersonation=impersonation)


def choose(spec: PhaseSecretSpec, query: SourceQuery, answer: Snapshot, taken: Folders) -> Chosen:
    """Return the entries of an answer that a spec selects in its folders, as far as its patterns can be tried."""
    try:
        return Chosen(select(answer.entries, query, spec.keys, taken))
    except Waiting as error:
        entries, is_exact = select_without_patterns(answer.entries, query, spec.keys, taken)
        return Chosen(entries, error.to_keep(), is_exact)


def check(spec: PhaseSecretSpec, chosen: Chosen) -> Chosen:
    """Return the chosen entries, with a warning or an error if their values have unresolved references."""
    if chosen.error is not None:
        return chosen
    try:
        warning = check_references(chosen.entries, spec.on_secret_reference_error)
        return chosen if warning is None else replace(chosen, warning=warning)
    except Waiting as error:
        return replace(chosen, error=error.to_keep())


def note(spec: PhaseSecretSpec, chosen: Chosen, answer: Snapshot) -> str | None:
    """Return a text on patterns and tags that match nothing and on keys that are not read; None if there are none."""
    left = filter(None, (unread(spec, answer.dynamic), overridden(chosen.entries)))
    return "; ".join([*_in_vain(spec, chosen.entries, answer), *left]) or None


def _in_vain(spec: PhaseSecretSpec, entries: Sequence[Entry], answer: Snapshot) -> Iterator[str]:
    """Yield a sentence for the patterns and for the tags of the spec that match nothing."""
    include = spec.keys.include
    if include and entries and (patterns := vain_patterns(include, {entry.key for entry in entries})):
        yield f"spec.{patterns}"
    if tags := vain_tags(sorted(spec.phase_app_env_tags or ()), answer.entries):
        yield f"spec.{tags}"


def render(
    spec: PhaseSecretSpec,
    owner: Owner,
    entries: Sequence[Entry],
    digest_key: bytes,
    *,
    dynamic: Sequence[DynamicKey] = (),
    impersonation: bool = False,
) -> Iterator[RenderedTarget]:
    """Yield the targets of a spec, in its order, rendered from these entries."""
    found = renderings(spec, owner.key.namespace, entries, digest_key, impersonation=impersonation, dynamic=dynamic)
    return (RenderedTarget(rendering, owner) for rendering in found)
