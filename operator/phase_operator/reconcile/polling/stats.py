"""The figures of polling, counted in one pass for metrics and probes.

Rule: nothing is kept for them; they are read from what the scheduler knows.
"""

from collections.abc import Collection
from dataclasses import dataclass

from phase_operator.reconcile.polling.accounts import AccountState
from phase_operator.reconcile.polling.dispatch import Dispatcher
from phase_operator.reconcile.polling.gates import Host


@dataclass(frozen=True, slots=True)
class PollStats:
    """What there is to say of polling at one moment; times in seconds."""

    # Distinct queries, and the entries that their answers hold together.
    queries: int = 0
    entries: int = 0
    # The time since the query furthest behind was confirmed.
    staleness: float = 0.0
    # Apps that Phase answers no probes for: they are read at the polling interval.
    unprobed: int = 0
    # Hosts and accounts that are asked with one call at a time, because they fail.
    open_breakers: int = 0
    # Calls that are planned, now or later; and how long an account has waited that has nothing to wait for.
    planned: int = 0
    overdue: float = 0.0
    # Calls that are due and wait for the quota of their account, and how long the first of them has.
    quota_calls: int = 0
    quota_wait: float = 0.0
    # Calls under way to those who answer quickly, and to all others.
    quick: int = 0
    slow: int = 0
    # Accounts that wait for a call, because their namespace or host has its share under way.
    held_back: int = 0


def count(
    account_states: Collection[AccountState], hosts: Collection[Host], turns: Dispatcher, now: float
) -> PollStats:
    """Count what accounts, hosts and their calls come to at this moment."""
    queries, entries, oldest = _count_queries(account_states, now)
    kept_back = [due for account_state in account_states for due in account_state.kept_back(now)]
    return PollStats(
        queries=queries,
        entries=entries,
        staleness=now - oldest,
        unprobed=sum(app.is_unprobed for account_state in account_states for app in account_state.apps.values()),
        open_breakers=_count_open(account_states, hosts),
        planned=sum(len(account_state.fair_queue) for account_state in account_states),
        overdue=turns.overdue(now),
        quota_calls=len(kept_back),
        quota_wait=now - min(kept_back, default=now),
        quick=turns.under_way(is_slow=False),
        slow=turns.under_way(is_slow=True),
        held_back=turns.waiting(),
    )


def _count_open(account_states: Collection[AccountState], hosts: Collection[Host]) -> int:
    """Return how many breakers of hosts and accounts are open."""
    breakers = [*(host.breaker for host in hosts), *(account_state.gate.denials for account_state in account_states)]
    return sum(breaker.error is not None for breaker in breakers)


def _count_queries(account_states: Collection[AccountState], now: float) -> tuple[int, int, float]:
    """Return the number of queries, the entries of their answers, and when the query furthest behind was confirmed."""
    queries, entries, oldest = 0, 0, now
    for account_state in account_states:
        for query_state in account_state.queries():
            queries += 1
            entries += len(query_state.answer.entries) if query_state.answer is not None else 0
            oldest = min(oldest, query_state.confirmed_at if query_state.confirmed_at is not None else now)
    return queries, entries, oldest
