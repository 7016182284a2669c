"""Decide what to ask Phase next, whom an answer concerns, and when to ask again.

The unit of work is the query (`SourceQuery`), not the resource: equal queries share one read and one answer. What tells
whether a query has to be read again is the revision of its environment, which one probe per app brings for all of them.

Rule: nothing here awaits or knows the time; every method takes `now`, and what begins or ends a call is told to it.
"""

from collections.abc import Iterable, Iterator, Sequence

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.flow.fair_queue import PollPriority
from phase_operator.core.outcome import Notice
from phase_operator.core.source.answer_memory import Reservation, reservations
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.query import Account, Revision, SourceQuery
from phase_operator.core.source.shared_answer import SharedAnswer
from phase_operator.core.values import ObjectKey, Snapshot
from phase_operator.reconcile.polling import call_builder, results
from phase_operator.reconcile.polling.accounts import Asker
from phase_operator.reconcile.polling.app_state import AppState, is_lasting
from phase_operator.reconcile.polling.calls import Call, ListApps, Policy, Probe, Read, SourceState, Subscription
from phase_operator.reconcile.polling.dispatch import Turns
from phase_operator.reconcile.polling.gates import Concern, Gates
from phase_operator.reconcile.polling.lateness import LateQueries
from phase_operator.reconcile.polling.question_state import DOUBT_PAUSE, Answer, QueryState, subscribers
from phase_operator.reconcile.polling.registry import Accounts
from phase_operator.reconcile.polling.stats import PollStats, count
from phase_operator.reconcile.polling.timetable import Timetable
from phase_operator.reconcile.polling.views import view

# A PhaseSecret has its query read by force no more often than this.
_FORCED_PAUSE = 10.0
# Entries that guards look at within milliseconds.
_MUCH = 500


