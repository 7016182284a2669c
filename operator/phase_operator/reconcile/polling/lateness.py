"""Which questions are late, so that their PhaseSecrets have to say so; and how long a refused one waits.

Rule: late is what cannot be confirmed, since its account is closed or its app's probe fails. What merely waits its turn
is not.
"""

from collections.abc import Callable, Mapping

from phase_operator.core.flow.schedule import Priority, Schedule
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.accounts import Asker
from phase_operator.reconcile.polling.question_state import QueryState, subscribers

# A question that is not confirmed so many seconds after its interval is late.
_GRACE = 30.0
# So often an account is looked at while its calls fail or may not be made.
_LOOK_AGAIN = 15.0
# A pause of this length is told at once to those who will be late.
_LONG_PAUSE = 90.0
# Of what is refused to an account for a namespace, one question in so many seconds is asked again.
_DENIED_EVERY = 3.0
_DENIED_LONGEST = 600.0


class LateQueries:
    """Finds the queries that ought to have been confirmed long ago, and whose call fails or may not be made."""

    def __init__(self, askers: Mapping[Account, Asker]) -> None:
        self._askers = askers
        # When to see whether queries of an account are late.
        self._looks: Schedule[Account] = Schedule()

    def look_later(self, account: Account, now: float) -> None:
        """See in time whether queries of an account are late, of which a call has failed."""
        self._looks.add(account, now + _GRACE, Priority.PERIODIC)

    def delayed(self, asker: Asker, now: float) -> set[ObjectKey]:
        """Take that an account may not be asked for a while; return whose queries will be late for it."""
        self.look_later(asker.account, now)
        return _late_after(asker, asker.gate.rate_limit.closed_until - now)

    def find(self, now: float) -> set[ObjectKey]:
        """Return whose queries are late since the last look."""
        woken: set[ObjectKey] = set()
        while (account := self._looks.take(now)) is not None:
            self._looks.done(account)
            asker = self._askers.get(account)
            if asker is None or (asker.gate.limited is None and not any(app.trouble for app in asker.apps.values())):
                continue
            woken |= _late_by(asker, now)
            self._looks.add(account, now + _LOOK_AGAIN, Priority.PERIODIC)
        return woken

    def next_due(self) -> float | None:
        """Return when `find` is worth asking again; None: not before another call fails."""
        return self._looks.next_due()

    def forget(self, account: Account) -> None:
        """Forget an account that asks nothing any more."""
        self._looks.forget(account)


def crowded(asker: Asker, question: QueryState) -> float:
    """Return the least pause of a question that was refused: the more of these a namespace has, the longer."""
    asker.denied[question.query] = question.namespace
    many = sum(each == question.namespace for each in asker.denied.values())
    return min(_DENIED_EVERY * many, _DENIED_LONGEST)


def _late_by(asker: Asker, now: float) -> set[ObjectKey]:
    """Mark the queries that ought to have been confirmed by now; return whom that is news for."""

    def is_overdue(question: QueryState) -> bool:
        # After a restart nothing was confirmed yet, and what stands in the status may be old.
        since = question.confirmed_at if question.confirmed_at is not None else question.asked_at
        return now > since + question.interval + _GRACE

    return _find(asker, is_overdue)


def _late_after(asker: Asker, pause: float) -> set[ObjectKey]:
    """Mark the queries that will be late after a long pause of their account; return whom that is news for."""
    if pause <= _LONG_PAUSE:
        return set()
    return _find(asker, lambda question: pause > question.interval + _GRACE)


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
