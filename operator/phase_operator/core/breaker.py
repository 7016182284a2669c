"""Stop asking what fails again and again, and find out with one call at a time when it works.

Rule: one success closes it. It takes different things that fail to open it: one question that Phase cannot answer says
nothing of the others. Only trials lengthen the pause, not the many calls that were under way when the trouble began.
"""

from collections.abc import Hashable

from phase_operator.core.errors import ExpectedError
from phase_operator.core.pacing import doubled, spread


class Breaker:
    """Opens when `threshold` things failed in a row; then one trial after `first` seconds, doubled up to `longest`."""

    def __init__(self, identity: str, *, threshold: int, first: float, longest: float) -> None:
        self._identity = identity
        self._threshold = threshold
        self._first = first
        self._longest = longest
        self._failed: set[Hashable] = set()
        self._trials = 0
        self._open_until: float | None = None
        self._trying = False
        # Why it is open; None while it is closed.
        self.error: ExpectedError | None = None

    def allowed_at(self, now: float) -> float:
        """Return when the next call may begin: `now`, later, or infinity while a trial is under way."""
        if self._open_until is None:
            return now
        return float("inf") if self._trying else max(now, self._open_until)

    def begin(self) -> None:
        """Count a call that begins; while open it is the trial."""
        self._trying = self._open_until is not None

    def fail(self, now: float, error: ExpectedError, what: Hashable) -> None:
        """Count a failure of something."""
        if self._open_until is not None and not self._trying:
            return
        self._failed.add(what)
        self._trials += self._trying
        self._trying = False
        if len(self._failed) >= self._threshold:
            delay = doubled(self._first, self._longest, self._trials)
            self._open_until = now + delay * (1 - 0.3 * spread(f"{self._identity}#{self._trials}"))
            # The same trouble stays the same object: who watches it need not be told again.
            if self.error is None or self.error.message != error.message:
                self.error = error

    def succeed(self) -> None:
        """Count a success: it is closed."""
        self._failed = set()
        self._trials = 0
        self._open_until = None
        self._trying = False
        self.error = None

    def release(self) -> None:
        """Take an end of a call that says neither."""
        self._trying = False
