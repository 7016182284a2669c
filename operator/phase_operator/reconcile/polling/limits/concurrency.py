"""Which calls to Phase may be in flight: a share for each namespace and host, so that a slow one delays only itself.

Rule: places are for quick calls. A call that lasts longer than a moment gives its place up and counts as slow from then
on. Calls of an account or a host that was slow the last time begin as slow. A namespace may have few slow calls, and
slow calls take no places of quick ones. The last places of either sort are for namespaces that have no call in flight
and whose last call was answered. When places are short, a call that lasts longer than its last one lets another begin.
"""

import heapq
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

# A call that ends within this many seconds is quick.
QUICK = 1.0
# A call is overdue after this multiple of the time of the account's last call, and at least this many seconds.
_OVERDUE, _OVERDUE_AT_LEAST = 4.0, QUICK / 5
# Seconds between two checks whether places have become short.
_LOOK_AGAIN = QUICK / 10
# The assumed time of a first call of an account, and the least time that counts.
_UNKNOWN, _LEAST = QUICK / 4, QUICK / 50
# Slow calls for each place: they only wait for an answer, and cost almost nothing here.
SLOW_CALLS = 4
# Calls for each place that are overdue but not slow yet, and hold no place.
OVERDUE_CALLS = 2
_SLOW_OF_ONE_AT_ONE_HOST = 3
_NEVER = float("inf")
# The most namespaces that are remembered for an unanswered call.
_MANY = 1000


# The resources that a share is counted of.
At = Literal["namespace", "namespace at host", "host", "all"]


class ConcurrencyLimit(NamedTuple):
    """What a call has to wait for."""

    at: At
    name: str
    is_slow: bool


@dataclass(slots=True)
class _InFlightCall:
    account: Hashable
    host: str
    namespace: str
    began: float
    is_slow: bool
    # It is overdue, and another one has its place among all.
    is_overdue: bool = False


def calls_at_once(places: int) -> int:
    """Return the most calls that can be in flight: quick, overdue and slow ones."""
    return places * (1 + OVERDUE_CALLS + SLOW_CALLS)


