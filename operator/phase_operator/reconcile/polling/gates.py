"""What an account may ask of Phase now: its quota, its refusals for the quota, and the breakers of host and account.

Rule: whatever calls Phase with an account passes the account's one gate (`Gates.of`), so that there is one quota, one
429 and one breaker for all kinds of calls. A gate knows nothing of what is asked.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from math import ceil
from typing import NamedTuple
from weakref import WeakValueDictionary

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.source.query import Account, encrypted_base, origin
from phase_operator.reconcile.polling.fair_queue import Lane
from phase_operator.reconcile.polling.limits.circuit_breaker import CircuitBreaker
from phase_operator.reconcile.polling.limits.rate_limit import WINDOW, RateLimit

# What the rate limit counts besides probes and reads that work, and the shares of a quota that are sure.
_ATTEMPT = "ATTEMPT"
_FOR_PROBES_OF_READS, _FOR_PROBES_OF_ATTEMPTS = 0.25, 0.125
_FOR_READS = 0.25
_FOR_ATTEMPTS = 0.125
# The part of a quota that one read is given room for, and how soon to look again for it if nothing else tells.
_FOR_ONE_READ = 0.25
_LOOK_AGAIN = 1.0
# Phase cuts the seconds of its Retry-After to whole ones.
_TRUNCATED = 1.0
_CLOUD_QUOTA = 120
# The limit of an address is at least this, or what has passed in a minute, while it is not known; and so long a
# namespace counts as one that calls.
_LEAST_LIMIT = 10
_CALLS_STILL = 120.0
_MANY = 1000


class Opens(NamedTuple):
    """When the next call of an account may begin, by what it is for: now, later, or infinity if a call has to end."""

    probe: float
    read: float
    # Of what was refused last, or never worked.
    attempt: float

    def lanes(self, now: float) -> list[Lane]:
        """Return the lanes whose calls may begin now."""
        return [lane for lane, at in ((Lane.PROBE, self.probe), (Lane.READ, self.read)) if at <= now]


class Concern(Enum):
    """Which PhaseSecrets the end of a call concerns, in addition to those of its queries."""

    NOBODY = auto()
    # Who waits for an answer, because the account may not be asked now.
    UNANSWERED = auto()
    # Everybody who uses the account.
    ACCOUNT = auto()
    # Who failed at the host, or waits for a first answer of it.
    HOST = auto()


@dataclass(slots=True)
class Host:
    """A server, by scheme, name and port: whatever paths and accounts it is asked with."""

    name: str
    breaker: CircuitBreaker
    # Of the server that it has its keyrings from; another host may have them from there too.
    keyrings: "AddressLimit"
    accounts: set[Account] = field(default_factory=set)


class AddressLimit:
    """How often a host may be asked for keyrings.

    Phase counts these calls by the address that they come from, so that all accounts share one limit. Once a host has
    refused, namespaces have equal parts of it: else one with many accounts would leave nothing to the others.
    """

    def __init__(self) -> None:
        self.rate_limit = RateLimit(None)
        # Namespace -> when it has its next turn, of those that call.
        self._turns: dict[str, float] = {}
        # The turns of accounts that wait for theirs.
        self._booked: dict[Account, float] = {}

    def allowed_at(self, now: float, account: Account, namespaces: Iterable[str]) -> float:
        """Return when an account may call, on the part of one of its namespaces; infinity if a call has to end first.

        It has its turn then, and asks again.
        """
        namespace = min(namespaces, key=lambda each: (self._turns.get(each, float("-inf")), each), default="")
        if self.rate_limit.is_free(now):
            if len(self._turns) > _MANY:
                self._turns = self._calling(now)
            self._turns[namespace] = now
            return now
        opens, booked = self.rate_limit.allowed_at(now), self._booked.get(account)
        if opens == float("inf"):
            return opens
        if booked is not None and (opens <= now or booked >= opens):
            return max(opens, booked)
        return self._book(now, account, namespace, opens)

    def _book(self, now: float, account: Account, namespace: str, opens: float) -> float:
        """Give an account the next turn of its namespace, from the time on when the host may be asked again."""
        self._turns = self._calling(now)
        turn = self._booked[account] = max(opens, self._turns.get(namespace, opens))
        limit = self.rate_limit.limit_at(now) or max(self.rate_limit.most, _LEAST_LIMIT)
        self._turns[namespace] = turn + WINDOW * len(self._turns.keys() | {namespace}) / limit
        return turn

    def forget(self, account: Account) -> None:
        """Forget the turn of an account, since it calls, or asks nothing any more."""
        self._booked.pop(account, None)

    def _calling(self, now: float) -> dict[str, float]:
        """Return the turns of the namespaces that called lately, or will."""
        return {each: turn for each, turn in self._turns.items() if now - turn < _CALLS_STILL}


@dataclass(slots=True)
class InFlightCall:
    """What was counted when a call began, and has to be counted when it ends."""

    # The kind that the rate limit counts it as, and the rate limit.
    kind: str
    limit: RateLimit
    # Whether it is the one trial of an open breaker: the host's, the account's.
    host_trial: bool
    denials_trial: bool
    # The requests that it may still take, besides the one that is being made.
    left: int = 0
    # The requests that it has made.
    made: int = 1
    # It was let in, and waits for others than Phase.
    is_let_in: bool = False

    def go_on(self, now: float) -> None:
        """Count its next request."""
        self.limit.go_on(now, self.kind, is_counted=self.left > 0)
        self.left = max(0, self.left - 1)
        self.made += 1

    def let_in(self, now: float) -> None:
        """Count as passed a call whose answer takes long: one too many would have been refused at once."""
        self.limit.end(now, self.kind)
        self.is_let_in = True


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a call asked, as far as its end tells of its host and account."""

    # The same for each call that asks the same.
    what: Hashable
    # On whose account it was made, among how many namespaces.
    namespace: str
    among: int
    # It is a probe: it needs a permission of its own, and an older Phase does not know its route.
    is_probe: bool
    # That it is not refused proves that the account may read.
    proves_access: bool


