"""What a PhaseSecret is shown of its query.

Rule: it is told what happened to its query, not to others of its host or account.
"""

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Revision
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.accounts import Asker
from phase_operator.reconcile.polling.app_state import AppState
from phase_operator.reconcile.polling.calls import Broken, Fresh, SourceState, Unread
from phase_operator.reconcile.polling.gates import AccountGate
from phase_operator.reconcile.polling.question_state import QueryState


def view(asker: Asker, question: QueryState, key: ObjectKey) -> SourceState:
    """Return what is known of a query that a PhaseSecret asks."""
    app = asker.apps[question.query.app]
    error = _error(asker, app, question, key)
    if error is not None:
        return Broken(error, question.full, question.twice, question.left())
    if question.answer is None:
        return Unread(_at(app, app.revision(question.query.environment)))
    return Fresh(
        question.answer,
        question.full,
        _at(app, question.revision),
        question.tags,
        question.twice,
        question.left(),
        question.is_unprobed,
        _at(app, question.misdated),
    )


def _at(app: AppState, moved_at: str | None) -> Revision | None:
    return Revision(app.id, moved_at) if app.id is not None and moved_at is not None else None


def _error(asker: Asker, app: AppState, question: QueryState, key: ObjectKey) -> ExpectedError | None:
    """Return why a query is not known to be answered as Phase would answer it now, if so."""
    if error := app.error or question.error or (asker.list_error if app.id is None else None):
        return error
    if app.trouble is not None and (app.is_told or question.is_late):
        return app.trouble
    return _held_back(asker.gate, question, key)


def _held_back(gate: AccountGate, question: QueryState, key: ObjectKey) -> ExpectedError | None:
    """Return why the account may not be asked, if the PhaseSecret waits for that."""
    is_waiting = question.answer is None and not question.subscriptions[key].settled
    if gate.limited is None:
        return (gate.host.breaker.error or gate.denials.error) if is_waiting else None
    # One refusal delays what has been answered, and that is all, unless it delays it for long.
    is_forced = key in question.forced and key in question.owed
    is_long = question.is_late or gate.refusals > 1
    return gate.limited if is_waiting or is_forced or is_long else None
