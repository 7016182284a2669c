"""What comes before an answer has a limit, and what HTTP allows there otherwise is read."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.room import MIB, Room
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"data":[]}'


@asynccontextmanager
async def answering(parts: Callable[[], AsyncIterator[bytes]]) -> AsyncIterator[str]:
    """Serve these bytes, and yield the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            async for part in parts():
                writer.write(part)
                await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def ask(url: str) -> object:
    client = PhaseClient(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic, deadline=20.0)
    try:
        return await client.apps(url, SecretValue("none"), Room(80 * MIB).open("team"))
    finally:
        await client.close()


async def test_interim_answers_without_end_are_read_as_far_as_the_limit() -> None:
    sent = [0]

    async def flood() -> AsyncIterator[bytes]:
        while True:
            sent[0] += len(INTERIM) * 100
            yield INTERIM * 100

    async with answering(flood) as url:
        with pytest.raises(Transient) as caught:
            await ask(url)

    assert caught.value.reason is Reason.PHASE_UNAVAILABLE
    assert "in time" not in caught.value.message
    # The limit, and what sockets hold on both sides.
    assert sent[0] < 16 * MIB


async def test_some_interim_answers_change_nothing() -> None:
    async def few() -> AsyncIterator[bytes]:
        yield INTERIM * 10
        yield ANSWER

    async with answering(few) as url:
        assert await ask(url) == []


async def test_the_next_answer_of_the_same_connection_has_a_limit_of_its_own() -> None:
    client = PhaseClient(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic, deadline=20.0)
    connections = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections[0] += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(INTERIM * 2_000 + ANSWER)
                await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for _ in range(5):
            assert await client.apps(url, SecretValue("none"), Room(80 * MIB).open("team")) == []
        await client.close()

    assert connections == [1]