@dataclass(slots=True)
class AccountGate:
    """One account's way to Phase."""

    account: Account
    host: Host
    # Opens when the account is refused again and again.
    denials: CircuitBreaker
    rate_limit: RateLimit
    # The last calls were refused for the quota.
    limited: ExpectedError | None = None
    refusals: int = 0
    # How many calls a window the probes of the apps that answer them need.
    needed: float = 0.0

    @property
    def failure(self) -> ExpectedError | None:
        """Why calls of what failed are held back: the breaker of the host is open, or that of the account."""
        return self.host.breaker.error or self.denials.error

    def opens(self, now: float, *, is_spread: bool = False) -> Opens:
        """Return when the quota, and for attempts the account's breaker, allow the next calls.

        Probes and reads do not starve each other, nor what is new. An attempt takes what is left: it leaves a part of
        what the probes need that work. `is_spread`: callers share the reads, and none may leave the others nothing for
        long.
        """
        attempt = self.denials.allowed_at(now)
        if self.rate_limit.is_free(now):
            return Opens(now, now, attempt)
        probes, allowed_at = self._probes(now), self.rate_limit.allowed_at
        of_probe = {Lane.READ.name: _FOR_READS, _ATTEMPT: _FOR_ATTEMPTS}
        of_read = {Lane.PROBE.name: min(probes, _FOR_PROBES_OF_READS), _ATTEMPT: _FOR_ATTEMPTS}
        of_attempt = {Lane.PROBE.name: min(probes, _FOR_PROBES_OF_ATTEMPTS)}
        return Opens(
            allowed_at(now, leave=of_probe),
            allowed_at(now, leave=of_read, spread=Lane.READ.name if is_spread else None),
            max(attempt, allowed_at(now, leave=of_attempt)),
        )

    def room_at(self, now: float, requests: int) -> float:
        """Return when there is room for a read of so many requests: `now`, or when to look again.

        More than a part of the quota is never waited for: others who use it might leave no such room for long.
        """
        limit = self.rate_limit.limit_at(now)
        if limit is None or requests <= 1:
            return now
        leave = {Lane.PROBE.name: min(self._probes(now), _FOR_PROBES_OF_READS)}
        at = self.rate_limit.allowed_at(now, leave=leave, number=min(requests, max(1, int(limit * _FOR_ONE_READ))))
        # Calls under way may need less than they might.
        return min(at, now + _LOOK_AGAIN) if self.rate_limit.is_in_use else at

    def begin(self, now: float, lane: Lane | None, limit: RateLimit | None = None, requests: int = 1) -> InFlightCall:
        """Count a call that begins and may take so many requests: one that works, of a lane, or an attempt (None).

        `limit` counts the call instead of the account's.
        """
        limit = limit if limit is not None else self.rate_limit
        kind = lane.name if lane is not None else _ATTEMPT
        limit.begin(now, kind, requests)
        if lane is not None:
            return InFlightCall(kind, limit, host_trial=False, denials_trial=False, left=requests - 1)
        host_trial, denials_trial = self.host.breaker.begin(self.account), self.denials.begin()
        return InFlightCall(kind, limit, host_trial=host_trial, denials_trial=denials_trial, left=requests - 1)

    def end(self, now: float, begun: InFlightCall, asked: CallFacts, error: ExpectedError | None) -> Concern:
        """Count the end of a call and what it says of quota, host and account; return whom that concerns."""
        before = self._state()
        self._tell_quota(now, begun, error)
        self._tell_host(now, begun, asked, error)
        self._tell_denials(now, begun, asked, error)
        # What changed concerns those that stand first in the state: they are the most.
        changed = (concern for concern, state in self._state().items() if state != before[concern])
        return next(changed, Concern.NOBODY)

    def _tell_quota(self, now: float, begun: InFlightCall, error: ExpectedError | None) -> None:
        is_limited = error is not None and error.reason is Reason.RATE_LIMITED
        if begun.is_let_in and is_limited:
            begun.limit.begin(now, begun.kind)
        if isinstance(error, Transient) and is_limited:
            begun.limit.refuse(now, (error.after or WINDOW) + _TRUNCATED, begun.kind)
        elif not begun.is_let_in:
            begun.limit.end(now, begun.kind)
        begun.limit.release(begun.left, begun.kind)
        if begun.limit is self.rate_limit:
            self.limited, self.refusals = (error, self.refusals + 1) if is_limited else (None, 0)

    def _state(self) -> dict[Concern, object]:
        """Return what the gate says now, by whom it concerns, most first."""
        return {
            Concern.HOST: self.host.breaker.error,
            Concern.ACCOUNT: (self.denials.error, self.refusals > 1),
            Concern.UNANSWERED: self.limited is None,
        }

    def _probes(self, now: float) -> float:
        """Return the part of the quota that probes need."""
        limit = self.rate_limit.limit_at(now)
        return ceil(self.needed) / limit if limit else 0.0

    def _tell_host(self, now: float, begun: InFlightCall, asked: CallFacts, error: ExpectedError | None) -> None:
        breaker = self.host.breaker
        is_old = asked.is_probe and error is not None and error.reason is Reason.UNEXPECTED_ANSWER
        if not isinstance(error, Transient) or error.of_question:
            breaker.succeed(now, self.account, who=self.account)
        elif is_old or error.reason in (Reason.INTERNAL_ERROR, Reason.RATE_LIMITED):
            # An older Phase answers everything but probes, a bug is ours, a quota is the account's.
            breaker.release(is_trial=begun.host_trial)
        else:
            what, among = (self.account, asked.what), len(self.host.accounts)
            breaker.fail(now, error, what, who=self.account, among=among, is_trial=begun.host_trial)

    def _tell_denials(self, now: float, begun: InFlightCall, asked: CallFacts, error: ExpectedError | None) -> None:
        is_denied = error is not None and error.reason is Reason.ACCESS_DENIED
        # A permission of its own: without it everything else may well be allowed.
        if (is_denied and asked.is_probe) or isinstance(error, Transient):
            self.denials.release(is_trial=begun.denials_trial)
        elif error is not None and is_denied:
            who, among, is_trial = asked.namespace, asked.among, begun.denials_trial
            self.denials.fail(now, error, asked.what, who=who, among=among, is_trial=is_trial)
        elif asked.proves_access:
            self.denials.succeed(now, asked.what)
        else:
            self.denials.release(is_trial=begun.denials_trial)


