"""How fast a thing may repeat: a burst and then a rate, or a pause that grows with every repetition."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from phase_operator.core.flow.backoff import doubled

Thing = TypeVar("Thing", bound=Hashable)
# This many foreign edits are answered at once; later ones wait longer and longer, until there is a minute of quiet.
_AT_ONCE = 5
_QUIET = 60.0
_REPAIR_MAX = 30.0
_FIRST_RETRY = 1.0


class TokenBuckets(Generic[Thing]):
    """A token bucket for each thing: a burst, and then `per_second`. Times are seconds of one monotonic clock."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        # When the bucket of each will be full again.
        self._full: dict[Thing, float] = {}

    def __len__(self) -> int:
        return len(self._full)

    def take(self, thing: Thing, now: float, amount: float = 1.0) -> float:
        """Take from a bucket what may be more than it holds, and return in how many seconds nothing will be owed."""
        self._full = {each: full for each, full in self._full.items() if full > now}
        self._full[thing] = self._full.get(thing, now) + amount / self._per_second
        return self.wait(thing, now)

    def wait(self, thing: Thing, now: float) -> float:
        """Return in how many seconds nothing will be owed."""
        return max(0.0, self._full.get(thing, now) - now - self._burst / self._per_second)


class RepeatLimit(Generic[Thing]):
    """Limits reactions to a thing that repeats: a burst at once, and then one every `pause` seconds.

    Repetitions during a pause share the reaction at its end, so nothing piles up. Times are seconds of one monotonic
    clock.
    """

    def __init__(self, burst: int, pause: float) -> None:
        self._burst = burst
        self._pause = pause
        # When the whole burst is there again, and the last reaction. The things that were quiet longest come first.
        self._seen: OrderedDict[Thing, tuple[float, float]] = OrderedDict()

    def __contains__(self, thing: Thing) -> bool:
        return thing in self._seen

    def wait(self, thing: Thing, now: float) -> float:
        """Count one repetition, and return how many seconds the reaction has to wait."""
        while self._seen and next(iter(self._seen.values()))[0] <= now:
            self._seen.popitem(last=False)
        whole, reaction = self._seen.pop(thing, (now, now))
        if reaction <= now:
            reaction = max(now, whole - (self._burst - 1) * self._pause)
            whole = max(now, whole) + self._pause
        self._seen[thing] = (whole, reaction)
        return reaction - now


class RepeatBackoff(Generic[Thing]):
    """Delays reactions to a thing that repeats, more each time: two writers in a conflict must not loop quickly."""

    def __init__(self) -> None:
        # Count, time of the last one, whether it was reported. The things that were quiet longest come first.
        self._seen: OrderedDict[Thing, tuple[int, float, bool]] = OrderedDict()

    def pause(self, thing: Thing, now: float) -> float:
        """Count one repetition, and return how many seconds the reaction has to wait."""
        self._forget(now)
        count, _, is_reported = self._seen.pop(thing, (0, now, False))
        self._seen[thing] = (count + 1, now, is_reported)
        return 0.0 if count < _AT_ONCE else doubled(_FIRST_RETRY, _REPAIR_MAX, count - _AT_ONCE)

    def is_to_tell(self, thing: Thing, now: float) -> bool:
        """Return True, once until the thing has been quiet, if reactions to it are delayed."""
        self._forget(now)
        count, last, is_reported = self._seen.get(thing, (0, now, False))
        if count <= _AT_ONCE or is_reported:
            return False
        self._seen[thing] = (count, last, True)
        return True

    def _forget(self, now: float) -> None:
        while self._seen and now - next(iter(self._seen.values()))[1] > _QUIET:
            self._seen.popitem(last=False)
