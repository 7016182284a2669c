"""Hosts of Phase without a network, good ones and bad ones, and a scheduler whose calls to them take their time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.query import Account, SourceQuery
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.calls import Broken, Call, Fresh, Policy, SourceState, Subscription
from phase_operator.reconcile.polling.limits.concurrency import QUICK, calls_at_once
from phase_operator.reconcile.polling.scheduler import PollScheduler
from support.planning import SimPhase, key, tell

# What a host does with a call that begins now: how many seconds it takes, and the error it ends in, if any.
Manner = Callable[[Call, float], tuple[float, ExpectedError | None]]
GOOD_URL = "https://good.example/service/public"
# As wiring.py has it.
PLACES = 16
CALLS = calls_at_once(PLACES) + 1


def down(why: str = "does not answer in time") -> Transient:
    """Return the error of a host that does not answer."""
    return Transient(Reason.PHASE_UNAVAILABLE, f"the host {why}")


def quick(_: Call, __: float) -> tuple[float, None]:
    """Answer at once."""
    return 0.05, None


def tarpit(_: Call, __: float) -> tuple[float, ExpectedError]:
    """Send a byte now and then, until the deadline."""
    return 60.0, down()


def silent(_: Call, __: float) -> tuple[float, ExpectedError]:
    """Accept and say nothing; a name that no resolver answers looks the same."""
    return 30.0, down()


def unreachable(_: Call, __: float) -> tuple[float, ExpectedError]:
    """Drop every packet."""
    return 5.0, down("cannot be reached")


def refusing(_: Call, __: float) -> tuple[float, ExpectedError]:
    """Refuse the connection."""
    return 0.001, down("cannot be reached")


def slow(_: Call, __: float) -> tuple[float, None]:
    """Answer well, and late."""
    return 20.0, None


def nearly_slow(_: Call, __: float) -> tuple[float, None]:
    """Answer well, and as late as a host may that counts as quick."""
    return 0.95 * QUICK, None


def a_bit_slow(_: Call, __: float) -> tuple[float, None]:
    """Answer well, and a little too late for that."""
    return 2.9, None


def broken(_: Call, __: float) -> tuple[float, ExpectedError]:
    """Answer with an error page."""
    return 0.05, down("answers 502")


def fickle(_: Call, now: float) -> tuple[float, ExpectedError | None]:
    """Answer quickly for a while, and then not at all for a while."""
    return (0.05, None) if int(now / 30.0) % 2 else (60.0, down())


def page(_: Call, __: float) -> tuple[float, ExpectedError]:
    """Refuse the question with a page of a proxy."""
    return 0.05, Transient(Reason.UNEXPECTED_ANSWER, "not Phase's API: it answers 414", of_question=True)


def forbidden(_: Call, __: float) -> tuple[float, ExpectedError]:
    """Refuse the question."""
    return 0.05, Waiting(Reason.ACCESS_DENIED, "Phase answers 401: Service account cannot access this app")


_HOSTILE = (tarpit, silent, unreachable, refusing, slow, nearly_slow, a_bit_slow, broken, fickle, page, forbidden)
HOSTILE: dict[str, Manner] = {each.__name__: each for each in _HOSTILE}


@dataclass
class Hosts:
    """A scheduler, the calls under way, and the PhaseSecrets that look whenever they are woken."""

    policy: Policy = field(default_factory=Policy)
    phase: SimPhase = field(default_factory=SimPhase)
    # Returns the manner in which a call is answered.
    manner_of: Callable[[Call], Manner] = lambda _: quick
    now: float = 1000.0
    calls: list[tuple[float, Call]] = field(default_factory=list)
    # What each PhaseSecret saw, with the time, whenever that changed.
    seen: dict[ObjectKey, list[tuple[float, SourceState]]] = field(default_factory=dict)
    most_overdue: float = 0.0
    _under_way: list[tuple[float, int, Call, ExpectedError | None]] = field(default_factory=list)
    _serial: int = 0

    def __post_init__(self) -> None:
        self.scheduler = PollScheduler(self.policy)

    def ask(self, name: str, query: SourceQuery, *, interval: float = 5.0) -> None:
        """Let PhaseSecret `namespace/name` ask a question."""
        self.scheduler.subscribe(key(name), query, Subscription(interval), self.now)
        self._look({key(name)})

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            self._begin()
            due = self.scheduler.next_due() if len(self._under_way) < CALLS else None
            times = [at for at in (due, self._under_way[0][0] if self._under_way else None) if at is not None]
            if not times or min(times) > end:
                break
            self.now = max(self.now, min(times))
            while self._under_way and self._under_way[0][0] <= self.now:
                _, _, call, error = heapq.heappop(self._under_way)
                self._look(self._end(call, error))
        self.now = end

    def until_fresh(self, name: str, within: float = 60.0) -> float:
        """Let time pass until a PhaseSecret has an answer; return after how many seconds it had."""
        began = self.now
        while not isinstance(self.view(name), Fresh):
            assert self.now - began < within, (name, self.view(name))
            self.run(0.1)
        return self.now - began

    def view(self, name: str) -> SourceState:
        """Return what is known of a PhaseSecret's question."""
        return self.scheduler.view(key(name))

    def complaints(self, name: str, since: float = 0.0) -> list[tuple[float, Reason]]:
        """Return when a PhaseSecret reported that something is wrong, and what."""
        states = [(at, state) for at, state in self.seen.get(key(name), []) if at >= since]
        return [(at, state.error.reason) for at, state in states if isinstance(state, Broken)]

    def under_way(self) -> int:
        """Return how many calls are under way."""
        return len(self._under_way)

    def _begin(self) -> None:
        self.most_overdue = max(self.most_overdue, self.scheduler.overdue(self.now))
        while len(self._under_way) < CALLS and (call := self.scheduler.next(self.now)) is not None:
            self.calls.append((self.now, call))
            seconds, error = self.manner_of(call)(call, self.now)
            self._serial += 1
            heapq.heappush(self._under_way, (self.now + seconds, self._serial, call, error))
        surplus = self.scheduler.surplus(self.now)
        for at, serial, call, _ in [each for each in self._under_way if any(each[2] is one for one in surplus)]:
            self._under_way = [each for each in self._under_way if each[1] != serial]
            heapq.heapify(self._under_way)
            heapq.heappush(self._under_way, (min(at, self.now), serial, call, down()))
        self._look(self.scheduler.awakened())

    def _end(self, call: Call, error: ExpectedError | None) -> set[ObjectKey]:
        if error is not None:
            return self.scheduler.failed(call, error, self.now)
        return tell(self.scheduler, self.phase, call, self.now)

    def _look(self, woken: set[ObjectKey]) -> None:
        for each in woken:
            try:
                state = self.scheduler.view(each)
            except KeyError:
                continue
            self.seen.setdefault(each, []).append((self.now, state))


def by_url(manners: dict[str, Manner]) -> Callable[[Call], Manner]:
    """Return the manner of the first beginning of a URL that fits; quick for all others."""

    def find(call: Call) -> Manner:
        url = call.account.base_url
        return next((manner for start, manner in manners.items() if url.startswith(start)), quick)

    return find


def at(url: str, token: str = "token") -> Account:
    """Return an account at a host."""
    return Account(f"{url}/service/public", token)
