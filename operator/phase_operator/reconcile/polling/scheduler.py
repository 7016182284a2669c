"""Decide what to ask Phase next, which PhaseSecrets an answer concerns, and when to ask again.

The unit of work is the query (`SourceQuery`), not the resource: equal queries share one read and one answer. What tells
whether a query has to be read again is the revision of its environment, which one probe per app brings for all of them.

Rule: nothing here awaits or knows the time; every method takes `now`, and the caller reports how each call ends.
"""

from collections.abc import Iterable, Iterator, Sequence

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.outcome import Event
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import App, Environment, by_name
from phase_operator.core.source.keyring import Decrypted
from phase_operator.core.source.query import Account, Revision, SourceQuery
from phase_operator.core.values import ObjectKey, Snapshot
from phase_operator.reconcile.polling import call_builder, encrypted, results
from phase_operator.reconcile.polling.accounts import AccountState
from phase_operator.reconcile.polling.calls import (
    Call,
    ListApps,
    Policy,
    Probe,
    Read,
    ReadKeyring,
    SourceState,
    Subscription,
)
from phase_operator.reconcile.polling.dispatch import Dispatcher
from phase_operator.reconcile.polling.failures import failed
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.gates import AccountGate, Concern, Gates
from phase_operator.reconcile.polling.keyrings import KeyringIndex
from phase_operator.reconcile.polling.lateness import LateQueries
from phase_operator.reconcile.polling.other_calls import OtherCalls
from phase_operator.reconcile.polling.query_state import DOUBT_PAUSE, Answer, QueryState, subscribers
from phase_operator.reconcile.polling.registry import Accounts
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from phase_operator.reconcile.polling.stats import PollStats, count
from phase_operator.reconcile.polling.timetable import Timetable
from phase_operator.reconcile.polling.views import view
from phase_operator.reconcile.polling.watches import Watches

# A PhaseSecret has its query read by force no more often than this.
_FORCED_PAUSE = 10.0
# What guards may take on the event loop, in microseconds.
_MUCH = 2_000


