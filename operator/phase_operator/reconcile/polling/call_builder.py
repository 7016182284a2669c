"""Make the call of a task whose turn has come.

Rule: many queries to one environment become one read of all of it; nothing is read twice at once.
"""

from dataclasses import replace

from phase_operator.core.flow.backoff import spread
from phase_operator.core.source.query import AppRef, SourceQuery
from phase_operator.core.source.references.limits import MOST_ENVIRONMENTS
from phase_operator.reconcile.polling.accounts import FOREVER, AccountState
from phase_operator.reconcile.polling.app_state import AppState
from phase_operator.reconcile.polling.calls import KEYRING, LIST, Call, ListApps, Probe, Read, ReadKeyring, Task
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.query_state import QueryState
from phase_operator.reconcile.polling.timetable import Timetable

# While a host is asked for one keyring at a time, an account looks this often whether it is its turn.
_TURN_AGAIN = 1.0
# So many reads tell how many requests others may take.
_TELLING = 3


def build(times: Timetable, task: Task, now: float) -> Call | None:
    """Make a task a call, or None if nothing is to be asked any more, or not now."""
    account_state = times.account_state
    if task == KEYRING:
        return _read_keyring(times, now)
    if isinstance(task, str):
        account_state.busy.add(LIST)
        return ListApps(account_state.account)
    app = account_state.apps.get(task if isinstance(task, AppRef) else task.app)
    if app is None:
        return None
    if isinstance(task, SourceQuery):
        query_state = account_state.find(task)
        return _read_query(times, app, query_state, now) if query_state is not None else None
    if app.id is None:
        return None
    account_state.busy.add(task)
    app.probe_began_at = now
    return Probe(account_state.account, task, app.id)


def _read_query(times: Timetable, app: AppState, query_state: QueryState, now: float) -> Read | None:
    """Read a query, alone or with others of its environment; None if it cannot be read now."""
    account_state, query, app_id = times.account_state, query_state.query, app.id
    if app_id is None or not app.is_readable(has_keyring=account_state.keys.index is not None):
        # It is read as soon as its app is found and open.
        query_state.wanted = query_state.urgency(PollPriority.PERIODIC)
        return None
    if app.is_out_of_date(query_state, now):
        times.wait_for_probe(app, query_state, now)
        return None
    if _waits_for_room(times, app, query_state, now):
        return None
    is_wide = _is_read_whole(times, app, query.environment)
    if is_wide or query_state.needs_all:
        return _read_all(account_state, app, app_id, query_state, now, is_wide=is_wide)
    idle = [each for each in _idle(account_state, app, query) if query.is_like(each.query)]
    return _read(account_state, app, app_id, idle, query.path, query.tags)


def _is_read_whole(times: Timetable, app: AppState, environment: str) -> bool:
    """Return whether an environment is read as a whole for all its queries: it is encrypted, or they are many."""
    return app.is_encrypted or 0 < times.policy.wide_above < len(app.places[environment])


def _waits_for_room(times: Timetable, app: AppState, query_state: QueryState, now: float) -> bool:
    """Plan the read of an encrypted environment for later if the quota has no room for it; return whether it waits."""
    account_state, environment = times.account_state, query_state.query.environment
    if not app.is_encrypted or (app.ref, environment) in account_state.busy:
        return False
    later = account_state.room_at(_requests(account_state, app, environment, now), now)
    if later <= now:
        return False
    times.plan(query_state.query, later, query_state.urgency(PollPriority.PERIODIC))
    return True


def _read_keyring(times: Timetable, now: float) -> ReadKeyring | None:
    """Read the keyring if something needs it, and if the host may be asked for one now; else see again later."""
    account_state = times.account_state
    if not account_state.needs_keyring():
        return None
    keyrings = account_state.gate.host.keyrings
    allowed = keyrings.allowed_at(now, account_state.account, account_state.namespaces)
    if allowed > now:
        later = allowed if allowed < FOREVER else now + _TURN_AGAIN + spread(repr(account_state.account))
        times.plan(KEYRING, later)
        return None
    keyrings.forget(account_state.account)
    account_state.busy.add(KEYRING)
    account_state.keys.asked_at = now
    return ReadKeyring(account_state.account)


def _read_all(
    account_state: AccountState, app: AppState, app_id: str, query_state: QueryState, now: float, *, is_wide: bool
) -> Read | None:
    """Read the whole environment for a query and the others that it answers; None if that is under way."""
    query: SourceQuery = query_state.query
    whole = (app.ref, query.environment)
    if whole in account_state.busy:
        account_state.again[query] = (now, query_state.urgency(PollPriority.PERIODIC))
        return None
    account_state.busy.add(whole)
    idle = [each for each in _idle(account_state, app, query) if is_wide or each.is_wide or query.is_like(each.query)]
    found = replace(_read(account_state, app, app_id, idle, None, ()), is_whole=True)
    if not app.is_encrypted:
        return found
    requests = _requests(account_state, app, query.environment, now)
    return replace(found, keys=account_state.keys.index, requests=requests)


def _idle(account_state: AccountState, app: AppState, query: SourceQuery) -> list[QueryState]:
    """Return the queries that are not being read and that a read of the environment of this one can answer."""
    index = account_state.keys.index if app.is_encrypted else None
    is_one = index is None or not index.has_alike(app.id or "", query.environment)
    return [
        each
        for each in app.places[query.environment].values()
        if each.query not in account_state.busy and (is_one or each.query.exact == query.exact)
    ]


def _read(
    account_state: AccountState,
    app: AppState,
    app_id: str,
    query_states: list[QueryState],
    path: str | None,
    tags: tuple[str, ...],
) -> Read:
    for query_state in query_states:
        account_state.fair_queue.drop(query_state.query)
        account_state.busy.add(query_state.query)
        app.waiting.pop(query_state.query, None)
        query_state.has_waited = False
    queries = tuple(query_state.query for query_state in query_states)
    environment = queries[0].environment
    # While probes fail, nobody knows whether what is read is newer than the last one.
    revision = app.revision(environment) if app.is_probed else None
    return Read(account_state.account, app.ref, app_id, environment, path, tags, revision, queries, queries[0].exact)


def _requests(account_state: AccountState, app: AppState, environment: str, now: float) -> int:
    """Return how many requests a read of an encrypted environment takes at most, as far as is known.

    Where its references are not known, it takes as many as others took; before any was read, as many as there may be.
    While the account has no limit, one is enough to count: nothing has to be kept for the others.
    """
    if account_state.gate.rate_limit.limit_at(now) is None:
        return 1
    known = app.dependencies.get(environment)
    if known is not None:
        return 1 + len(known.revisions)
    return account_state.largest_read if account_state.decrypted >= _TELLING else 1 + MOST_ENVIRONMENTS
