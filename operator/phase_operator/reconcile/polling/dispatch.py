"""Which account may call Phase next: accounts that have calls to make, and what they wait for.

Rule: every account that may ask is looked at as soon as it may. One that has to wait for others (a share that is used
up, the trial of a host that fails) waits at a gate; whatever lets one pass there brings the next one's turn, so that
an end costs the same however many wait. Nothing here awaits; every method takes `now`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Account
from phase_operator.reconcile.polling.accounts import FOREVER, AccountState
from phase_operator.reconcile.polling.calls import Call, Task
from phase_operator.reconcile.polling.fair_queue import Lane
from phase_operator.reconcile.polling.gates import AccountGate, Concern, Host, InFlightCall, Opens
from phase_operator.reconcile.polling.limits.concurrency import ConcurrencyLimit, ConcurrencyShares
from phase_operator.reconcile.polling.timers import Timers

# An account of several namespaces waits at the gate of one; another's may open sooner.
_LOOK_AGAIN = 1.0
# So often it is the turn of the namespace that has waited longest at a gate, else of the one that takes least time.
_LONGEST_EVERY = 8


class Trial(NamedTuple):
    """The next call to a host that fails."""

    host: str


Wait = ConcurrencyLimit | Trial


@dataclass(frozen=True, slots=True)
class Turn:
    """An account that may make a call now, of these lanes, on a namespace's share."""

    account_state: AccountState
    lanes: Sequence[Lane]
    attempts: bool
    namespace: str
    # The gates that let it pass, where others may wait.
    called: frozenset[Wait]


