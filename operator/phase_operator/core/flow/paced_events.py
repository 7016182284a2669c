"""In which order and how fast the events of objects are passed on, so that nobody's edits keep others waiting.

Rule: namespaces take turns. Of an object that has not had its turn, only the latest state is kept; an object with too
many turns waits. Nothing is lost: the last event of each object passes, and its end passes if its beginning did. Times
are seconds of one monotonic clock.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from phase_operator.core.flow.pace import RepeatLimit
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
    line: bytes


class PacedEvents:
    """Keeps events until their turn."""

    def __init__(self, instead: Callable[[bytes], bytes | None] = lambda _: None) -> None:
        """Pass on what is `instead` of a line that is no news, asked when it has its turn; it counts for no pace."""
        self._instead = instead
        self._objects = RepeatLimit[ObjectKey](OBJECT_BURST, OBJECT_PAUSE)
        # In the order in which they came: of each uid the latest event.
        self._events: dict[ObjectKey, list[Event]] = {}
        # The objects whose turn comes, by namespace; those that wait until a moment; and those that have waited.
        self._turns: dict[str, deque[ObjectKey]] = {}
        self._due: list[tuple[float, ObjectKey]] = []
        self._waited: set[ObjectKey] = set()
        self.bytes = 0

    def take(self, event: Event) -> None:
        """Take an event that has come."""
        kept = self._events.get(event.key)
        if kept is None:
            kept = self._events[event.key] = []
            self._give_turn(event.key)
        self.bytes -= _size(kept)
        _put_latest(kept, event)
        self.bytes += _size(kept)
        while self.bytes > MOST_BYTES and self._due:
            self._end_wait()

    def wait(self, now: float) -> float | None:
        """Return in how many seconds an object has its turn; None if none is kept."""
        if self._turns:
            return 0.0
        return max(0.0, self._due[0][0] - now) if self._due else None

    def passing(self, now: float) -> list[bytes]:
        """Return the lines of the object whose turn it is; none if no object has its turn, or if it has to wait."""
        while self._due and self._due[0][0] <= now:
            self._end_wait()
        if not self._turns:
            return []
        key = self._next()
        lines, is_news = self._lines(key)
        pause = self._objects.wait(key, now) if is_news and key not in self._waited else 0.0
        if pause > 0:
            heappush(self._due, (now + pause, key))
            return []
        self._forget(key)
        return lines

    def rest(self) -> list[bytes]:
        """Return all lines that are kept, since no more events come."""
        while self._due:
            self._end_wait()
        found: list[bytes] = []
        while self._turns:
            key = self._next()
            found += self._lines(key)[0]
            self._forget(key)
        return found

    def _lines(self, key: ObjectKey) -> tuple[list[bytes], bool]:
        """Return what passes for an object, and whether it is news."""
        lines = [event.line for event in self._events[key]]
        instead = self._instead(lines[0]) if len(lines) == 1 else None
        return (lines, True) if instead is None else ([instead], False)

    def _forget(self, key: ObjectKey) -> None:
        self.bytes -= _size(self._events.pop(key))
        self._waited.discard(key)

    def _next(self) -> ObjectKey:
        namespace = next(iter(self._turns))
        keys = self._turns.pop(namespace)
        key = keys.popleft()
        if keys:
            # At the end: every other namespace comes first.
            self._turns[namespace] = keys
        return key

    def _give_turn(self, key: ObjectKey) -> None:
        self._turns.setdefault(key.namespace, deque()).append(key)

    def _end_wait(self) -> None:
        _, key = heappop(self._due)
        self._waited.add(key)
        self._give_turn(key)


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
