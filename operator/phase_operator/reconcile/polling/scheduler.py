"""Decide what to ask Phase next, whom an answer concerns, and when to ask again.

The unit of work is the question (`SourceQuery`), not the resource: equal questions share one read and one answer. What
tells whether a question has to be read again is the revision of its environment, which one probe per app brings for
all of them: subscribe -> list apps, if only a name is known -> probe -> read, and from then on probes alone, until a
revision moves.

Rule: nothing here awaits or knows the time; every method takes `now`, and what begins or ends a call is told to it. An
answer is never replaced by nothing: a failure stands beside the last good answer, and a loss is believed when Phase
says it twice. What is told of a question is what happened to that question, not to others of its host or account.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.flow.backoff import next_look, retry_source, spread
from phase_operator.core.flow.fair_queue import Urgency
from phase_operator.core.flow.schedule import Priority, Schedule
from phase_operator.core.outcome import Notice
from phase_operator.core.source.answer_memory import Place, places
from phase_operator.core.source.apps import App, Directory, Environment, no_environment, no_list
from phase_operator.core.source.query import Account, AppRef, Revision, SourceQuery
from phase_operator.core.source.shared_answer import Shelf
from phase_operator.core.values import ObjectKey, Snapshot
from phase_operator.reconcile.polling.accounts import LIST, Asker, Task
from phase_operator.reconcile.polling.app_state import AppState, is_lasting
from phase_operator.reconcile.polling.calls import (
    Broken,
    Call,
    Fresh,
    ListApps,
    Policy,
    Probe,
    Read,
    SourceState,
    Subscription,
    Unread,
)
from phase_operator.reconcile.polling.dispatch import Turns
from phase_operator.reconcile.polling.gates import Concern, Gates
from phase_operator.reconcile.polling.lateness import GRACE, crowded, late_after, late_by
from phase_operator.reconcile.polling.question_state import DOUBT_PAUSE, Answer, QueryState, Verdict, subscribers
from phase_operator.reconcile.polling.stats import PollStats, count

# An app that is missing, or that has two namesakes, is looked for again no more often than this.
_LIST_AGAIN = 10.0
_LOST_AGAIN = 60.0
_FORCED_PAUSE = 10.0
# With something refused, access may be granted any moment: the probe sees it within this time.
_HEALING = 40.0
_NO_PROBE = 600.0
# Entries that guards look at within milliseconds.
_MUCH = 500
_LOOK_FOR_LATE = 15.0
_FORGET_EVERY = 10.0


class Planner:
    """The questions of all PhaseSecrets and what is to be done about them. Methods return whom to wake."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._askers: dict[Account, Asker] = {}
        self._gates = Gates(policy.quota)
        self._asked: dict[ObjectKey, SourceQuery] = {}
        self._turns = Turns(self._askers, self._gates.hosts, policy.places)
        # When to see whether questions of an account are late.
        self._doubtful: Schedule[Account] = Schedule()
        self._forgot_at = 0.0
        self._awakened: set[ObjectKey] = set()
        self._notices: list[tuple[ObjectKey, Notice]] = []

    # What PhaseSecrets say.

    def subscribe(self, key: ObjectKey, query: SourceQuery, subscription: Subscription, now: float) -> SourceState:
        """Let a PhaseSecret ask a question, instead of what it asked before, and return what is known."""
        if self._asked.get(key) != query:
            self.unsubscribe(key)
        asker = self._asker(query.account, now)
        app = asker.apps.get(query.app)
        if app is None:
            app = asker.apps[query.app] = AppState(query.app, query.app.id.lower() if query.app.id else None)
            self._resolve(asker, app, now)
        question = app.ask(query, now)
        # The one question that is kept, not one for each resource.
        self._asked[key] = question.query
        if key not in question.subscriptions:
            asker.namespaces[key.namespace] += 1
        question.subscriptions[key] = subscription
        if question.answer is None and question.error is None:
            question.owed.add(key)
            if app.is_open and query.environment in app.absent:
                # Made since the last probe, perhaps.
                question.wanted = subscription.urgency
                self._plan(asker, app.ref, now)
            elif query in asker.busy:
                # It is being read: whoever is owed its answer gets it.
                pass
            elif not subscription.settled or (app.is_open and app.revision(query.environment) is None):
                self._want(asker, app, question, subscription.urgency, now)
        self._plan_probe(asker, app, subscription.interval, now)
        if app.is_open and app.revision(query.environment) is None and question.answer is not None:
            due = next_look(subscription.interval, question.identity, now)
            self._plan(asker, query, due, Urgency.PERIODIC)
        return self.view(key)

    def unsubscribe(self, key: ObjectKey) -> None:
        """Let a PhaseSecret ask nothing; a question that nobody asks is forgotten with its answer."""
        query = self._asked.pop(key, None)
        if query is None:
            return
        asker = self._askers[query.account]
        app = asker.apps[query.app]
        question = app.places[query.environment][query]
        del question.subscriptions[key]
        question.owed.discard(key)
        question.forced.discard(key)
        asker.namespaces[key.namespace] -= 1
        if not asker.namespaces[key.namespace]:
            del asker.namespaces[key.namespace]
        if question.subscriptions:
            return
        asker.drop(query)
        asker.denied.pop(query, None)
        app.drop(query)
        if not app.places:
            asker.need(app, None)
            asker.drop(app.ref)
            del asker.apps[app.ref]
        if not asker.apps:
            asker.drop(LIST)

    def want(self, key: ObjectKey, urgency: Urgency, now: float) -> None:
        """Read a PhaseSecret's question and wake it with the answer, changed or not."""
        asker, app, question = self._of(key)
        if urgency is not Urgency.FORCED and question.answer is not None:
            # It came while the PhaseSecret looked for it, and woke it.
            return
        question.owed.add(key)
        if urgency is not Urgency.FORCED and question.query in asker.busy:
            return
        due = now
        if urgency is Urgency.FORCED:
            # Whoever forces a read again and again must not use up what others need.
            due = question.forced_at = max(now, question.forced_at + _FORCED_PAUSE)
            question.forced.add(key)
        self._want(asker, app, question, urgency, due)

    def confirm(self, key: ObjectKey, revision: Revision, now: float) -> None:
        """Take a PhaseSecret's word that its targets are in step with a revision."""
        asker, app, question = self._of(key)
        question.owed.discard(key)
        if question.answer is None and question.wanted is None:
            question.revision = revision.moved_at
            self._awakened |= question.confirm(now)
            self._keep_looking(asker, app, question, now)

    def asks(self, key: ObjectKey) -> bool:
        """Say whether a PhaseSecret asks anything."""
        return key in self._asked

    def doubt(self, key: ObjectKey, now: float) -> None:
        """Read a PhaseSecret's question again after a pause, and wake it: its targets lack what they would lose."""
        asker, app, question = self._of(key)
        question.owed.add(key)
        if question.query not in asker.busy:
            since = question.said[1] if question.said is not None else now
            self._want(asker, app, question, Urgency.MOVED, max(now, since + DOUBT_PAUSE))

    def is_owed(self, key: ObjectKey) -> bool:
        """Say whether an answer is owed to a PhaseSecret."""
        return key in self._asked and key in self._of(key)[2].owed

    def view(self, key: ObjectKey) -> SourceState:
        """Return what is known of a PhaseSecret's question."""
        asker, app, question = self._of(key)
        error = self._error(asker, app, question, key)
        if error is not None:
            return Broken(error, question.full, question.twice, question.left())
        of = app.revision(question.query.environment)
        seen = Revision(app.id, of) if app.id is not None and of is not None else None
        if question.answer is None:
            return Unread(seen)
        at = Revision(app.id, question.revision) if app.id is not None and question.revision is not None else None
        misdated = Revision(app.id, question.misdated) if app.id is not None and question.misdated is not None else None
        left, is_unprobed = question.left(), question.is_unprobed
        return Fresh(question.answer, question.full, at, question.tags, question.twice, left, is_unprobed, misdated)

    def _error(self, asker: Asker, app: AppState, question: QueryState, key: ObjectKey) -> ExpectedError | None:
        """Return why a question is not known to be answered as Phase would answer it now, if so."""
        if error := app.error or question.error or (asker.list_error if app.id is None else None):
            return error
        if app.trouble is not None and (app.is_told or question.is_late):
            return app.trouble
        is_waiting = question.answer is None and not question.subscriptions[key].settled
        if asker.gate.limited is not None:
            # One refusal delays what has been answered, and that is all, unless it delays it for long.
            is_forced = key in question.forced and key in question.owed
            return (
                asker.gate.limited if is_waiting or is_forced or question.is_late or asker.gate.refusals > 1 else None
            )
        return (asker.gate.host.breaker.error or asker.gate.denials.error) if is_waiting else None

    # What to ask.

    def next(self, now: float) -> Call | None:
        """Return the call to make now and count it as begun, or None."""
        self._find_late(now)
        while (turn := self._turns.next(now)) is not None:
            asker = turn.asker
            task = asker.agenda.take(now, turn.lanes, attempts=turn.attempts)
            call = self._call(asker, task, now) if task is not None else None
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
        times = (self._turns.next_due(), self._doubtful.next_due())
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
                questions = (question for _, question in _still_asked(asker, call))
        return {key.namespace for question in questions for key in question.subscriptions}

    def replaced(self, call: Call) -> set[Place]:
        """Return where the answers are held that a read brings anew."""
        if not isinstance(call, Read):
            return set()
        before = [question.last for _, question in _still_asked(self._askers[call.account], call)]
        return {place for answer in before if answer is not None for place in places(answer.place)}

    # What came of it.

    def apps_listed(self, call: ListApps, apps: Sequence[App], now: float) -> set[ObjectKey]:
        """Take the list of an account's apps."""
        asker, woken = self._ended(call, now)
        asker.listed, asker.listed_at, asker.failures = Directory(apps), now, 0
        changed = asker.list_error is not None
        asker.list_error = None
        for app in asker.apps.values():
            if app.ref.id is None and (self._name(asker, app, now) or changed):
                woken |= subscribers(app.questions())
        if all(app.id is not None for app in asker.apps.values()):
            # Apps that were asked for while it was listed are named by now as well.
            asker.drop(LIST)
        self._plan_list(asker, now)
        return woken

    def probed(self, call: Probe, environments: Iterable[Environment], now: float) -> set[ObjectKey]:
        """Take the revisions of an app's environments: whatever moved is read again."""
        asker, woken = self._ended(call, now)
        app = asker.apps.get(call.app)
        if app is None or app.id != call.app_id:
            return woken
        before = app.probed(environments)
        woken |= app.end_trouble()
        self._open(asker, app, now)
        for question in app.questions():
            woken |= question.set_unprobed(is_refused=False)
            woken |= self._look(asker, app, question, question.query.environment not in before, now)
        self._end_wait(asker, app, now)
        if any(name in before and before[name] != each for name, each in app.environments.items()):
            self._doubt_references(asker, now)
        is_broken = any(question.error is not None for question in app.questions())
        interval = min(app.interval, _HEALING) if is_broken else app.interval
        asker.need(app, interval)
        self._plan_probe(asker, app, interval, now)
        return woken

    def to_judge(self, call: Read, shelf: Shelf) -> list[tuple[QueryState, Snapshot, Snapshot]]:
        """Return the questions whose guards have much to look at, with the answer before and that which came."""
        found = []
        for _, question in _still_asked(self._askers[call.account], call):
            before, answer = question.last, shelf.answer(question.query)
            if before is not None and before.revision != answer.revision and len(before.entries) > _MUCH:
                found.append((question, before, answer))
        return found

    def was_read(self, call: Read, shelf: Shelf, now: float) -> set[ObjectKey]:
        """Take the entries of an environment or a part of it, for each question that they answer."""
        asker, woken = self._ended(call, now)
        for app, question in _still_asked(asker, call):
            answer = shelf.answer(question.query)
            question.is_wide = bool(question.query.tags) and not answer.entries
            tags = _tags_instead(call, question.query, answer, shelf)
            woken |= self._answered(asker, app, question, Answer(answer, tags, shelf, call), now)
            # Not before a read worked: who may do nothing at all has other things to say.
            woken |= question.set_unprobed(is_refused=app.is_refused)
        return woken

    def failed(self, call: Call, error: ExpectedError, now: float) -> set[ObjectKey]:
        """Take a failure: it is kept beside the last good answer, and the call is planned again."""
        match call:
            case ListApps():
                asker, woken = self._ended(call, now, error)
                asker.failures += 1
                asker.list_error = no_list(error)
                nameless = [app for app in asker.apps.values() if app.id is None]
                if nameless:
                    self._plan(asker, LIST, now + retry_source(error, asker.failures, _HEALING, repr(call)))
                self._plan_list(asker, now)
                return woken | subscribers(question for app in nameless for question in app.questions())
            case Probe():
                asker, woken = self._ended(call, now, error)
                app = asker.apps.get(call.app)
                return woken if app is None else woken | self._probe_failed(asker, app, error, now)
            case Read():
                asker, woken = self._ended(call, now, error)
                for app, question in _still_asked(asker, call):
                    woken |= self._read_failed(asker, app, question, error, now)
                return woken

    def notices(self) -> list[tuple[ObjectKey, Notice]]:
        """Return what is to be told as Events, once."""
        told, self._notices = self._notices, []
        return told

    # What is measured.

    def stats(self, now: float) -> PollStats:
        """Return the figures of this moment."""
        return count(self._askers.values(), self._gates.hosts.values(), self._turns, now)

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
        return self._of(key)[2].confirmed_at if key in self._asked else None

    def overdue(self, now: float) -> float:
        """Return for how many seconds an account has waited to be looked at, with nothing that it has to wait for."""
        return self._turns.overdue(now)

    # Apps: name -> id -> environments.

    def _resolve(self, asker: Asker, app: AppState, now: float) -> None:
        if app.id is not None:
            self._plan(asker, app.ref, now)
        elif asker.is_listed(_LOST_AGAIN if asker.listed.matching(app.ref.name or "") else _LIST_AGAIN, now):
            self._name(asker, app, now)
        else:
            self._plan(asker, LIST, now)

    def _plan_list(self, asker: Asker, now: float) -> None:
        """List the apps again in time: one may have been renamed, and another have its name by now."""
        if any(app.ref.id is None for app in asker.apps.values()):
            due = next_look(self._policy.full_read, repr(asker.account), now)
            self._plan(asker, LIST, due, Urgency.PERIODIC)

    def _name(self, asker: Asker, app: AppState, now: float) -> bool:
        """Find an app's id in the list; return True if what PhaseSecrets see of it changed."""
        before = app.error
        try:
            found = asker.listed.pick(app.ref.name or "")
        except ExpectedError as error:
            app.error, app.id = error, None
            self._plan(asker, LIST, now + retry_source(error, 1, _HEALING, app.ref.name or ""))
            return before is None or before.message != error.message
        if app.found(found):
            self._plan(asker, app.ref, now)
        return before is not None

    def _open(self, asker: Asker, app: AppState, now: float) -> None:
        for question, urgency in app.open():
            self._want(asker, app, question, urgency, now)

    def _probe_failed(self, asker: Asker, app: AppState, error: ExpectedError, now: float) -> set[ObjectKey]:
        if error.reason is Reason.RATE_LIMITED:
            self._plan(asker, app.ref, now)
            return set()
        lasting = is_lasting(error)
        if app.probe_failed(error):
            for key in sorted(subscribers(app.questions()))[:1]:
                message = f"app {app.ref}: {error.message}; it is read at the polling interval instead"
                self._notices.append((key, Notice("Warning", "ProbeUnavailable", message)))
        self._end_wait(asker, app, now)
        asker.need(app, None)
        if error.reason is Reason.APP_NOT_FOUND:
            self._lost(asker, app, now)
        self._open(asker, app, now)
        if app.is_unprobed:
            for question in app.questions():
                if question.answer is None and question.error is None:
                    self._want(asker, app, question, Urgency.EDITED, now)
                else:
                    self._keep_looking(asker, app, question, now)
        pause = _NO_PROBE if lasting else retry_source(error, app.failures, _HEALING, repr(app.ref))
        self._plan(asker, app.ref, now + pause)
        if lasting:
            return app.end_trouble()
        app.trouble = error
        self._doubtful.add(asker.account, now + GRACE, Priority.PERIODIC)
        return app.report_trouble() if asker.gate.host.breaker.error is not None else set()

    def _lost(self, asker: Asker, app: AppState, now: float) -> None:
        """Look an app up again whose id Phase does not know any more: it may have been made anew."""
        if app.ref.id is None and not asker.is_listed(_LOST_AGAIN, now):
            app.id = None
            self._plan(asker, LIST, now)

    def _plan_probe(self, asker: Asker, app: AppState, interval: float, now: float) -> None:
        """Plan the next probe, or bring it forward."""
        if app.is_open and not app.is_unprobed:
            self._plan(asker, app.ref, next_look(interval, repr(app.ref), now))

    def _wait_for_probe(self, asker: Asker, app: AppState, question: QueryState, now: float) -> None:
        """Let a read wait for a probe: at once if somebody wants it, else for the next regular one."""
        app.waiting[question.query] = question.wanted or Urgency.STALE
        if app.ref not in asker.busy:
            pause = self._reference_wait(question) if question.wanted is None else 0.0
            self._plan(asker, app.ref, now + pause)

    def _end_wait(self, asker: Asker, app: AppState, now: float) -> None:
        """Read what has waited for a probe, however that ended."""
        waiting, app.waiting = app.waiting, {}
        for query, urgency in waiting.items():
            question = asker.find(query)
            if question is not None:
                question.has_waited = True
                self._plan(asker, query, now, urgency)

    def _reference_wait(self, question: QueryState) -> float:
        """Return for how long a read that nobody wants now may wait for a probe."""
        return min(question.interval, self._policy.reference_bound / 4 or question.interval)

    def _look(self, asker: Asker, app: AppState, question: QueryState, is_new: bool, now: float) -> set[ObjectKey]:
        """Compare a question with what a probe just saw of its environment, which it may see for the first time."""
        revision = app.revision(question.query.environment)
        if question.error is None and revision is not None and question.revision == revision:
            return question.confirm_by_probe(app.probed_at, now)
        if question.is_unread_at(revision):
            return set() if question.wanted is not None else set(question.owed)
        urgency = app.urgency_after_probe(question, is_new=is_new)
        if urgency is not None:
            self._want(asker, app, question, urgency, now)
        return set()

    def _doubt_references(self, asker: Asker, now: float) -> None:
        """Read again, in time, what may refer to an environment that moved: Phase resolves references without a sign.

        At most once a bound for each question, spread over the bound, after everything else.
        """
        bound = self._policy.reference_bound * 0.9
        if bound <= 0:
            return
        for app in asker.apps.values():
            for question in app.questions():
                if question.revision is not None and question.error is None and question.query not in asker.busy:
                    last = question.read_at if question.read_at is not None else now - bound
                    # It waits for a probe of its own app.
                    wait = self._reference_wait(question)
                    first = now + (bound - wait) * spread(question.identity)
                    due = max(first, last + self._policy.reference_bound - wait)
                    self._plan(asker, question.query, due, Urgency.STALE)

    # Questions: wanted -> read -> believed.

    def _want(self, asker: Asker, app: AppState, question: QueryState, urgency: Urgency, due: float) -> None:
        question.wanted = urgency if question.wanted is None else min(urgency, question.wanted)
        if app.is_open and app.id is not None:
            self._plan(asker, question.query, due, question.wanted)

    def _keep_looking(self, asker: Asker, app: AppState, question: QueryState, now: float) -> None:
        """Plan the next regular read: seldom where probes tell of changes."""
        since = question.read_at if question.read_at is not None else now
        is_probed = app.revision(question.query.environment) is not None or question.query.environment in app.absent
        pause = self._policy.full_read if is_probed else min(question.interval, self._policy.full_read)
        due = max(now, next_look(pause, question.identity, since))
        self._plan(asker, question.query, due, Urgency.PERIODIC)

    def _answered(self, asker: Asker, app: AppState, question: QueryState, got: Answer, now: float) -> set[ObjectKey]:
        """Take an answer, unless it is suspect, or not known to be whole."""
        asker.denied.pop(question.query, None)
        match question.judge(got, now):
            case Verdict.SUSPECT:
                # Whether what is missing lies elsewhere now is told by a read of everything, at once.
                pause = DOUBT_PAUSE if got.call.is_whole else 0.0
                self._want(asker, app, question, Urgency.MOVED, now + pause)
                return set(question.subscriptions)
            case Verdict.INCOMPLETE:
                self._want(asker, app, question, Urgency.MOVED, now)
                return set()
            case Verdict.GOOD:
                woken = question.accept(got, now) | app.end_trouble()
        self._keep_looking(asker, app, question, now)
        if app.is_probed and got.call.revision != app.revision(question.query.environment):
            # A probe saw a newer state while this one was read.
            self._want(asker, app, question, Urgency.MOVED, now)
        return woken

    def _read_failed(
        self, asker: Asker, app: AppState, question: QueryState, error: ExpectedError, now: float
    ) -> set[ObjectKey]:
        if error.reason is Reason.RATE_LIMITED and question.answer is not None:
            # One refusal delays what has been answered, and that is all.
            self._want(asker, app, question, question.wanted or Urgency.MOVED, now)
            return set()
        name = question.query.environment
        told = no_environment(error, app.ref, name, [each.name for each in app.environments.values()])
        is_news = question.fail(told)
        if error.reason is Reason.APP_NOT_FOUND:
            self._lost(asker, app, now)
        pause = retry_source(error, question.failures, question.interval, question.identity)
        if error.reason is Reason.ACCESS_DENIED:
            pause = max(pause, crowded(asker, question))
        if isinstance(error, Waiting) and app.is_open and name in app.absent:
            # The probe sees it appear; nothing is learnt by reading until then.
            pause = max(pause, _NO_PROBE)
        urgency = Urgency.NEW if question.answer is None else Urgency.PERIODIC
        self._plan(asker, question.query, now + pause, urgency)
        self._plan_probe(asker, app, _HEALING, now)
        return set(question.subscriptions) if is_news else set()

    # Accounts: what is under way, what is planned.

    def _asker(self, account: Account, now: float) -> Asker:
        if account not in self._askers:
            self._forget(now)
            self._askers[account] = Asker(self._gates.of(account))
        return self._askers[account]

    def _forget(self, now: float) -> None:
        """Forget accounts that ask nothing any more, once their calls count no more; and hosts with them."""
        if now < self._forgot_at + _FORGET_EVERY:
            return
        self._forgot_at = now
        for account, asker in list(self._askers.items()):
            if asker.apps or asker.busy or not asker.gate.budget.is_idle(now):
                continue
            del self._askers[account]
            self._turns.forget(asker)
            self._doubtful.forget(account)
            self._gates.forget(account)

    def _of(self, key: ObjectKey) -> tuple[Asker, AppState, QueryState]:
        query = self._asked[key]
        asker = self._askers[query.account]
        app = asker.apps[query.app]
        return asker, app, app.places[query.environment][query]

    def _plan(self, asker: Asker, task: Task, due: float, urgency: Urgency = Urgency.NEW) -> None:
        if asker.plan(task, due, urgency):
            self._turns.add(asker.account, due)

    def _call(self, asker: Asker, task: Task, now: float) -> Call | None:
        """Make a task a call, or None if nothing is to be asked any more."""
        if isinstance(task, str):
            asker.busy.add(LIST)
            return ListApps(asker.account)
        app = asker.apps.get(task if isinstance(task, AppRef) else task.app)
        if app is None or app.id is None:
            return None
        if isinstance(task, AppRef):
            asker.busy.add(task)
            app.probe_began_at = now
            return Probe(asker.account, task, app.id)
        place = app.places.get(task.environment, {})
        if task not in place:
            return None
        if app.is_out_of_date(place[task], now):
            self._wait_for_probe(asker, app, place[task], now)
            return None
        is_wide = 0 < self._policy.wide_above < len(place)
        if not is_wide and not place[task].needs_all:
            return self._read(asker, app, app.id, [place[task]], task.path, task.tags)
        whole = (app.ref, task.environment)
        if whole in asker.busy:
            asker.again[task] = (now, place[task].wanted or Urgency.PERIODIC)
            return None
        asker.busy.add(whole)
        idle = [
            each
            for each in place.values()
            if each.query not in asker.busy and (is_wide or each.is_wide or each.query == task)
        ]
        return replace(self._read(asker, app, app.id, idle, None, ()), is_whole=True)

    def _read(
        self,
        asker: Asker,
        app: AppState,
        app_id: str,
        questions: list[QueryState],
        path: str | None,
        tags: tuple[str, ...],
    ) -> Read:
        for question in questions:
            asker.agenda.drop(question.query)
            asker.busy.add(question.query)
            app.waiting.pop(question.query, None)
            question.has_waited = False
        queries = tuple(question.query for question in questions)
        environment = queries[0].environment
        # While probes fail, nobody knows whether what is read is newer than the last one.
        revision = app.revision(environment) if app.is_probed else None
        return Read(asker.account, app.ref, app_id, environment, path, tags, revision, queries)

    def _ended(self, call: Call, now: float, error: ExpectedError | None = None) -> tuple[Asker, set[ObjectKey]]:
        """Count the end of a call, once, and return who is concerned by what that says of the host or the account."""
        asker = self._askers[call.account]
        was_answered = not isinstance(error, Transient) or error.of_question or error.reason is Reason.RATE_LIMITED
        concern = self._turns.ended(call, error, now, was_answered=was_answered)
        if concern is None:
            # It was counted, and then what it brought could not be taken.
            return asker, set()
        asker.busy.difference_update(_tasks(call))
        again, asker.again = asker.again, {}
        for task, (due, urgency) in again.items():
            # It waited for this end, and for nobody who is to take it.
            self._plan(asker, task, max(due, now), urgency)
        woken = self._delayed(asker, now) if asker.gate.limited is not None else set()
        match concern:
            case Concern.HOST:
                askers = [self._askers[account] for account in sorted(asker.gate.host.accounts, key=repr)]
                return asker, woken.union(*(self._turned(each, now) for each in askers))
            case Concern.ACCOUNT:
                return asker, woken | self._turned(asker, now) | subscribers(asker.questions())
            case Concern.UNANSWERED:
                waiting = (each for each in asker.questions() if each.answer is None or each.forced or each.is_late)
                return asker, woken | subscribers(waiting)
            case _:
                return asker, woken

    def _turned(self, asker: Asker, now: float) -> set[ObjectKey]:
        """Begin again if a breaker closed; return who has to say that it opened or closed: who failed, or waits."""
        woken: set[ObjectKey] = set()
        host, denials = asker.gate.host.breaker.error, asker.gate.denials.error
        for app in asker.apps.values():
            if app.trouble is not None and host is not None:
                woken |= app.report_trouble()
            waiting = [each for each in app.questions() if each.answer is None]
            woken |= subscribers(waiting)
            fails = app.trouble is not None or any(each.error is not None for each in app.questions())
            if host is None and denials is None and app.id is not None and (waiting or fails):
                self._plan(asker, app.ref, now)
        self._turns.add(asker.account, now)
        return woken

    # What cannot be confirmed for long.

    def _delayed(self, asker: Asker, now: float) -> set[ObjectKey]:
        """Take that an account may not be asked for a while; return whose questions will be late for it."""
        self._doubtful.add(asker.account, now + GRACE, Priority.PERIODIC)
        return late_after(asker, asker.gate.budget.closed_until - now)

    def _find_late(self, now: float) -> None:
        """Find the questions that ought to have been confirmed long ago, and whose call fails or may not be made."""
        while (account := self._doubtful.take(now)) is not None:
            self._doubtful.done(account)
            asker = self._askers.get(account)
            if asker is None or (asker.gate.limited is None and not any(app.trouble for app in asker.apps.values())):
                continue
            self._awakened |= late_by(asker, now)
            self._doubtful.add(account, now + _LOOK_FOR_LATE, Priority.PERIODIC)


def _tasks(call: Call) -> list[Task | tuple[AppRef, str]]:
    """Return what is not under way any more when a call has ended."""
    match call:
        case ListApps():
            return [LIST]
        case Probe():
            return [call.app]
        case Read():
            return [*call.questions, *([(call.app, call.environment)] if call.is_whole else [])]


def _tags_instead(call: Read, query: SourceQuery, answer: Snapshot, shelf: Shelf) -> tuple[str, ...] | None:
    """Return the tags that stand where nothing has those asked for; None if only a read of everything can tell."""
    if answer.entries or not query.tags:
        return ()
    return shelf.tags(query.path) if call.is_whole else None


def _still_asked(asker: Asker, call: Read) -> list[tuple[AppState, QueryState]]:
    """Return the questions of a read that somebody still asks."""
    found = [(query, asker.find(query)) for query in call.questions]
    return [(asker.apps[query.app], question) for query, question in found if question is not None]
