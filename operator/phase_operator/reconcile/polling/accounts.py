"""Who asks: accounts with their quota and breakers, the apps they see, the questions they ask.

Rule: records and their own bookkeeping; what follows from an answer is decided in scheduler.py.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from math import ceil

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.flow.circuit_breaker import Breaker
from phase_operator.core.flow.fair_queue import Agenda, Lane, Urgency
from phase_operator.core.flow.rate_limit import WINDOW, Budget
from phase_operator.core.source.apps import Directory
from phase_operator.core.source.query import Account, AppRef, SourceQuery
from phase_operator.reconcile.polling.app_state import AppState
from phase_operator.reconcile.polling.calls import Call, Probe, Read
from phase_operator.reconcile.polling.question_state import QueryState

FOREVER = float("inf")
# What the budget counts besides probes and reads that work, and the shares of a quota that are sure.
_ATTEMPT = "ATTEMPT"
_FOR_PROBES_OF_READS, _FOR_PROBES_OF_ATTEMPTS = 0.25, 0.125
_FOR_READS = 0.25
_FOR_ATTEMPTS = 0.125
# Phase cuts the seconds of its Retry-After to whole ones.
_TRUNCATED = 1.0


Task = str | AppRef | SourceQuery
LIST = "apps"


class Concern(Enum):
    """Whom the end of a call concerns, besides those who asked."""

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
    breaker: Breaker
    accounts: set[Account] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What was counted when a call began, and has to be counted when it ends."""

    number: int
    # The kind that the budget counts it as.
    kind: str
    # Whether it is the one trial of an open breaker: the host's, the account's.
    host_trial: bool
    denials_trial: bool


