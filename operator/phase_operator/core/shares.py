"""Who may have a call to Phase under way now: a share for each namespace and host, so that a slow one slows himself.

Rule: places are for those who answer quickly. A call that lasts longer than a moment gives its place up and is counted
as slow from then on, and whoever was slow last begins as slow: of slow calls a namespace may have few, together they
take no place of the quick ones, and the last places of either sort are for namespaces that have none.
"""

from collections import Counter, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

# A call that ends within so many seconds is quick.
QUICK = 3.0
# So many slow calls for each place: they wait for others and cost next to nothing here.
SLOW_CALLS = 4
_SLOW_OF_ONE_AT_ONE_HOST = 3


# Where a share can be used up.
At = Literal["namespace", "namespace at host", "host", "all"]


class Gate(NamedTuple):
    """What a call has to wait for."""

    at: At
    name: str
    is_slow: bool


@dataclass(slots=True)
class _UnderWay:
    account: Hashable
    host: str
    namespace: str
    began: float
    is_slow: bool


class Shares:
    """The calls under way. `places` is how many of quick hosts there may be; times are of one monotonic clock."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._slow_places = places * SLOW_CALLS
        self._of_namespace = max(2, places // 2)
        self._slow_of_namespace = max(1, places // 4)
        self._of_host = max(1, places // 2)
        self._calls: dict[int, _UnderWay] = {}
        # Quick ones in the order in which they began; those that ended are skipped.
        self._young: deque[tuple[float, int]] = deque()
        # (sort of gate, its name, slow) -> calls under way
        self._counts: Counter[Gate] = Counter()
        # Namespace -> its calls under way, of either sort.
        self._loads: Counter[str] = Counter()
        # How those who ask were answered last, and which of a host's were answered quickly.
        self._was_quick: dict[Hashable, bool] = {}
        self._quick_at: dict[str, set[Hashable]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def count(self, *, is_slow: bool) -> int:
        """Return how many calls are under way, slow or quick ones."""
        return self._counts[Gate("all", "", is_slow)]

    def is_slow(self, account: Hashable, host: str) -> bool:
        """Say whether calls of an account begin as slow; one that never asked is what others of its host are."""
        known = self._was_quick.get(account)
        return not (known if known is not None else bool(self._quick_at.get(host)))

    def payer(self, namespaces: Iterable[str]) -> str:
        """Return the one of these namespaces that has the fewest calls under way."""
        found = tuple(namespaces)
        # Nearly always there is one that has none.
        free = next((each for each in found if each not in self._loads), None)
        return free if free is not None else min(found, key=self._load)

    def by_load(self, namespaces: Iterable[str]) -> list[str]:
        """Return namespaces by how many calls they have under way, the fewest first."""
        return sorted(namespaces, key=self._load)

    def gate(self, account: Hashable, host: str, namespace: str) -> Gate | None:
        """Return what a call of a namespace has to wait for, or None if it may begin."""
        is_slow = self.is_slow(account, host)
        return next((each for each in _gates(host, namespace, is_slow) if not self.has_room(each, namespace)), None)

    def has_room(self, gate: Gate, namespace: str) -> bool:
        """Say whether a gate lets a call of a namespace pass."""
        count = self._counts[gate]
        match gate.at:
            case "namespace" if gate.is_slow:
                return count < self._slow_of_namespace and self._load(namespace) < self._of_namespace
            case "namespace":
                return self._load(namespace) < self._of_namespace
            case "namespace at host":
                return not gate.is_slow or count < _SLOW_OF_ONE_AT_ONE_HOST
            case "host":
                has_none = not self._counts[_pair(gate.name, namespace, gate.is_slow)]
                return count < _left(self._of_host, for_first=has_none)
            case "all":
                has_none = not self._counts[Gate("namespace", namespace, gate.is_slow)]
                return count < _left(self._slow_places if gate.is_slow else self._places, for_first=has_none)

    def begin(self, call: int, account: Hashable, host: str, namespace: str, now: float) -> None:
        """Count a call that begins; `call` is a number of its own."""
        found = _UnderWay(account, host, namespace, now, self.is_slow(account, host))
        self._calls[call] = found
        self._loads[namespace] += 1
        self._add(found, 1)
        if not found.is_slow:
            self._young.append((now, call))

    def end(self, call: int, now: float, *, was_answered: bool) -> list[Gate]:
        """Count a call that ended, and return the gates that may let others pass now."""
        found = self._calls.pop(call)
        self._loads[found.namespace] -= 1
        if not self._loads[found.namespace]:
            del self._loads[found.namespace]
        self._add(found, -1)
        self._judge(found, quick=was_answered and now - found.began <= QUICK)
        gates = _gates(found.host, found.namespace, found.is_slow)
        return [*gates, Gate("namespace", found.namespace, not found.is_slow)]

    def settle(self, now: float) -> list[Gate]:
        """Count as slow what has been under way for too long, and return the gates that may let others pass now."""
        freed: dict[Gate, None] = {}
        while self._young and (self._young[0][0] + QUICK < now or self._young[0][1] not in self._calls):
            _, call = self._young.popleft()
            found = self._calls.get(call)
            if found is None:
                continue
            self._add(found, -1)
            freed |= dict.fromkeys(_gates(found.host, found.namespace, is_slow=False))
            found.is_slow = True
            self._add(found, 1)
            self._judge(found, quick=False)
        return list(freed)

    def settles_at(self) -> float | None:
        """Return when `settle` is worth calling next, or None."""
        while self._young and self._young[0][1] not in self._calls:
            self._young.popleft()
        return self._young[0][0] + QUICK * 1.001 if self._young else None

    def forget(self, account: Hashable, host: str) -> None:
        """Forget an account that asks nothing any more."""
        self._was_quick.pop(account, None)
        if quick := self._quick_at.get(host):
            quick.discard(account)
            if not quick:
                del self._quick_at[host]

    def _load(self, namespace: str) -> int:
        return self._loads.get(namespace, 0)

    def _add(self, call: _UnderWay, number: int) -> None:
        for gate in _gates(call.host, call.namespace, call.is_slow):
            self._counts[gate] += number
            if not self._counts[gate]:
                del self._counts[gate]

    def _judge(self, call: _UnderWay, *, quick: bool) -> None:
        self._was_quick[call.account] = quick
        if quick:
            self._quick_at.setdefault(call.host, set()).add(call.account)
        elif kept := self._quick_at.get(call.host):
            kept.discard(call.account)
            if not kept:
                del self._quick_at[call.host]


def _gates(host: str, namespace: str, is_slow: bool) -> tuple[Gate, ...]:
    """Return the gates on the way of a call, those of its own first."""
    return (
        Gate("namespace", namespace, is_slow),
        _pair(host, namespace, is_slow),
        Gate("host", host, is_slow),
        Gate("all", "", is_slow),
    )


def _pair(host: str, namespace: str, is_slow: bool) -> Gate:
    # A namespace's name has no blank.
    return Gate("namespace at host", f"{namespace} {host}", is_slow)


def _left(places: int, *, for_first: bool) -> int:
    """Return how many places there are: the last quarter is for the first call of each namespace."""
    return places if for_first else places - places // 4
