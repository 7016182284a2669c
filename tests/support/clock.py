"""A clock that only a test turns."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

Result = TypeVar("Result")
_BEGINNING = datetime(2030, 1, 1, tzinfo=UTC)


class HandClock:
    """Stands still until it is turned; `driving` makes asyncio's own deadlines follow it."""

    def __init__(self) -> None:
        self._elapsed = 1000.0
        # By how much the wall clock is wrong.
        self.error = 0.0

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return self._elapsed

    def now(self) -> str:
        """Return the wall clock as RFC 3339 in UTC with seconds."""
        return self._wall(self._elapsed + self.error)

    def right(self) -> str:
        """Return what a wall clock says that is right, such as that of a server."""
        return self._wall(self._elapsed)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back; no time passes."""
        self.error += seconds

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed += seconds

    def _wall(self, elapsed: float) -> str:
        return (_BEGINNING + timedelta(seconds=elapsed)).strftime("%Y-%m-%dT%H:%M:%SZ")

    @contextmanager
    def driving(self) -> Iterator[None]:
        """Let the running event loop read its time here, so that its timeouts end when the clock is turned."""
        attributes = vars(asyncio.get_running_loop())
        before = attributes.get("time")
        attributes["time"] = self.monotonic
        try:
            yield
        finally:
            del attributes["time"]
            if before is not None:
                attributes["time"] = before


# What threads do now that tasks wait for, each piece once.
in_threads: set[object] = set()
# Rounds of a loop that waits for a thread: some seconds.
_PATIENCE = 1_000_000


async def settle(rounds: int = 300) -> None:
    """Let every task go on until it waits for something that a test has to do."""
    loop: Any = asyncio.get_running_loop()
    for _ in range(rounds):
        await _let_threads_end()
        if _is_idle(loop):
            return


async def _let_threads_end() -> None:
    """Let one round pass, and all in which a thread is at work."""
    for _ in range(_PATIENCE):
        await asyncio.sleep(0)
        if not in_threads:
            return


def _is_idle(loop: Any) -> bool:
    """Say whether another round would change nothing: no callback is due, and no thread or socket can make one due.

    Timers that are due, and what sockets have, were made callbacks at the beginning of this round.
    """
    only_itself = 1
    return not loop._ready and loop._default_executor is None and len(loop._selector.get_map()) <= only_itself


async def turns_beside(work: Awaitable[Result]) -> tuple[Result, int]:
    """Await work; return its result, and how many turns of the loop others had meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    neighbour = asyncio.create_task(others())
    try:
        return await work, turns
    finally:
        neighbour.cancel()
