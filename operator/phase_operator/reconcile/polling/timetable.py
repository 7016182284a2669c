"""When an account is asked what: its list of apps, the probes of its apps, the reads of its queries.

Subscribe -> list apps, if only a name is known -> probe -> read, and from then on probes alone, until a revision moves.
"""

from collections.abc import Callable

from phase_operator.core.errors import ExpectedError
from phase_operator.core.flow.backoff import next_look, retry_source, spread
from phase_operator.core.source.query import Account, AppRef
from phase_operator.reconcile.polling.accounts import AccountState
from phase_operator.reconcile.polling.app_state import AppState
from phase_operator.reconcile.polling.calls import KEYRING, LIST, Policy, Subscription, Task
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.query_state import QueryState

# With something refused, access may be granted any moment: the probe sees it within this time.
HEALING = 40.0
# An app that is missing, or that has two namesakes, is looked for again no more often than this.
_LIST_AGAIN = 10.0
_LOST_AGAIN = 60.0


class Timetable:
    """Plans the calls of one account; `look_at` has the account looked at when one of them is due."""

    def __init__(self, account_state: AccountState, policy: Policy, look_at: Callable[[Account, float], None]) -> None:
        self.account_state = account_state
        self.policy = policy
        self._look_at = look_at

    def plan(self, task: Task, due: float, urgency: PollPriority = PollPriority.NEW) -> None:
        """Plan a task, or bring it forward."""
        if self.account_state.plan(task, due, urgency):
            self._look_at(self.account_state.account, due)

    # Apps: name -> id -> environments.

    def probe(self, app: AppState, due: float, urgency: PollPriority = PollPriority.NEW) -> None:
        """Plan what tells an app's revisions, or bring it forward: a probe of it, or the keyring."""
        self.plan(probe_task(app), due, urgency)

    def begin(self, app: AppState, app_id: str, now: float) -> None:
        """Begin with an app whose id is known; a keyring that is new enough needs no other one."""
        if self.account_state.is_known_encrypted(app_id):
            # Without the moment of a switch: the list may be old, and then the keyring tells at once.
            app.is_encrypted = True
        if not app.is_encrypted or not self.account_state.keys.is_fresh(now):
            self.probe(app, now)

    def app(self, ref: AppRef, now: float) -> AppState:
        """Return an app, and begin with it if nobody asked of it before."""
        app = self.account_state.apps.get(ref)
        if app is None:
            app = self.account_state.apps[ref] = AppState(ref, ref.id.lower() if ref.id else None)
            self.resolve(app, now)
        return app

    def resolve(self, app: AppState, now: float) -> None:
        """Begin with an app that was not asked for before: probe it, or find its id first."""
        if app.id is not None:
            self.begin(app, app.id, now)
        elif self.account_state.is_listed(
            _LOST_AGAIN if self.account_state.listed.matching(app.ref.name or "") else _LIST_AGAIN, now
        ):
            self.name(app, now)
        else:
            self.plan(self.account_state.list_task, now)

    def name(self, app: AppState, now: float) -> bool:
        """Find an app's id in the list; return True if what PhaseSecrets see of it changed."""
        before = app.error
        try:
            found = self.account_state.listed.pick(app.ref.name or "")
        except ExpectedError as error:
            app.error, app.id = error, None
            self.plan(self.account_state.list_task, now + retry_source(error, 1, HEALING, app.ref.name or ""))
            return before is None or before.message != error.message
        if app.found(found):
            self.begin(app, found, now)
        return before is not None

    def find_again(self, app: AppState, now: float) -> None:
        """Look an app up again whose id Phase does not know any more: it may have been made anew."""
        if app.ref.id is None and not self.account_state.is_listed(_LOST_AGAIN, now):
            app.id = None
            self.plan(self.account_state.list_task, now)

    def list_again(self, now: float) -> None:
        """List the apps again in time: one may have been renamed, and another have its name by now."""
        if any(app.ref.id is None for app in self.account_state.apps.values()):
            self.plan(
                LIST, next_look(self.policy.full_read, repr(self.account_state.account), now), PollPriority.PERIODIC
            )

    def probe_again(self, app: AppState, interval: float, now: float) -> None:
        """Plan the next probe, or bring it forward."""
        if app.is_open and not app.is_unprobed:
            whose = self.account_state.account if app.is_encrypted else app.ref
            self.probe(app, next_look(interval, repr(whose), now))

    def try_unencrypted(self, app: AppState, now: float) -> None:
        """Ask seldom whether an encrypted app is one still, where the keyring does not tell."""
        self.plan(app.ref, next_look(self.policy.full_read, repr(app.ref), now), PollPriority.PERIODIC)

    def open(self, app: AppState, now: float) -> None:
        """Allow the reads of an app, since a probe has ended.

        Those under way are made again only if they may be of another app: if they began before it was closed.
        """
        under_way = self.account_state.busy if app.is_open else frozenset()
        for query_state, urgency in app.open():
            if query_state.query not in under_way:
                self.want(query_state, urgency, now)

    # Queries.

    def read_first(self, app: AppState, query_state: QueryState, subscription: Subscription, now: float) -> None:
        """Plan the first read of a query that has no answer yet."""
        environment = query_state.query.environment
        if app.is_open and environment in app.absent:
            # Made since the last probe, perhaps.
            query_state.wanted = subscription.urgency
            self.probe(app, now)
        elif query_state.query in self.account_state.busy:
            # It is being read: each PhaseSecret that is owed its answer gets it.
            pass
        elif not subscription.settled or (app.is_open and app.revision(environment) is None):
            self.want(query_state, subscription.urgency, now)

    def read_undated(self, app: AppState, query_state: QueryState, subscription: Subscription, now: float) -> None:
        """Read an answered query at the interval of one who asks, if probes tell nothing of its environment."""
        if app.is_open and app.revision(query_state.query.environment) is None and query_state.answer is not None:
            due = next_look(subscription.interval, query_state.identity, now)
            self.plan(query_state.query, due, PollPriority.PERIODIC)

    def want(self, query_state: QueryState, urgency: PollPriority, due: float) -> None:
        """Read a query, as soon as its app is known and was probed."""
        app = self.account_state.apps[query_state.query.app]
        query_state.wanted = urgency if query_state.wanted is None else min(urgency, query_state.wanted)
        if app.is_open and app.id is not None:
            self.plan(query_state.query, due, query_state.wanted)

    def read_again(self, query_state: QueryState, now: float) -> None:
        """Plan the next regular read: seldom where probes tell of changes."""
        app, environment = self.account_state.apps[query_state.query.app], query_state.query.environment
        since = query_state.read_at if query_state.read_at is not None else now
        is_probed = app.revision(environment) is not None or environment in app.absent
        pause = self.policy.full_read if is_probed else min(query_state.interval, self.policy.full_read)
        # One read answers all queries of an encrypted environment: they have one beat.
        identity = repr((app.ref, environment)) if app.is_encrypted else query_state.identity
        self.plan(query_state.query, max(now, next_look(pause, identity, since)), PollPriority.PERIODIC)

    def wait_for_probe(self, app: AppState, query_state: QueryState, now: float) -> None:
        """Make a read wait for a probe: one at once if the read is wanted, else the next regular one."""
        app.waiting[query_state.query] = query_state.urgency(PollPriority.STALE)
        if probe_task(app) not in self.account_state.busy:
            pause = self._reference_wait(query_state) if query_state.wanted is None else 0.0
            self.probe(app, now + pause)

    def end_wait(self, app: AppState, now: float) -> None:
        """Read what has waited for a probe, however that ended."""
        waiting, app.waiting = app.waiting, {}
        for query, urgency in waiting.items():
            query_state = self.account_state.find(query)
            if query_state is not None:
                query_state.has_waited = True
                self.plan(query, now, urgency)

    def read_references(self, now: float, *, of_encrypted: bool = False) -> None:
        """Read again, in time, what may refer to an environment that moved: Phase resolves references without a sign.

        At most once a bound for each query, spread over the bound, after everything else. What an answer depends on is
        known if it was decrypted here, and then no other one is read again. After a restart nothing is known of
        encrypted apps: their answers are read at once, and from then on it is known.
        """
        bound = self.policy.reference_bound * 0.9
        if bound <= 0:
            return
        for query_state in self.account_state.queries():
            app = self.account_state.apps[query_state.query.app]
            is_idle = query_state.query not in self.account_state.busy
            if app.is_encrypted is of_encrypted and is_idle and app.may_refer(query_state):
                last = query_state.read_at if query_state.read_at is not None else now - bound
                # It waits for a probe of its own app.
                wait = self._reference_wait(query_state)
                first = now + (bound - wait) * spread(query_state.identity)
                due = now if of_encrypted else max(first, last + self.policy.reference_bound - wait)
                self.plan(query_state.query, due, PollPriority.STALE)

    def _reference_wait(self, query_state: QueryState) -> float:
        """Return for how long a read that nobody wants now may wait for a probe."""
        return min(query_state.interval, self.policy.reference_bound / 4 or query_state.interval)


def probe_task(app: AppState) -> Task:
    """Return what tells an app's revisions."""
    return KEYRING if app.is_encrypted else app.ref
