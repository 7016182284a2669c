"""Processes that read answers of Phase, and say what that took: memory, and the longest turn of their loop.

    python -m support.measured_reads

Each line of input is a JSON list: a route, and URLs. They are read by a process of its own, a copy of the one that is
asked, so that all modules are imported once. Each line of output is a JSON object: `base` and `peak` in MiB of resident
memory, `turn` in seconds of CPU time, `ends` of each read; or `failed`, with what the process said.
"""

import asyncio
import json
import os
import selectors
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.values import DynamicKey, Entry, SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.keyring import KeyringReader
from phase_operator.phase.session import Session
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from support.builders import query
from support.sealing import SealedAccount, SealedApp, SealedEnvironment, tokens_answer

_ROOM = 80
# Seconds after which a process that reads is ended.
_PATIENCE = 240
# The same in every process, so that one can seal what another opens.
ACCOUNT = SealedAccount(private=b"p" * 32, bearer=b"b" * 32, share=b"s" * 32, unwrap=b"u" * 32)
ENVIRONMENT = SealedEnvironment(seed=b"e" * 32)
APP = SealedApp("shop", [ENVIRONMENT])
ANSWER = json.dumps(tokens_answer(ACCOUNT, APP)).encode()


class Turns(selectors.DefaultSelector):
    """Measures what one turn of the loop takes, in time that its thread had a core for.

    A turn is what the loop does from one look at its sockets to the next. A task that measures would keep the loop from
    ever waiting.
    """

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0
        self._began: float | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Look at the sockets: here one turn ends, and another begins."""
        if self._began is not None:
            self.longest = max(self.longest, time.thread_time() - self._began)
        found = super().select(timeout)
        self._began = time.thread_time()
        return found


async def read(phase: PhaseClient, memory: AnswerMemory, url: str, route: str, namespace: str) -> object:
    """Read as the operator does; return what has to be kept."""
    credential = phase.credential(SecretValue(ACCOUNT.token()))
    place = memory.open(namespace)
    try:
        if route == "apps":
            return await phase.apps(url, credential, place)
        if route == "tokens":
            return await phase.keyring(url, credential, place)
        if route == "encrypted":
            reader = KeyringReader(url, MIB, AnswerMemory(MIB).open(""), tells_modes=True)
            reader.feed(ANSWER)
            keyring = reader.end()
            found = await phase.encrypted(
                url, credential, keyring=keyring, app_id=APP.id, environment="production", place=place
            )
            entries: Sequence[Entry | DynamicKey] = found.entries
        else:
            entries = await phase.entries(url, credential, app_id="1", environment="e", path=None, tags=(), place=place)
        shared_answer = SharedAnswer("1", entries, place)
        shared_answer.answer(query(path=None))
        shared_answer.settle()
    except ExpectedError as error:
        return str(error.reason)
    return shared_answer.answer(query(path=None))


def measured(urls: Sequence[str], route: str) -> dict[str, Any]:
    """Read all of these at once in a new loop, and return what that took."""
    turns = Turns()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
        return runner.run(measure(urls, route)) | {"turn": turns.longest}


async def measure(urls: Sequence[str], route: str) -> dict[str, Any]:
    """Read all of these at once, and return what that took."""
    memory = AnswerMemory(_ROOM * MIB)
    session = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
    phase = PhaseClient(session, b"k" * 32)
    base = _memory("VmRSS")
    reads = (read(phase, memory, url, route, f"namespace-{number}") for number, url in enumerate(urls))
    kept = await asyncio.gather(*reads)
    ends = [each if isinstance(each, str) else type(each).__name__ for each in kept]
    # Not ru_maxrss: a process starts with that of the one that started it, and a long run of tests is large.
    peak = _memory("VmHWM")
    await session.close()
    return {"base": base, "peak": peak, "held": memory.used / MIB, "ends": ends}


def _memory(name: str) -> float:
    [size] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(size.split()[1]) / 1024


def answer(line: str) -> str:
    """Read what a line asks for in a process of its own; return what that said."""
    route, *urls = json.loads(line)
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            _child(route, urls, said)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        text = said.read()
    return text if status == 0 else json.dumps({"failed": text, "status": os.waitstatus_to_exitcode(status)})


def _child(route: str, urls: Sequence[str], said: IO[str]) -> None:
    """Write what was measured, and end; what goes wrong is written instead, as Python prints it."""
    os.dup2(said.fileno(), sys.stderr.fileno())
    signal.alarm(_PATIENCE)
    status = 1
    try:
        said.write(json.dumps(measured(urls, route)))
        said.flush()
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


def main() -> None:
    """Answer line by line, until the input ends."""
    for line in sys.stdin:
        sys.stdout.write(answer(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
