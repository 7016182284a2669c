"""Who asks: accounts with their quota and breakers, the apps they see, the questions they ask.

Rule: records and their own bookkeeping; what follows from an answer is decided in planner.py.
"""

import sys
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from phase_operator.api.reasons import Reason
from phase_operator.core.agenda import Agenda, Lane, Urgency
from phase_operator.core.apps import App, Environment
from phase_operator.core.breaker import Breaker
from phase_operator.core.budget import WINDOW, Budget
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.query import Account, AppRef, SourceQuery
from phase_operator.core.values import ObjectKey, Snapshot
from phase_operator.reconcile.questions import Call, Probe, Read, Subscription

FOREVER = float("inf")
# As much as can be reserved.
ALL = sys.maxsize


@dataclass(slots=True)
class Question:
    """A question, who asks it, and what is known of it."""

    query: SourceQuery
    # Spreads what would else happen at once; the same after a restart.
    identity: str
    subscriptions: dict[ObjectKey, Subscription] = field(default_factory=dict)
    answer: Snapshot | None = None
    full: Snapshot | None = None
    # The environment's revision at which all subscribers are in step.
    revision: str | None = None
    error: ExpectedError | None = None
    doubted: bytes | None = None
    failures: int = 0
    read_at: float | None = None
    confirmed_at: float | None = None
    forced_at: float = -FOREVER
    # Nothing has its tags: the whole environment is read as long as that is so, and tells which tags there are.
    is_wide: bool = False
    tags: tuple[str, ...] = ()
    # Wants to be read as soon as its app is known.
    wanted: Urgency | None = None
    # Who is woken by the next answer, changed or not.
    owed: set[ObjectKey] = field(default_factory=set)

    @property
    def interval(self) -> float:
        """The shortest interval that anybody asks for."""
        return min(each.interval for each in self.subscriptions.values())

    @property
    def needs_all(self) -> bool:
        """Say whether the whole environment has to be read for it."""
        return self.is_wide or (self.query.path is None and not self.query.tags)

    @property
    def namespace(self) -> str:
        """The namespace on whose account it is read; turns are shared out between namespaces."""
        return next(iter(self.subscriptions)).namespace


@dataclass(slots=True)
class KnownApp:
    """An app, what its last probe saw, and the questions that are asked of it."""

    ref: AppRef
    id: str | None
    # Environment -> its questions.
    places: dict[str, dict[SourceQuery, Question]] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    # The name means no app, or more than one.
    error: ExpectedError | None = None
    # A probe was answered or failed: reads may go.
    is_open: bool = False
    # Phase does not answer probes here: questions are read at their own intervals.
    is_unprobed: bool = False
    failures: int = 0

    def questions(self) -> Iterator[Question]:
        """Yield all questions of the app."""
        for place in self.places.values():
            yield from place.values()

    def revision(self, environment: str) -> str | None:
        """Return the revision of an environment that the last probe saw, or None if probes do not tell."""
        found = self.environments.get(environment)
        return found.revision if found is not None and not self.is_unprobed else None


Task = str | AppRef | SourceQuery
LIST = "apps"


class Concern(Enum):
    """Whom the end of a call concerns, besides those who asked."""

    NOBODY = auto()
    UNANSWERED = auto()
    ACCOUNT = auto()
    HOST = auto()


