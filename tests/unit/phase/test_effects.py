"""A call that is cut anywhere says that it had no effect only if the other side saw nothing of it.

The sockets are real. Invariant: `had_no_effect` of a call that brought no answer is false as soon as one byte of the
request was read, and true where the host, the handshake or the proxy keeps it from being sent. A deadline says nothing
of when it struck, so a call that it ends may have had an effect.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from pydantic import TypeAdapter

from phase_operator.core.access.proxies import Proxies
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import MIB
from phase_operator.phase.lists import Listing
from phase_operator.phase.session import SECRETS, Session
from support.clock import settle
from unit.phase.builders import credential, failure, place

MADE: TypeAdapter[str] = TypeAdapter(str)
BODY = {"secrets": [{"key": "A", "value": "x" * 100}]}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 6\r\n"

Step = Callable[["Host", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Host:
    """What a host has seen of requests."""

    def __init__(self) -> None:
        self.seen = b""

    async def read(self, reader: asyncio.StreamReader, most: int = 1 << 16) -> None:
        self.seen += await reader.read(most)

    async def read_all(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        self.seen += head + await reader.readexactly(length)


def then(*parts: bytes) -> Step:
    """Read the request, answer these parts, and close."""

    async def step(host: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await host.read_all(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()

    return step


async def closes_at_once(_: Host, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def closes_after_some_bytes(host: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await host.read(reader, 10)
    writer.transport.abort()


async def hangs(host: Host, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await host.read_all(reader)
    await reader.read()


async def speaks_no_tls(_: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"SSH-2.0-OpenSSH\r\n")
    await writer.drain()


async def refuses_the_tunnel(_: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


@asynccontextmanager
async def serving(step: Step) -> AsyncIterator[tuple[Host, int]]:
    host = Host()
    ends: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(end := asyncio.Event())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await step(host, reader, writer)
        writer.close()
        end.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield host, server.sockets[0].getsockname()[1]
        for each in ends:
            await each.wait()
        await settle()


async def outcome(url: str, method: str, *, deadline: float = 20.0, proxies: Proxies | None = None) -> ExpectedError:
    session = Session(
        ca_file=None,
        user_agent="test",
        on_call=lambda *_: None,
        timer=time.monotonic,
        deadline=deadline,
        proxies=proxies,
    )
    reader = Listing(url, MIB, place(), MADE, str, len)
    call = session.call(url, credential().header, method, SECRETS, reader=reader, params={"env": "e"}, json=BODY)
    try:
        return await failure(call)
    finally:
        await session.close()


CUT_AFTER = [
    pytest.param(closes_after_some_bytes, id="within the request"),
    pytest.param(then(), id="before the answer"),
    pytest.param(then(b"HTTP/1.1 2"), id="within the first line"),
    pytest.param(then(HEAD), id="within the head"),
    pytest.param(then(HEAD + b"\r\n[1"), id="within the body"),
    pytest.param(then(HEAD + b"\r\n{}{}{}"), id="after a body that is none"),
    pytest.param(then(b"HTTP/1.1 204 No Content\r\n\r\n"), id="after an answer without a body"),
    pytest.param(then(b"HTTP/1.1 302 Found\r\nLocation: https://[\r\n\r\n"), id="after a redirect to no URL"),
    pytest.param(then(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), id="after an error of the server"),
    pytest.param(then(b"no HTTP at all\r\n\r\n"), id="after what is no HTTP"),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("step", CUT_AFTER)
async def test_a_call_that_is_cut_after_it_was_sent_may_have_had_an_effect(step: Step, method: str) -> None:
    async with serving(step) as (host, port):
        error = await outcome(f"http://127.0.0.1:{port}", method)

    assert host.seen.startswith(method.encode())
    assert not error.had_no_effect


async def test_a_call_that_is_not_answered_in_time_may_have_had_an_effect() -> None:
    async with serving(hangs) as (host, port):
        error = await outcome(f"http://127.0.0.1:{port}", "POST", deadline=0.2)

    assert host.seen.startswith(b"POST /v1/secrets/?env=e ")
    assert b'"key":"A"' in host.seen
    assert not error.had_no_effect


async def test_a_call_to_a_closed_port_had_no_effect() -> None:
    async with serving(closes_at_once) as (_, port):
        pass

    error = await outcome(f"http://127.0.0.1:{port}", "POST")

    assert error.had_no_effect


@pytest.mark.parametrize("url", ["http://name.invalid", "https://127.0.0.1:99999", "ftp://127.0.0.1"])
async def test_a_call_to_what_cannot_be_asked_had_no_effect(url: str) -> None:
    error = await outcome(url, "POST")

    assert error.had_no_effect


async def test_a_call_that_the_handshake_keeps_from_being_sent_had_no_effect() -> None:
    async with serving(speaks_no_tls) as (host, port):
        error = await outcome(f"https://127.0.0.1:{port}", "POST")

    assert host.seen == b""
    assert error.had_no_effect


async def test_a_call_whose_tunnel_the_proxy_refuses_had_no_effect() -> None:
    async with serving(refuses_the_tunnel) as (host, port):
        proxies = Proxies(https=f"http://127.0.0.1:{port}")
        error = await outcome("https://phase.test", "POST", proxies=proxies)

    assert host.seen == b""
    assert error.had_no_effect


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_each_call_is_sent_once(method: str) -> None:
    sent = [0]

    async def counts(host: Host, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await host.read_all(reader)
        sent[0] += 1

    async with serving(counts) as (_, port):
        await outcome(f"http://127.0.0.1:{port}", method)

    assert sent == [1]
