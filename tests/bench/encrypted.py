"""What end-to-end encryption costs: an environment is read and opened, with an answer from memory in place of Phase.

    cd tests && ../.venv/bin/python -m bench.encrypted

Time is CPU time of the whole process, best of some rounds. The longest turn of the loop is measured in rounds of its
own, since watching takes time too. Beside it stands what libsodium takes by PyNaCl for the same texts, in a loop that
does nothing else, by turns with the reads: no read can take less. Memory is what the answer is counted as, and how much
the process grew at its largest beyond what it had before.
"""

import asyncio
import base64
import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt, crypto_kx_server_session_keys

from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.source.keyring import Keyring
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.session import Session
from phase_operator.reconcile.ports import Credential
from support.sealing import SealedAccount, SealedApp, SealedEnvironment, tokens_answer

SIZES, ROUNDS = (1_000, 10_000), 5
LIMIT = 100.0
# As long as in the other benchmarks.
VALUE = "value-{:05}-" + "x" * 32
URL = "https://phase.test/service/public"


@dataclass(frozen=True)
class Source:
    """An environment with so many rows, behind a client."""

    client: PhaseClient
    credential: Credential
    keyring: Keyring
    rows: int
    environment: SealedEnvironment

    @classmethod
    async def of(cls, rows: int) -> "Source":
        """Make an environment and read the keyring."""
        account, environment = SealedAccount(), SealedEnvironment()
        for number in range(rows):
            environment.add(f"SETTING_{number:05}", VALUE.format(number))
        bodies = {"/service/secrets/": json.dumps(environment.rows).encode()}
        bodies["/service/secrets/tokens/"] = json.dumps(
            tokens_answer(account, SealedApp("shop", [environment]))
        ).encode()
        headers = {"content-type": "application/json"}
        transport = httpx.MockTransport(
            lambda request: httpx.Response(200, headers=headers, content=bodies[request.url.path])
        )
        session = Session(
            ca_file=None,
            user_agent="bench",
            on_call=lambda *_: None,
            timer=time.monotonic,
            transport=transport,
        )
        client = PhaseClient(session, b"k" * 32)
        credential = client.credential(SecretValue(account.token()))
        keyring = await client.keyring(URL, credential, AnswerMemory(80 * MIB).open("team"))
        return cls(client, credential, keyring, rows, environment)

    async def read(self) -> int:
        """Read the environment once; return the bytes that its entries are counted as."""
        place = AnswerMemory(80 * MIB).open("team")
        found = await self.client.encrypted(
            URL,
            self.credential,
            keyring=self.keyring,
            app_id=self.keyring.apps[0].id,
            environment="production",
            place=place,
        )
        assert len(found.entries) == self.rows
        return place.size

    def opening(self) -> Callable[[], None]:
        """Return the calls of libsodium that open its rows, and nothing else."""
        public, private = self.environment.public, self.environment.private
        texts = [row[name].split(":") for row in self.environment.rows for name in ("key", "value")]
        parts = [(bytes.fromhex(key), base64.b64decode(data)) for _, _, key, data in texts]
        cut = [(key, blob[:-24], blob[-24:]) for key, blob in parts]

        def calls() -> None:
            for ephemeral, sealed, nonce in cut:
                key, _ = crypto_kx_server_session_keys(public, private, ephemeral)
                crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, None, nonce, key)

        return calls


async def measure(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> list[tuple[str, str, str]]:
    """Return a row of work, limit and figure for each size."""
    rows = []
    for size in sizes:
        source = await Source.of(size)
        cpu, least = await _times(source, rounds)
        turn = max([await _watched(source) for _ in range(rounds)])
        peak, counted = await _memory(source)
        limit = f"{LIMIT * size / 1000:.0f} ms"
        figure = (
            f"{cpu * 1000:.0f} ms (best of {rounds}), {least * 1000:.0f} ms by libsodium alone, "
            f"longest turn of the loop {turn * 1000:.0f} ms"
        )
        rows.append((f"{size:,} rows of an encrypted app, read and opened", limit, figure))
        rows.append((f"the same, memory at its peak; counted {counted / MIB:.1f} MiB", "-", f"{peak / MIB:.1f} MiB"))
    return rows


async def _times(source: Source, rounds: int) -> tuple[float, float]:
    """Return the CPU time of the best read, and that of the best opening by libsodium alone."""
    calls = source.opening()

    async def opened() -> None:
        calls()

    best = least = float("inf")
    for _ in range(rounds):
        least = min(least, await _time(opened))
        best = min(best, await _time(source.read))
    return best, least


async def _time(work: Callable[[], Awaitable[object]]) -> float:
    gc.collect()
    began = time.process_time()
    await work()
    return time.process_time() - began


async def _watched(source: Source) -> float:
    """Return the CPU time of the longest turn of the loop in a read."""
    gc.collect()
    ends = asyncio.create_task(_longest_turn())
    await asyncio.sleep(0)
    await source.read()
    ends.cancel()
    return await ends


async def _longest_turn() -> float:
    longest, last = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest


async def _memory(source: Source) -> tuple[int, int]:
    """Return the bytes at the peak of a read, and those that its entries are counted as."""
    gc.collect()
    tracemalloc.start()
    counted = await source.read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak, counted


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        sys.stdout.write(" | ".join(row) + "\n")