class Planner:
    """The queries of all PhaseSecrets and the next call to Phase. Methods return the PhaseSecrets to wake."""

    def __init__(self, policy: Policy) -> None:
        # Of each account: what it asks and how it may; and, in `_accounts`, when it asks what.
        self._askers: dict[Account, Asker] = {}
        self._asked: dict[ObjectKey, SourceQuery] = {}
        # Whatever else calls Phase with an account passes the same gate.
        self.gates = Gates(policy.quota)
        self._turns = Turns(self._askers, self.gates.hosts, policy.places)
        self._late = LateQueries(self._askers)
        self._accounts = Accounts(policy, self.gates, self._askers, self._turns.add, self._forgotten)
        self._awakened: set[ObjectKey] = set()
        self._notices: list[tuple[ObjectKey, Notice]] = []

    # What PhaseSecrets say.

    def subscribe(self, key: ObjectKey, query: SourceQuery, subscription: Subscription, now: float) -> SourceState:
        """Let a PhaseSecret ask a question, instead of what it asked before, and return what is known."""
        if self._asked.get(key) != query:
            self.unsubscribe(key)
        times = self._accounts.begin(query.account, now)
        app = times.asker.apps.get(query.app)
        if app is None:
            app = times.asker.apps[query.app] = AppState(query.app, query.app.id.lower() if query.app.id else None)
            times.resolve(app, now)
        question = app.ask(query, now)
        # The one query that is kept, not one for each resource.
        self._asked[key] = question.query
        times.asker.subscribe(question, key, subscription)
        if question.answer is None and question.error is None:
            question.owed.add(key)
            times.read_first(app, question, subscription, now)
        times.probe_again(app, subscription.interval, now)
        times.read_undated(app, question, subscription, now)
        return view(times.asker, question, key)

    def unsubscribe(self, key: ObjectKey) -> None:
        """Let a PhaseSecret ask nothing; a query that nobody asks is forgotten with its answer."""
        query = self._asked.pop(key, None)
        if query is not None:
            self._askers[query.account].unsubscribe(query, key)

    def want(self, key: ObjectKey, urgency: PollPriority, now: float) -> None:
        """Read a PhaseSecret's question and wake it with the answer, changed or not."""
        times, question = self._of(key)
        if urgency is not PollPriority.FORCED and question.answer is not None:
            # It came while the PhaseSecret looked for it, and woke it.
            return
        question.owed.add(key)
        if urgency is not PollPriority.FORCED and question.query in times.asker.busy:
            return
        due = now
        if urgency is PollPriority.FORCED:
            # Whoever forces a read again and again must not use up what others need.
            due = question.forced_at = max(now, question.forced_at + _FORCED_PAUSE)
            question.forced.add(key)
        times.want(question, urgency, due)

    def confirm(self, key: ObjectKey, revision: Revision, now: float) -> None:
        """Take a PhaseSecret's word that its targets are in step with a revision."""
        times, question = self._of(key)
        question.owed.discard(key)
        if question.answer is None and question.wanted is None:
            question.revision = revision.moved_at
            self._awakened |= question.confirm(now)
            times.read_again(question, now)

    def asks(self, key: ObjectKey) -> bool:
        """Say whether a PhaseSecret asks anything."""
        return key in self._asked

    def doubt(self, key: ObjectKey, now: float) -> None:
        """Read a PhaseSecret's question again after a pause, and wake it: its targets lack what they would lose."""
        times, question = self._of(key)
        question.owed.add(key)
        if question.query not in times.asker.busy:
            since = question.said[1] if question.said is not None else now
            times.want(question, PollPriority.MOVED, max(now, since + DOUBT_PAUSE))

    def is_owed(self, key: ObjectKey) -> bool:
        """Say whether an answer is owed to a PhaseSecret."""
        return key in self._asked and key in self._of(key)[1].owed

    def view(self, key: ObjectKey) -> SourceState:
        """Return what is known of a PhaseSecret's question."""
        times, question = self._of(key)
        return view(times.asker, question, key)

    # What to ask.

    def next(self, now: float) -> Call | None:
        """Return the call to make now and count it as begun, or None."""
        self._awakened |= self._late.find(now)
        while (turn := self._turns.next(now)) is not None:
            asker = turn.asker
            task = asker.fair_queue.take(now, turn.lanes, attempts=turn.attempts)
            call = call_builder.build(self._accounts[asker.account], task, now) if task is not None else None
            if task is not None and call is not None:
                self._turns.began(turn, task, call, now)
                return call
            self._turns.passed(turn, now)
        return None

    def surplus(self, now: float) -> list[Call]:
        """Return the calls that are to be broken off, since too many last for long; asked after `next`."""
        return self._turns.surplus(now)

    def next_due(self) -> float | None:
        """Return when `next` is worth asking again, or None if only an answer can tell."""
        times = (self._turns.next_due(), self._late.next_due())
        return min((due for due in times if due is not None), default=None)

    def awakened(self) -> set[ObjectKey]:
        """Return whom to wake besides those that the ends of calls name, once."""
        woken, self._awakened = self._awakened, set()
        return woken

    def namespaces(self, call: Call) -> set[str]:
        """Return the namespaces for which a call is made."""
        asker = self._askers[call.account]
        match call:
            case ListApps():
                return set(asker.namespaces)
            case Probe():
                questions: Iterable[QueryState] = asker.apps[call.app].questions() if call.app in asker.apps else ()
            case Read():
                questions = asker.still_asked(call)
        return {key.namespace for question in questions for key in question.subscriptions}

    def replaced(self, call: Call) -> set[Reservation]:
        """Return where the answers are held that a read brings anew."""
        if not isinstance(call, Read):
            return set()
        before = [question.last for question in self._askers[call.account].still_asked(call)]
        return {place for answer in before if answer is not None for place in reservations(answer.place)}

    # What came of it.

    def apps_listed(self, call: ListApps, apps: Sequence[App], now: float) -> set[ObjectKey]:
        """Take the list of an account's apps."""
        times, woken = self._ended(call, now)
        return woken | results.apps_listed(times, apps, now)

    def probed(self, call: Probe, environments: Iterable[Environment], now: float) -> set[ObjectKey]:
        """Take the revisions of an app's environments: whatever moved is read again."""
        times, woken = self._ended(call, now)
        app = times.asker.apps.get(call.app)
        if app is None or app.id != call.app_id:
            return woken
        return woken | results.probed(times, app, environments, now)

    def to_judge(self, call: Read, shared_answer: SharedAnswer) -> list[tuple[QueryState, Snapshot, Snapshot]]:
        """Return the questions whose guards have much to look at, with the answer before and that which came."""
        found = []
        for question in self._askers[call.account].still_asked(call):
            before, answer = question.last, shared_answer.answer(question.query)
            if before is not None and before.revision != answer.revision and len(before.entries) > _MUCH:
                found.append((question, before, answer))
        return found

    def was_read(self, call: Read, shared_answer: SharedAnswer, now: float) -> set[ObjectKey]:
        """Take the entries of an environment or a part of it, for each question that they answer."""
        times, woken = self._ended(call, now)
        for question in times.asker.still_asked(call):
            answer = shared_answer.answer(question.query)
            question.is_wide = bool(question.query.tags) and not answer.entries
            tags = _tags_instead(call, question.query, answer, shared_answer)
            woken |= results.answered(times, question, Answer(answer, tags, shared_answer, call), now)
            # Not before a read worked: who may do nothing at all has other things to say.
            woken |= question.set_unprobed(is_refused=times.asker.apps[question.query.app].is_refused)
        return woken

    def failed(self, call: Call, error: ExpectedError, now: float) -> set[ObjectKey]:
        """Take a failure: it is kept beside the last good answer, and the call is planned again."""
        times, woken = self._ended(call, now, error)
        match call:
            case ListApps():
                woken |= results.list_failed(times, call, error, now)
            case Probe():
                app = times.asker.apps.get(call.app)
                if app is not None:
                    woken |= self._probe_failed(times, app, error, now)
            case Read():
                for question in times.asker.still_asked(call):
                    woken |= results.read_failed(times, question, error, now)
        return woken

    def notices(self) -> list[tuple[ObjectKey, Notice]]:
        """Return what is to be told as Events, once."""
        told, self._notices = self._notices, []
        return told

    # What is measured.

    def stats(self, now: float) -> PollStats:
        """Return the figures of this moment."""
        return count(self._askers.values(), self.gates.hosts.values(), self._turns, now)

    def knows(self, account: Account) -> bool:
        """Say whether an account is asked something, or was lately."""
        return account in self._askers

    def confirmed(self) -> Iterator[tuple[str, SourceQuery, float]]:
        """Yield each question that was ever confirmed, and when it last was.

        Once for each namespace whose PhaseSecrets ask it, with that namespace.
        """
        for asker in self._askers.values():
            for question in asker.questions():
                if question.confirmed_at is not None:
                    for namespace in {key.namespace for key in question.subscriptions}:
                        yield namespace, question.query, question.confirmed_at

    def confirmed_at(self, key: ObjectKey) -> float | None:
        """Return when a PhaseSecret's question was last confirmed; None if it asks none, or had no answer yet."""
        return self._of(key)[1].confirmed_at if key in self._asked else None

    def overdue(self, now: float) -> float:
        """Return for how many seconds an account has waited to be looked at, with nothing that it has to wait for."""
        return self._turns.overdue(now)

    # Accounts.

    def _of(self, key: ObjectKey) -> tuple[Timetable, QueryState]:
        query = self._asked[key]
        times = self._accounts[query.account]
        return times, times.asker.apps[query.app].places[query.environment][query]

    def _forgotten(self, asker: Asker) -> None:
        self._turns.forget(asker)
        self._late.forget(asker.account)

    def _probe_failed(self, times: Timetable, app: AppState, error: ExpectedError, now: float) -> set[ObjectKey]:
        was_unprobed = app.is_unprobed
        woken = results.probe_failed(times, self._late, app, error, now)
        if app.is_unprobed and not was_unprobed and is_lasting(error):
            for key in sorted(subscribers(app.questions()))[:1]:
                message = f"app {app.ref}: {error.message}; it is read at the polling interval instead"
                self._notices.append((key, Notice("Warning", "ProbeUnavailable", message)))
        return woken

    def _ended(self, call: Call, now: float, error: ExpectedError | None = None) -> tuple[Timetable, set[ObjectKey]]:
        """Count the end of a call, once, and return who is concerned by what that says of the host or the account."""
        times = self._accounts[call.account]
        asker = times.asker
        was_answered = not isinstance(error, Transient) or error.of_question or error.reason is Reason.RATE_LIMITED
        concern = self._turns.ended(call, error, now, was_answered=was_answered)
        if concern is None:
            # It was counted, and then what it brought could not be taken.
            return times, set()
        asker.busy.difference_update(call_builder.tasks_of(call))
        again, asker.again = asker.again, {}
        for task, (due, urgency) in again.items():
            # It waited for this end, and for nobody who is to take it.
            times.plan(task, max(due, now), urgency)
        woken = self._late.delayed(asker, now) if asker.gate.limited is not None else set()
        return times, woken | self._concerned(asker, concern, now)

    def _concerned(self, asker: Asker, concern: Concern, now: float) -> set[ObjectKey]:
        match concern:
            case Concern.HOST:
                accounts = [each for each in sorted(asker.gate.host.accounts, key=repr) if each in self._accounts]
                return set[ObjectKey]().union(*(self._turned(account, now) for account in accounts))
            case Concern.ACCOUNT:
                return self._turned(asker.account, now) | subscribers(asker.questions())
            case Concern.UNANSWERED:
                return subscribers(
                    each for each in asker.questions() if each.answer is None or each.forced or each.is_late
                )
            case Concern.NOBODY:
                return set()

    def _turned(self, account: Account, now: float) -> set[ObjectKey]:
        woken = results.breaker_turned(self._accounts[account], now)
        self._turns.add(account, now)
        return woken


def _tags_instead(
    call: Read, query: SourceQuery, answer: Snapshot, shared_answer: SharedAnswer
) -> tuple[str, ...] | None:
    """Return the tags that stand where nothing has those asked for; None if only a read of everything can tell."""
    if answer.entries or not query.tags:
        return ()
    return shared_answer.tags(query.path) if call.is_whole else None
