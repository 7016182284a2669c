"""What a PhaseSecret is shown of its query.

Rule: it is told what happened to its query, not to others of its host or account.
"""

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Revision
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.accounts import AccountState
from phase_operator.reconcile.polling.app_state import AppState
from phase_operator.reconcile.polling.calls import Broken, Fresh, SourceState, Unread
from phase_operator.reconcile.polling.gates import AccountGate
from phase_operator.reconcile.polling.query_state import QueryState


def view(account_state: AccountState, query_state: QueryState, key: ObjectKey) -> SourceState:
    """Return what is known of a query that a PhaseSecret asks."""
    app = account_state.apps[query_state.query.app]
    error = _error(account_state, app, query_state, key)
    if error is not None:
        return Broken(error, query_state.full, query_state.twice, query_state.left())
    if query_state.answer is None:
        return Unread(_at(app, app.revision(query_state.query.environment)))
    return Fresh(
        query_state.answer,
        query_state.full,
        _at(app, query_state.revision),
        query_state.tags,
        query_state.twice,
        query_state.left(),
        query_state.is_unprobed,
        _at(app, query_state.misdated),
    )


def _at(app: AppState, moved_at: str | None) -> Revision | None:
    return Revision(app.id, moved_at) if app.id is not None and moved_at is not None else None


def _error(account_state: AccountState, app: AppState, query_state: QueryState, key: ObjectKey) -> ExpectedError | None:
    """Return why a query is not known to be answered as Phase would answer it now, if so."""
    list_error = account_state.list_error if app.id is None else None
    if error := app.error or app.closed or query_state.error or list_error:
        return error
    return _trouble(app, query_state, key) or _held_back(account_state.gate, query_state, key)


def _trouble(app: AppState, query_state: QueryState, key: ObjectKey) -> ExpectedError | None:
    """Return what keeps the app from being probed, if the PhaseSecret is to say so."""
    # Nothing is read of an encrypted app before there is a keyring.
    is_held_back = app.is_encrypted and _is_waiting(query_state, key)
    return app.trouble if app.is_reported or query_state.is_late or is_held_back else None


def _is_waiting(query_state: QueryState, key: ObjectKey) -> bool:
    return query_state.answer is None and not query_state.subscriptions[key].settled


def _held_back(gate: AccountGate, query_state: QueryState, key: ObjectKey) -> ExpectedError | None:
    """Return why the account may not be asked, if the PhaseSecret waits for that."""
    if _is_waiting(query_state, key):
        return gate.limited or gate.failure
    # One refusal delays what has been answered, and that is all, unless it delays it for long.
    is_forced = key in query_state.forced and key in query_state.owed
    is_long = query_state.is_late or gate.refusals > 1
    return gate.limited if is_forced or is_long else None
