"""A process of its own that reads answers of Phase, and says what that took: memory, and the longest turn of its loop.

    python -m support.measured_reads URL...

Prints a JSON object: `base` and `peak` in MiB of resident memory, `turn` in seconds of CPU time, `ends` of each read.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.values import DynamicKey, Entry, SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.keyring import Tokens, keyring_of
from phase_operator.phase.session import Session
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from support.builders import query
from support.sealing import SealedAccount, SealedApp, SealedEnvironment, tokens_answer

_ROOM = 80
# The same in every process, so that one can seal what another opens.
ACCOUNT = SealedAccount(private=b"p" * 32, bearer=b"b" * 32, share=b"s" * 32, unwrap=b"u" * 32)
ENVIRONMENT = SealedEnvironment(seed=b"e" * 32)
APP = SealedApp("shop", [ENVIRONMENT])
ANSWER = Tokens.model_validate(tokens_answer(ACCOUNT, APP))


class Turns:
    """Measures what one turn of the loop takes, in time that this process had a core for."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = time.thread_time()
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._loop.call_soon(self._turn)


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
            keyring = keyring_of(ANSWER, url, AnswerMemory(MIB).open(""), tells_modes=True)
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


async def main(urls: Sequence[str], route: str) -> None:
    """Read all of these at once."""
    memory = AnswerMemory(_ROOM * MIB)
    session = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
    phase = PhaseClient(session, b"k" * 32)
    base = _memory("VmRSS")
    turns = Turns()
    reads = (read(phase, memory, url, route, f"namespace-{number}") for number, url in enumerate(urls))
    kept = await asyncio.gather(*reads)
    ends = [each if isinstance(each, str) else type(each).__name__ for each in kept]
    # Not ru_maxrss: a process starts with that of the one that started it, and a long run of tests is large.
    peak = _memory("VmHWM")
    found = {"base": base, "peak": peak, "turn": turns.longest, "held": memory.used / MIB, "ends": ends}
    sys.stdout.write(json.dumps(found))
    await session.close()


def _memory(name: str) -> float:
    [size] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(size.split()[1]) / 1024


if __name__ == "__main__":
    asyncio.run(main(sys.argv[2:], sys.argv[1]))