@dataclass(slots=True)
class Asker:
    """An account: what it asks, how much it may, what it sees."""

    account: Account
    host: Breaker
    denials: Breaker
    budget: Budget
    agenda: Agenda[Task] = field(default_factory=Agenda)
    apps: dict[AppRef, KnownApp] = field(default_factory=dict)
    listed: Sequence[App] = ()
    listed_at: float | None = None
    list_error: ExpectedError | None = None
    # The last calls were refused for the quota.
    limited: ExpectedError | None = None
    refusals: int = 0
    failures: int = 0
    # Under way: tasks, and environments that are read as a whole. What is planned meanwhile waits in `again`.
    busy: set[Task | tuple[AppRef, str]] = field(default_factory=set)
    again: dict[Task, tuple[float, Urgency]] = field(default_factory=dict)

    def questions(self) -> Iterator[Question]:
        """Yield all questions of the account."""
        for app in self.apps.values():
            yield from app.questions()

    def is_listed(self, within: float, now: float) -> bool:
        """Say whether the account's apps were listed within so many seconds."""
        return self.listed_at is not None and now - self.listed_at < within

    def find(self, query: SourceQuery) -> Question | None:
        """Return a question that is still asked."""
        app = self.apps.get(query.app)
        return app.places.get(query.environment, {}).get(query) if app is not None else None

    def plan(self, task: Task, due: float, urgency: Urgency) -> bool:
        """Plan a task, or bring it forward; return False if it is under way and has to wait for its end."""
        if task in self.busy:
            before = self.again.get(task, (due, urgency))
            self.again[task] = (min(before[0], due), min(before[1], urgency))
            return False
        if isinstance(task, SourceQuery):
            question = self.find(task)
            namespace = question.namespace if question is not None else ""
            self.agenda.plan(task, due, urgency, namespace=namespace)
        else:
            self.agenda.plan(task, due, urgency, lane=Lane.PROBE)
        return True

    def drop(self, task: Task) -> None:
        """Plan a task no more."""
        self.agenda.drop(task)
        self.again.pop(task, None)

    def allowed_at(self, now: float, lane: Lane) -> float:
        """Return when the next call may begin; infinity if the end of another has to be awaited.

        Reads leave of the quota what the apps' probes need, and probes a quarter: neither starves the other.
        """
        return max(self._paid_at(now, lane), self.denials.allowed_at(now), self.host.allowed_at(now))

    def kept_back(self, now: float) -> list[float]:
        """Return for each call that is due and has to wait for the quota since when it has been due."""
        return [due for lane in Lane if self._paid_at(now, lane) > now for due in self.agenda.due(now, lane)]

    def _paid_at(self, now: float, lane: Lane) -> float:
        reserve = len(self.apps) if lane is Lane.READ else ALL
        return self.budget.allowed_at(now, reserve=reserve)

    def take(self, now: float) -> tuple[Task | None, float | None]:
        """Return the task whose turn it is; or none, and when to ask again if time alone can tell."""
        opens = {lane: self.allowed_at(now, lane) for lane in Lane}
        task = self.agenda.take(now, [lane for lane, at in opens.items() if at <= now])
        if task is not None:
            return task, now
        later = [at for at in (*opens.values(), self.agenda.next_due()) if at is not None and now < at < FOREVER]
        return None, min(later, default=None)

    def begin(self) -> None:
        """Count a call that begins."""
        for gate in (self.budget, self.denials, self.host):
            gate.begin()

    def end(self, call: Call, error: ExpectedError | None, now: float) -> Concern:
        """Count the end of a call and what it says of quota, host and account."""
        before = (self.host.error, self.denials.error, self.refusals > 1, self.limited is None)
        match error:
            case Transient(reason=Reason.RATE_LIMITED, after=after):
                self.budget.refuse(now, after or WINDOW)
                self.host.release()
                self.denials.release()
            case Transient():
                self.budget.end(now)
                self.denials.release()
                # An older Phase answers everything but probes, and a bug is ours: neither says anything of the host.
                is_old = isinstance(call, Probe) and error.reason is Reason.UNEXPECTED_ANSWER
                if is_old or error.reason is Reason.INTERNAL_ERROR:
                    self.host.release()
                else:
                    self.host.fail(now, error, _what(call))
            case ExpectedError(reason=Reason.ACCESS_DENIED):
                self.budget.end(now)
                self.host.succeed()
                # A permission of its own: without it everything else may well be allowed.
                if isinstance(call, Probe):
                    self.denials.release()
                else:
                    self.denials.fail(now, error, _what(call))
            case _:
                self.budget.end(now)
                self.host.succeed()
                self.denials.succeed()
        is_limited = error is not None and error.reason is Reason.RATE_LIMITED
        self.limited, self.refusals = (error, self.refusals + 1) if is_limited else (None, 0)
        if self.host.error is not before[0]:
            return Concern.HOST
        if self.denials.error is not before[1] or (self.refusals > 1) is not before[2]:
            return Concern.ACCOUNT
        return Concern.UNANSWERED if (self.limited is None) is not before[3] else Concern.NOBODY


def _what(call: Call) -> Hashable:
    """Return what a call asks, without the moment in which it asks."""
    return (call.app, call.environment, call.path, call.tags) if isinstance(call, Read) else call
