"""Which questions are late, so that their PhaseSecrets have to say so; and how long a refused one waits.

Rule: late is what cannot be confirmed, since its account is closed or its app's probe fails. What merely waits its turn
is not.
"""

from collections.abc import Callable

from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.accounts import Asker
from phase_operator.reconcile.polling.question_state import QueryState, subscribers

# A question that is not confirmed so many seconds after its interval is late.
GRACE = 30.0
# A pause of this length is told at once to those who will be late.
_LONG_PAUSE = 90.0
# Of what is refused to an account for a namespace, one question in so many seconds is asked again.
_DENIED_EVERY = 3.0
_DENIED_LONGEST = 600.0


def late_by(asker: Asker, now: float) -> set[ObjectKey]:
    """Mark the questions that ought to have been confirmed by now; return whom that is news for."""

    def is_overdue(question: QueryState) -> bool:
        # After a restart nothing was confirmed yet, and what stands in the status may be old.
        since = question.confirmed_at if question.confirmed_at is not None else question.asked_at
        return now > since + question.interval + GRACE

    return _find(asker, is_overdue)


def late_after(asker: Asker, pause: float) -> set[ObjectKey]:
    """Mark the questions that will be late after a long pause of their account; return whom that is news for."""
    if pause <= _LONG_PAUSE:
        return set()
    return _find(asker, lambda question: pause > question.interval + GRACE)


def crowded(asker: Asker, question: QueryState) -> float:
    """Return the least pause of a question that was refused: the more of these a namespace has, the longer."""
    asker.denied[question.query] = question.namespace
    many = sum(each == question.namespace for each in asker.denied.values())
    return min(_DENIED_EVERY * many, _DENIED_LONGEST)


def _find(asker: Asker, is_late: Callable[[QueryState], bool]) -> set[ObjectKey]:
    found = [
        question
        for app in asker.apps.values()
        if asker.gate.limited is not None or app.trouble is not None
        for question in app.questions()
        if not question.is_late and question.error is None and is_late(question)
    ]
    for question in found:
        question.is_late = True
    return subscribers(found)
