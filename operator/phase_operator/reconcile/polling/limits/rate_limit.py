"""How many calls an account may make in a minute, counted as Phase counts them.

Rule: no window of sixty seconds holds more calls than the limit, at whatever moment the server counts them. So a call
counts from its beginning until a minute after its end. A refusal shows how many calls fitted. After it, one call at a
time is made until one passes, and longer if that number may not be the limit. Source: the server's window slides,
refused calls are not counted, and one bucket serves all routes of an account.
"""

from collections import Counter, deque
from collections.abc import Mapping

from phase_operator.core.flow.backoff import doubled

WINDOW = 60.0
# How long a learned limit is kept; then a higher one is tried.
_BELIEVED = 1800.0
# A learned limit is at least this: if fewer calls fitted, other clients had used the quota.
_LEAST = 10
# How long one call at a time is made after a refusal that showed no limit.
_CAREFUL = 600.0
# The growth of the limit after every window, if other clients or an earlier process may have used the quota.
_GROWTH = 1.25
# After this many windows of growth the learned limit is forgotten: it would be larger than any use.
_FORGOTTEN = 40


class RateLimit:
    """One account's calls. Times are seconds of one monotonic clock; `limit` is calls a minute, None for no limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._learned: int | None = None
        # The learned limit does not grow before this time.
        self._held_until = 0.0
        # The most calls that passed within a window, while that number is still trusted.
        self._most = 0
        self._first: float | None = None
        self._careful_until = 0.0
        self._under_way = 0
        # Calls of each kind that count now: in flight, or ended within the window.
        self._used: Counter[str] = Counter()
        # Calls that were in flight when one was refused: those that pass count as calls that fitted.
        self._undecided = 0
        self._ended: deque[tuple[float, str]] = deque()
        self._closed_until = 0.0
        # A call was refused and none has passed since; and the number of pauses since then.
        self._trying = False
        self._in_vain = 0

    @property
    def closed_until(self) -> float:
        """The time until which the last refusal paused the account; it may have passed."""
        return self._closed_until

    @property
    def most(self) -> int:
        """The most calls that passed within a window, as far as that is trusted."""
        return self._most

    def allowed_at(
        self, now: float, *, leave: Mapping[str, float] | None = None, spread: str | None = None, number: int = 1
    ) -> float:
        """Return when to check again: `now` if the next call may begin, infinity if a call has to end first.

        `number` is how many requests it may take.
        `leave` reserves a share of the limit for each of the other kinds of call, as far as they do not use it.
        `spread` names the kind of the next call, if callers share that kind: a call begins only if calls of its kind
        may still begin at an even pace for a whole window, at half of the kind's rate. Otherwise one caller that makes
        many calls would leave none to the others until the window has passed.
        """
        self._forget(now)
        if now < self._closed_until:
            return self._closed_until
        if self._is_careful(now) and self._under_way:
            return float("inf")
        if self._trying:
            return now
        limit = self._limit_at(now)
        return now if limit is None else self._room_at(now, limit, leave or {}, spread, number)

    def _room_at(self, now: float, limit: int, leave: Mapping[str, float], spread: str | None, number: int) -> float:
        """Return when to check again whether the limit has room for one more call; see `allowed_at`."""
        kept = sum(max(0, int(limit * share) - self._used[kind]) for kind, share in leave.items())
        room = limit - kept - self._under_way - len(self._ended)
        if room >= number:
            return now if spread is None else max(now, self._spread_at(now, room, spread))
        # Those that ended make room one after another.
        lacking = number - room
        return self._ended[lacking - 1][0] + WINDOW if lacking <= len(self._ended) else float("inf")

    def _spread_at(self, now: float, room: int, kind: str) -> float:
        """Return from when on a call of this kind leaves enough to later ones; there is room for `room` calls now."""
        half = (room + self._used[kind]) // 2
        if room > half:
            return now
        # What is promised to later calls: one at every pause. The calls that ended make room one after another.
        pause = WINDOW / half
        ended = [at for at, each in self._ended if each == kind]
        if room + len(ended) <= half:
            return float("inf")
        return max((at + WINDOW - (room + number) * pause for number, at in enumerate(ended)), default=now)

    def is_free(self, now: float) -> bool:
        """Return whether a call of any kind may begin without a wait."""
        return now >= self._closed_until and not self._is_careful(now) and self._limit_at(now) is None

    def _is_careful(self, now: float) -> bool:
        """Return whether one call at a time is made."""
        return self._trying or now < self._careful_until

    def begin(self, now: float, kind: str = "", number: int = 1) -> None:
        """Count a call that begins, and may take so many requests."""
        self._used[kind] += number
        if self._first is None:
            self._first = now
        self._under_way += number

    def end(self, now: float, kind: str = "") -> None:
        """Count a call that ended with any answer except a refusal for the quota."""
        self._under_way -= 1
        self._ended.append((now, kind))
        self._most = max(self._most, len(self._ended))
        if not self._undecided:
            self._trying, self._in_vain = False, 0
            return
        # It began before the refusal, so it proves nothing about the time after it.
        self._undecided -= 1
        if self._learned is not None:
            self._learned += 1

    def go_on(self, now: float, kind: str = "", *, is_counted: bool) -> None:
        """Count the next request of a call, whose last one was answered; `is_counted`: it was when the call began."""
        self._ended.append((now, kind))
        self._most = max(self._most, len(self._ended))
        if is_counted:
            self._under_way -= 1
        else:
            self._used[kind] += 1

    def release(self, number: int, kind: str = "") -> None:
        """Count requests no more that a call did not need, which has ended."""
        self._under_way -= number
        self._used[kind] -= number
        self._undecided = min(self._undecided, self._under_way)

    def refuse(self, now: float, after: float, kind: str = "") -> None:
        """Count a refusal: the account pauses for `after` seconds, and the number that fitted becomes the limit.

        Refusals of calls that were in flight together count once.
        """
        self._under_way -= 1
        self._used[kind] -= 1
        self._undecided = max(0, self._undecided - 1)
        self._forget(now)
        is_news = now >= self._closed_until
        if is_news and self._trying:
            # The pause that the server named was too short, for example because the quota has shrunk.
            self._in_vain += 1
            after = max(after, doubled(1.0, WINDOW, self._in_vain))
        self._closed_until = max(self._closed_until, now + after)
        if is_news and not self._trying:
            self._learn(now)
        self._trying = True

    @property
    def is_in_use(self) -> bool:
        """Whether a call is in flight."""
        return self._under_way > 0

    def is_idle(self, now: float) -> bool:
        """Return whether it remembers no more than a new instance."""
        self._forget(now)
        return not self._under_way and not self._ended and now >= self._closed_until

    def _learn(self, now: float) -> None:
        fitted = len(self._ended)
        is_whole = self._first is not None and now - self._first >= WINDOW
        if not is_whole or fitted < _LEAST:
            # An earlier process or other clients had used the quota. Single calls are refused at most once a window.
            self._careful_until = self._closed_until + _CAREFUL
            return
        # Much less than passed before: other clients use the quota now, perhaps not for long.
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
        """Return the number of calls allowed in a window, or None if no limit is known."""
        return self._limit_at(now)