class PollScheduler:
    """The queries of all PhaseSecrets and the next call to Phase. Methods return the PhaseSecrets to wake."""

    def __init__(self, policy: Policy) -> None:
        # Of each account: what it asks and how it may; and, in `_accounts`, when it asks what.
        self._account_states: dict[Account, AccountState] = {}
        self._asked: dict[ObjectKey, SourceQuery] = {}
        # Whatever else calls Phase with an account passes the same gate.
        self.gates = Gates(policy.quota)
        self._turns = Dispatcher(self._account_states, self.gates.hosts, policy.places)
        self._late = LateQueries(self._account_states)
        self._accounts = Accounts(policy, self.gates, self._account_states, self._turns.add, self._forgotten)
        self.others = OtherCalls(self.gates, self._turns.other_ended, self._concerned)
        self.watches = Watches(self._accounts)
        self._awakened: set[ObjectKey] = set()
        self._events: list[tuple[ObjectKey, Event]] = []

    # What PhaseSecrets say.

    def subscribe(
        self, key: ObjectKey, query: SourceQuery, subscription: Subscription, now: float, *, has_keys: bool = False
    ) -> SourceState:
        """Let a PhaseSecret ask a question, instead of what it asked before, and return what is known.

        `has_keys`: the account's token can open encrypted apps; another form of the token is another account.
        """
        if self._asked.get(key) != query:
            self.unsubscribe(key)
        times = self._accounts.begin(query.account, now, has_keys=has_keys)
        app = times.app(query.app, now)
        query_state = app.ask(query, now)
        # The one query that is kept, not one for each resource.
        self._asked[key] = query_state.query
        times.account_state.subscribe(query_state, key, subscription)
        self._awakened |= encrypted.catch_up(times, [app], now)
        if query_state.is_unanswered:
            query_state.owed.add(key)
            times.read_first(app, query_state, subscription, now)
        times.probe_again(app, subscription.interval, now)
        times.read_undated(app, query_state, subscription, now)
        return view(times.account_state, query_state, key)

    def unsubscribe(self, key: ObjectKey) -> None:
        """Unsubscribe a PhaseSecret; a query without subscribers is forgotten with its answer."""
        query = self._asked.pop(key, None)
        if query is not None:
            self._account_states[query.account].unsubscribe(query, key)

    def want(self, key: ObjectKey, urgency: PollPriority, now: float) -> None:
        """Read a PhaseSecret's query and wake it with the answer, changed or not."""
        times, query_state = self._of(key)
        if urgency is PollPriority.FORCED:
            query_state.owed.add(key)
            query_state.forced.add(key)
            # A user who forces reads again and again must not use up what others need.
            due = query_state.forced_at = max(now, query_state.forced_at + _FORCED_PAUSE)
            times.want(query_state, urgency, due)
        elif query_state.answer is None:
            query_state.owed.add(key)
            if query_state.query not in times.account_state.busy:
                times.want(query_state, urgency, now)
        # Else the answer came while the PhaseSecret looked for it, and woke it.

    def confirm(self, key: ObjectKey, revision: Revision, now: float) -> None:
        """Record that a PhaseSecret's targets already match a revision, so that no read is needed."""
        times, query_state = self._of(key)
        query_state.owed.discard(key)
        if query_state.answer is None and query_state.wanted is None:
            query_state.revision = revision.moved_at
            self._awakened |= query_state.confirm(now)
            times.read_again(query_state, now)

    def has_query(self, key: ObjectKey) -> bool:
        """Return whether a PhaseSecret has a query."""
        return key in self._asked

    def doubt(self, key: ObjectKey, now: float) -> None:
        """Read a PhaseSecret's query again after a pause, and wake it: its targets would lose entries."""
        times, query_state = self._of(key)
        query_state.owed.add(key)
        if query_state.query not in times.account_state.busy:
            since = query_state.said[1] if query_state.said is not None else now
            times.want(query_state, PollPriority.MOVED, max(now, since + DOUBT_PAUSE))

    def is_owed(self, key: ObjectKey) -> bool:
        """Return whether a PhaseSecret waits for an answer."""
        return key in self._asked and key in self._of(key)[1].owed

    def view(self, key: ObjectKey) -> SourceState:
        """Return what is known of a PhaseSecret's query."""
        times, query_state = self._of(key)
        return view(times.account_state, query_state, key)

    # What to ask.

    def next(self, now: float) -> Call | None:
        """Return the call to make now and count it as begun, or None."""
        self._awakened |= self._late.find(now)
        while (turn := self._turns.next(now)) is not None:
            account_state = turn.account_state
            task = account_state.fair_queue.take(now, turn.lanes, attempts=turn.attempts)
            call = call_builder.build(self._accounts[account_state.account], task, now) if task is not None else None
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
        """Return the PhaseSecrets to wake in addition to those that the ends of calls name, once."""
        woken, self._awakened = self._awakened, set()
        return woken

    def namespaces(self, call: Call) -> set[str]:
        """Return the namespaces for which a call is made."""
        account_state = self._account_states[call.account]
        match call:
            case ListApps():
                return set(account_state.namespaces)
            case Read():
                return {key.namespace for key in subscribers(account_state.still_asked(call))}
            case ReadKeyring():
                apps = account_state.encrypted() or list(account_state.apps.values())
            case Probe():
                app = account_state.apps.get(call.app)
                apps = [app] if app is not None else []
        return set[str]().union(*(each.namespaces for each in apps))

    def replaced(self, call: Call) -> set[Reservation]:
        """Return where the answers are held that a call brings anew."""
        if isinstance(call, ReadKeyring):
            return self._account_states[call.account].keys.places()
        before = self._account_states[call.account].still_asked(call)
        return set[Reservation]().union(*(query_state.places() for query_state in before))

    # What came of it.

    def apps_listed(self, call: ListApps, apps: Sequence[App], now: float) -> set[ObjectKey]:
        """Record the apps of an account."""
        times, woken = self._ended(call, now)
        times.account_state.keys.instead_of_list, times.account_state.keys.has_to_name = None, False
        woken |= results.apps_listed(times, apps, now)
        encrypted.follow_list(times, now)
        times.account_state.drop_idle_keyring()
        return woken | encrypted.catch_up(times, times.account_state.apps.values(), now)

    def keyring_read(self, call: ReadKeyring, keyring: KeyringIndex, now: float) -> set[ObjectKey]:
        """Record keys and revisions of all environments of an account; queries of those that moved are read again."""
        times, woken = self._ended(call, now)
        return woken | encrypted.keyring_read(times, keyring, now)

    def probed(self, call: Probe, environments: Iterable[Environment], now: float) -> set[ObjectKey]:
        """Record the revisions of an app's environments; queries of those that moved are read again."""
        times, woken = self._ended(call, now)
        app = times.account_state.apps.get(call.app)
        if app is None or app.id != call.app_id:
            return woken
        if app.is_encrypted and not encrypted.probed_unencrypted(times, app, now):
            return woken
        return woken | results.probed(times, app, by_name(environments), now)

    def goes_on(self, call: Read, now: float) -> None:
        """Count the next request of a read that takes several, before it is made."""
        self._turns.goes_on(call, now)

    def to_judge(self, call: Read, shared_answer: SharedAnswer) -> list[tuple[QueryState, Snapshot, Snapshot]]:
        """Return the queries whose answers changed, with the last answer and the new one; none if that is little."""
        found, work = [], 0
        for query_state in self._account_states[call.account].still_asked(call):
            if shared_answer.error(query_state.query) is not None:
                continue
            before, answer = query_state.last, shared_answer.answer(query_state.query)
            if before is not None and before.revision != answer.revision:
                found.append((query_state, before, answer))
                work += query_state.work_of_guards(len(before.entries) + len(answer.entries))
        return found if work > _MUCH else []

    def was_read(
        self, call: Read, shared_answer: SharedAnswer, now: float, decrypted: Decrypted | None = None
    ) -> set[ObjectKey]:
        """Record the entries of an environment or a part of it, for each query that they answer.

        `decrypted` is what the entries were made of, if they were decrypted here.
        """
        times, woken = self._ended(call, now)
        if decrypted is not None:
            encrypted.answer_decrypted(times, call, decrypted)
        for query_state in times.account_state.still_asked(call):
            if (error := shared_answer.error(query_state.query)) is not None:
                woken |= results.read_failed(times, query_state, call, error, now)
                continue
            answer = shared_answer.answer(query_state.query)
            query_state.is_wide = bool(query_state.query.tags) and not answer.entries
            tags = _tags_instead(call, query_state.query, answer, shared_answer)
            woken |= results.answered(times, query_state, Answer(answer, tags, shared_answer, call), now)
            # Not before a read worked: who may do nothing at all has other things to say.
            woken |= query_state.set_unprobed(is_refused=times.account_state.apps[query_state.query.app].is_refused)
        return woken

    def failed(self, call: Call, error: ExpectedError, now: float) -> set[ObjectKey]:
        """Record a failure: it is kept beside the last good answer, and the call is planned again."""
        times, woken = self._ended(call, now, error)
        return woken | failed(times, self._late, call, error, now, self._events)

    def events(self) -> list[tuple[ObjectKey, Event]]:
        """Return the Events to post, once."""
        posted, self._events = self._events, []
        return posted

    # What is measured.

    def stats(self, now: float) -> PollStats:
        """Return the figures of this moment."""
        return count(self._account_states.values(), self.gates.hosts.values(), self._turns, now)

    def knows(self, account: Account) -> bool:
        """Return whether an account has queries, or had some lately."""
        return account in self._account_states

    def confirmed(self) -> Iterator[tuple[str, SourceQuery, float]]:
        """Yield each query that was ever confirmed, and when it last was.

        Once for each namespace whose PhaseSecrets ask it, with that namespace.
        """
        for account_state in self._account_states.values():
            for query_state in account_state.queries():
                if query_state.confirmed_at is not None:
                    for namespace in query_state.namespaces:
                        yield namespace, query_state.query, query_state.confirmed_at

    def confirmed_at(self, key: ObjectKey) -> float | None:
        """Return when a PhaseSecret's query was last confirmed; None if it has none, or no answer yet."""
        return self._of(key)[1].confirmed_at if key in self._asked else None

    def overdue(self, now: float) -> float:
        """Return for how many seconds an account has waited to be looked at, with nothing that it has to wait for."""
        return self._turns.overdue(now)

    # Accounts.

    def _of(self, key: ObjectKey) -> tuple[Timetable, QueryState]:
        query = self._asked[key]
        times = self._accounts[query.account]
        return times, times.account_state.apps[query.app].places[query.environment][query]

    def _forgotten(self, account_state: AccountState) -> None:
        self._turns.forget(account_state)
        self._late.forget(account_state.account)

    def _ended(self, call: Call, now: float, error: ExpectedError | None = None) -> tuple[Timetable, set[ObjectKey]]:
        """Count the end of a call, once, and return who is concerned by what that says of the host or the account."""
        times = self._accounts[call.account]
        account_state = times.account_state
        was_answered = not isinstance(error, Transient) or error.of_question or error.reason is Reason.RATE_LIMITED
        concern = self._turns.ended(call, error, now, was_answered=was_answered)
        if concern is None:
            # It was counted, and then what it brought could not be taken.
            return times, set()
        account_state.busy.difference_update(call.tasks)
        again, account_state.again = account_state.again, {}
        for task, (due, urgency) in again.items():
            # It waited for this end, and for nobody who is to take it.
            times.plan(task, max(due, now), urgency)
        woken = self._late.delayed(account_state, now) if account_state.gate.limited is not None else set()
        return times, woken | self._concerned(account_state.gate, concern, now)

    def _concerned(self, gate: AccountGate, concern: Concern, now: float) -> set[ObjectKey]:
        account_state = self._account_states.get(gate.account)
        match concern:
            case Concern.HOST:
                accounts = filter(self._accounts.__contains__, sorted(gate.host.accounts, key=repr))
                return set[ObjectKey]().union(*(self._turned(account, now) for account in accounts))
            case _ if account_state is None:
                # Nobody reads with it.
                return set()
            case Concern.ACCOUNT:
                return self._turned(account_state.account, now) | subscribers(account_state.queries())
            case Concern.UNANSWERED:
                return subscribers(each for each in account_state.queries() if each.is_awaited)
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
