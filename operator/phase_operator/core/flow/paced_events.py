"""In which order and how fast the events of objects are passed on, so that nobody's edits keep others waiting.

Rule: namespaces take turns. A burst of an object or a namespace passes at once, what exceeds it waits. Of an object
that has not had its turn, only the latest state is kept. Nothing is lost: the last event of each object passes, and its
end passes if its beginning did. Times are seconds of one monotonic clock.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from phase_operator.core.flow.pace import RepeatLimit, TokenBucket
from phase_operator.core.values import ObjectKey

# An object that is edited again and again: so many events at once, and then one every few seconds. Its runs are paced
# before that (reconcile/triggers.py), so a wait here adds little to theirs.
OBJECT_BURST, OBJECT_PAUSE = 8, 5.0
# A namespace in which many objects are edited: more than a person or an apply of a repository does.
NAMESPACE_BURST, NAMESPACE_PER_SECOND = 500.0, 50.0
# All that waits for its time; when there is more, what waits longest need not wait any more.
MOST_BYTES = 8 * 1024 * 1024
# A namespace that is forgotten has its burst again.
_MOST_NAMESPACES = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a watch: `change` is ADDED, MODIFIED or DELETED, and `line` is all of it as it came."""

    change: str
    key: ObjectKey
    uid: str
    line: bytes


class PacedEvents:
    """Keeps events until their turn."""

    def __init__(self) -> None:
        self._objects = RepeatLimit[ObjectKey](OBJECT_BURST, OBJECT_PAUSE)
        self._namespaces: OrderedDict[str, TokenBucket] = OrderedDict()
        # In the order in which they came: of each uid the latest event.
        self._events: dict[ObjectKey, list[Event]] = {}
        # The objects that wait for their time, and those that wait for their turn only, by namespace.
        self._due: list[tuple[float, ObjectKey]] = []
        self._turns: dict[str, deque[ObjectKey]] = {}
        self.bytes = 0

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._events

    def take(self, event: Event, now: float) -> None:
        """Take an event that has come."""
        kept = self._events.get(event.key)
        if kept is None:
            pause = max(self._objects.wait(event.key, now), self._bucket(event.key.namespace, now).wait(now))
            kept = self._events[event.key] = []
            if pause > 0:
                heappush(self._due, (now + pause, event.key))
            else:
                self._give_turn(event.key)
        self.bytes -= _size(kept)
        _put_latest(kept, event)
        self.bytes += _size(kept)
        while self.bytes > MOST_BYTES and self._due:
            self._give_turn(heappop(self._due)[1])

    def wait(self, now: float) -> float | None:
        """Return in how many seconds an event passes; None if none is kept."""
        if self._turns:
            return 0.0
        return max(0.0, self._due[0][0] - now) if self._due else None

    def passing(self, now: float) -> list[bytes] | None:
        """Return the lines of the object whose turn it is, perhaps none; None if no object has its turn."""
        while self._due and self._due[0][0] <= now:
            self._give_turn(heappop(self._due)[1])
        return self._next()

    def rest(self) -> list[bytes]:
        """Return all lines that are kept, since no more events come."""
        for _, key in sorted(self._due):
            self._give_turn(key)
        self._due = []
        found: list[bytes] = []
        while (lines := self._next()) is not None:
            found += lines
        return found

    def _next(self) -> list[bytes] | None:
        if not self._turns:
            return None
        namespace = next(iter(self._turns))
        keys = self._turns.pop(namespace)
        passed = self._events.pop(keys.popleft())
        if keys:
            # At the end: every other namespace comes first.
            self._turns[namespace] = keys
        self.bytes -= _size(passed)
        return [event.line for event in passed]

    def _give_turn(self, key: ObjectKey) -> None:
        self._turns.setdefault(key.namespace, deque()).append(key)

    def _bucket(self, name: str, now: float) -> TokenBucket:
        bucket = self._namespaces.pop(name, None) or TokenBucket(NAMESPACE_BURST, NAMESPACE_PER_SECOND, now)
        self._namespaces[name] = bucket
        if len(self._namespaces) > _MOST_NAMESPACES:
            self._namespaces.popitem(last=False)
        return bucket


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
