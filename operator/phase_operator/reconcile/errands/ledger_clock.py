"""The time by which ledgers are written and judged: it passes steadily, whatever is done to the wall clock.

Rule: the wall clock is looked at once. Lives and overlaps of leases, and looks after lost calls, are told in the status
as moments. So somebody who sets the machine's clock would otherwise let leases end, or live on, by that much, and have
a call that is still under way taken for one that did nothing.
"""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from phase_operator.core.flow.lost_calls import CLOCK_OFF
from phase_operator.core.timestamps import moment_of, timestamp
from phase_operator.reconcile.ports import Clock


class LedgerClock:
    """The wall clock at the first question, and the time that has passed since.

    The first moment is that of the API server if ours is off by more than `CLOCK_OFF`: all processes that ever write
    one ledger share that clock, and it is the one that writes when a resource was deleted.
    """

    def __init__(
        self, clock: Clock, server_date: Callable[[], str], dated_at: Callable[[], float] | None = None
    ) -> None:
        self._clock = clock
        # The `Date` of the API server's last answer, "" if it has sent none; and when that came, by `monotonic`.
        self._server_date = server_date
        self._dated_at = dated_at or clock.monotonic
        self._base: float | None = None

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return self._clock.monotonic()

    def now(self) -> str:
        """Return the time as RFC 3339 in UTC with seconds."""
        if self._base is None:
            self._base = self._beginning() - self._clock.monotonic()
        return timestamp(self._base + self._clock.monotonic())

    def _beginning(self) -> float:
        ours, date = moment_of(self._clock.now()) or 0.0, _moment(self._server_date())
        if date is None:
            return ours
        servers = date + self._clock.monotonic() - self._dated_at()
        return ours if abs(servers - ours) <= CLOCK_OFF else servers


def _moment(date: str) -> float | None:
    """Return the date of an HTTP header in seconds since 1970; None if it is not valid."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
