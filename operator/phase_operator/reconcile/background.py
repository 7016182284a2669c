"""Computations that take longer than the event loop may wait, done in a thread.

Rule: the work is pure, and its size is bounded although users determine it. One thread does one piece after another, so
the loop gets its turn every few milliseconds. Namespaces take turns, so a namespace with much work delays only itself.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# Work of at most this many units, of about a microsecond, is done by the loop: handing over costs a tenth of that.
_AT_ONCE = 3_000


class BackgroundThread:
    """One thread, which is started with the first large piece of work."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._is_busy = False
        # The namespaces whose turn is next come first.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def run(self, work: Callable[[], Result], units: int, namespace: str) -> Result:
        """Do work of `units` for a namespace, at once if it is little; raise what the work raises."""
        if units <= _AT_ONCE:
            return work()
        await self._turn(namespace)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._pass_on()

    async def _turn(self, namespace: str) -> None:
        if not self._is_busy:
            self._is_busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            namespace = next(iter(self._waiting))
            turns = self._waiting.pop(namespace)
            turn = turns.popleft()
            if turns:
                # At the end: every other namespace that waits comes first.
                self._waiting[namespace] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._is_busy = False
