"""A call that writes, while it is under way and when it has ended: whether anybody knows what it did.

Rule: it counts as lost from before it is sent until its answer is there, however it ends.
"""

from collections.abc import Callable, Mapping
from math import floor

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.push.barred import Barred
from phase_operator.core.push.desired import Wanted
from phase_operator.core.push.places import EntryPlace
from phase_operator.reconcile.pushes.subject import PushSubject

# Refusals after which a look tells what to do about an entry.
_LOOK_TELLS = ("Duplicate secret found", "Secret not found")


class Sent:
    """A call that writes: lost until it is answered or refused."""

    def __init__(
        self, now: Callable[[], float], subject: PushSubject, attempt: str, wanted: Mapping[EntryPlace, Wanted]
    ) -> None:
        self._now = now
        self._subject = subject
        self._attempt = attempt
        self._wanted = wanted

    def __enter__(self) -> None:
        """Send it: from here on, only an answer tells what it did."""
        self._subject.ready.discard(self._attempt)
        self._subject.lost[self._attempt] = self._lost_now()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Record how it ended."""
        subject = self._subject
        subject.lost.pop(self._attempt, None)
        if error is None:
            # As if it were still to be sent: what it did is in the look, and nothing of it is unclear.
            subject.ready.add(self._attempt)
            subject.send_more()
            return
        subject.look = None
        # Whoever refuses a batch in its middle has ended: what it did before that, the next look shows.
        is_refused = isinstance(error, ExpectedError) and error.reason is Reason.REQUEST_REFUSED
        if is_refused or (isinstance(error, ExpectedError) and error.had_no_effect):
            subject.refused.add(self._attempt)
        else:
            subject.lost[self._attempt] = self._lost_now()
        if isinstance(error, ExpectedError) and is_refused:
            self._find_fault(error)

    def _lost_now(self) -> float:
        # Rounded up: what a look shows in the same second may be older.
        return floor(self._now()) + 1.0

    def _find_fault(self, error: ExpectedError) -> None:
        """Send fewer entries, or set the one aside that was refused by itself."""
        subject = self._subject
        if any(each in error.message for each in _LOOK_TELLS):
            return
        if len(self._wanted) == 1:
            [(place, wanted)] = self._wanted.items()
            subject.bar(place, Barred.of(wanted, f"Phase refuses it: {error.message}"))
            return
        subject.send_less()
