"""Which errand is next: namespaces take turns, and have shares as in calls that read.

Rule: a resource has one errand at a time. A call that lasts longer than a moment gives its place up to others, and
counts in the shares of slow ones; so whoever waits for a slow cloud provider, or for a host that hangs, waits beside
the others. Nothing here awaits; every method takes `now`, in seconds of one monotonic clock.
"""

from collections.abc import Callable, Hashable
from math import inf

from phase_operator.core.source.query import Account, origin
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand, Question
from phase_operator.reconcile.polling.limits.concurrency import ConcurrencyShares


class ErrandQueue:
    """Errands that wait and errands under way; `places` is the most of them that are quick."""

    def __init__(self, places: int, allowed_at: Callable[[Account, float], float]) -> None:
        self._shares = ConcurrencyShares(places)
        self._allowed_at = allowed_at
        # The namespace whose turn is next comes first. Of an account's errands the first has waited longest; what holds
        # it holds the others, so that they are not looked at: a namespace may have thousands.
        self._waiting: dict[str, dict[Account, dict[ObjectKey, Errand]]] = {}
        # Each of these, and since when it waits.
        self._since: dict[ObjectKey, tuple[Errand, float]] = {}
        # Those under way: the number of each among the calls that have shares.
        self._under_way: dict[ObjectKey, int] = {}
        self._serial = 0
        # When somebody looked last: all that might begin then has begun.
        self._looked_at = 0.0

    def __len__(self) -> int:
        return len(self._since)

    def add(self, errand: Errand, now: float) -> None:
        """Add an errand of a resource that has none."""
        subject = errand.subject
        if subject in self._under_way or subject in self._since:
            raise ValueError("a resource has one errand at a time")
        self._waiting.setdefault(subject.namespace, {}).setdefault(errand.account, {})[subject] = errand
        self._since[subject] = (errand, now)

    def withdraw(self, subject: ObjectKey) -> None:
        """Take out the errand of a resource that has not begun."""
        errand, _ = self._since.pop(subject, (None, 0.0))
        if errand is None:
            return
        accounts = self._waiting[subject.namespace]
        del accounts[errand.account][subject]
        if not accounts[errand.account]:
            del accounts[errand.account]
        if not accounts:
            del self._waiting[subject.namespace]

    def asking(self, namespace: str, account: Account, asked: Hashable) -> dict[ObjectKey, Question]:
        """Return the questions of errands that have not begun and ask this with one account for one namespace."""
        waiting = self._waiting.get(namespace, {}).get(account, {})
        questions = ((subject, each.question) for subject, each in waiting.items())
        return {subject: each for subject, each in questions if each is not None and each.asked == asked}

    def is_under_way(self, subject: ObjectKey) -> bool:
        """Return whether an errand of a resource has begun and not ended."""
        return subject in self._under_way

    def look(self, now: float) -> tuple[Errand | None, float | None]:
        """Begin the next errand; without one, return when to look again, or None if only a change can tell."""
        self._looked_at = now
        self._shares.settle(now)
        opens: dict[Account, float] = {}
        is_any_held = False
        for namespace in self._waiting:
            for errand in self._first(namespace):
                account = errand.account
                if account not in opens:
                    opens[account] = self._allowed_at(account, now)
                if opens[account] > now:
                    continue
                if self._shares.gate(account, origin(account.base_url), namespace) is None:
                    self._begin(namespace, errand, now)
                    return errand, None
                is_any_held = True
        later = [at for at in opens.values() if now < at < inf]
        settles_at = self._shares.settles_at() if is_any_held else None
        return None, min([*later, *([] if settles_at is None else [settles_at])], default=None)

    def _first(self, namespace: str) -> list[Errand]:
        """Return the first errand of each account, the one that has waited longest in front."""
        first = (next(iter(each.values())) for each in self._waiting[namespace].values())
        return sorted(first, key=lambda errand: self._since[errand.subject][1])

    def _begin(self, namespace: str, errand: Errand, now: float) -> None:
        self._serial += 1
        self._shares.begin(self._serial, errand.account, origin(errand.account.base_url), namespace, now)
        self._under_way[errand.subject] = self._serial
        self.withdraw(errand.subject)
        if (rest := self._waiting.pop(namespace, None)) is not None:
            self._waiting[namespace] = rest

    def done(self, errand: Errand, now: float, *, was_answered: bool) -> None:
        """End an errand; `was_answered`: the host did its part in time."""
        self._shares.end(self._under_way.pop(errand.subject), now, was_answered=was_answered)

    def forget(self, account: Account) -> None:
        """Forget an account that makes no more calls."""
        self._shares.forget(account, origin(account.base_url))

    def oldest(self, now: float) -> float:
        """Return for how many seconds the errand has waited longest that waits for others.

        It may call, and its namespace has none under way: what waits for a quota or a share of its own is not late.
        """
        busy = {each.namespace for each in self._under_way}
        return self._longest(now, lambda each: each.subject.namespace not in busy)

    def neglected(self, now: float) -> float:
        """Return for how many seconds an errand that may begin has waited for somebody to look."""

        def may_begin(each: Errand) -> bool:
            return self._shares.gate(each.account, origin(each.account.base_url), each.subject.namespace) is None

        return min(now - self._looked_at, self._longest(now, may_begin))

    def _longest(self, now: float, counts: Callable[[Errand], bool]) -> float:
        """Return for how many seconds the errand has waited longest that counts, and whose account may call."""
        waiting = (each for namespace in self._waiting for each in self._first(namespace) if counts(each))
        since = (self._since[each.subject][1] for each in waiting if self._allowed_at(each.account, now) <= now)
        return now - min(since, default=now)
