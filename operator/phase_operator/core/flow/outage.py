"""Which runs wait for the API server, and when one of them tries it for all.

Rule: while it does not answer, one waiting run is tried every few seconds, whatever their number. When one succeeds,
the others run. Times are seconds of one monotonic clock.
"""

import math
from collections.abc import Hashable
from enum import Enum
from typing import Generic, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.flow.pace import RepeatBackoff
from phase_operator.core.outcome import Failed, Gone, Outcome

Thing = TypeVar("Thing", bound=Hashable)

_TURN = 2.0


class Fault(Enum):
    """How the API server made a run fail."""

    # It did not answer, or was unable to.
    SILENT = "silent"
    # It refused: because of the object, or because our permissions were removed.
    REFUSED = "refused"


def fault(outcome: Outcome) -> Fault | None:
    """Return how the API server made a run fail, in whole or in part; None if it did not."""
    reasons = {target.reason for target in outcome.targets if not target.ready}
    reasons |= {outcome.reason} if isinstance(outcome, Failed) else set()
    if Reason.KUBERNETES_UNAVAILABLE in reasons:
        return Fault.SILENT
    return Fault.REFUSED if Reason.TARGET_REFUSED in reasons else None


class Outage(Generic[Thing]):
    """The things whose last run failed because of the API server."""

    def __init__(self) -> None:
        self._waiting: dict[Thing, Fault] = {}
        # Which thing is tried when; a turn that is no longer needed becomes free.
        self._turns: dict[Thing, float] = {}
        self._damper: RepeatBackoff[None] = RepeatBackoff()
        # When the last outage ended, and the pause of the runs that followed it.
        self._over: tuple[float, float] = (-math.inf, 0.0)

    def failed(self, thing: Thing, found: Fault, pause: float, now: float) -> float:
        """Let a thing wait, and return for how many seconds: for `pause`, or less if a turn comes sooner.

        All things share the turns, so one that fails for a reason of its own does not decide for the others.
        """
        self._waiting[thing] = found
        self._turns = {each: at for each, at in self._turns.items() if at > now and each != thing}
        turn = now + _TURN
        for taken in sorted(self._turns.values()):
            if taken - turn >= _TURN:
                break
            turn = max(turn, taken + _TURN)
        if found is Fault.REFUSED or turn - now >= pause:
            return pause
        self._turns[thing] = turn
        return turn - now

    def ended(self, thing: Thing, outcome: Outcome) -> tuple[Fault | None, bool]:
        """Record how a run ended: how the API server made it fail, if it did; and whether the outage is over.

        It is over if the last run of the thing got no answer, and this one did not fail like that. A thing that is gone
        is forgotten, and shows nothing.
        """
        found = fault(outcome)
        if found is not None:
            return found, False
        self._turns.pop(thing, None)
        was_silent = self._waiting.pop(thing, None) is Fault.SILENT
        return None, was_silent and not isinstance(outcome, Gone)

    def drain(self) -> list[Thing]:
        """End the wait of all things, and return them."""
        found = list(self._waiting)
        self._waiting.clear()
        self._turns.clear()
        return found

    def pause(self, now: float) -> float:
        """Return the pause in seconds before the waiting runs begin; it grows if the API server comes and goes.

        Many watches that recover together count as the end of one outage.
        """
        at, pause = self._over
        if now - at >= _TURN:
            pause = self._damper.pause(None, now)
            self._over = (now, pause)
        return pause
