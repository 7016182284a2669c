"""What comes before an answer has a limit, and what HTTP allows there otherwise is read."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.access.proxies import Proxies
from phase_operator.core.errors import Transient
from phase_operator.core.source.answer_memory import MIB
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.errors import from_exception
from phase_operator.phase.session import Session
from phase_operator.phase.transport import QUESTION, Backend, ProxiedTransport
from support.clock import settle
from unit.phase.builders import KEY, credential, place

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"data":[]}'


@asynccontextmanager
async def answering(parts: Callable[[], AsyncIterator[bytes]]) -> AsyncIterator[str]:
    """Answer every request with these bytes, and yield the URL."""
    ends: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(end := asyncio.Event())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                async for part in parts():
                    writer.write(part)
                    await writer.drain()
        writer.transport.abort()
        end.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for each in ends:
            await each.wait()
        await settle()


async def ask(url: str) -> object:
    session = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic, deadline=20.0)
    try:
        return await PhaseClient(session, KEY).apps(url, credential(), place())
    finally:
        await session.close()


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
    async def many() -> AsyncIterator[bytes]:
        yield INTERIM * 2_000 + ANSWER

    async with answering(many) as url:
        session = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
        for _ in range(5):
            assert await PhaseClient(session, KEY).apps(url, credential(), place()) == []
        await session.close()


class Inner:
    """Opens nothing, and notes the addresses; those of the net 10 cannot be reached."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float | None]] = []

    async def connect_tcp(self, host: str, _: int, timeout: float | None = None) -> str:  # noqa: ASYNC109 - httpcore's signature
        """Connect, or not."""
        self.asked.append((host, timeout))
        if host.startswith("10."):
            raise httpx.ConnectError("unreachable")
        return host


async def test_a_call_lasts_as_long_as_its_lookup() -> None:
    """A thread cannot be stopped: calls that were given up after a moment would be many more."""
    told: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    inner = Inner()

    async def lookup(*_: object) -> list[str]:
        return await told

    opening = asyncio.create_task(Backend(inner, lookup).connect_tcp("slow.example", 443, timeout=0.0))
    await settle()
    assert not opening.done()
    told.set_result(["192.0.2.1"])

    await opening
    assert inner.asked == [("192.0.2.1", 0.0)]


async def test_the_next_address_is_tried_if_one_cannot_be_reached() -> None:
    inner = Inner()

    async def lookup(*_: object) -> list[str]:
        return ["10.0.0.1", "192.0.2.1"]

    await Backend(inner, lookup).connect_tcp("host.example", 443, timeout=4.0)

    assert inner.asked == [("10.0.0.1", 2.0), ("192.0.2.1", 2.0)]


async def test_a_name_that_is_not_known_is_said_to_be() -> None:
    async def lookup(*_: object) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(httpx.ConnectError) as caught:
        await Backend(Inner(), lookup).connect_tcp("none.example", 443)

    assert "its name is not known" in str(from_exception(caught.value, "https://none.example"))


CLOSED = httpx.RemoteProtocolError("Server disconnected without sending a response.")


class Hasty(httpx.AsyncBaseTransport):
    """Closes so many connections before it answers."""

    def __init__(self, closed: int, error: Exception = CLOSED) -> None:
        self.closed = closed
        self.error = error
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.asked <= self.closed:
            raise self.error
        return httpx.Response(200, json={"data": []})


async def through(inner: Hasty, method: str = "GET", *, is_question: bool = True) -> httpx.Response:
    transport = ProxiedTransport(Proxies(), lambda _: inner)
    request = httpx.Request(method, "http://phase.example/v1/apps/", extensions={QUESTION: is_question})
    return await transport.handle_async_request(request)


@pytest.mark.parametrize("error", [CLOSED, httpx.ReadError("reset"), httpx.WriteError("broken pipe")], ids=repr)
async def test_a_kept_connection_that_the_host_closes_in_the_moment_of_its_use_is_no_failure(error: Exception) -> None:
    inner = Hasty(1, error)

    assert (await through(inner)).status_code == 200
    assert inner.asked == 2


async def test_a_host_that_closes_every_connection_is_asked_no_third_time() -> None:
    inner = Hasty(closed=9)

    with pytest.raises(httpx.RemoteProtocolError):
        await through(inner)
    assert inner.asked == 2


async def test_an_answer_that_is_no_http_is_not_asked_for_again() -> None:
    inner = Hasty(1, httpx.RemoteProtocolError("illegal status line"))

    with pytest.raises(httpx.RemoteProtocolError):
        await through(inner)
    assert inner.asked == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_request_that_may_have_changed_something_is_not_sent_again(method: str) -> None:
    inner = Hasty(closed=1)

    with pytest.raises(httpx.RemoteProtocolError):
        await through(inner, method, is_question=False)
    assert inner.asked == 1
