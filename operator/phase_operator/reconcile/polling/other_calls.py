"""Calls to Phase that are no reads, such as those for leases: they pass the gates of the accounts that read.

Rule: one quota, one 429 and one breaker for all kinds of calls. What such a call shows of a host or an account is told
to those who read there. How long it takes is not, since it may wait for a cloud provider.
"""

from collections.abc import Callable

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.gates import AccountGate, CallFacts, Concern, Gates, InFlightCall


class OtherCalls:
    """Places for calls that are no reads; each method takes `now`, in seconds of one monotonic clock."""

    def __init__(
        self,
        gates: Gates,
        ended: Callable[[AccountGate, float], None],
        concerned: Callable[[AccountGate, Concern, float], set[ObjectKey]],
    ) -> None:
        self._gates = gates
        # Lets those go on who wait for what the end of a call has changed.
        self._ended = ended
        self._concerned = concerned

    def allowed_at(self, account: Account, now: float) -> float:
        """Return when an account may make such a call: now, later, or infinity until another call has ended."""
        gate = self._gates.of(account)
        at = gate.opens(now).attempt
        return at if gate.host.breaker.error is None else max(at, gate.host.breaker.allowed_at(now))

    def begin(self, account: Account, now: float, requests: int = 1) -> InFlightCall:
        """Count a call that begins, and may take so many requests; its account is kept until `end`."""
        self._gates.keep(account)
        return self._gates.of(account).begin(now, None, requests=requests)

    def let_in(self, account: Account, begun: InFlightCall, now: float) -> None:
        """Count as passed a call whose answer takes long, and let those go on who wait for that."""
        begun.let_in(now)
        self._ended(self._gates.of(account), now)

    def end(
        self, account: Account, begun: InFlightCall, asked: CallFacts, error: ExpectedError | None, now: float
    ) -> set[ObjectKey]:
        """Count the end of a call, and return whom that concerns among those who read."""
        gate = self._gates.of(account)
        concern = gate.end(now, begun, asked, error)
        woken = self._concerned(gate, concern, now)
        self._ended(gate, now)
        self._gates.let_go(account)
        return woken

    def keep(self, account: Account) -> None:
        """Keep what is known of an account's quota, also while nobody reads with it."""
        self._gates.keep(account)

    def let_go(self, account: Account) -> None:
        """Undo one `keep`."""
        self._gates.let_go(account)
