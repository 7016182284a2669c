"""Leader election by a Lease, judged by our own clock.

Rule: clocks of two machines are never compared. A renewal is seen as a change of the Lease, and the time since then is
measured by our own monotonic clock. A leader counts from before its request, a standby from after it saw the change. So
the leader has stopped writing before a standby may begin.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """Times in seconds, each a share of the Lease's duration."""

    duration: float

    @property
    def deadline(self) -> float:
        """Seconds without a renewal after which the leader writes nothing more."""
        return self.duration * 2 / 3

    @property
    def renewal(self) -> float:
        """Seconds between two renewals, and the timeout of one."""
        return self.duration * 2 / 15

    @property
    def look(self) -> float:
        """Seconds between two looks of a standby, at most half a second: it follows a released Lease at once."""
        return min(0.5, self.duration / 15)

    def pause(self, *, leads: bool, failed: bool) -> float:
        """Return seconds to the next look: a leader that could not renew tries as often as a standby."""
        return self.renewal if leads and not failed else self.look


@dataclass(frozen=True, slots=True)
class Held:
    """A Lease as it was read."""

    # "" if it has no holder.
    holder: str
    version: str
    # How often its holder changed.
    transitions: int
    # Its duration in seconds, as its holder wrote it.
    duration: float


@dataclass(frozen=True, slots=True)
class Write:
    """Write that we hold it, on top of the version that was judged; None: it must not exist yet."""

    version: str | None
    transitions: int
    # False: we hold it already, and renew.
    takes: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Another process holds it."""

    holder: str


class Election:
    """What one process knows of the Lease. Times are seconds of one monotonic clock."""

    def __init__(self, identity: str, terms: Terms) -> None:
        self.identity = identity
        self.terms = terms
        # The version that was seen last ("" if there was no Lease), since when, and its duration.
        self._seen: tuple[str, float, float] | None = None
        self._leads_until = -math.inf
        self._was_leading = False

    def judge(self, held: Held | None, now: float) -> Write | Wait:
        """Return what to do about the Lease as it was just read."""
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
            # It was deleted while we held it.
            return Write(None, 0, takes=False)
        if self._seen is None:
            return Write(None, 0, takes=True)
        # Its last holder may not know yet that it is gone.
        since = self._since("", self._seen[2], now)
        return Write(None, 0, takes=True) if now - since >= self._seen[2] else Wait("")

    def _since(self, version: str, duration: float, now: float) -> float:
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now, duration)
        return self._seen[1]

    def written(self, asked: float) -> None:
        """Record that the Lease is ours; `asked` is when the request began."""
        self._leads_until = max(self._leads_until, asked + self.terms.deadline)
        self._was_leading = True

    def left(self, now: float) -> float:
        """Return for how many more seconds we may write; 0 or less means not at all."""
        return max(0.0, self._leads_until - now)

    def is_lost(self, found: Write | Wait) -> bool:
        """Return whether another process leads now that did not before: all that we know may be out of date."""
        return self._was_leading and (isinstance(found, Wait) or found.takes)