class Dispatcher:
    """The accounts that have something to ask, and the calls under way."""

    def __init__(self, account_states: Mapping[Account, AccountState], hosts: Mapping[str, Host], places: int) -> None:
        self._account_states = account_states
        self._hosts = hosts
        self._shares = ConcurrencyShares(places)
        self._timers: Timers[Account | Wait] = Timers()
        # Who waits at a gate: namespace -> its accounts, in the order in which they came.
        self._waiting: dict[Wait, dict[str, dict[Account, None]]] = {}
        # Whose turn came because a gate, or more than one, let him pass.
        self._called: dict[Account, set[Wait]] = {}
        self._under_way: dict[int, tuple[Call, int, InFlightCall]] = {}
        self._serial = 0
        self._passes = 0

    def add(self, account: Account, due: float) -> None:
        """Look at an account at `due`, or sooner if that is planned already."""
        self._timers.add(account, due)

    def next(self, now: float) -> Turn | None:
        """Return the next account that may make a call now, or None; `began` or `passed` has to follow."""
        for gate in self._shares.settle(now):
            self._let_pass(gate, now)
        while (turn := self._timers.pop(now)) is not None:
            if not isinstance(turn, Account):
                self._let_pass(turn, now)
                continue
            account_state, called = self._account_states.get(turn), frozenset(self._called.pop(turn, ()))
            found = self._look(account_state, called, now) if account_state is not None else None
            if found is not None:
                return found
            self._pass_on(called, now)
        return None

    def began(self, turn: Turn, task: Task, call: Call, now: float) -> None:
        """Count the call that begins with a turn."""
        account_state = turn.account_state
        self._serial += 1
        begun = account_state.begin(task, call, now)
        self._under_way[id(call)] = (call, self._serial, begun)
        self._shares.begin(self._serial, account_state.account, account_state.gate.host.name, turn.namespace, now)
        self.passed(turn, now)

    def passed(self, turn: Turn, now: float) -> None:
        """Go on after a turn: the account may have more to ask, and others may wait for the same."""
        self.add(turn.account_state.account, now)
        self._pass_on(turn.called, now)

    def goes_on(self, call: Call, now: float) -> None:
        """Count the next request of a call that takes several."""
        if (kept := self._under_way.get(id(call))) is not None:
            _, _, begun = kept
            begun.go_on(now)
            account_state = self._account_states[call.account]
            account_state.largest_read = max(account_state.largest_read, begun.made)

    def ended(self, call: Call, error: ExpectedError | None, now: float, *, was_answered: bool) -> Concern | None:
        """Count the end of a call, and return whom it concerns; None if its end was counted before."""
        kept = self._under_way.pop(id(call), None)
        if kept is None:
            return None
        _, number, begun = kept
        account_state = self._account_states[call.account]
        concern = account_state.end(call, begun, error, now)
        for gate in self._shares.end(number, now, was_answered=was_answered):
            self._let_pass(gate, now)
        self._let_pass(Trial(account_state.gate.host.name), now)
        self.add(account_state.account, now)
        return concern

    def other_ended(self, gate: AccountGate, now: float) -> None:
        """Look again at those who wait for a host or an account where a call has ended that was no read."""
        self._let_pass(Trial(gate.host.name), now)
        if gate.account in self._account_states:
            self.add(gate.account, now)

    def forget(self, account_state: AccountState) -> None:
        """Forget an account that asks nothing any more."""
        self._timers.forget(account_state.account)
        self._called.pop(account_state.account, None)
        self._shares.forget(account_state.account, account_state.gate.host.name)

    def surplus(self, now: float) -> list[Call]:
        """Return the calls to break off; their ends have to be reported as of any other."""
        numbers = set(self._shares.surplus(now))
        return [call for call, number, _ in self._under_way.values() if number in numbers] if numbers else []

    def next_due(self) -> float | None:
        """Return when `next` is worth asking again, or None if only the end of a call can tell."""
        return self._timers.next_due()

    def overdue(self, now: float) -> float:
        """Return for how many seconds an account has waited to be looked at, with nothing that it has to wait for."""
        return self._timers.overdue(now)

    def under_way(self, *, is_slow: bool) -> int:
        """Return how many calls are under way, slow or quick ones."""
        return self._shares.count(is_slow=is_slow)

    def waiting(self) -> int:
        """Return how many accounts wait because the share of their namespace or host is used up."""
        gates = [each for each in self._waiting if isinstance(each, ConcurrencyLimit)]
        return sum(len(accounts) for gate in gates for accounts in self._waiting[gate].values())

    def _look(self, account_state: AccountState, called: frozenset[Wait], now: float) -> Turn | None:
        """Return the turn of an account, or note what it waits for."""
        account, host = account_state.account, account_state.gate.host
        opens = account_state.opens(now)
        lanes, may_try = opens.lanes(now), opens.attempt <= now
        attempts = may_try and _lets_attempts_pass(host, called, now)
        if not account_state.fair_queue.is_due(now, lanes, attempts=attempts):
            if may_try and not attempts and account_state.fair_queue.is_due(now, lanes):
                self._wait(Trial(host.name), account, self._payer(account_state), now)
            self._look_later(account_state, opens, now)
            return None
        namespace = self._payer(account_state)
        gate = self._shares.gate(account, host.name, namespace)
        if gate is None:
            return Turn(account_state, lanes, attempts, namespace, called)
        self._wait(gate, account, namespace, now)
        if len(account_state.namespaces) > 1:
            self.add(account, now + _LOOK_AGAIN)
        return None

    def _look_later(self, account_state: AccountState, opens: Opens, now: float) -> None:
        """Look at an account again when it may have a call to make, if time alone can tell."""
        later = account_state.next_at(now, opens)
        if later is not None:
            self.add(account_state.account, later)

    def _payer(self, account_state: AccountState) -> str:
        return self._shares.payer(account_state.namespaces) if account_state.namespaces else ""

    def _wait(self, gate: Wait, account: Account, namespace: str, now: float) -> None:
        accounts = self._waiting.setdefault(gate, {}).setdefault(namespace, {})
        accounts[account] = None
        if isinstance(gate, Trial):
            # Its time may have come already.
            self._let_pass(gate, now)
        else:
            self._open_later(gate, now)

    def _open_later(self, gate: Wait, now: float) -> None:
        """Plan the moment in which a gate lets a call pass, if only time decides that."""
        if isinstance(gate, Trial):
            due: float | None = self._trial_at(gate, now)
        else:
            due = None if gate.is_slow else self._shares.settles_at()
        if due is not None and now < due < FOREVER:
            self._timers.add(gate, due)

    def _trial_at(self, trial: Trial, now: float) -> float:
        host = self._hosts.get(trial.host)
        return now if host is None else host.breaker.allowed_at(now)

    def _pass_on(self, called: Iterable[Wait], now: float) -> None:
        """Give the turn that gates let pass to the next ones who wait there."""
        for gate in sorted(called, key=repr):
            self._let_pass(gate, now)

    def _let_pass(self, gate: Wait, now: float) -> None:
        """Bring the turn of the next one who waits at a gate, if it lets him pass."""
        while (waiting := self._waiting.get(gate)) is not None:
            found = self._next_to_try(gate, now) if isinstance(gate, Trial) else self._next_to_share(gate)
            if found is None:
                self._open_later(gate, now)
                return
            namespace, account = found
            del waiting[namespace][account]
            if not waiting[namespace]:
                del waiting[namespace]
            if not waiting:
                del self._waiting[gate]
            if account in self._account_states:
                self._called.setdefault(account, set()).add(gate)
                self.add(account, now)
                return

    def _next_to_share(self, gate: ConcurrencyLimit) -> tuple[str, Account] | None:
        if self._shares.is_full(gate):
            return None
        waiting = self._waiting[gate]
        firsts = ((namespace, next(iter(accounts))) for namespace, accounts in waiting.items())
        found = [each for each in firsts if self._shares.has_room(gate, each[1], each[0])]
        if not found:
            return None
        self._passes += 1
        if self._passes % _LONGEST_EVERY == 0:
            return found[0]
        return min(found, key=lambda each: self._shares.cost(each[1], each[0]))

    def _next_to_try(self, trial: Trial, now: float) -> tuple[str, Account] | None:
        if self._trial_at(trial, now) > now:
            return None
        host, waiting = self._hosts.get(trial.host), self._waiting[trial]
        every = ((namespace, account) for namespace, accounts in waiting.items() for account in accounts)
        if host is None or host.breaker.error is None:
            return next(every)
        return min(every, key=lambda each: host.breaker.preference(each[1]))


def _lets_attempts_pass(host: Host, called: frozenset[Wait], now: float) -> bool:
    """Return whether a host may be asked for what failed: its breaker is closed, or this is the turn of its trial."""
    return host.breaker.error is None or (Trial(host.name) in called and host.breaker.allowed_at(now) <= now)
