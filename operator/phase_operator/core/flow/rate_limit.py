"""How many calls an account may make in a minute, counted as Phase counts them.

Rule: no window of sixty seconds ever holds more calls than the limit, whenever on their way the server counts them; so
a call takes its place from its beginning until a minute after its end. A refusal teaches what fitted; after it one call
at a time is made until one passes, and longer if what fitted may not be the limit. Source: the server's window slides,
refused calls are not counted, and one bucket serves all routes of an account.
"""

import math
from collections import Counter, deque
from collections.abc import Mapping

from phase_operator.core.flow.backoff import doubled

WINDOW = 60.0
# What was learned is believed for so long; then it is tried whether there is more.
_BELIEVED = 1800.0
# Fewer than so many calls were never the limit: others had used it up.
_LEAST = 10
# After a refusal that taught nothing, one call at a time is made for so long.
_CAREFUL = 600.0
# Of what others, or an earlier process, may have used up for the moment, more is tried after every window.
_GROWTH = 1.25
# Times in which the limit would have grown beyond anything.
_FORGOTTEN = 40


class Budget:
    """One account's calls. Times are seconds of one monotonic clock; `limit` is calls a minute, None for no limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._learned: int | None = None
        # Until then the learned limit stays as it is.
        self._held_until = 0.0
        # The most calls that went through within a window, as far as they are believed still.
        self._most = 0
        self._first: float | None = None
        self._began_at = -math.inf
        self._careful_until = 0.0
        self._under_way = 0
        # Calls of each kind that have a place now: under way, or ended within the window.
        self._used: Counter[str] = Counter()
        # Calls that were under way when one was refused: those that pass belong to what fits.
        self._undecided = 0
        self._ended: deque[tuple[float, str]] = deque()
        self._closed_until = 0.0
        # One was refused, and none has passed since; so many pauses were in vain.
        self._trying = False
        self._in_vain = 0

    @property
    def closed_until(self) -> float:
        """The time that the last refusal named, which may have passed."""
        return self._closed_until

    def allowed_at(self, now: float, *, leave: Mapping[str, float] | None = None, is_spread: bool = False) -> float:
        """Return when to look again: `now` if the next call may begin, or infinity if only the end of a call can tell.

        `leave`: for other kinds of call, the share of the limit that they are sure of, as far as they do not use it.
        `is_spread`: half of the limit may be used at once, and the rest evenly over a window. Else one who asks for
        much would leave the others nothing until the window has passed.
        """
        self._forget(now)
        if now < self._closed_until:
            return self._closed_until
        if (self._trying or now < self._careful_until) and self._under_way:
            return float("inf")
        if self._trying:
            return now
        limit = self._limit_at(now)
        if limit is None:
            return now
        kept = sum(max(0, int(limit * share) - self._used[kind]) for kind, share in (leave or {}).items())
        used = self._under_way + len(self._ended)
        if used + kept < limit:
            half = limit // 2
            return max(now, self._began_at + WINDOW / (limit - half)) if is_spread and used >= half else now
        return self._ended[0][0] + WINDOW if self._ended else float("inf")

    def is_free(self, now: float) -> bool:
        """Say whether nothing keeps a call back, whatever its kind."""
        careful = self._trying or now < max(self._closed_until, self._careful_until)
        return not careful and self._limit_at(now) is None

    def begin(self, now: float, kind: str = "") -> None:
        """Count a call that begins."""
        self._used[kind] += 1
        self._began_at = now
        if self._first is None:
            self._first = now
        self._under_way += 1

    def end(self, now: float, kind: str = "") -> None:
        """Count a call that ended, with whatever answer but a refusal for the quota."""
        self._under_way -= 1
        self._ended.append((now, kind))
        self._most = max(self._most, len(self._ended))
        if not self._undecided:
            self._trying, self._in_vain = False, 0
            return
        # It began before the refusal, so it says nothing of the time after it.
        self._undecided -= 1
        if self._learned is not None:
            self._learned += 1

    def refuse(self, now: float, after: float, kind: str = "") -> None:
        """Take a refusal: the whole account pauses for `after` seconds, and what fitted until now is the limit.

        Refusals of one moment teach once.
        """
        self._under_way -= 1
        self._used[kind] -= 1
        self._undecided = max(0, self._undecided - 1)
        self._forget(now)
        is_news = now >= self._closed_until
        if is_news and self._trying:
            # What the server names is too short, as when the quota has become smaller.
            self._in_vain += 1
            after = max(after, doubled(1.0, WINDOW, self._in_vain))
        self._closed_until = max(self._closed_until, now + after)
        if is_news and not self._trying:
            self._learn(now)
        self._trying = True

    def is_idle(self, now: float) -> bool:
        """Say whether nothing is remembered that a fresh budget would not know."""
        self._forget(now)
        return not self._under_way and not self._ended and now >= self._closed_until

    def _learn(self, now: float) -> None:
        fitted = len(self._ended)
        is_whole = self._first is not None and now - self._first >= WINDOW
        if not is_whole or fitted < _LEAST:
            # An earlier process, or others, had used it up. Whoever asks one by one is refused once in a window.
            self._careful_until = self._closed_until + _CAREFUL
            return
        # Much less than went through before: others take their part now, and may not for long.
        is_known = fitted * 5 >= self._most * 4
        self._most = max(fitted, (self._most + fitted) // 2)
        self._learned = fitted
        self._undecided = self._under_way
        self._held_until = self._closed_until + (_BELIEVED if is_known else WINDOW)
        self._careful_until = 0.0

    def _limit_at(self, now: float) -> int | None:
        if self._learned is None:
            return self._limit
        windows = int((now - self._held_until) // WINDOW) + 1 if now >= self._held_until else 0
        if windows > _FORGOTTEN:
            self._learned, self._most = None, 0
            return self._limit
        learned = int(self._learned * _GROWTH**windows) + windows
        return learned if self._limit is None else min(learned, self._limit)

    def _forget(self, now: float) -> None:
        while self._ended and self._ended[0][0] + WINDOW <= now:
            _, kind = self._ended.popleft()
            self._used[kind] -= 1

    def limit_at(self, now: float) -> int | None:
        """Return how many calls a window are allowed, as far as it is known."""
        return self._limit_at(now)
