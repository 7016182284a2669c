"""Share the turns of the event loop among answers that are read at the same time.

Rule: in one turn, one of those who wait goes on. Each handles a part within milliseconds, but dozens of hosts may
send at once: all of them in one turn would keep everybody else waiting for as many times that.
"""

import asyncio

from phase_operator.reconcile.waiting_line import WaitingLine


class LoopTurns:
    """A queue, in which those who wait go on in the order in which they came."""

    def __init__(self) -> None:
        self._line = WaitingLine()
        self._is_planned = False

    async def wait(self) -> None:
        """Wait for a turn of the loop that is for this caller alone."""
        if not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._give)
        await self._line.wait()

    def _give(self) -> None:
        self._is_planned = self._line.let_one()
        if self._is_planned:
            asyncio.get_running_loop().call_soon(self._give)
