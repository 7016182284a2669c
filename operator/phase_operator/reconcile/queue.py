"""A keyed work queue: coalesces, delays, runs a key once at a time.

`Schedule` of core/flow/schedule.py decides with the clock as an argument; `Waiter`, the loop in which the workers of
every queue wait for work, awaits.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, TypeVar

from phase_operator.core.flow.schedule import Priority, Schedule
from phase_operator.reconcile.ports import Clock
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
    """Lets workers wait for work. `idle` is entered by each worker that waits.

    A change wakes one worker, since most changes bring work for one. A worker that leaves with work wakes the next, who
    looks for more, or waits until the next work is due. So while any worker waits, one of them has looked since the
    last change, and no work is overlooked.
    """

    def __init__(self, clock: Clock, idle: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._clock = clock
        self._idle = idle
        # The workers that wait, the first to be woken at the beginning.
        self._waiting: dict[asyncio.Event, None] = {}
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

    async def take(self, find: Callable[[float], Work | None], next_due: Callable[[float], float | None]) -> Work:
        """Wait until `find` finds work and return it; raise QueueClosedError after `close`.

        Both get the time. `next_due` returns when to look again at the latest, None: only after a change; it is asked
        after `find` found nothing.
        """
        try:
            while not self._closed:
                now = self._clock.monotonic()
                found = find(now)
                if found is not None:
                    return found
                due = next_due(now)
                await self._wait(None if due is None else due - now)
        finally:
            # However it ends: this worker may be the only one that has looked since the last change.
            self.changed()
        raise QueueClosedError

    async def _wait(self, seconds: float | None) -> None:
        woken = asyncio.Event()
        self._waiting[woken] = None
        try:
            with self._idle():
                await wait_for(woken, seconds)
        finally:
            self._waiting.pop(woken, None)


class WorkQueue(Generic[Key]):
    """A Schedule that workers can await; owners of keys take turns."""

    def __init__(self, clock: Clock, owner: Callable[[Key], str] = lambda _: "") -> None:
        self._clock = clock
        self._schedule: Schedule[Key] = Schedule(owner)
        self._watchdog = Watchdog(clock)
        self._waiter = Waiter(clock, self._watchdog.idle)
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
        key = await self._waiter.take(self._schedule.take, lambda _: self._schedule.next_due())
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
        return self._watchdog.neglected(self.oldest())

    def hanging(self) -> float:
        """Return for how many seconds the run that is stuck longest has made no progress."""
        return self._watchdog.hanging()

    def oldest(self) -> float:
        """Return how many seconds the oldest due key has waited."""
        return self._schedule.overdue(self._clock.monotonic())
