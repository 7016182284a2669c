"""Entries of an answer that cannot be decrypted, and which queries that concerns.

Rule: a damaged entry fails each query that would have it, and each whose values might refer to it: left out, its key
would vanish from a target, and a reference to it would stay as text. All other queries are answered, since folders and
tags are in plain text. So a damaged entry in one folder does not stop queries of another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.source.selection import answers_to
from phase_operator.core.text import listing
from phase_operator.core.values import Entry


@dataclass(frozen=True, slots=True)
class DamagedEntry:
    """An entry without its key and its value, and how to name it in a message."""

    entry: Entry
    name: str


@dataclass(frozen=True, slots=True)
class DamagedPlace:
    """The damaged entries of one environment, and its name; two environments may have the same one."""

    name: str
    entries: tuple[DamagedEntry, ...] = ()


class Damage:
    """What of an answer cannot be decrypted.

    `elsewhere` are other environments that values refer to, also by way of others; `referring` are the entries of the
    answer whose values hold what may be a reference.
    """

    def __init__(self, home: DamagedPlace, elsewhere: Sequence[DamagedPlace], referring: Sequence[Entry]) -> None:
        self._home, self._elsewhere, self._referring = home, elsewhere, referring
        # Many queries may be asked of many entries, so each is asked once.
        self._errors: dict[SourceQuery, Waiting | None] = {}

    def error(self, query: SourceQuery) -> Waiting | None:
        """Return why a query cannot be answered, or None if it can."""
        if query not in self._errors:
            self._errors[query] = self._found(query)
        return self._errors[query]

    def _found(self, query: SourceQuery) -> Waiting | None:
        answers = answers_to(query)
        chosen = [each for each in self._home.entries if answers(each.entry)]
        if chosen:
            return _error(self._home.name, chosen)
        if not any(map(answers, self._referring)):
            return None
        place = self._home if self._home.entries else min(self._elsewhere, key=lambda each: each.name)
        return _error(place.name, place.entries)


def _error(name: str, damaged: Iterable[DamagedEntry]) -> Waiting:
    # Sorted: the message has to be the same whatever order the rows came in.
    named = listing(sorted(each.name for each in damaged))
    message = f"{name}: these entries cannot be decrypted: {named}; save them anew in Phase"
    return Waiting(Reason.DECRYPTION_FAILED, message)
