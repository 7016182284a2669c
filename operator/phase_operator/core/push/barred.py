"""Entries that Phase has refused by themselves: they are told and left alone, so that they hold up no others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import EntryType
from phase_operator.core.push.desired import Desired, Wanted
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.sources import SourceState
from phase_operator.core.text import clean


@dataclass(frozen=True, slots=True)
class Barred:
    """Why Phase refused an entry, and what it was then: another value, type or set of tags is tried anew."""

    source: SourceState
    type: EntryType
    tags: frozenset[str]
    why: str

    @classmethod
    def of(cls, wanted: Wanted, why: str) -> "Barred":
        """Return the record of an entry that Phase refused."""
        return cls(wanted.source, wanted.type, wanted.tags, why)

    def is_of(self, wanted: Wanted | None) -> bool:
        """Return whether an entry is wanted as it was when it was refused."""
        return wanted is not None and (self.source, self.type, self.tags) == (wanted.source, wanted.type, wanted.tags)


def without_barred(desired: Desired, barred: Mapping[EntryPlace, Barred]) -> Desired:
    """Return what Phase should have, without what it refused; that is held and told."""
    out = {place: each for place, each in barred.items() if each.is_of(desired.entries.get(place))}
    if not out:
        return desired
    told = tuple(Problem(Reason.REQUEST_REFUSED, f'"{clean(str(place))}": {each.why}') for place, each in out.items())
    return replace(
        desired,
        entries={place: each for place, each in desired.entries.items() if place not in out},
        problems=(*desired.problems, *told),
        held=desired.held | out.keys(),
    )
