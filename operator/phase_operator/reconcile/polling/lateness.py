"""Which queries are late, so that their PhaseSecrets have to report it; and how long a refused one waits.

Rule: late is what cannot be confirmed, since its account is closed or its app's probe fails. What merely waits its turn
is not.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from math import inf

from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.accounts import AccountState
from phase_operator.reconcile.polling.app_state import AppState
from phase_operator.reconcile.polling.query_state import QueryState, subscribers
from phase_operator.reconcile.polling.timers import Timers

# A query that is not confirmed so many seconds after its interval is late.
_GRACE = 30.0
# So often an account is looked at while its calls fail or may not be made.
_LOOK_AGAIN = 15.0
# A pause of this length is reported at once on the queries that will be late.
_LONG_PAUSE = 90.0
# Of what is refused to an account for a namespace, one query in so many seconds is read again.
_DENIED_EVERY = 3.0
_DENIED_LONGEST = 600.0


class LateQueries:
    """Finds the queries that ought to have been confirmed long ago, and whose call fails or may not be made."""

    def __init__(self, account_states: Mapping[Account, AccountState]) -> None:
        self._account_states = account_states
        # When to see whether queries of an account are late.
        self._looks: Timers[Account] = Timers()
        # When the first of these is due, or a little earlier: nearly always there is none.
        self._next_look = inf

    def look_later(self, account: Account, now: float) -> None:
        """See in time whether queries of an account are late, of which a call has failed."""
        self._next_look = min(self._next_look, now + _GRACE)
        self._looks.add(account, now + _GRACE)

    def delayed(self, account_state: AccountState, now: float) -> set[ObjectKey]:
        """Record that an account may make no calls for a while; return the PhaseSecrets whose queries will be late."""
        self.look_later(account_state.account, now)
        return _late_after(account_state, account_state.gate.rate_limit.closed_until - now)

    def find(self, now: float) -> set[ObjectKey]:
        """Return the PhaseSecrets whose queries are late since the last look."""
        woken: set[ObjectKey] = set()
        if now < self._next_look:
            return woken
        while (account := self._looks.pop(now)) is not None:
            account_state = self._account_states.get(account)
            if account_state is None or not account_state.is_hindered:
                continue
            woken |= _late_by(account_state, now)
            self._looks.add(account, now + _LOOK_AGAIN)
        due = self._looks.next_due()
        self._next_look = inf if due is None else due
        return woken

    def next_due(self) -> float | None:
        """Return when `find` is worth asking again; None: not before another call fails."""
        return None if self._next_look == inf else self._next_look

    def forget(self, account: Account) -> None:
        """Forget an account that asks nothing any more."""
        self._looks.forget(account)


def crowded(account_state: AccountState, query_state: QueryState) -> float:
    """Return the least pause of a query that was refused: the more of these a namespace has, the longer."""
    account_state.denied[query_state.query] = query_state.namespace
    many = sum(each == query_state.namespace for each in account_state.denied.values())
    return min(_DENIED_EVERY * many, _DENIED_LONGEST)


def _late_by(account_state: AccountState, now: float) -> set[ObjectKey]:
    """Mark the queries that ought to have been confirmed by now; return the PhaseSecrets that it is news for."""

    def is_overdue(query_state: QueryState) -> bool:
        # After a restart nothing was confirmed yet, and the status may be old.
        return now > query_state.since + query_state.interval + _GRACE

    return _find(account_state, is_overdue)


def _late_after(account_state: AccountState, pause: float) -> set[ObjectKey]:
    """Mark the queries that a long pause of their account will make late; return the PhaseSecrets to wake."""
    if pause <= _LONG_PAUSE:
        return set()
    return _find(account_state, lambda query_state: pause > query_state.interval + _GRACE)


def _find(account_state: AccountState, is_late: Callable[[QueryState], bool]) -> set[ObjectKey]:
    delayed = chain.from_iterable(app.queries() for app in _delayed_apps(account_state))
    found = [each for each in delayed if not each.is_late and each.error is None and is_late(each)]
    for query_state in found:
        query_state.is_late = True
    return subscribers(found)


def _delayed_apps(account_state: AccountState) -> Iterable[AppState]:
    """Return the apps that may not be asked, or whose probe fails."""
    apps = account_state.apps.values()
    return apps if account_state.gate.limited is not None else [app for app in apps if app.trouble is not None]
