"""The longest turn of a loop is measured, also while the loop has nothing else to do."""

import asyncio
import time

from support.measured_reads import Turns


def longest_of(seconds: float) -> float:
    """Compute for so long in one of many turns; return which was the longest."""

    async def work() -> None:
        await asyncio.sleep(0.01)
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass
        await asyncio.sleep(0.01)

    turns = Turns()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
        runner.run(work())
    return turns.longest


def test_a_turn_that_computes_is_measured() -> None:
    assert longest_of(0.2) >= 0.2


def test_a_loop_that_waits_has_short_turns() -> None:
    assert longest_of(0.0) < 0.1
