"""Who asks: accounts with their quota and breakers, the apps they see, the questions they ask.

Rule: records and their own bookkeeping; what follows from an answer is decided in scheduler.py.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from math import ceil

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.flow.circuit_breaker import Breaker
from phase_operator.core.flow.fair_queue import Agenda, Lane, Urgency
from phase_operator.core.flow.rate_limit import WINDOW, Budget
from phase_operator.core.source.apps import Directory, Environment
from phase_operator.core.source.query import Account, AppRef, SourceQuery
from phase_operator.core.source.shrink_guard import Guard, Moved, is_same_place, kept
from phase_operator.core.values import ObjectKey, Snapshot
from phase_operator.reconcile.polling.calls import Call, Probe, Read, Subscription

FOREVER = float("inf")
# What the budget counts besides probes and reads that work, and the shares of a quota that are sure.
_ATTEMPT = "ATTEMPT"
_FOR_PROBES_OF_READS, _FOR_PROBES_OF_ATTEMPTS = 0.25, 0.125
_FOR_READS = 0.25
_FOR_ATTEMPTS = 0.125
# Phase cuts the seconds of its Retry-After to whole ones.
_TRUNCATED = 1.0
# A read so soon after a probe needs none of its own.
_CLOSE = 10.0
# A target lets go of them within moments; more are not remembered.
_MOST_MOVED = 1000


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
    # The last date of the answer, and the one that it was given first, if that was wrong: targets are sealed with it.
    dated: str | None = None
    misdated: str | None = None
    # No probe has been answered since the answer came: it may be newer than its date.
    is_young: bool = False
    error: ExpectedError | None = None
    # What Phase says now, as the revision of an answer, and since when; and whether it said so at least twice.
    said: tuple[bytes, float] | None = None
    twice: bool = False
    # What left on purpose and may still stand in a target.
    moved: list[Moved] = field(default_factory=list)
    failures: int = 0
    asked_at: float = 0.0
    read_at: float | None = None
    confirmed_at: float | None = None
    forced_at: float = -FOREVER
    # Nothing has its tags: the whole environment is read as long as that is so, and tells which tags there are.
    is_wide: bool = False
    tags: tuple[str, ...] = ()
    # It has waited for a probe, and is read now however old that is.
    has_waited: bool = False
    # Wants to be read as soon as its app is known.
    wanted: Urgency | None = None
    # Who is woken by the next answer, changed or not; some of them asked for it by the sync annotation.
    owed: set[ObjectKey] = field(default_factory=set)
    forced: set[ObjectKey] = field(default_factory=set)
    # It could not be confirmed in time, and its PhaseSecrets have to say so.
    is_late: bool = False
    # Its PhaseSecrets say that the account may not probe.
    is_unprobed: bool = False

    @property
    def guards(self) -> list[Guard]:
        """What those who ask take of it and how much of that may go, each once."""
        return sorted({each.guard for each in self.subscriptions.values()}, key=repr)

    @property
    def last(self) -> Snapshot | None:
        """The last answer that had entries, or an empty one if none had."""
        return self.answer if self.answer is None or self.answer.entries else self.full or self.answer

    def says(self, answer: Snapshot, now: float) -> float:
        """Take down what Phase says, and return for how many seconds it has said the same."""
        if self.said is None or self.said[0] != answer.revision:
            self.said = (answer.revision, now)
        return now - self.said[1]

    def note(self, left: Sequence[Moved], answer: Snapshot) -> None:
        """Take down what left on purpose; what is back in its place has not left."""
        there = {entry.id: entry for entry in answer.entries}
        every = {(each.was.id, each.was.path, each.was.type): each for each in (*self.moved, *left)}
        self.moved = [
            each
            for each in every.values()
            if each.was.id not in there or not is_same_place(each.was, there[each.was.id])
        ][-_MOST_MOVED:]

    def left(self) -> tuple[Moved, ...]:
        """Return what left on purpose."""
        return tuple(self.moved)

    def take(self, answer: Snapshot, tags: tuple[str, ...], revision: str | None) -> None:
        """Believe an answer."""
        self._date(answer, revision)
        self.answer, self.tags = answer, tags
        if answer.entries:
            self.full = answer
        elif self.full is not None:
            # What left must not be written again.
            rest = kept(self.full, answer, self.moved)
            self.full = rest if rest.entries else None
        self.error, self.wanted = None, None
        self.failures = 0
        self.owed, self.forced = set(), set()

    def _date(self, answer: Snapshot, revision: str | None) -> None:
        """Date an answer; the same answer with another date right after it came was newer than its first one."""
        if self.answer is None or self.answer.revision != answer.revision:
            self.dated, self.misdated, self.is_young = revision, None, True
        elif revision is not None:
            self.misdated = self.dated if self._is_misdated(revision) else self.misdated
            self.dated, self.is_young = revision, False
        self.revision = revision

    def _is_misdated(self, revision: str) -> bool:
        return self.is_young and self.dated != revision

    def is_dated_anew(self, answer: Snapshot, revision: str | None) -> bool:
        """Say whether targets that were made of the same answer are to be sealed anew: at most once for each answer."""
        if self.answer is None or self.answer.revision != answer.revision or revision is None:
            return False
        return self.revision is None or self._is_misdated(revision)

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

    def confirm(self, now: float) -> set[ObjectKey]:
        """Take it as confirmed now; return who has to say that it is late no more."""
        was_late, self.is_late = self.is_late, False
        self.confirmed_at = now
        return set(self.subscriptions) if was_late else set()


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
    # The account may not read its environments, which is what a probe does.
    is_refused: bool = False
    failures: int = 0
    # When the last probe began, and the last one that was answered.
    probe_began_at: float = -FOREVER
    probed_at: float = -FOREVER
    # Reads that wait for the next probe, since what they bring is dated by the one before them.
    waiting: dict[SourceQuery, Urgency] = field(default_factory=dict)
    # Its last probe was answered.
    is_probed: bool = False
    # How many probes a window it needs to be on time; none before one was answered.
    needed: float = 0.0
    # What kept its last probe from being answered, if that passes by itself; and whether PhaseSecrets say so.
    trouble: ExpectedError | None = None
    is_told: bool = False

    def questions(self) -> Iterator[Question]:
        """Yield all questions of the app."""
        for place in self.places.values():
            yield from place.values()

    def is_out_of_date(self, question: Question, now: float) -> bool:
        """Say whether a read has to wait for a probe: it may bring what was written since the last one."""
        if question.has_waited or question.wanted is Urgency.MOVED or now - self.probed_at <= _CLOSE:
            return False
        return self.is_probed and self.revision(question.query.environment) is not None

    def revision(self, environment: str) -> str | None:
        """Return the revision of an environment that the last probe saw, or None if probes do not tell."""
        found = self.environments.get(environment)
        return found.revision if found is not None and not self.is_unprobed else None


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
    apps: dict[AppRef, KnownApp] = field(default_factory=dict)
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
    # Questions that were refused last, and the namespace that each is read for.
    denied: dict[SourceQuery, str] = field(default_factory=dict)

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

    def need(self, app: KnownApp, interval: float | None) -> None:
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
