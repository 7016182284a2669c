"""A PhaseSecret and an answer -> its targets as the operator would write them, and what there is to say about them.

Rule: the operator's own functions make the objects and decide whether they are written. Nothing is known of the
cluster, so they are made as if they were written for the first time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.cli.common import desired
from phase_operator.cli.common.desired import Subject
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.rendering.objects import known
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.outcome import LeftOut
from phase_operator.core.refs import TargetRef
from phase_operator.core.source.query import source_query
from phase_operator.core.source.selection import nothing_selected
from phase_operator.core.targets.annotation_limit import check_marks
from phase_operator.core.targets.available import asked_in_vain
from phase_operator.core.text import clean_listing, counted, listing
from phase_operator.core.values import Snapshot
from phase_operator.reconcile.run.loss_guard import LossGuard

# What is made with the operator's key is left out of the objects, so any key serves.
_ANY_KEY = bytes(32)
_WHY = {
    "Type": "it takes none of that type",
    "Path": "it takes those of another folder",
    "Keys": "its own patterns say so",
}


@dataclass(frozen=True, slots=True)
class Made:
    """One target: its object, or why there is none; and what there is to know about it."""

    ref: TargetRef
    manifest: Mapping[str, Any] | None = field(default=None, repr=False)
    error: ExpectedError | None = None
    # Entries that it leaves out, and what it asks for in vain.
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """The targets of a PhaseSecret, in the order of its spec, and what there is to know about all of them."""

    targets: tuple[Made, ...]
    warnings: tuple[str, ...] = ()


def rendered(subject: Subject, answer: Snapshot) -> Rendered:
    """Return the targets of a PhaseSecret for an answer; raise ExpectedError if all of them fail."""
    found = desired.made(subject, answer, _ANY_KEY)
    if not (found.entries or subject.context.spec.allow_empty):
        raise _nothing(subject, answer)
    is_suspended = bool(subject.context.spec.suspend)
    suspended = ("spec.suspend is true: the operator writes nothing",) if is_suspended else ()
    return Rendered(tuple(map(_made, found.guards(twice=False))), (*found.notes, *suspended))


def without_objects(subject: Subject, error: ExpectedError) -> list[Made]:
    """Return the targets of a PhaseSecret as what an error keeps from being made."""
    return [Made(ref, error=error) for ref in subject.context.target_policies]


def selected(made: Sequence[Made], wanted: str) -> list[Made]:
    """Return the targets of a name, or of `KIND/NAME`; all for "". Raise Failure if there is none."""
    kind, _, name = wanted.rpartition("/")
    found = [each for each in made if name in ("", each.ref.key.name) and kind.lower() in ("", each.ref.kind.lower())]
    if not found:
        there = clean_listing(f"{each.ref.kind}/{each.ref.key.name}" for each in made)
        raise Failure(f"--target: there is no such target; there are {there}", ExitCode.USAGE)
    return found


def _nothing(subject: Subject, answer: Snapshot) -> Waiting:
    taken, query = subject.context.folders, source_query(subject.ask, "")
    inside = [entry for entry in answer.entries if taken.holds(entry.path)]
    tags = frozenset[str]().union(*(entry.tags for entry in inside)) if query.tags else frozenset()
    return Waiting(Reason.NO_ENTRIES, nothing_selected(query, answer.entries, taken, tags))


def _made(guard: LossGuard) -> Made:
    rendering = guard.rendering
    notes, vain = tuple(map(_left_out, rendering.left_out)), tuple(asked_in_vain(rendering))
    try:
        found = guard.desired
        if (doubt := guard.doubt(None)) is not None:
            raise doubt
        check_marks(found, None)
    except ExpectedError as error:
        return Made(rendering.ref, error=error.to_keep(), notes=notes, warnings=vain)
    return Made(rendering.ref, known(found), notes=notes, warnings=vain)


def _left_out(left: LeftOut) -> str:
    return f"leaves out {counted(left.count, 'entry', 'entries')}, since {_WHY[left.why]}: {listing(left.keys)}"