class ConcurrencyShares:
    """The calls in flight. `places` is the most quick ones; times are seconds of one monotonic clock."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._slow_places = places * SLOW_CALLS
        # The most calls of all, by whether they are slow.
        self._of_all = {False: places, True: self._slow_places}
        self._of_namespace = max(2, places // 2)
        self._slow_of_namespace = max(1, places // 4)
        self._of_host = max(1, places // 2)
        self._calls: dict[int, _InFlightCall] = {}
        # Quick calls by the time of their next check; calls that ended are skipped.
        self._young: list[tuple[float, int]] = []
        self._overdue = 0
        # (sort of gate, its name, slow) -> calls in flight
        self._counts: Counter[ConcurrencyLimit] = Counter()
        # Namespace -> its calls in flight, quick and slow.
        self._loads: Counter[str] = Counter()
        # The time of each account's last call (infinite if it was not answered), and a host's accounts that were
        # answered quickly.
        self._took: dict[Hashable, float] = {}
        self._quick_at: dict[str, set[Hashable]] = {}
        # Namespaces whose last call was not answered in time, the latest at the end.
        self._in_vain: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def count(self, *, is_slow: bool) -> int:
        """Return how many calls are under way, slow or quick ones."""
        return self._counts[ConcurrencyLimit("all", "", is_slow)] + (0 if is_slow else self._overdue)

    def is_slow(self, account: Hashable, host: str) -> bool:
        """Return whether calls of an account begin as slow; a new account is like the others of its host."""
        took = self._took.get(account)
        return took > QUICK if took is not None else not self._quick_at.get(host)

    def payer(self, namespaces: Iterable[str]) -> str:
        """Return the namespace that has the fewest calls in flight."""
        found = tuple(namespaces)
        # Nearly always there is one that has none.
        free = next((each for each in found if each not in self._loads), None)
        return free if free is not None else min(found, key=self._load)

    def cost(self, account: Hashable, namespace: str) -> float:
        """Return the sort key of a waiting call, least first: the time that the namespace's calls take, with one more.

        So calls that are answered at once do not wait behind many that are not, however many namespaces these have.
        """
        least = QUICK if namespace in self._in_vain else _LEAST
        return (1 + self._load(namespace)) * max(least, self._took.get(account, _UNKNOWN))

    def gate(self, account: Hashable, host: str, namespace: str) -> ConcurrencyLimit | None:
        """Return what a call of a namespace has to wait for, or None if it may begin."""
        is_slow = self.is_slow(account, host)
        gates = _gates(host, namespace, is_slow)
        return next((each for each in gates if not self.has_room(each, account, namespace)), None)

    def is_full(self, gate: ConcurrencyLimit) -> bool:
        """Return whether a gate has room for no call of anybody; each of those who wait is asked about otherwise."""
        match gate.at:
            case "host":
                return self._counts[gate] >= self._of_host
            case "all":
                return self._counts[gate] >= self._of_all[gate.is_slow]
        return False

    def has_room(self, gate: ConcurrencyLimit, account: Hashable, namespace: str) -> bool:
        """Return whether a gate has room for a call of this account and namespace."""
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
                places = self._of_all[gate.is_slow]
                if count < _left(places, for_first=False):
                    return True
                return count < places and self._is_first(account, namespace, is_slow=gate.is_slow)

    def _is_first(self, account: Hashable, namespace: str, *, is_slow: bool) -> bool:
        """Return whether the last places are for a call: the first of its namespace, which was answered when it asked.

        A namespace whose last call was not answered had its turn, and may come back with any number of hosts.
        """
        # In this order: where hosts hang, hundreds of namespaces are asked about at each end of a call.
        if namespace in self._in_vain or self._counts[ConcurrencyLimit("namespace", namespace, is_slow)]:
            return False
        return not is_slow or account not in self._took

    def begin(self, call: int, account: Hashable, host: str, namespace: str, now: float) -> None:
        """Count a call that begins; `call` is its unique number."""
        found = _InFlightCall(account, host, namespace, now, self.is_slow(account, host))
        self._calls[call] = found
        self._loads[namespace] += 1
        self._add(found, 1)
        if not found.is_slow:
            usual = self._took.get(account, QUICK)
            heapq.heappush(self._young, (now + min(QUICK, max(_OVERDUE_AT_LEAST, _OVERDUE * usual)), call))

    def end(self, call: int, now: float, *, was_answered: bool) -> list[ConcurrencyLimit]:
        """Count a call that ended, and return the gates that may let others pass now."""
        found = self._calls.pop(call)
        self._loads[found.namespace] -= 1
        if not self._loads[found.namespace]:
            del self._loads[found.namespace]
        self._add(found, -1)
        self._judge(found, now - found.began if was_answered else _NEVER)
        gates = _gates(found.host, found.namespace, found.is_slow)
        return [*gates, ConcurrencyLimit("namespace", found.namespace, not found.is_slow)]

    def settle(self, now: float) -> list[ConcurrencyLimit]:
        """Count calls as slow that have lasted too long, and return the gates that may let others pass now.

        Many hosts can stop answering together. If their calls take the last places, overdue calls give up theirs,
        within a limit. So the hanging hosts are recognised sooner, and other calls go on meanwhile.
        """
        freed: dict[ConcurrencyLimit, None] = {}
        while self._young and self._young[0][0] <= now:
            _, call = heapq.heappop(self._young)
            found = self._calls.get(call)
            if found is None:
                continue
            if now >= found.began + QUICK:
                freed |= dict.fromkeys(_gates(found.host, found.namespace, is_slow=False))
                self._move(found, is_slow=True)
                self._judge(found, _NEVER)
                continue
            if not found.is_overdue and self._may_be_overdue():
                freed[ConcurrencyLimit("all", "", False)] = None
                self._move(found, is_overdue=True)
            again = QUICK if found.is_overdue else now - found.began + _LOOK_AGAIN
            heapq.heappush(self._young, (found.began + min(QUICK, again), call))
        return list(freed)

    def _move(self, call: _InFlightCall, *, is_slow: bool = False, is_overdue: bool = False) -> None:
        """Count a call among others from now on: the slow ones, or those that are overdue."""
        self._add(call, -1)
        call.is_slow, call.is_overdue = is_slow, is_overdue
        self._add(call, 1)

    def _may_be_overdue(self) -> bool:
        """Return whether places are short and the limit of overdue calls is not reached."""
        is_short = self._counts[ConcurrencyLimit("all", "", False)] >= _left(self._places, for_first=False)
        return is_short and self._overdue < self._places * OVERDUE_CALLS

    def surplus(self, now: float) -> list[int]:
        """Return the slow calls to cancel, so that the last places are free for the next namespace.

        Calls of many hosts can become slow at once. The oldest are cancelled, and sooner those of a namespace that has
        many.
        """
        many = self.count(is_slow=True) - _left(self._slow_places, for_first=False)
        if many <= 0:
            return []
        slow = [(number, call) for number, call in self._calls.items() if call.is_slow]

        def weight(each: tuple[int, _InFlightCall]) -> float:
            return (now - each[1].began) * self._counts[ConcurrencyLimit("namespace", each[1].namespace, True)]

        return [number for number, _ in heapq.nlargest(many, slow, key=weight)]

    def settles_at(self) -> float | None:
        """Return when `settle` is worth calling next, or None."""
        while self._young and self._young[0][1] not in self._calls:
            heapq.heappop(self._young)
        return self._young[0][0] if self._young else None

    def forget(self, account: Hashable, host: str) -> None:
        """Forget an account that makes no more calls."""
        self._took.pop(account, None)
        self._forget_quick(account, host)

    def _forget_quick(self, account: Hashable, host: str) -> None:
        """Record that an account is not one that the host answered quickly, or is no more."""
        quick = self._quick_at.get(host, set())
        quick.discard(account)
        if not quick:
            self._quick_at.pop(host, None)

    def _load(self, namespace: str) -> int:
        return self._loads.get(namespace, 0)

    def _add(self, call: _InFlightCall, number: int) -> None:
        gates = _gates(call.host, call.namespace, call.is_slow)
        if call.is_overdue:
            self._overdue += number
            gates = gates[:-1]
        for gate in gates:
            self._counts[gate] += number
            if not self._counts[gate]:
                del self._counts[gate]

    def _judge(self, call: _InFlightCall, took: float) -> None:
        self._took[call.account] = took
        self._in_vain.pop(call.namespace, None)
        if took == _NEVER:
            self._in_vain[call.namespace] = None
            if len(self._in_vain) > _MANY:
                del self._in_vain[next(iter(self._in_vain))]
        if took <= QUICK:
            self._quick_at.setdefault(call.host, set()).add(call.account)
        else:
            self._forget_quick(call.account, call.host)


def _gates(host: str, namespace: str, is_slow: bool) -> tuple[ConcurrencyLimit, ...]:
    """Return the gates that a call passes, its own first."""
    return (
        ConcurrencyLimit("namespace", namespace, is_slow),
        _pair(host, namespace, is_slow),
        ConcurrencyLimit("host", host, is_slow),
        ConcurrencyLimit("all", "", is_slow),
    )


def _pair(host: str, namespace: str, is_slow: bool) -> ConcurrencyLimit:
    # A blank separates the two: no namespace name has one.
    return ConcurrencyLimit("namespace at host", f"{namespace} {host}", is_slow)


def _left(places: int, *, for_first: bool) -> int:
    """Return how many places may be used: the last quarter is for the first call of each namespace."""
    return places if for_first else places - places // 4
