"""Which answers need a second read before they count, and which missing entries are no loss.

Rule: an answer counts only after a second read confirms it, if it comes from another app, lost every entry, or lost
more entries than the PhaseSecret allows. An entry that Phase still has under its key is not lost: it was moved on
purpose. Messages show names of keys, never values.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.globs import matcher
from phase_operator.core.source.answer_memory import reservations
from phase_operator.core.source.folders import Folders
from phase_operator.core.source.selection import is_feasible, within
from phase_operator.core.text import clean, clean_listing
from phase_operator.core.values import Entry, SecretValue, Snapshot

ASKED_AGAIN = "Phase is asked again before that is believed"
# What a pattern takes before it is compared with anything, in microseconds.
_PATTERN = 60
_NO_VALUE = SecretValue("")


@dataclass(frozen=True, slots=True)
class Moved:
    """An entry as it was, without its value, and what changed about it since."""

    was: Entry
    now: str


def moved(before: Snapshot, after: Mapping[str, Entry]) -> tuple[Moved, ...]:
    """Return the entries that Phase still has under their keys, but with another type, folder or set of tags.

    `after` holds all entries that are known now, by id.
    """
    pairs = ((was, after.get(was.id)) for was in before.entries)
    return tuple(Moved(_bare(was), _fate(was, now)) for was, now in pairs if now is not None and _is_moved(was, now))


def _is_moved(was: Entry, now: Entry) -> bool:
    return now.key == was.key and not is_same_place(now, was)


def is_same_place(one: Entry, other: Entry) -> bool:
    """Return whether the same queries find two entries and the same targets take them."""
    return (one.key, one.path, one.type, one.tags) == (other.key, other.path, other.type, other.tags)


def _bare(entry: Entry) -> Entry:
    return replace(entry, value=_NO_VALUE)


def _fate(was: Entry, now: Entry) -> str:
    if now.type != was.type:
        return f"is of type {clean(now.type)} now"
    if now.path != was.path:
        return f"lies in {clean(now.path)} now"
    return "has other tags now"


def kept(before: Snapshot, after: Snapshot, left: Collection[Moved]) -> Snapshot:
    """Return a doubted answer, completed by the entries that it lacks: what it does contain counts at once."""
    gone = {each.was.id for each in left} | {entry.id for entry in after.entries}
    lost = [entry for entry in before.entries if entry.id not in gone]
    # Both places, because the snapshot holds entries of both answers. Not one within the other, and none that is empty:
    # an answer may be completed again with every read.
    places = dict.fromkeys(each for each in reservations((before.place, after.place)) if each.size)
    return Snapshot.of(before.app_id, [*after.entries, *lost], tuple(places), after.dynamic)


@dataclass(frozen=True, slots=True)
class Guard:
    """What one PhaseSecret selects of an answer, and what share of it may disappear at once."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    # More than this percentage lost at once is doubted; at 100 only the loss of everything.
    shrink: int = 100
    folders: Folders | None = None

    @property
    def order(self) -> tuple[int, tuple[str, ...], tuple[str, ...], str]:
        """What guards are sorted by, so that the same one speaks whenever several would."""
        return self.shrink, self.include, self.exclude, repr(self.folders)

    def work(self, entries: int) -> int:
        """Return about how many microseconds it takes to judge so many entries."""
        patterns = len(self.include) + len(self.exclude)
        return entries * (2 + patterns) + _PATTERN * patterns

    def doubt(self, before: Snapshot, after: Snapshot, left: Collection[Moved] = ()) -> Transient | None:
        """Return why the answer needs a second read before it counts, or None; `left` are entries that are not lost."""
        if before.app_id != after.app_id:
            return another_app(before.app_id, after.app_id)
        if not is_feasible(self, after.entries):
            # The patterns take too long, so the run selects nothing by them, and each target is judged by itself.
            return None
        now, had = self._sources(after), self._sources(before)
        lost = had - now - {each.was.source for each in left}
        if not is_too_much(len(lost), len(had), self.shrink, nothing_left=not now):
            return None
        return lacking(len(lost), len(had), sorted(lost))

    def _sources(self, snapshot: Snapshot) -> frozenset[str]:
        if not is_feasible(self, snapshot.entries):
            # Here too the patterns take too long, so nothing was selected.
            return frozenset()
        wanted = matcher(self)
        return frozenset(entry.source for entry in within(self.folders, snapshot.entries) if wanted(entry.key))


def is_too_much(lost: int, had: int, shrink: int, *, nothing_left: bool) -> bool:
    """Return whether `lost` of `had` entries exceed the `shrink` percentage, or are all of them.

    All are lost even if new entries replaced them: the answer of another app looks like that.
    """
    return lost > 0 and (nothing_left or lost >= had or lost * 100 > shrink * had)


def another_app(before: str, now: str) -> Transient:
    """Return the error for an answer of another app: one recreated under the same name, or a wrong one."""
    return Transient(
        Reason.ANSWER_DOUBTED,
        f'Phase answers for the app with id "{clean(now)}", and before it was id "{clean(before)}"; {ASKED_AGAIN}',
    )


def lacking(lost: int, had: int, which: Collection[str] = ()) -> Transient:
    """Return the error for an answer that lacks entries."""
    names = f": {clean_listing(which)}" if which else ""
    return Transient(Reason.ANSWER_DOUBTED, f"Phase's answer lacks {lost} of {had} entries{names}; {ASKED_AGAIN}")
