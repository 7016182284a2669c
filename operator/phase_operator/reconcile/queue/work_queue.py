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
    """Lets workers wait for work: each piece of work wakes one of them.

    Rule: while any worker waits, one was woken and has not looked yet; or the last look was told when the next is due,
    and the timer comes then at the latest; or there is nothing to wait for. No worker minds the time itself: it would
    take its timer along when it leaves with work, and if all of them did, each would wake for the same moment.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # The workers that wait and were not woken, the first to be woken at the beginning.
        self._waiting: dict[asyncio.Event, None] = {}
        # How many were woken and have not looked yet; how many wait, woken or not; and whether any has ever come.
        self._woken = 0
        self._idle = 0
        self._has_begun = False
        self._closed = False
        # Whether a worker is to look, and none has since that was said.
        self._is_look_owed = False
        # What wakes a worker when time has come.
        self._timer: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Have a worker look now: there may be work."""
        worker = next(iter(self._waiting), None)
        if worker is not None:
            del self._waiting[worker]
            self._woken += 1
            worker.set()

    def freed(self) -> None:
        """Have a worker look in the next round of the loop, unless one looks before: who ends a run mostly does."""
        if self._waiting and not self._is_look_owed:
            self._is_look_owed = True
            asyncio.get_running_loop().call_soon(self._give_owed_look)

    def expect(self, due: float, now: float) -> None:
        """Have a worker look when `due` comes, or now if it has come: there may be work then."""
        if not self._waiting:
            # Whoever comes next looks by himself.
            return
        if due <= now:
            self.changed()
            return
        # Compared by the loop's clock: it may stand still where ours goes on, while the machine is suspended.
        loop = asyncio.get_running_loop()
        at = loop.time() + due - now
        if self._timer is None or at < self._timer.when():
            self._set_timer(loop.call_at(at, self._time_has_come))

    def close(self) -> None:
        """Give out no more work."""
        self._closed = True
        self._set_timer(None)
        for worker in self._waiting:
            worker.set()

    def neglected(self, overdue: float, *, is_busy: bool) -> float:
        """Return for how many seconds due work has waited although a worker waits for some, or all workers are gone.

        `overdue` is the time in seconds that the oldest work has been due. `is_busy`: a worker works.
        """
        return overdue if self._has_begun and (self._idle or not is_busy) else 0.0

    async def take(self, look: Callable[[float], tuple[Work | None, float | None]]) -> Work:
        """Wait until `look` finds work and return it; raise QueueClosedError after `close`.

        `look` gets the time. It returns the work that is due, or None; and when to look again at the latest, for what
        else there is, with None for "only after a change".
        """
        self._has_begun = True
        is_done = False
        try:
            while not self._closed:
                now = self._clock.monotonic()
                found, due = look(now)
                self._is_look_owed = False
                if found is not None:
                    self._leave_rest(due, now)
                    is_done = True
                    return found
                await self._wait(due, now)
        finally:
            if not is_done:
                # This worker may be the only one that has looked, or was to look, since the last change.
                self.changed()
        raise QueueClosedError

    def _leave_rest(self, due: float | None, now: float) -> None:
        """Leave what else there is to the others; who was woken and has not looked yet will do the same."""
        if due is not None and (due > now or not self._woken):
            self.expect(due, now)

    async def _wait(self, due: float | None, now: float) -> None:
        woken = asyncio.Event()
        self._waiting[woken] = None
        self._idle += 1
        try:
            if due is not None:
                self.expect(due, now)
            await woken.wait()
        finally:
            self._idle -= 1
            if woken in self._waiting:
                del self._waiting[woken]
            else:
                self._woken -= 1

    def _give_owed_look(self) -> None:
        if self._is_look_owed:
            self._is_look_owed = False
            self.changed()

    def _time_has_come(self) -> None:
        self._timer = None
        self.changed()

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer


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
        now = self._clock.monotonic()
        if self._schedule.add(key, now + delay, priority):
            self._waiter.expect(now + delay, now)

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
            self._waiter.freed()

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