class Gates:
    """The gates of all accounts that are asked something, or were lately, and their hosts."""

    def __init__(self, quota: int | None) -> None:
        # Calls a minute and account; None: what `default_quota` says of the host.
        self._quota = quota
        self._gates: dict[Account, AccountGate] = {}
        # How many keep an account who do not read, and the accounts that nobody reads with.
        self._kept: Counter[Account] = Counter()
        self._unread: set[Account] = set()
        self.hosts: dict[str, Host] = {}
        # By the name of the server; each is kept by the hosts that use it.
        self._addresses: WeakValueDictionary[str, AddressLimit] = WeakValueDictionary()

    def of(self, account: Account, *, is_read: bool = False) -> AccountGate:
        """Return the one gate of an account; `is_read`: somebody reads with it, until `forget`."""
        gate = self._gates.get(account)
        if is_read:
            self._unread.discard(account)
        if gate is None:
            if not is_read:
                self._unread.add(account)
            name = origin(account.base_url)
            host = self.hosts.get(name)
            if host is None:
                breaker = CircuitBreaker(name, threshold=3, first=1.0, longest=30.0)
                address = origin(encrypted_base(account.base_url))
                keyrings = self._addresses.setdefault(address, AddressLimit())
                host = self.hosts[name] = Host(name, breaker, keyrings)
            host.accounts.add(account)
            denials = CircuitBreaker(repr(account), threshold=5, first=15.0, longest=45.0)
            limit = self._quota if self._quota is not None else default_quota(account.base_url)
            gate = self._gates[account] = AccountGate(account, host, denials, RateLimit(limit or None))
        return gate

    def keep(self, account: Account) -> None:
        """Keep an account, until `let_go`, for somebody who calls with it and does not read."""
        self._kept[account] += 1

    def let_go(self, account: Account) -> None:
        """Undo one `keep`."""
        self._kept[account] -= 1
        if not self._kept[account]:
            del self._kept[account]
            if account in self._unread:
                self.forget(account)

    def forget(self, account: Account) -> None:
        """Forget an account that reads nothing any more, and its host with the last one; not one that is kept."""
        if account in self._kept:
            self._unread.add(account)
            return
        self._unread.discard(account)
        gate = self._gates.pop(account)
        gate.host.breaker.forget(account)
        gate.host.keyrings.forget(account)
        gate.host.accounts.discard(account)
        if not gate.host.accounts:
            del self.hosts[gate.host.name]


def default_quota(base_url: str) -> int | None:
    """Return how many calls a minute Phase allows an account: its cloud says so, others teach it by refusing."""
    return _CLOUD_QUOTA if base_url in names.CLOUD_BASES else None
