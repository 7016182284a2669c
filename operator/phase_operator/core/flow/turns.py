"""A queue in which namespaces take turns. If it has a limit and is full, the namespace with the most items loses one.

Rule: a namespace with at least as many waiting items as any other can push out only its own. Every item counts the same
and an item is taken at once, so the turns are those of a round; `FairTurns` is for queues that skip items.
"""

import math
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """Items by namespace; `limit` is how many wait together. Iterates over the namespaces, from the one that is next.

    A namespace that never has more waiting than its even part of the limit loses none.
    """

    def __init__(self, limit: float = math.inf) -> None:
        self._limit = limit
        self._number = 0
        # The namespace whose turn is next comes first.
        self._waiting: dict[str, deque[Item]] = {}

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[str]:
        return iter(self._waiting)

    def add(self, namespace: str, item: Item) -> Item | None:
        """Add an item; return the one dropped for it: the oldest of the namespace with most items, its own on a tie."""
        self._waiting.setdefault(namespace, deque()).append(item)
        self._number += 1
        if self._number <= self._limit:
            return None
        most = max(self._waiting, key=lambda each: (len(self._waiting[each]), each == namespace))
        return self._pop(most)

    def take(self) -> Item:
        """Return the oldest item of the namespace whose turn it is; raise LookupError if there is none."""
        if not self._waiting:
            raise LookupError("nothing waits")
        return self.take_of(next(iter(self)))

    def take_of(self, namespace: str) -> Item:
        """Return the oldest item of a namespace that has one; all others have their turn before its next."""
        item = self._pop(namespace)
        if (rest := self._waiting.pop(namespace, None)) is not None:
            self._waiting[namespace] = rest
        return item

    def _pop(self, namespace: str) -> Item:
        items = self._waiting[namespace]
        item = items.popleft()
        self._number -= 1
        if not items:
            del self._waiting[namespace]
        return item
