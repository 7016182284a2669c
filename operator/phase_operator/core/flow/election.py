"""Who leads: what the Lease says, judged by a clock of our own.

Rule: clocks of two machines are never compared. That somebody renews is seen by the Lease's change, and for how long
nobody has by our own monotonic clock. A leader counts from before it asked, a standby from after it saw; so the one
has stopped to write before the other may begin.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """Times in seconds, all of them shares of how long a Lease lasts."""

    duration: float

    @property
    def deadline(self) -> float:
        """After so long without a renewal the leader writes nothing more."""
        return self.duration * 2 / 3

    @property
    def renewal(self) -> float:
        """So often the leader renews, and so long it waits for an answer."""
        return self.duration * 2 / 15

    @property
    def look(self) -> float:
        """So often a standby looks, at least twice a second: who steps down is followed at once."""
        return min(0.5, self.duration / 15)

    def pause(self, *, leads: bool, failed: bool) -> float:
        """Return seconds to the next look: who could not renew tries as often as a standby, whatever a Lease lasts."""
        return self.renewal if leads and not failed else self.look


@dataclass(frozen=True, slots=True)
class Held:
    """A Lease as it stands."""

    # "" if nobody holds it.
    holder: str
    version: str
    # How often it changed hands.
    transitions: int
    # How long it lasts, as its holder said.
    duration: float


@dataclass(frozen=True, slots=True)
class Write:
    """Write that we hold it, under the version that was judged; None: it must not exist yet."""

    version: str | None
    transitions: int
    # False: we hold it already, and renew.
    takes: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else holds it."""

    holder: str


class Election:
    """What one process knows of the Lease. Times are seconds of one monotonic clock."""

    def __init__(self, identity: str, terms: Terms) -> None:
        self.identity = identity
        self.terms = terms
        # The version that was seen last ("" if the Lease was gone), since when, and how long it lasts.
        self._seen: tuple[str, float, float] | None = None
        self._leads_until = -math.inf
        self._was_leading = False

    def judge(self, held: Held | None, now: float) -> Write | Wait:
        """Say what to do about the Lease as it was just read."""
        if held is None:
            return self._judge_none(now)
        if held.holder == self.identity:
            return Write(held.version, held.transitions, takes=not self._was_leading)
        since = self._since(held.version, held.duration, now)
        if not held.holder or now - since >= held.duration:
            return Write(held.version, held.transitions + 1, takes=True)
        return Wait(held.holder)

    def _judge_none(self, now: float) -> Write | Wait:
        if self._was_leading:
            # Somebody deleted it under our hands.
            return Write(None, 0, takes=False)
        if self._seen is None:
            return Write(None, 0, takes=True)
        # Whoever held it does not know yet that it is gone.
        since = self._since("", self._seen[2], now)
        return Write(None, 0, takes=True) if now - since >= self._seen[2] else Wait("")

    def _since(self, version: str, duration: float, now: float) -> float:
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now, duration)
        return self._seen[1]

    def written(self, asked: float) -> None:
        """Take note that the Lease is ours; `asked` is when the request began."""
        self._leads_until = max(self._leads_until, asked + self.terms.deadline)
        self._was_leading = True

    def left(self, now: float) -> float:
        """Return for how many seconds we may write; nothing left means: not at all."""
        return max(0.0, self._leads_until - now)

    def is_lost(self, found: Write | Wait) -> bool:
        """Say whether somebody else leads by now, who did not before: all that we know may be old."""
        return self._was_leading and (isinstance(found, Wait) or found.takes)
