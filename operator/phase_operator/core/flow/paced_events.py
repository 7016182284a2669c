"""In which order and how fast the events of objects are passed on, so that nobody's edits keep others waiting.

Rule: namespaces take turns. Of an object that has not had its turn, only the latest state is kept; an object with too
many turns waits. Nothing is lost: the last event of each object passes, and its end passes if its beginning did. That
would not hold for a beginning that comes again after a break of the watch, so none does: whenever nothing is kept, what
passed last names the newest version that came, by a bookmark if need be, and the watch goes on from there. Times are
seconds of one monotonic clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from phase_operator.core.flow.pace import RepeatLimit
from phase_operator.core.flow.turns import Turns
from phase_operator.core.values import ObjectKey

# An object that is edited again and again: so many events at once, and then one every few seconds. Its runs are paced
# before that (reconcile/triggers.py), so a wait here adds little to theirs.
OBJECT_BURST, OBJECT_PAUSE = 8, 5.0
# All that is kept; when there is more, what waits longest need not wait any more.
MOST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a watch: `change` is ADDED, MODIFIED or DELETED, and `line` is all of it as it came."""

    change: str
    key: ObjectKey
    uid: str
    version: str
    line: bytes


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The version from which the watch can go on, without an event."""

    version: str


Passing = Event | Bookmark


class PacedEvents:
    """Keeps events until their turn."""

    def __init__(self, is_news: Callable[[Event], bool] = lambda _: True) -> None:
        """Pass on a bookmark for an event that is no news, asked when it has its turn; it counts for no pace."""
        self._is_news = is_news
        self._objects = RepeatLimit[ObjectKey](OBJECT_BURST, OBJECT_PAUSE)
        # In the order in which they came: of each uid the latest event.
        self._events: dict[ObjectKey, list[Event]] = {}
        # The objects whose turn comes; those that wait until a moment; and those that have waited.
        self._turns = Turns[ObjectKey]()
        self._due: list[tuple[float, ObjectKey]] = []
        self._waited: set[ObjectKey] = set()
        # The version that came last, and the one that passed last.
        self._newest = self._passed = ""
        self.bytes = 0

    def take(self, event: Event) -> None:
        """Take an event that has come."""
        self._newest = event.version
        kept = self._events.get(event.key)
        if kept is None:
            kept = self._events[event.key] = []
            self._turns.add(event.key.namespace, event.key)
        self.bytes -= _size(kept)
        _put_latest(kept, event)
        self.bytes += _size(kept)
        while self.bytes > MOST_BYTES and self._due:
            self._end_wait()

    @property
    def is_full(self) -> bool:
        """Whether no more should come before something has passed: a watch is read no faster than it is taken."""
        return self.bytes >= MOST_BYTES

    def wait(self, now: float) -> float | None:
        """Return in how many seconds an object has its turn; None if none is kept."""
        if self._turns:
            return 0.0
        return max(0.0, self._due[0][0] - now) if self._due else None

    def passing(self, now: float) -> list[Passing]:
        """Return what passes for the object whose turn it is; nothing if none has its turn, or if it has to wait."""
        while self._due and self._due[0][0] <= now:
            self._end_wait()
        if not self._turns:
            return []
        key = self._turns.take()
        found, is_news = self._kept(key)
        pause = self._objects.wait(key, now) if is_news and key not in self._waited else 0.0
        if pause > 0:
            heappush(self._due, (now + pause, key))
            return []
        self._forget(key)
        return self._up_to_the_newest(found)

    def rest(self) -> list[Passing]:
        """Return all that is kept, since no more events come."""
        while self._due:
            self._end_wait()
        found: list[Passing] = []
        while self._turns:
            key = self._turns.take()
            found += self._kept(key)[0]
            self._forget(key)
        return self._up_to_the_newest(found)

    def _kept(self, key: ObjectKey) -> tuple[list[Passing], bool]:
        """Return what passes for an object, and whether it is news."""
        events = self._events[key]
        if len(events) == 1 and not self._is_news(events[0]):
            return [Bookmark(events[0].version)], False
        return [*events], True

    def _up_to_the_newest(self, found: list[Passing]) -> list[Passing]:
        """Return what passes, and a bookmark at last if nothing is kept any more and it does not end at the newest."""
        if found:
            self._passed = found[-1].version
        if self._events or self._passed == self._newest:
            return found
        self._passed = self._newest
        return [*found, Bookmark(self._newest)]

    def _forget(self, key: ObjectKey) -> None:
        self.bytes -= _size(self._events.pop(key))
        self._waited.discard(key)

    def _end_wait(self) -> None:
        _, key = heappop(self._due)
        self._waited.add(key)
        self._turns.add(key.namespace, key)


def _put_latest(kept: list[Event], event: Event) -> None:
    """Put an event in place of the one that it makes obsolete."""
    if not kept or kept[-1].uid != event.uid:
        kept.append(event)
        return
    last = kept.pop()
    if last.change != "ADDED":
        kept.append(event)
    elif event.change != "DELETED":
        # Its beginning has not been seen yet.
        kept.append(replace(event, change="ADDED"))


def _size(events: list[Event]) -> int:
    return sum(len(event.line) for event in events)
