"""The accounts that are asked something, or were lately."""

from collections.abc import Callable

from phase_operator.core.source.query import Account
from phase_operator.reconcile.polling.accounts import AccountState
from phase_operator.reconcile.polling.calls import Policy
from phase_operator.reconcile.polling.gates import Gates
from phase_operator.reconcile.polling.timetable import Timetable

_FORGET_EVERY = 10.0


class Accounts:
    """Accounts with their timetables; those that ask nothing any more are forgotten once their calls count no more."""

    def __init__(
        self,
        policy: Policy,
        gates: Gates,
        account_states: dict[Account, AccountState],
        look_at: Callable[[Account, float], None],
        forgotten: Callable[[AccountState], None],
    ) -> None:
        self._policy = policy
        self._gates = gates
        # The same accounts without their timetables, for those who plan nothing.
        self._account_states = account_states
        self._look_at = look_at
        self._forgotten = forgotten
        self._times: dict[Account, Timetable] = {}
        self._forgot_at = 0.0

    def __contains__(self, account: Account) -> bool:
        return account in self._times

    def __getitem__(self, account: Account) -> Timetable:
        return self._times[account]

    def begin(self, account: Account, now: float, *, has_keys: bool = False) -> Timetable:
        """Return the timetable of an account that may be asked for the first time; `has_keys` never changes."""
        if account not in self._times:
            self._forget(now)
            account_state = self._account_states[account] = AccountState(
                self._gates.of(account, is_read=True), has_keys
            )
            self._times[account] = Timetable(account_state, self._policy, self._look_at)
        return self._times[account]

    def _forget(self, now: float) -> None:
        if now < self._forgot_at + _FORGET_EVERY:
            return
        self._forgot_at = now
        for account, times in list(self._times.items()):
            account_state = times.account_state
            if not account_state.is_idle(now):
                continue
            del self._times[account], self._account_states[account]
            self._forgotten(account_state)
            self._gates.forget(account)
