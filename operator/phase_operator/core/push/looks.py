"""What Phase has in an environment, without values: a look, and what answers to our own calls add to it.

Rule: an answer is a small look. So what a call has done is recorded in the same way whether it was answered or found.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from sys import getsizeof

from phase_operator.api.v1alpha1.phasesecret import EntryType
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.marks import Mark, holder
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import SourceState
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.values import SecretValue

# A version of an entry that nobody has changed since it was made.
FIRST_VERSION = 1
_NO_NOTE = SecretValue("")
# Bytes that an entry, and each of its marks, takes in addition to its texts.
_BARE, _MARK = 600, 80


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry as Phase lists it. Its value was dropped when the answer was read."""

    id: str
    place: EntryPlace
    version: int
    type: str = EntryType.SECRET.value
    tags: frozenset[str] = frozenset()
    marks: tuple[Mark, ...] = ()
    # What its comment says besides marks. People write anything there, so it does not print.
    note: SecretValue = _NO_NOTE
    # Phase's time, as text; it orders entries of one place.
    created_at: str = ""
    # Phase itself changes its value by a schedule, and refuses all writes.
    is_rotating: bool = False
    # What our own call made this very version of; None if we do not know.
    written_from: SourceState | None = None

    @property
    def weight(self) -> int:
        """How many bytes it takes in memory; what is in it people and the server determine."""
        marks = (each for mark in self.marks for each in mark)
        texts = (self.id, *self.place, self.type, self.created_at, *self.tags, *marks)
        return _BARE + sum(map(getsizeof, texts)) + getsizeof(self.tags) + _MARK * len(self.marks) + self.note.weight

    def is_kept_by(self, mark: Mark) -> bool:
        """Return whether a resource keeps it: it has the mark of that one, and no other."""
        return holder(self.marks, mark) == mark


@dataclass(frozen=True, slots=True)
class Written:
    """What an answer to POST or PUT says of an entry: no more is read of it."""

    id: str
    place: EntryPlace
    version: int


@dataclass(frozen=True, slots=True)
class Look:
    """The entries of one environment at one moment."""

    of: PushPlace
    # When it was asked for, in seconds since 1970: what Phase did later may not be in it.
    at: float
    entries: Mapping[EntryPlace, tuple[Listed, ...]] = field(default_factory=dict)
    # Keys of dynamic secrets: Phase takes no entry of their names.
    dynamic: frozenset[EntryPlace] = frozenset()
    # Whether answers were added: another look has to confirm them.
    has_answers: bool = False
    # The memory that it takes.
    memory: Reservation | None = field(default=None, repr=False, compare=False)

    @classmethod
    def made(cls, of: PushPlace, at: float, listed: Iterable[Listed], dynamic: Iterable[EntryPlace] = ()) -> "Look":
        """Return a look; entries of one place are ordered, the one that was made first in front."""
        found: dict[EntryPlace, list[Listed]] = {}
        for each in listed:
            found.setdefault(each.place, []).append(each)
        ordered = {place: tuple(sorted(several, key=_age)) for place, several in found.items()}
        return cls(of, at, ordered, frozenset(dynamic))

    def with_answered(self, changed: Iterable[Listed]) -> "Look":
        """Return the look with entries that our calls have made or changed."""
        entries = dict(self.entries)
        for each in changed:
            others = (other for other in entries.get(each.place, ()) if other.id != each.id)
            entries[each.place] = tuple(sorted((*others, each), key=_age))
        return replace(self, entries=entries, has_answers=True)

    def kept(self, places: Set[EntryPlace], mark: Mark, until: float, memory: Reservation) -> "Look":
        """Return what is kept of it while nothing is to be done: these places, and what has this mark.

        It is as old as `until` says, since what it lacks may be there: no call is decided by it. It takes memory of its
        own; the rest is given back by the last one who has the whole. Raises AnswerMemoryFull if there is not enough.
        """
        kept = {
            place: several
            for place, several in self.entries.items()
            if place in places or any(mark in each.marks for each in several)
        }
        memory.resize(sum(each.weight for several in kept.values() for each in several))
        dynamic = self.dynamic & frozenset(places)
        return replace(self, at=min(self.at, until), entries=kept, dynamic=dynamic, memory=memory)

    def without_deleted(self, ids: frozenset[str]) -> "Look":
        """Return the look without entries that our call has deleted."""
        kept = {place: tuple(each for each in several if each.id not in ids) for place, several in self.entries.items()}
        return replace(self, entries={place: each for place, each in kept.items() if each}, has_answers=True)


def _age(listed: Listed) -> tuple[str, str]:
    return listed.created_at, listed.id
