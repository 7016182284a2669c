"""What failed last of the calls that one resource makes, and when each may be made again."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.flow.backoff import doubled

# Counts a further request.
Go = Callable[[], None]
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed, how often in a row, and when it may be made again, in seconds since 1970."""

    error: ExpectedError
    times: int
    until: float


class Failures(dict[Hashable, Failure]):
    """The calls that failed last, by what was called. Times are in seconds since 1970."""

    async def noting(
        self, what: Hashable, now: Callable[[], float], work: Callable[[Go], Awaitable[None]], go_on: Go
    ) -> ExpectedError | None:
        """Do the work of an errand; record how it ended, and return the error with which it failed."""
        # A bug fails, too: else the resource would call again at once.
        error: ExpectedError | None = Transient(Reason.INTERNAL_ERROR, "internal error; the operator's log has it")
        try:
            await work(go_on)
            error = None
        except ExpectedError as found:
            error = found.to_keep()
        finally:
            if error is None:
                self.pop(what, None)
            else:
                self.failed(what, error, now())
        return error

    def failed(self, what: Hashable, error: ExpectedError, now: float) -> None:
        """Record a call that failed: it is made again after a pause."""
        before = self.get(what)
        times = before.times + 1 if before is not None else 1
        self[what] = Failure(error, times, now + doubled(_FIRST_PAUSE, _LONGEST_PAUSE, times - 1))

    def trouble(self) -> ExpectedError | None:
        """Return why the call that failed last has failed; None if all went well."""
        last = max(self.values(), key=lambda each: each.until, default=None)
        return last.error if last is not None else None

    def paused_until(self, what: Hashable) -> float:
        """Return until when a call is not made, because the last one has failed; 0 if it may be made."""
        failure = self.get(what)
        return failure.until if failure is not None else 0.0
