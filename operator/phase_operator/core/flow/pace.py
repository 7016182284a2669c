"""How fast a thing may go on happening: a burst and then a rate, and a pause that grows with every repetition."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from phase_operator.core.flow.backoff import doubled

Thing = TypeVar("Thing", bound=Hashable)
# So often within a minute of quiet is an edit by somebody else answered at once; from then on more and more slowly.
_AT_ONCE = 5
_QUIET = 60.0
_REPAIR_MAX = 30.0
_FIRST_RETRY = 1.0


class Pace:
    """A burst at once, and then so many a second. Times are seconds of one monotonic clock."""

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = now

    def wait(self, now: float) -> float:
        """Take the next turn, and return how many seconds from now it is."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second) - 1
        self._at = now
        return max(0.0, -self._left / self._per_second)


class Damper(Generic[Thing]):
    """Answers what happens to a thing at once, and ever more slowly if it goes on: two that fight must not spin."""

    def __init__(self) -> None:
        # How often, when last, whether it was told. Those of which nothing was heard for longest come first.
        self._seen: OrderedDict[Thing, tuple[int, float, bool]] = OrderedDict()

    def pause(self, thing: Thing, now: float) -> float:
        """Count one more time, and return how many seconds the answer has to wait."""
        self._forget(now)
        count, _, told = self._seen.pop(thing, (0, now, False))
        self._seen[thing] = (count + 1, now, told)
        return 0.0 if count < _AT_ONCE else doubled(_FIRST_RETRY, _REPAIR_MAX, count - _AT_ONCE)

    def is_to_tell(self, thing: Thing, now: float) -> bool:
        """Say, once until it has been quiet, that answers about a thing wait."""
        self._forget(now)
        count, last, told = self._seen.get(thing, (0, now, False))
        if count <= _AT_ONCE or told:
            return False
        self._seen[thing] = (count, last, True)
        return True

    def _forget(self, now: float) -> None:
        while self._seen and now - next(iter(self._seen.values()))[1] > _QUIET:
            self._seen.popitem(last=False)
