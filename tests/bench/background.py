"""What a thread that works costs the event loop: answers a second, with Python's own switch interval and with ours.

Run it with `cd tests && ../.venv/bin/python -m bench.background`.
"""

import asyncio
import sys
import threading
import time

from phase_operator.core.globs import matcher
from phase_operator.reconcile.background import SWITCH
from support.builders import parsed

SECONDS = 3.0
_PATTERNS = [f"*{chr(97 + number % 26)}*{number}*" for number in range(64)]


class Work:
    """What tenants have done beside the loop: keys are tried against patterns, again and again."""

    def __init__(self) -> None:
        self.done = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> "Work":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _go_on(self) -> None:
        wanted = matcher(parsed(keys={"include": _PATTERNS}).keys)
        while not self._is_over.is_set():
            wanted(f"KEY_{self.done}" * 20)
            self.done += 1


async def answers() -> float:
    """Return how many times a second a byte goes to a server of the same loop and back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(1):
            writer.write(said)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        writer.write(b"x")
        await reader.readexactly(1)
        count += 1
    writer.close()
    await writer.wait_closed()
    server.close()
    return count / SECONDS


def main() -> None:
    """Print the table."""
    alone = asyncio.run(answers())
    print("| switch interval | answers of the loop, of those without work | pieces of work |")
    print("|---|---|---|")
    first = 0
    for name, interval in (("5 ms, Python's own", 0.005), (f"{SWITCH * 1000:g} ms, ours", SWITCH)):
        sys.setswitchinterval(interval)
        with Work() as work:
            beside = asyncio.run(answers())
        first = first or work.done
        print(f"| {name} | 1 of {alone / beside:.1f} | {work.done / first:.0%} |")


if __name__ == "__main__":
    main()
