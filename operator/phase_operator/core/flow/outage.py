"""Who waits for the API server, and when it is tried for all of them.

Rule: while it does not answer, one of those that wait is tried every few seconds, whatever their number; as soon as
one succeeds, the others run. Times are seconds of one monotonic clock.
"""

import math
from collections.abc import Hashable
from enum import Enum
from typing import Generic, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.flow.pace import Damper
from phase_operator.core.outcome import Failed, Outcome

Thing = TypeVar("Thing", bound=Hashable)

_TURN = 2.0


class Fault(Enum):
    """For which of the API server's reasons a run failed."""

    # It did not answer, or could not.
    SILENT = "silent"
    # It said no: it may be the object, and it may be that rights were taken away.
    REFUSED = "refused"


def fault(outcome: Outcome) -> Fault | None:
    """Say whether a run failed for the API server's sake, in whole or in part."""
    reasons = {target.reason for target in outcome.targets if not target.ready}
    reasons |= {outcome.reason} if isinstance(outcome, Failed) else set()
    if Reason.KUBERNETES_UNAVAILABLE in reasons:
        return Fault.SILENT
    return Fault.REFUSED if Reason.TARGET_REFUSED in reasons else None


class Outage(Generic[Thing]):
    """Those whose last run failed for the API server's sake."""

    def __init__(self) -> None:
        self._waiting: dict[Thing, Fault] = {}
        # Who is tried when; a turn that nobody needs any more is free.
        self._turns: dict[Thing, float] = {}
        self._damper: Damper[None] = Damper()
        # When it was last over, and how long those who were to run had to wait.
        self._over: tuple[float, float] = (-math.inf, 0.0)

    def failed(self, thing: Thing, found: Fault, pause: float, now: float) -> float:
        """Let a thing wait, and return for how many seconds: for `pause`, or less if a turn comes sooner.

        The turns are common to all, so that one that fails for a reason of its own does not stand for the others.
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

    def passed(self, thing: Thing) -> bool:
        """Take note that a run did not fail so; return True if its last one was met by silence: that is over."""
        self._turns.pop(thing, None)
        return self._waiting.pop(thing, None) is Fault.SILENT

    def forget(self, thing: Thing) -> None:
        """Let a thing that is gone wait no more."""
        self._turns.pop(thing, None)
        self._waiting.pop(thing, None)

    def over(self) -> list[Thing]:
        """Let nobody wait any more, and return who did."""
        found = list(self._waiting)
        self._waiting.clear()
        self._turns.clear()
        return found

    def pause(self, now: float) -> float:
        """Return how many seconds they have to wait who are to run: an API server that comes and goes slows it down.

        A hundred watches that come back together tell of one outage.
        """
        at, pause = self._over
        if now - at >= _TURN:
            pause = self._damper.pause(None, now)
            self._over = (now, pause)
        return pause
