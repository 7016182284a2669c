"""Who asks: accounts, the apps they see, the queries they ask, and what is planned and under way for them.

Rule: records and their own bookkeeping; what follows from an answer is decided in results.py.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.source.apps import Directory
from phase_operator.core.source.query import Account, AppRef, SourceQuery
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.app_state import AppState, Watcher
from phase_operator.reconcile.polling.calls import KEYRING, LIST, Call, Probe, Read, Subscription, Task
from phase_operator.reconcile.polling.fair_queue import FairQueue, Lane, PollPriority
from phase_operator.reconcile.polling.gates import AccountGate, CallFacts, Concern, InFlightCall, Opens
from phase_operator.reconcile.polling.keyrings import KeyringState
from phase_operator.reconcile.polling.limits.rate_limit import WINDOW
from phase_operator.reconcile.polling.query_state import QueryState

FOREVER = float("inf")
# How many reads look again in a second whether there is room for them.
_LOOK_AGAIN_RATE = 50


@dataclass(slots=True)
class AccountState:
    """An account: what it asks, how much it may, what it sees."""

    gate: AccountGate
    # The token can open end-to-end encrypted apps.
    has_keys: bool = False
    keys: KeyringState = field(default_factory=KeyringState)
    fair_queue: FairQueue[Task] = field(default_factory=FairQueue)
    apps: dict[AppRef, AppState] = field(default_factory=dict)
    listed: Directory = field(default_factory=Directory)
    listed_at: float | None = None
    list_error: ExpectedError | None = None
    failures: int = 0
    # Under way: tasks, and environments that are read as a whole. What is planned meanwhile waits in `again`.
    busy: set[Task | tuple[AppRef, str]] = field(default_factory=set)
    again: dict[Task, tuple[float, PollPriority]] = field(default_factory=dict)
    # The namespaces of its PhaseSecrets and of those that watch its apps, with their number.
    namespaces: Counter[str] = field(default_factory=Counter)
    # Queries that were refused last, and the namespace that each is read for.
    denied: dict[SourceQuery, str] = field(default_factory=dict)
    # Since when reads have waited for the room that their requests need, and how often that was not there.
    no_room_since: float | None = None
    no_room: int = 0
    # The most requests that a read of an encrypted environment took, and how many have been answered.
    largest_read: int = 1
    decrypted: int = 0

    @property
    def account(self) -> Account:
        """The account, as others name it."""
        return self.gate.account

    def queries(self) -> Iterator[QueryState]:
        """Yield all queries of the account."""
        for app in self.apps.values():
            yield from app.queries()

    def is_listed(self, within: float, now: float) -> bool:
        """Return whether the account's apps were listed within so many seconds."""
        return self.listed_at is not None and now - self.listed_at < within

    @property
    def list_task(self) -> Task:
        """What tells the ids of apps: the list, or the keyring if the account may not list."""
        return LIST if self.keys.instead_of_list is None else KEYRING

    def encrypted(self) -> list[AppState]:
        """Return the apps that are read with the account's keys."""
        return [app for app in self.apps.values() if app.is_encrypted]

    def nameless(self) -> list[AppState]:
        """Return the apps of which only a name is known."""
        return [app for app in self.apps.values() if app.id is None]

    def needs_keyring(self) -> bool:
        """Say whether the keyring tells something that is asked for."""
        is_list = self.keys.instead_of_list is not None
        return (self.keys.has_to_name and bool(self.apps)) or any(
            app.is_encrypted or (app.id is None and is_list) for app in self.apps.values()
        )

    def drop_idle_keyring(self) -> None:
        """Forget the keyring, and ask for none, if nothing needs it."""
        if not self.needs_keyring():
            self.keys.drop()
            self.drop(KEYRING)

    def is_known_encrypted(self, app_id: str) -> bool:
        """Return whether the account can read an app with its keys alone, by what was listed last."""
        if not self.has_keys:
            return False
        keyed = self.keys.index.app(app_id) if self.keys.index is not None else None
        if keyed is not None and keyed.is_encrypted is not None:
            return keyed.is_encrypted
        return self.listed.is_encrypted(app_id) is True

    def find(self, query: SourceQuery) -> QueryState | None:
        """Return a query that has subscribers; None if it has none any more."""
        app = self.apps.get(query.app)
        return app.places.get(query.environment, {}).get(query) if app is not None else None

    def still_asked(self, call: Call) -> list[QueryState]:
        """Return the queries that a call reads and that still have subscribers."""
        found = [self.find(query) for query in call.queries]
        return [query_state for query_state in found if query_state is not None]

    def subscribe(self, query_state: QueryState, key: ObjectKey, subscription: Subscription) -> None:
        """Subscribe a PhaseSecret to one of the account's queries."""
        if key not in query_state.subscriptions:
            self.namespaces[key.namespace] += 1
        query_state.subscriptions[key] = subscription

    def unsubscribe(self, query: SourceQuery, key: ObjectKey) -> None:
        """Unsubscribe a PhaseSecret; a query without subscribers is forgotten with its answer."""
        app = self.apps[query.app]
        query_state = app.places[query.environment][query]
        query_state.unsubscribe(key)
        self._leave(key.namespace)
        if query_state.subscriptions:
            return
        self.drop(query)
        self.denied.pop(query, None)
        app.drop(query)
        if not app.is_asked:
            self._drop_app(app)

    def watch(self, app: AppState, key: ObjectKey, watcher: Watcher) -> None:
        """Let a resource watch an app, which it does not watch yet."""
        self.namespaces[key.namespace] += 1
        app.watchers[key] = watcher

    def unwatch(self, app: AppState, key: ObjectKey) -> None:
        """Let a resource watch an app no more."""
        self._leave(key.namespace)
        del app.watchers[key]
        if not app.is_asked:
            self._drop_app(app)

    def _leave(self, namespace: str) -> None:
        self.namespaces[namespace] -= 1
        if not self.namespaces[namespace]:
            del self.namespaces[namespace]

    def _drop_app(self, app: AppState) -> None:
        """Forget an app of which nothing is asked any more."""
        self.need(app, None)
        self.drop(app.ref)
        del self.apps[app.ref]
        if app.is_encrypted or app.id is None:
            self.drop_idle_keyring()
        if not self.apps:
            self.drop(LIST)

    def plan(self, task: Task, due: float, urgency: PollPriority) -> bool:
        """Plan a task, or bring it forward; return False if it is under way and has to wait for its end."""
        if task in self.busy:
            before = self.again.get(task, (due, urgency))
            self.again[task] = (min(before[0], due), min(before[1], urgency))
            return False
        is_attempt = self.is_attempt(task)
        if isinstance(task, SourceQuery):
            query_state = self.find(task)
            namespace = query_state.namespace if query_state is not None else ""
            self.fair_queue.plan(task, due, urgency, namespace=namespace, is_attempt=is_attempt)
        else:
            self.fair_queue.plan(task, due, urgency, lane=Lane.PROBE, is_attempt=is_attempt)
        return True

    def is_attempt(self, task: Task) -> bool:
        """Return whether a task failed last, or has never worked."""
        match task:
            case str():
                return not (self.keys.has_worked if task == KEYRING else self.has_listed)
            case AppRef():
                return task not in self.apps or self.apps[task].is_first_attempt()
            case SourceQuery():
                query_state = self.find(task)
                return query_state is None or not query_state.has_worked or self.apps[task.app].trouble is not None

    def is_idle(self, now: float) -> bool:
        """Return whether it asks nothing, nothing is under way, and its quota has nothing to remember."""
        return not self.apps and not self.busy and self.gate.rate_limit.is_idle(now)

    @property
    def has_listed(self) -> bool:
        """Whether the apps were listed, and a list has not failed since."""
        return self.listed_at is not None and self.list_error is None

    @property
    def is_hindered(self) -> bool:
        """Whether it may make no calls, or the probe of an app fails."""
        return self.gate.limited is not None or any(app.trouble for app in self.apps.values())

    def drop(self, task: Task) -> None:
        """Plan a task no more."""
        self.fair_queue.drop(task)
        self.again.pop(task, None)

    def opens(self, now: float) -> Opens:
        """Return when the next calls may begin."""
        # Users can force any number of reads; probes have their times.
        return self.gate.opens(now, is_spread=len(self.namespaces) > 1)

    def need(self, app: AppState, interval: float | None) -> None:
        """Note how often an app is probed; None: not now."""
        needed = WINDOW / interval if interval is not None else 0.0
        self.gate.needed += needed - app.needed
        app.needed = needed

    def kept_back(self, now: float) -> list[float]:
        """Return for each call that is due and has to wait for the quota since when it has been due."""
        closed = set(Lane).difference(self.opens(now).lanes(now))
        return [due for lane in closed for due in self.fair_queue.due(now, lane)]

    def next_at(self, now: float, opens: Opens) -> float | None:
        """Return when to look again, if time alone can tell."""
        later = (*opens, self.fair_queue.next_due())
        return min((at for at in later if at is not None and now < at < FOREVER), default=None)

    def room_at(self, requests: int, now: float) -> float:
        """Return when a read of so many requests may begin: `now`, or when to look again.

        One begins in each window in any case: others may use up whatever becomes free.
        """
        at = self.gate.room_at(now, requests)
        since = now if self.no_room_since is None else self.no_room_since
        if at <= now or now - since >= WINDOW:
            self.no_room_since, self.no_room = None, 0
            return now
        self.no_room_since = since
        self.no_room += 1
        # Thousands may wait; so many look again in a second.
        return at + self.no_room / _LOOK_AGAIN_RATE

    def begin(self, task: Task, call: Call, now: float) -> InFlightCall:
        """Count a call that begins."""
        limit = self.gate.host.keyrings.rate_limit if task == KEYRING else None
        if self.is_attempt(task):
            return self.gate.begin(now, None, limit, call.requests)
        return self.gate.begin(now, Lane.READ if isinstance(call, Read) else Lane.PROBE, limit, call.requests)

    def end(self, call: Call, begun: InFlightCall, error: ExpectedError | None, now: float) -> Concern:
        """Count the end of a call and what it says of quota, host and account."""
        may_read = not isinstance(error, Transient) and (
            isinstance(call, Read) or (isinstance(call, Probe) and self._is_fine(call.app))
        )
        namespace, among = self._namespace(call), len(self.namespaces)
        asked = CallFacts(call.what, namespace, among, call.is_probe, proves_access=may_read)
        return self.gate.end(now, begun, asked, error)

    def _is_fine(self, ref: AppRef) -> bool:
        """Return whether a query of an app was answered, and not refused since: only a read shows that one may read."""
        app = self.apps.get(ref)
        return app is not None and any(each.has_worked for each in app.queries())

    def _namespace(self, call: Call) -> str:
        return next((query_state.namespace for query_state in self.still_asked(call)), "")
