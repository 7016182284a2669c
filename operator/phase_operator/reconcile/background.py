"""Computations that take longer than the event loop may wait, done in a thread.

Rule: the work is pure, and its size is bounded although users determine it. One thread does one piece after another.
Namespaces take turns, and one with much work gets a share of the time, so it delays only itself: the loop and the
thread run by turns, so what the thread does is taken from everybody.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from phase_operator.core.flow.pace import TokenBuckets
from phase_operator.core.flow.turns import Turns

Result = TypeVar("Result")

# Work of at most this many units, of about a microsecond, is done by the loop: handing over costs a tenth of that.
_AT_ONCE = 3_000
# A namespace has so many seconds of work at once, and then this part of the time.
BURST = 2.0
SHARE = 0.25
# How long the loop may have to wait for the thread, in seconds, whenever it comes back from the network. With Python's
# default of 5 ms it would answer dozens of times fewer requests while the thread works (tests/bench/background.py).
SWITCH = 0.0002


class BackgroundThread:
    """One thread, which is started with the first large piece of work."""

    def __init__(self, timer: Callable[[], float] = lambda: 0.0) -> None:
        """Count what `timer` says that the calling thread has used, in seconds."""
        self._timer = timer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._is_busy = False
        self._waiting = Turns[asyncio.Future[None]]()
        # Seconds of work of each namespace.
        self.spent = TokenBuckets[str](BURST, SHARE)
        self._next_look: asyncio.TimerHandle | None = None

    async def run(self, work: Callable[[], Result], units: int, namespace: str) -> Result:
        """Do work of `units` for a namespace, at once if it is little; raise what the work raises."""
        if units <= _AT_ONCE:
            return work()
        await self._turn(namespace)
        loop = asyncio.get_running_loop()
        used = 0.0
        # The thread has the result for a moment longer than the caller. By then it must not have what the work was made
        # of: the memory that is counted for it is given back with the last reference.
        pieces = [work]
        del work

        def measured() -> Result:
            nonlocal used
            began = self._timer()
            try:
                return pieces.pop()()
            finally:
                used = self._timer() - began

        def done(found: asyncio.Future[Result]) -> None:
            if not found.cancelled():
                # The caller may be gone, and not take the exception.
                found.exception()
            self.spent.take(namespace, loop.time(), used)
            self._pass_on()

        found = loop.run_in_executor(self._thread, measured)
        found.add_done_callback(done)
        # What has begun cannot be stopped: the next piece has to wait for it, and it counts.
        return await asyncio.shield(found)

    async def _turn(self, namespace: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(namespace, turn)
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        self._is_busy = False
        self._next()

    def _next(self) -> None:
        """Give the thread to the first namespace that may have it; if none may yet, look again when one may."""
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        loop = asyncio.get_running_loop()
        while self._waiting and not self._is_busy:
            pauses = {namespace: self.spent.wait(namespace, loop.time()) for namespace in self._waiting}
            namespace = min(pauses, key=pauses.__getitem__)
            if pauses[namespace] > 0:
                self._next_look = loop.call_later(pauses[namespace], self._next)
                return
            turn = self._waiting.take_of(namespace)
            if not turn.done():
                self._is_busy = True
                turn.set_result(None)
