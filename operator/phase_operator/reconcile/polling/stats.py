"""The figures of polling, counted in one pass for metrics and probes.

Rule: nothing is kept for them; they are read from what the scheduler knows.
"""

from collections.abc import Collection
from dataclasses import dataclass

from phase_operator.reconcile.polling.accounts import Asker
from phase_operator.reconcile.polling.dispatch import Turns
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


def count(askers: Collection[Asker], hosts: Collection[Host], turns: Turns, now: float) -> PollStats:
    """Count what accounts, hosts and their calls come to at this moment."""
    queries, entries, oldest = 0, 0, now
    for asker in askers:
        for question in asker.questions():
            queries += 1
            entries += len(question.answer.entries) if question.answer is not None else 0
            oldest = min(oldest, question.confirmed_at if question.confirmed_at is not None else now)
    breakers = [*(host.breaker for host in hosts), *(asker.gate.denials for asker in askers)]
    kept_back = [due for asker in askers for due in asker.kept_back(now)]
    return PollStats(
        queries=queries,
        entries=entries,
        staleness=now - oldest,
        unprobed=sum(app.is_unprobed for asker in askers for app in asker.apps.values()),
        open_breakers=sum(breaker.error is not None for breaker in breakers),
        planned=sum(len(asker.fair_queue) for asker in askers),
        overdue=turns.overdue(now),
        quota_calls=len(kept_back),
        quota_wait=now - min(kept_back, default=now),
        quick=turns.under_way(is_slow=False),
        slow=turns.under_way(is_slow=True),
        held_back=turns.waiting(),
    )
