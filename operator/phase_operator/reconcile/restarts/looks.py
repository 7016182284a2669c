"""When to look at the workloads of which namespace: a while after the last write, and again while a restart waits.

Rule: the namespace that has been due for longest is next. So a namespace that is always due delays no other one.
"""

from collections.abc import Callable

from phase_operator.core.flow.backoff import doubled
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.queue.work_queue import Waiter
from phase_operator.reconcile.restarts.debounce import Debounce
from phase_operator.reconcile.restarts.look import Look

# No event reports that a roll-out ends, that a workload is resumed or that a place becomes free: we look again.
_SOON, _SELDOM, _FOR_A_PLACE = 3.0, 60.0, 15.0
_NOT_YET = 0.5


class LookSchedule:
    """The namespaces whose workloads are to be looked at. `settled` is called for each that has become quiet."""

    def __init__(self, clock: Clock, window: float, settled: Callable[[str], None]) -> None:
        self._clock = clock
        self._settled = settled
        self._settling: Debounce[str] = Debounce(window)
        # When to look again without another write, and how many such looks in a row had nothing to do.
        self._again: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._waiter = Waiter(clock)

    def touch(self, namespace: str) -> None:
        """Record that something in a namespace changed that workloads may read."""
        now = self._clock.monotonic()
        self._waiter.expect(self._settling.touch(namespace, now), now)

    async def take(self, all_known: Callable[[], bool]) -> str:
        """Wait for the next namespace; raise QueueClosedError after `close`."""

        def look(now: float) -> tuple[str | None, float | None]:
            due = self._next_due()
            if due is None or due > now:
                return None, due
            # A target whose PhaseSecret has not run yet would look like one without a PhaseSecret.
            found = self._due(now) if all_known() else None
            return found, now + _NOT_YET if found is None else self._next_due()

        return await self._waiter.take(look)

    def others_wait(self) -> bool:
        """Return whether any namespace is due."""
        due = self._next_due()
        return due is not None and due <= self._clock.monotonic()

    def has_lasted(self, namespace: str) -> bool:
        """Return whether at least two looks before this one, in a row, have left something to do."""
        return self._tries.get(namespace, -1) >= 1

    def go_on(self, namespace: str) -> None:
        """Make an interrupted look due at once, behind those that are due already."""
        self._again[namespace] = self._clock.monotonic()

    def plan(self, namespace: str, look: Look) -> None:
        """Decide when to look again after a look that has ended, if at all."""
        if not look.again:
            self._tries.pop(namespace, None)
            return
        now = self._clock.monotonic()
        gets_on = look.soon or (look.wants and look.restarted)
        tries = self._tries[namespace] = 0 if gets_on else self._tries.get(namespace, -1) + 1
        self._again.setdefault(namespace, now + _delay(look, tries, now))
        self._waiter.changed()

    def retry_now(self) -> None:
        """Make all looks due that wait for another try."""
        self._tries.clear()
        self._again = dict.fromkeys(self._again, self._clock.monotonic())
        self._waiter.changed()

    def close(self) -> None:
        """Give out no more namespaces."""
        self._waiter.close()

    def _next_due(self) -> float | None:
        """Return when the next namespace is due, now or later."""
        due = [each for each in (self._settling.next_due(), *self._again.values()) if each is not None]
        return min(due, default=None)

    def _due(self, now: float) -> str | None:
        for namespace in self._settling.take(now):
            self._again[namespace] = now
            self._settled(namespace)
        found = min(((due, each) for each, due in self._again.items() if due <= now), default=None)
        if found is None:
            return None
        del self._again[found[1]]
        return found[1]


def _delay(look: Look, tries: int, now: float) -> float:
    """Return for how many seconds a namespace is not looked at again after a look that left something to do."""
    delay = doubled(_SOON, _FOR_A_PLACE if look.wants else _SELDOM, tries)
    return delay if look.due is None else min(delay, max(look.due - now, _NOT_YET))
