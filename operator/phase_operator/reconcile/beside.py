"""Work that takes longer than the loop may wait for it, done beside it.

Rule: what is handed over is pure, and sized by others within limits. One thread does one piece after another, so that
the loop gets its turn every few milliseconds, whoever asks for how much.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# Units that the loop does itself, of about a microsecond: to hand over takes a tenth of that.
_AT_ONCE = 3_000


class Beside:
    """One thread, which is not started before there is something to do."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beside")

    async def run(self, work: Callable[[], Result], units: int) -> Result:
        """Do the work, here if it is little; it raises what the work raises."""
        if units <= _AT_ONCE:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
