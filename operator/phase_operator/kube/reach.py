"""Whether the API server can be connected to; while it cannot, watches try one after another.

Rule: how often a lost API server is tried does not grow with the number of watches, of which there may be hundreds. As
soon as one connection succeeds, all others are tried at once.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from phase_operator.reconcile.waiting_line import WaitingLine

# Seconds between two attempts of all watches together. One takes a millisecond.
_PAUSE = 0.05
_LOST = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Reach:
    """A queue for those who want to connect, which is in use only while nobody can."""

    def __init__(self) -> None:
        self._is_lost = False
        self._line = WaitingLine()
        self._next: asyncio.TimerHandle | None = None

    async def turn(self) -> None:
        """Return at once while the API server can be reached; else wait for a turn, or until it can be reached."""
        if not self._is_lost:
            return
        if self._next is None:
            self._plan()
        await self._line.wait()

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note whether the API server could be reached; whatever it answers shows that it can."""
        try:
            yield
        except _LOST:
            self._is_lost = True
            raise
        self._is_lost = False
        self._give_all()

    def _plan(self) -> None:
        self._next = asyncio.get_running_loop().call_later(_PAUSE, self._give)

    def _give(self) -> None:
        self._next = None
        self._line.let_one()
        if self._line:
            self._plan()

    def _give_all(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._line.let_all()
