"""Whether two operators work on one CRD: two of ours on the same namespaces, or Phase's official one beside ours."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from phase_operator.api import names
from phase_operator.cli.doctor.deployed import OFFICIAL_LEASE, Operator
from phase_operator.cli.doctor.findings import Finding, Unread, Verdict, shown
from phase_operator.core.json_access import mapping, number, text
from phase_operator.core.text import clean, counted
from phase_operator.core.timestamps import moment_of

NAME = "operators"
# Seconds by which a renewal may seem late because two clocks differ.
_SLACK = 10.0
_STOP = "Let one operator work on a resource: scale the other Deployment to 0 and leave its CRDs (docs/migration.md)."
_APART = (
    "Give each its own namespaces with --namespace, or remove one; their digest keys differ, so each undoes the other."
)


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease by which replicas elect a leader."""

    namespace: str
    name: str
    holder: str
    duration: float
    # In seconds since 1970; None if it was never renewed.
    renewed: float | None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def is_held(self, now: float) -> bool:
        """Return whether somebody has renewed it lately."""
        return bool(self.holder) and self.renewed is not None and now - self.renewed <= self.duration + _SLACK


Placed = TypeVar("Placed", Operator, Lease)


@dataclass(frozen=True, slots=True)
class Others:
    """What shows that operators are at work."""

    operators: Sequence[Operator]
    # The Leases of our operators, and of the official one, in the whole cluster.
    leases: Sequence[Lease]
    # PhaseSecrets with the finalizer of the official operator, and targets that it wrote last, as namespace/name.
    marked: Sequence[str]
    rewritten: Sequence[str]
    now: float
    # Why not the whole cluster could be looked at, if so.
    hidden: Sequence[Unread] = ()

    @property
    def running(self) -> list[Operator]:
        """The operators that are to have a pod."""
        return [each for each in self.operators if each.replicas]

    @property
    def ours(self) -> list[Operator]:
        """Those of them that are of this project."""
        return [each for each in self.running if not each.is_official]

    @property
    def held(self) -> list[Lease]:
        """The Leases that somebody has renewed lately."""
        return [each for each in self.leases if each.is_held(self.now)]


def lease_of(body: Mapping[str, Any]) -> Lease:
    """Return what a Lease of the API server says."""
    metadata, spec = mapping(body.get("metadata")), mapping(body.get("spec"))
    return Lease(
        namespace=text(metadata.get("namespace")),
        name=text(metadata.get("name")),
        holder=text(spec.get("holderIdentity")),
        duration=float(number(spec.get("leaseDurationSeconds"))),
        renewed=moment_of(spec.get("renewTime")),
    )


def check_others(found: Others, *, before: bool = False) -> Finding:
    """Return whether only one operator works on each resource; `before` an installation, whether none does."""
    if problems := [*_official(found), *_twice(found), *(_present(found) if before else ())]:
        return _all_of(problems, Verdict.BAD)
    if found.hidden:
        why = "; ".join(each.why for each in found.hidden)
        return Finding(NAME, Verdict.UNKNOWN, f"whether others work in this cluster cannot be seen: {why}")
    if notes := list(_notes(found)):
        return _all_of(notes, Verdict.NOTE)
    ours = found.ours
    said = f"{shown(ours)} alone works on the CRDs" if ours else "no other operator works on the CRDs"
    if len(ours) > 1:
        said = f"{counted(len(ours), 'operator')} work on different namespaces: {shown(ours)}"
    return Finding(NAME, Verdict.OK, said)


def _all_of(things: Sequence[tuple[str, str]], verdict: Verdict) -> Finding:
    """Return one finding that says several things, with each cure once."""
    cures = dict.fromkeys(cure for _, cure in things if cure)
    return Finding(NAME, verdict, "; ".join(said for said, _ in things), "\n".join(cures))


def _official(found: Others) -> Iterator[tuple[str, str]]:
    operators = [each for each in found.running if each.is_official]
    if operators:
        yield f"Phase's official operator runs in {shown(_one_each(operators))}", _STOP
    elif held := [each for each in found.held if each.name == OFFICIAL_LEASE]:
        yield f"Phase's official operator holds the Lease {shown(_one_each(held))}", _STOP


def _twice(found: Others) -> Iterator[tuple[str, str]]:
    # Those of one Lease work in turn.
    ours = {_turn(each): each for each in found.ours}.values()
    everywhere = next((each for each in ours if not each.namespaces), None)
    if everywhere is None:
        yield from _meeting(ours)
    elif len(ours) > 1:
        other = next(each for each in ours if each is not everywhere)
        yield f"{shown([everywhere, other])} watch the same namespaces", _APART


def _meeting(ours: Iterable[Operator]) -> Iterator[tuple[str, str]]:
    """Yield the first namespace that two operators name."""
    watched: dict[str, Operator] = {}
    for each in ours:
        for namespace in each.namespaces:
            if watched.setdefault(namespace, each) is not each:
                yield f"{shown([watched[namespace], each])} watch namespace {clean(namespace)}", _APART
                return


def _present(found: Others) -> Iterator[tuple[str, str]]:
    ours = found.ours
    if not all(each.namespaces for each in ours):
        yield f"{shown(ours)} watches all namespaces already", "Upgrade it in place, instead of a second installation."


def _notes(found: Others) -> Iterator[tuple[str, str]]:
    if found.marked:
        said = f"{counted(len(found.marked), 'PhaseSecret')} with the official operator's finalizer"
        yield (
            f"{said} {names.LEGACY_FINALIZER}: {shown(found.marked)}",
            "This operator takes it away when it sees the resource; one that stays is of an operator that still runs.",
        )
    if found.rewritten:
        said = f"{counted(len(found.rewritten), 'target')} last written by a field manager of the official operator"
        yield f"{said}: {shown(found.rewritten)}", "See that it is stopped; another program may use its names, too."
    known = {(each.namespace, each.lease) for each in found.running}
    strange = [each for each in found.held if each.name != OFFICIAL_LEASE and (each.namespace, each.name) not in known]
    if strange:
        yield (
            f"no Deployment is found for the Lease {shown(_one_each(strange))}, which is held",
            "An operator runs elsewhere, such as on a developer's machine. End it, if it is not meant to.",
        )


def _turn(operator: Operator) -> tuple[str, str, bool]:
    return operator.namespace, operator.lease if operator.elects else operator.name, operator.elects


def _one_each(found: Iterable[Placed]) -> list[Placed]:
    """Return one of each namespace, so that nobody hides others behind many of his own."""
    return list({each.namespace: each for each in found}.values())
