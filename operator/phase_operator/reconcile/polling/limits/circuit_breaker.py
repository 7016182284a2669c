"""Stop calls that fail again and again, and try one at a time until one succeeds.

Rule: it delays only calls for what failed or never worked. It opens only if different things fail, for more than one
caller (or for the only one), and nothing that was called lately works. One success closes it. Only a failed trial
lengthens the pause, not the many calls that were in flight when the failures began.
"""

from collections.abc import Hashable

from phase_operator.core.errors import ExpectedError
from phase_operator.core.flow.backoff import doubled, spread

# A success speaks for so long against opening, unless what succeeded has failed since.
_EVIDENCE = 90.0
_MANY = 1000


class CircuitBreaker:
    """Opens after `threshold` things failed in a row; trials follow after `first` seconds, doubled up to `longest`."""

    def __init__(self, identity: str, *, threshold: int, first: float, longest: float) -> None:
        self._identity = identity
        self._threshold = threshold
        self._first = first
        self._longest = longest
        self._failed: set[Hashable] = set()
        self._failing: set[Hashable] = set()
        # The things whose last call succeeded, with its time; the latest at the end.
        self._fine: dict[Hashable, float] = {}
        # For each caller: the time of its last answer, and its number of trials since the breaker opened.
        self._answered: dict[Hashable, float] = {}
        self._tried: dict[Hashable, int] = {}
        self._trials = 0
        self._open_until: float | None = None
        self._trying = False
        # The error that opened it; None while it is closed.
        self.error: ExpectedError | None = None

    def allowed_at(self, now: float) -> float:
        """Return when a failed call may be repeated: `now`, later, or infinity while a trial is in flight."""
        if self._open_until is None:
            return now
        return float("inf") if self._trying else max(now, self._open_until)

    def begin(self, who: Hashable = None) -> bool:
        """Count a call for a thing that failed or never worked; return True if it is the trial of an open breaker."""
        self._trying = self._open_until is not None
        if self._trying:
            self._tried[who] = self._tried.get(who, 0) + 1
        return self._trying

    def fail(
        self,
        now: float,
        error: ExpectedError,
        what: Hashable,
        *,
        who: Hashable = None,
        among: int = 1,
        is_trial: bool = True,
    ) -> None:
        """Count a failed call; `among` is the number of callers."""
        self._fine.pop(what, None)
        self._fine.pop(who, None)
        is_trial = is_trial and self._trying
        if self._open_until is not None and not is_trial:
            return
        self._failed.add(what)
        self._failing.add(who)
        if is_trial:
            self._trials += 1
            self._trying = False
        if len(self._failed) >= self._threshold and len(self._failing) >= min(2, among) and not self._works(now):
            self._open(now, error)

    def _open(self, now: float, error: ExpectedError) -> None:
        """Hold calls back until the time of the next trial."""
        delay = doubled(self._first, self._longest, self._trials)
        self._open_until = now + delay * (1 - 0.3 * spread(f"{self._identity}#{self._trials}"))
        # The same cause stays the same object, so an observer does not report it again.
        if self.error is None or self.error.message != error.message:
            self.error = error

    def succeed(self, now: float = 0.0, what: Hashable = None, *, who: Hashable = None) -> None:
        """Count a success: the breaker closes."""
        self._fine.pop(what, None)
        self._fine[what] = now
        self._answered[who] = now
        if len(self._fine) > _MANY:
            del self._fine[next(iter(self._fine))]
        self._failed, self._failing, self._tried = set(), set(), {}
        self._trials = 0
        self._open_until = None
        self._trying = False
        self.error = None

    def release(self, *, is_trial: bool = True) -> None:
        """End a call that neither succeeded nor failed."""
        if is_trial:
            self._trying = False

    def preference(self, who: Hashable) -> tuple[int, float]:
        """Return the sort key of a caller that waits for a trial, best first: fewest trials, then latest answer."""
        return self._tried.get(who, 0), -self._answered.get(who, float("-inf"))

    def forget(self, who: Hashable) -> None:
        """Forget a caller that makes no more calls."""
        for record in (self._fine, self._answered, self._tried):
            record.pop(who, None)
        self._failing.discard(who)

    def _works(self, now: float) -> bool:
        return bool(self._fine) and now - next(reversed(self._fine.values())) < _EVIDENCE
