"""A line of those who wait: each goes on when it is woken, in the order in which they came."""

import asyncio
from collections import deque


class WaitingLine:
    """Tasks that wait; true while there are any."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def wait(self) -> None:
        """Wait at the end of the line."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def let_one(self) -> bool:
        """Let the one who came first go on; return False if nobody waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            # One who was cancelled needs no turn.
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    def let_all(self) -> None:
        """Let all go on."""
        while self.let_one():
            pass
