"""Which errand is next: namespaces take turns, and none has more than half of the workers.

Rule: a resource has one errand at a time, so one that waits for a slow cloud provider holds one worker. Nothing here
awaits; every method takes `now`, in seconds of one monotonic clock.
"""

from collections import Counter
from collections.abc import Callable
from math import inf

from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand


class ErrandQueue:
    """Errands that wait and errands under way."""

    def __init__(self, workers: int, allowed_at: Callable[[Account, float], float]) -> None:
        # A namespace may have so many under way.
        self._share = max(1, workers // 2)
        self._allowed_at = allowed_at
        # The namespace whose turn is next comes first, and of its errands the one that has waited longest.
        self._waiting: dict[str, dict[ObjectKey, Errand]] = {}
        self._under_way: dict[ObjectKey, Errand] = {}
        self._busy: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, errand: Errand) -> None:
        """Add an errand of a resource that has none."""
        subject = errand.subject
        if subject in self._under_way or subject in self._waiting.get(subject.namespace, {}):
            raise ValueError("a resource has one errand at a time")
        self._waiting.setdefault(subject.namespace, {})[subject] = errand

    def withdraw(self, subject: ObjectKey) -> None:
        """Take out the errand of a resource that has not begun."""
        of_namespace = self._waiting.get(subject.namespace, {})
        if of_namespace.pop(subject, None) is not None and not of_namespace:
            del self._waiting[subject.namespace]

    def is_under_way(self, subject: ObjectKey) -> bool:
        """Return whether an errand of a resource has begun and not ended."""
        return subject in self._under_way

    def look(self, now: float) -> tuple[Errand | None, float | None]:
        """Begin the next errand; without one, return when to look again, or None if only a change can tell."""
        opens: dict[Account, float] = {}
        for namespace, errands in self._waiting.items():
            if self._busy[namespace] >= self._share:
                continue
            for errand in errands.values():
                if errand.account not in opens:
                    opens[errand.account] = self._allowed_at(errand.account, now)
                if opens[errand.account] <= now:
                    self._begin(namespace, errand)
                    return errand, None
        due = min(opens.values(), default=inf)
        return None, None if due == inf else due

    def _begin(self, namespace: str, errand: Errand) -> None:
        self._under_way[errand.subject] = errand
        self._busy[namespace] += 1
        rest = self._waiting.pop(namespace)
        del rest[errand.subject]
        if rest:
            self._waiting[namespace] = rest

    def done(self, errand: Errand) -> None:
        """End an errand."""
        del self._under_way[errand.subject]
        namespace = errand.subject.namespace
        self._busy[namespace] -= 1
        if not self._busy[namespace]:
            del self._busy[namespace]