@dataclass(slots=True)
class Asker:
    """An account: what it asks, how much it may, what it sees."""

    account: Account
    host: Host
    denials: Breaker
    budget: Budget
    agenda: Agenda[Task] = field(default_factory=Agenda)
    apps: dict[AppRef, AppState] = field(default_factory=dict)
    listed: Directory = field(default_factory=Directory)
    listed_at: float | None = None
    list_error: ExpectedError | None = None
    # The last calls were refused for the quota.
    limited: ExpectedError | None = None
    refusals: int = 0
    failures: int = 0
    # Under way: tasks, and environments that are read as a whole. What is planned meanwhile waits in `again`.
    busy: set[Task | tuple[AppRef, str]] = field(default_factory=set)
    again: dict[Task, tuple[float, Urgency]] = field(default_factory=dict)
    # The namespaces of its PhaseSecrets, with their number.
    namespaces: Counter[str] = field(default_factory=Counter)
    # How many calls a window the probes of the apps that answer them need.
    needed: float = 0.0
    # QueryStates that were refused last, and the namespace that each is read for.
    denied: dict[SourceQuery, str] = field(default_factory=dict)

    def questions(self) -> Iterator[QueryState]:
        """Yield all questions of the account."""
        for app in self.apps.values():
            yield from app.questions()

    def is_listed(self, within: float, now: float) -> bool:
        """Say whether the account's apps were listed within so many seconds."""
        return self.listed_at is not None and now - self.listed_at < within

    def find(self, query: SourceQuery) -> QueryState | None:
        """Return a question that is still asked."""
        app = self.apps.get(query.app)
        return app.places.get(query.environment, {}).get(query) if app is not None else None

    def plan(self, task: Task, due: float, urgency: Urgency) -> bool:
        """Plan a task, or bring it forward; return False if it is under way and has to wait for its end."""
        if task in self.busy:
            before = self.again.get(task, (due, urgency))
            self.again[task] = (min(before[0], due), min(before[1], urgency))
            return False
        is_attempt = self.is_attempt(task)
        if isinstance(task, SourceQuery):
            question = self.find(task)
            namespace = question.namespace if question is not None else ""
            self.agenda.plan(task, due, urgency, namespace=namespace, is_attempt=is_attempt)
        else:
            self.agenda.plan(task, due, urgency, lane=Lane.PROBE, is_attempt=is_attempt)
        return True

    def is_attempt(self, task: Task) -> bool:
        """Say whether a task failed last, or has never worked."""
        match task:
            case str():
                return self.listed_at is None or self.list_error is not None
            case AppRef():
                app = self.apps.get(task)
                return app is None or not app.is_probed
            case SourceQuery():
                question = self.find(task)
                if question is None or question.error is not None or question.confirmed_at is None:
                    return True
                return self.apps[task.app].trouble is not None

    def drop(self, task: Task) -> None:
        """Plan a task no more."""
        self.agenda.drop(task)
        self.again.pop(task, None)

    def open_lanes(self, now: float) -> list[Lane]:
        """Return the lanes of which the quota allows a call of what works now."""
        return [lane for lane in Lane if self._paid_at(now, lane) <= now]

    def may_try(self, now: float) -> bool:
        """Say whether what was refused last, or never worked, may be asked: of the quota it takes what is left."""
        return self.denials.allowed_at(now) <= now and self._left_at(now) <= now

    def need(self, app: AppState, interval: float | None) -> None:
        """Note how often an app is probed; None: not now."""
        needed = WINDOW / interval if interval is not None else 0.0
        self.needed += needed - app.needed
        app.needed = needed

    def kept_back(self, now: float) -> list[float]:
        """Return for each call that is due and has to wait for the quota since when it has been due."""
        return [due for lane in Lane if self._paid_at(now, lane) > now for due in self.agenda.due(now, lane)]

    def _left_at(self, now: float) -> float:
        """Return when the quota allows an attempt: it leaves a part of what the probes need that work."""
        if self.budget.is_free(now):
            return now
        return self.budget.allowed_at(now, leave={Lane.PROBE.name: self._needs(now, _FOR_PROBES_OF_ATTEMPTS)})

    def _paid_at(self, now: float, lane: Lane) -> float:
        """Return when the quota allows a call of what works: none starves another, nor what is new."""
        if self.budget.is_free(now):
            return now
        share = _FOR_READS if lane is Lane.PROBE else self._needs(now, _FOR_PROBES_OF_READS)
        other = Lane.READ if lane is Lane.PROBE else Lane.PROBE
        leave = {other.name: share, _ATTEMPT: _FOR_ATTEMPTS}
        # Reads can be as many as somebody likes to force; probes have their times.
        is_spread = lane is Lane.READ and len(self.namespaces) > 1
        return self.budget.allowed_at(now, leave=leave, is_spread=is_spread)

    def _needs(self, now: float, most: float) -> float:
        limit = self.budget.limit_at(now)
        return min(ceil(self.needed) / limit, most) if limit else 0.0

    def next_at(self, now: float) -> float | None:
        """Return when to look again, if time alone can tell."""
        opens = [self._paid_at(now, lane) for lane in Lane]
        later = [*opens, self._left_at(now), self.denials.allowed_at(now), self.agenda.next_due()]
        return min((at for at in later if at is not None and now < at < FOREVER), default=None)

    def begin(self, task: Task, number: int, now: float) -> UnderWay:
        """Count a call that begins."""
        if not self.is_attempt(task):
            kind = (Lane.READ if isinstance(task, SourceQuery) else Lane.PROBE).name
            self.budget.begin(now, kind)
            return UnderWay(number, kind, host_trial=False, denials_trial=False)
        self.budget.begin(now, _ATTEMPT)
        host_trial, denials_trial = self.host.breaker.begin(self.account), self.denials.begin()
        return UnderWay(number, _ATTEMPT, host_trial=host_trial, denials_trial=denials_trial)

    def end(self, call: Call, begun: UnderWay, error: ExpectedError | None, now: float) -> Concern:
        """Count the end of a call and what it says of quota, host and account."""
        before = (self.host.breaker.error, self.denials.error, self.refusals > 1, self.limited is None)
        is_limited = error is not None and error.reason is Reason.RATE_LIMITED
        if isinstance(error, Transient) and is_limited:
            self.budget.refuse(now, (error.after or WINDOW) + _TRUNCATED, begun.kind)
        else:
            self.budget.end(now, begun.kind)
        self._tell_host(call, begun, error, now)
        self._tell_denials(call, begun, error, now)
        self.limited, self.refusals = (error, self.refusals + 1) if is_limited else (None, 0)
        if self.host.breaker.error is not before[0]:
            return Concern.HOST
        if self.denials.error is not before[1] or (self.refusals > 1) is not before[2]:
            return Concern.ACCOUNT
        return Concern.UNANSWERED if (self.limited is None) is not before[3] else Concern.NOBODY

    def _tell_host(self, call: Call, begun: UnderWay, error: ExpectedError | None, now: float) -> None:
        breaker = self.host.breaker
        is_old = isinstance(call, Probe) and error is not None and error.reason is Reason.UNEXPECTED_ANSWER
        if not isinstance(error, Transient) or error.of_question:
            breaker.succeed(now, self.account, who=self.account)
        elif is_old or error.reason in (Reason.INTERNAL_ERROR, Reason.RATE_LIMITED):
            # An older Phase answers everything but probes, a bug is ours, a quota is the account's.
            breaker.release(is_trial=begun.host_trial)
        else:
            what = (self.account, _what(call))
            among = len(self.host.accounts)
            breaker.fail(now, error, what, who=self.account, among=among, is_trial=begun.host_trial)

    def _tell_denials(self, call: Call, begun: UnderWay, error: ExpectedError | None, now: float) -> None:
        is_denied = error is not None and error.reason is Reason.ACCESS_DENIED
        # A permission of its own: without it everything else may well be allowed.
        if (is_denied and isinstance(call, Probe)) or isinstance(error, Transient):
            self.denials.release(is_trial=begun.denials_trial)
        elif error is not None and is_denied:
            self.denials.fail(
                now,
                error,
                _what(call),
                who=self._namespace(call),
                among=len(self.namespaces),
                is_trial=begun.denials_trial,
            )
        elif isinstance(call, Read) or (isinstance(call, Probe) and self._is_fine(call.app)):
            self.denials.succeed(now, _what(call))
        else:
            self.denials.release(is_trial=begun.denials_trial)

    def _is_fine(self, ref: AppRef) -> bool:
        """Say whether something of an app was answered, and not refused since: only reading tells that one may read."""
        app = self.apps.get(ref)
        return app is not None and any(each.error is None and each.confirmed_at is not None for each in app.questions())

    def _namespace(self, call: Call) -> str:
        found = [self.find(query) for query in call.questions] if isinstance(call, Read) else []
        return next((question.namespace for question in found if question is not None), "")


def _what(call: Call) -> Hashable:
    """Return what a call asks, without the moment in which it asks."""
    return (call.app, call.environment, call.path, call.tags) if isinstance(call, Read) else call
