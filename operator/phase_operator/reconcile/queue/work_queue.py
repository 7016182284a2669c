"""The work queue of the loop, and the loop in which the workers of every queue wait for work.

Rule: what is next is decided in schedule.py. The process hangs if work is due while a worker waits for some.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.queue.schedule import Priority, Schedule
from phase_operator.reconcile.watchdog import Watchdog

Key = TypeVar("Key", bound=Hashable)
Work = TypeVar("Work")


async def wait_for(event: asyncio.Event, seconds: float | None) -> None:
    """Return when the event is set or the time is up."""
    try:
        async with asyncio.timeout(None if seconds is None else max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        return


class QueueClosedError(Exception):
    """The queue gives out no more keys."""


class Waiter:
    """Lets workers wait for work.

    A change wakes one worker, since most changes bring work for one. A worker that leaves with work wakes the next, who
    looks for more, or waits until the next work is due. So while any worker waits, one of them has looked since the
    last change, and no work is overlooked.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # The workers that wait and were not woken, the first to be woken at the beginning.
        self._waiting: dict[asyncio.Event, None] = {}
        # How many wait, woken or not; and whether any has ever come for work.
        self._idle = 0
        self._has_begun = False
        self._closed = False

    def changed(self) -> None:
        """Have a worker look again: there may be work now, or work may be due sooner."""
        worker = next(iter(self._waiting), None)
        if worker is not None:
            del self._waiting[worker]
            worker.set()

    def close(self) -> None:
        """Give out no more work."""
        self._closed = True
        for worker in self._waiting:
            worker.set()

    def neglected(self, overdue: float, *, is_busy: bool) -> float:
        """Return for how many seconds due work has waited although a worker waits for some, or all workers are gone.

        `overdue` is the time in seconds that the oldest work has been due. `is_busy`: a worker works.
        """
        return overdue if self._has_begun and (self._idle or not is_busy) else 0.0

    async def take(self, look: Callable[[float], tuple[Work | None, float | None]]) -> Work:
        """Wait until `look` finds work and return it; raise QueueClosedError after `close`.

        `look` gets the time. It returns the work that is due; or, if there is none, when to look again at the latest,
        with None for "only after a change".
        """
        self._has_begun = True
        try:
            while not self._closed:
                now = self._clock.monotonic()
                found, due = look(now)
                if found is not None:
                    return found
                await self._wait(None if due is None else due - now)
        finally:
            # However it ends: this worker may be the only one that has looked since the last change.
            self.changed()
        raise QueueClosedError

    async def _wait(self, seconds: float | None) -> None:
        woken = asyncio.Event()
        self._waiting[woken] = None
        self._idle += 1
        try:
            await wait_for(woken, seconds)
        finally:
            self._idle -= 1
            self._waiting.pop(woken, None)


class WorkQueue(Generic[Key]):
    """A Schedule that workers can await; owners of keys take turns, and have shares of `places` workers."""

    def __init__(self, clock: Clock, owner: Callable[[Key], str] = lambda _: "", places: int | None = None) -> None:
        self._clock = clock
        self._schedule: Schedule[Key] = Schedule(owner, places)
        self._watchdog = Watchdog(clock)
        self._waiter = Waiter(clock)
        # Until every key of the start has had a run: the keys that had one, and the keys that still have to.
        self._ran: set[Key] = set()
        self._owed: set[Key] | None = None

    def close(self) -> None:
        """Give out no more keys; runs that began may end."""
        self._waiter.close()

    def add(self, key: Key, *, delay: float = 0.0, priority: Priority = Priority.CHANGED) -> None:
        """Plan a run of the key in `delay` seconds, or sooner if one is planned already."""
        self._schedule.add(key, self._clock.monotonic() + delay, priority)
        self._waiter.changed()

    def forget(self, key: Key) -> None:
        """Drop what is planned for the key."""
        self._schedule.forget(key)

    def done(self, key: Key) -> None:
        """End the run that `take` began."""
        self._watchdog.end(key)
        is_planned = self._schedule.done(key)
        if self._owed is None:
            self._ran.add(key)
        else:
            self._owed.discard(key)
        if is_planned:
            self._waiter.changed()

    async def take(self) -> Key:
        """Wait for the next key that is due and start its run; raise QueueClosedError after `close`."""
        key = await self._waiter.take(self._schedule.look)
        self._watchdog.begin(key)
        return key

    def depth(self) -> int:
        """Return how many keys are planned."""
        return len(self._schedule)

    def all_ran(self, keys: Iterable[Key]) -> bool:
        """Return whether each of the keys that the first call passed has had a run.

        A failed run counts too, and later calls add no keys.
        """
        if self._owed is None:
            self._owed = set(keys) - self._ran
            self._ran = set()
        return not self._owed

    def neglected(self) -> float:
        """Return for how many seconds a key has been due while a worker is idle."""
        neglected = self._schedule.neglected(self._clock.monotonic())
        return self._waiter.neglected(neglected, is_busy=self._watchdog.is_busy)

    def hanging(self) -> float:
        """Return for how many seconds the run that is stuck longest has made no progress."""
        return self._watchdog.hanging()

    def oldest(self) -> float:
        """Return how many seconds the oldest due key has waited."""
        return self._schedule.overdue(self._clock.monotonic())
