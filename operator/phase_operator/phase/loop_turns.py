"""Share the turns of the event loop among answers that are read at the same time.

Rule: in one turn, one of those who wait goes on. Each handles a part within milliseconds, but dozens of hosts may
send at once: all of them in one turn would keep everybody else waiting for as many times that.
"""

import asyncio
from collections import deque


class LoopTurns:
    """A queue, in which those who wait go on in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_planned = False

    async def wait(self) -> None:
        """Wait for a turn of the loop that is for this caller alone."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if not self._is_planned:
            self._is_planned = True
            loop.call_soon(self._give)
        await turn

    def _give(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            # One who was cancelled needs no turn.
            if not turn.done():
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._give)
                return
        self._is_planned = False
