"""A PhasePushSecret, its sources and what Phase has -> what the next run of the operator would do there, as data.

Rule: the operator's own table decides (core/push/verdicts), which compares no values: an entry is written if its source
is in another version than the one that the status names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.cli.common.resources import is_marked
from phase_operator.cli.diffing.changes import Sign
from phase_operator.cli.diffing.contents import values_of
from phase_operator.core.errors import ExpectedError
from phase_operator.core.json_access import mapping, text, texts
from phase_operator.core.push.desired import Desired, desired
from phase_operator.core.push.facts import Facts
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.looks import Look
from phase_operator.core.push.marks import Mark, mark_of
from phase_operator.core.push.places import EntryPlace, entry_key
from phase_operator.core.push.sources import Rule, Source, source_problem
from phase_operator.core.push.spec import PushSpec
from phase_operator.core.push.verdicts import Act, Verdict, judge
from phase_operator.core.refs import Kind
from phase_operator.core.text import clean
from phase_operator.core.values import ObjectKey

_SIGNS = {
    Act.ADD: (Sign.ADDED, "would be made"),
    Act.CHANGE: (Sign.CHANGED, "would be changed"),
    Act.REPLACE: (Sign.CHANGED, "would be deleted and made anew"),
    Act.REMOVE: (Sign.REMOVED, "would be deleted"),
}


@dataclass(frozen=True, slots=True)
class EntryChange:
    """What would become of an entry of Phase; None as a sign: nothing, and `what` says why."""

    sign: Sign | None
    name: str
    what: str


def source_of(body: Mapping[str, Any], kind: Kind, rule: Rule, *, is_token: bool, is_home: bool) -> Source | str:
    """Return a Secret or ConfigMap as a source, or why it is never pushed.

    `is_home`: it is the Secret that keeps the resource's own generated values.
    """
    metadata = mapping(body.get("metadata"))
    secret_type = text(body.get("type")) if kind is Kind.SECRET else ""
    is_ours = is_marked(body) and not is_home
    why = source_problem(kind, rule.type, secret_type=secret_type, is_token=is_token, is_ours=is_ours)
    if why:
        return why
    version = text(metadata.get("resourceVersion"))
    return Source(kind, text(metadata.get("name")), version, rule, values_of(kind, body))


def labels_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of an object."""
    return texts(mapping(body.get("metadata")).get("labels"))


def wanted_of(spec: PushSpec, sources: Sequence[Source], refused: Mapping[str, str]) -> Desired:
    """Return what Phase should have; raise ExpectedError."""
    return desired(sources, spec.tags, {}, refused)


def entry_changes(spec: PushSpec, key: ObjectKey, wanted: Desired, ledger: Ledger, look: Look) -> list[EntryChange]:
    """Return what would be done in Phase, and what stands in the way, sorted by name."""
    facts = Facts(look.of, own_mark(key, ledger, look), wanted, spec.policies, look)
    rows = ledger.rows if ledger.at == look.of else {}
    ours = (place for place, several in look.entries.items() if any(facts.mark in each.marks for each in several))
    places = sorted({*wanted.entries, *rows, *ours})
    found = [_change(place, judge(place, wanted.entries.get(place), rows.get(place), look, facts)) for place in places]
    problems = [EntryChange(None, "", problem.text) for problem in wanted.problems]
    return [*_elsewhere(spec, ledger, look), *filter(None, found), *_coming(spec, wanted, look), *problems]


def own_mark(key: ObjectKey, ledger: Ledger, look: Look) -> Mark:
    """Return the mark of a resource, as the entries have it that its status names.

    The name of the installation is the operator's own, and in its mark alone. If the status names no entry, it is that
    of the entries that have the mark of a resource of this name.
    """
    ids = {row.id for row in ledger.rows.values()}
    marks = [
        (each.id in ids, mark)
        for several in look.entries.values()
        for each in several
        for mark in each.marks
        if (mark.namespace, mark.name) == (key.namespace, key.name)
    ]
    # The first of those that the status names, else the first of all.
    _, found = max(marks, key=itemgetter(0), default=(False, mark_of("", key)))
    return found


def refused(error: ExpectedError) -> EntryChange:
    """Return why nothing would be pushed."""
    return EntryChange(None, "", f"{error.reason}: {error.message}")


def _change(place: EntryPlace, verdict: Verdict) -> EntryChange | None:
    name = clean(str(place))
    if verdict.problem is not None:
        return EntryChange(None, name, verdict.problem.text)
    if verdict.act is Act.WAIT:
        return EntryChange(None, name, "waits: a call whose answer was lost may still make it")
    change = verdict.change if verdict.act is Act.CHANGE else None
    if change is not None and change.is_marked is False:
        return EntryChange(Sign.REMOVED, name, "would be left in Phase, without the mark")
    if verdict.act not in _SIGNS:
        return None
    sign, what = _SIGNS[verdict.act]
    if change is not None and change.is_marked:
        what = "would be taken over and changed"
    return EntryChange(sign, name, what)


def _elsewhere(spec: PushSpec, ledger: Ledger, look: Look) -> Iterable[EntryChange]:
    """Yield the entries in the environment that was pushed to before."""
    at = ledger.at
    if at is None or at == look.of:
        return
    what = "would be deleted" if spec.policies.deletion is DeletionPolicy.DELETE else "would be left, without the mark"
    if at.host != look.of.host:
        what = "stays: no token goes to the host of Phase that the spec names no more"
    for place in sorted(ledger.rows):
        yield EntryChange(Sign.REMOVED, clean(str(place)), f"in environment {clean(at.environment)}: {what}")


def _coming(spec: PushSpec, wanted: Desired, look: Look) -> Iterable[EntryChange]:
    """Yield the entries of values that are not made yet."""
    for each in spec.generated:
        for key in each.keys:
            place = EntryPlace(spec.root, entry_key(key))
            if place not in wanted.entries and place not in look.entries:
                yield EntryChange(Sign.ADDED, clean(str(place)), f"a new {each.kind} would be made")
