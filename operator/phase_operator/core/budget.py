"""How many calls an account may make in a minute, counted as Phase counts them.

Rule: no window of sixty seconds ever holds more calls than the limit, whenever on their way the server counts them; so
a call takes its place from its beginning until a minute after its end. Source: the server's window slides, refused
calls are not counted, and one bucket serves all routes of an account.
"""

from collections import deque

WINDOW = 60.0
# What a 429 taught is doubted after this time: somebody else may have used the account up.
_BELIEVED = 3600.0
# Less than half of what Phase allows its smallest plan was never the limit: others had used the account up.
_LEAST = 60


class Budget:
    """One account's calls. Times are seconds of one monotonic clock; `limit` is calls a minute, None for no limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._learned: int | None = None
        self._learned_at = 0.0
        self._under_way = 0
        self._ended: deque[float] = deque()
        self._closed_until = 0.0

    def allowed_at(self, now: float, *, reserve: int = 0) -> float:
        """Return when the next call may begin: `now`, later, or infinity if only the end of a call can tell.

        `reserve` calls, at most a quarter of the limit, are kept for others.
        """
        self._forget(now)
        if now < self._closed_until:
            return self._closed_until
        limit = self._limit_at(now)
        if limit is None:
            return now
        over = self._under_way + len(self._ended) - (limit - min(reserve, limit // 4))
        if over < 0:
            return now
        return self._ended[over] + WINDOW if over < len(self._ended) else float("inf")

    def begin(self) -> None:
        """Count a call that begins."""
        self._under_way += 1

    def end(self, now: float) -> None:
        """Count a call that ended, with whatever answer but a refusal for the quota."""
        self._under_way -= 1
        self._ended.append(now)

    def refuse(self, now: float, after: float) -> None:
        """Take a refusal: the whole account pauses for `after` seconds, and what fitted until now is the limit.

        Each refusal that is not of the same moment lowers it further: the quota may be a new one, or shared.
        """
        self._under_way -= 1
        self._forget(now)
        is_news = now >= self._closed_until
        self._closed_until = max(self._closed_until, now + after)
        if self._limit is None and is_news:
            known = self._limit_at(now)
            fitted = len(self._ended) if known is None else min(known - 1, len(self._ended))
            self._learned, self._learned_at = max(_LEAST, fitted), now

    def is_idle(self, now: float) -> bool:
        """Say whether nothing is remembered that a fresh budget would not know."""
        self._forget(now)
        return not self._under_way and not self._ended and now >= self._closed_until

    def _limit_at(self, now: float) -> int | None:
        if self._limit is not None:
            return self._limit
        return self._learned if now - self._learned_at < _BELIEVED else None

    def _forget(self, now: float) -> None:
        while self._ended and self._ended[0] + WINDOW <= now:
            self._ended.popleft()
