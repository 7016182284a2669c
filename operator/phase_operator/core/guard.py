"""What is not believed at first sight.

Rule: an answer that lost every entry, or more of them than the PhaseSecret allows, counts only after a second read says
the same. Names of keys are told, never values.
"""

from dataclasses import dataclass

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.folders import Folders
from phase_operator.core.globs import matcher
from phase_operator.core.keys import listing
from phase_operator.core.selection import is_feasible
from phase_operator.core.values import Snapshot


@dataclass(frozen=True, slots=True)
class Guard:
    """What one PhaseSecret takes of an answer, and how much of it may go at once."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    # More than this percentage lost at once is doubted; at 100 only the loss of everything.
    shrink: int = 100
    # How many entries it selected when its status was last written; stands in for an answer not remembered.
    known: int = 0
    folders: Folders | None = None

    def doubt(self, before: Snapshot | None, after: Snapshot) -> Transient | None:
        """Say why the answer is to be asked for again before it is believed, or None."""
        now = self._sources(after)
        had = self._sources(before) if before is not None else None
        count = self.known if had is None else len(had)
        lost = count - len(now) if had is None else len(had - now)
        if count == 0 or lost <= 0 or (now and lost * 100 <= self.shrink * count):
            return None
        which = f": {listing(sorted(had - now))}" if had is not None else ""
        return Transient(
            Reason.ANSWER_DOUBTED,
            f"Phase's answer lacks {lost} of {count} entries{which}; Phase is asked again before that is believed",
        )

    def _sources(self, snapshot: Snapshot) -> frozenset[str]:
        if not is_feasible(self, snapshot.entries):
            # Nothing is taken of it either: the run that would is refused.
            return frozenset()
        wanted = matcher(self)
        return frozenset(
            entry.source
            for entry in snapshot.entries
            if (self.folders is None or self.folders.holds(entry.path)) and wanted(entry.key)
        )
