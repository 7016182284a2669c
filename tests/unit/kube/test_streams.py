"""Watches as streams of HTTP/2: what they share, and what they do not."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import client as aio
from yarl import URL

from phase_operator.kube.client import METADATA, KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.streams import Streams
from support.http2_server import Asked, Http2Server


def client_of(server: Http2Server) -> KubeClient:
    """Return a client of the server; what it watches shares connections."""
    configuration = aio.Configuration()
    configuration.host, configuration.ssl_ca_cert = server.url, str(server.trust)
    configuration.api_key = {"BearerToken": "Bearer a-token"}
    client = KubeClient(configuration, lambda *_: None)
    client.share_connections()
    return client


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"type": "ADDED", "number": number, "padding": "x" * size}).encode() + b"\n"


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if happened():
                return
            await asyncio.sleep(0.005)


class Watching:
    """Watches that are open at once."""

    def __init__(self, client: KubeClient, server: Http2Server, stack: AsyncExitStack) -> None:
        self._client, self._server, self._stack = client, server, stack

    async def open(self, path: str) -> tuple[AsyncIterator[dict[str, Any]], Asked]:
        events = await self._stack.enter_async_context(self._client.watch(path, (), METADATA))
        return events, self._server.asked[path]


@asynccontextmanager
async def watching(folder: Path, **how: Any) -> AsyncIterator[tuple[Watching, Http2Server]]:
    async with Http2Server(folder, **how) as server:
        client = client_of(server)
        async with AsyncExitStack() as stack:
            yield Watching(client, server, stack), server
        await client.close()


async def test_watches_share_connections_up_to_what_the_server_allows(tmp_path: Path) -> None:
    async with watching(tmp_path, streams=30) as (watches, server):
        opened = await asyncio.gather(*(watches.open(f"/api/v1/namespaces/n{number}/secrets") for number in range(70)))

        for number, (_, asked) in enumerate(opened):
            asked.say(line(number))
        found = [(await anext(events))["number"] for events, _ in opened]

        assert found == list(range(70))
        assert len(server.connections) == 3
        assert max(sum(asked.connection is each for _, asked in opened) for each in server.connections) == 30


async def test_a_request_is_asked_as_by_http_1(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watches, _):
        _, asked = await watches.open("/api/v1/secrets")

        assert asked.headers[":method"] == "GET"
        assert asked.headers["authorization"] == "Bearer a-token"
        assert asked.headers["accept"] == METADATA
        assert asked.headers["user-agent"] == "phase-operator"
        assert "accept-encoding" not in asked.headers


async def test_a_line_may_be_longer_than_any_window(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watches, _):
        events, asked = await watches.open("/api/v1/secrets")

        asked.say(line(1, size=3_000_000) + line(2))

        async with asyncio.timeout(10):
            assert [len(json.dumps(await anext(events))) > 3_000_000 for _ in range(2)] == [True, False]


async def test_lines_are_the_same_however_they_are_cut(tmp_path: Path) -> None:
    text = "\u00fc\u20ac\U0001f600"
    spelled = json.dumps({"number": 39, "padding": text}, ensure_ascii=False).encode()
    body = b"".join(line(number, size=number) for number in range(39)) + spelled + b"\n"
    async with watching(tmp_path) as (watches, _):
        for size in (1, 7, 100, len(body)):
            events, asked = await watches.open(f"/api/v1/namespaces/n{size}/secrets")
            for start in range(0, len(body), size):
                asked.say(body[start : start + size])
            asked.end()

            async with asyncio.timeout(10):
                found = [event async for event in events]
            assert [event["number"] for event in found] == list(range(40))
            assert found[-1]["padding"] == text


async def test_a_stream_that_ends_within_a_line_is_an_error_after_the_lines_before(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watches, _):
        events, asked = await watches.open("/api/v1/secrets")
        asked.say(line(1) + line(2)[:10])
        asked.end()

        async with asyncio.timeout(10):
            assert (await anext(events))["number"] == 1
            with pytest.raises(ApiError):
                await anext(events)


async def test_a_watch_that_nobody_reads_holds_a_bounded_part_of_what_is_said(tmp_path: Path) -> None:
    count, mib = 700, 2**20
    body = line(1, size=10_000) * count
    async with watching(tmp_path) as (watches, _):
        events, asked = await watches.open("/api/v1/namespaces/a/secrets")
        other, quick = await watches.open("/api/v1/namespaces/b/secrets")
        asked.say(body)
        await until(lambda: asked.unsent < len(body) - 4 * mib)
        quick.say(line(2))

        async with asyncio.timeout(10):
            assert (await anext(other))["number"] == 2
            assert asked.unsent > len(body) - 5 * mib
            assert [(await anext(events))["number"] for _ in range(count)] == [1] * count


async def test_a_line_without_end_ends_its_watch_alone(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watches, _):
        events, asked = await watches.open("/api/v1/namespaces/a/secrets")
        other, quick = await watches.open("/api/v1/namespaces/b/secrets")
        asked.say(b"x" * 6_000_000)
        quick.say(line(2))

        async with asyncio.timeout(10):
            with pytest.raises(ApiError):
                await anext(events)
            assert (await anext(other))["number"] == 2


async def test_a_line_without_end_that_nobody_reads_is_held_in_part_alone(tmp_path: Path) -> None:
    mib = 2**20
    async with watching(tmp_path) as (watches, _):
        events, asked = await watches.open("/api/v1/namespaces/a/secrets")
        other, quick = await watches.open("/api/v1/namespaces/b/secrets")
        asked.say(b"x" * 12 * mib)
        await until(lambda: asked.unsent < 8 * mib)

        async with asyncio.timeout(10):
            for number in range(100):
                quick.say(line(number))
                assert (await anext(other))["number"] == number
            assert asked.unsent > 7 * mib
            with pytest.raises(ApiError):
                await anext(events)


@pytest.mark.parametrize("status", [403, 410, 503])
async def test_a_refusal_costs_its_stream_alone(tmp_path: Path, status: int) -> None:
    async with watching(tmp_path, statuses={"/api/v1/namespaces/b/secrets": status}) as (watches, server):
        events, asked = await watches.open("/api/v1/namespaces/a/secrets")

        async def answered() -> None:
            await until(lambda: "/api/v1/namespaces/b/secrets" in server.asked)
            refused = server.asked["/api/v1/namespaces/b/secrets"]
            refused.say(json.dumps({"kind": "Status", "reason": "Told"}).encode())
            refused.end()

        with pytest.raises(ApiError) as caught:
            await asyncio.gather(answered(), watches.open("/api/v1/namespaces/b/secrets"))
        assert caught.value.status == status
        asked.say(line(1))
        assert (await anext(events))["number"] == 1
        assert len(server.connections) == 1


async def test_a_stream_that_is_reset_costs_itself_alone(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watches, _):
        one, other = await watches.open("/api/v1/namespaces/a/secrets"), await watches.open("/api/v1/namespaces/b/pods")

        one[1].reset()
        with pytest.raises(ApiError):
            await anext(one[0])

        other[1].say(line(1))
        assert (await anext(other[0]))["number"] == 1


async def test_a_watch_ends_when_the_server_ends_its_stream(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watches, _):
        events, asked = await watches.open("/api/v1/secrets")

        asked.say(line(1))
        asked.end()

        assert [event["number"] async for event in events] == [1]


async def test_a_connection_that_is_cut_ends_its_streams_and_the_next_ones_get_another(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watches, server):
        opened = [await watches.open(f"/api/v1/namespaces/n{number}/secrets") for number in range(3)]

        server.connections[0].transport.abort()

        for events, _ in opened:
            with pytest.raises(ApiError):
                await anext(events)
        events, asked = await watches.open("/api/v1/secrets")
        asked.say(line(1))
        assert (await anext(events))["number"] == 1
        assert len(server.connections) == 2


async def test_a_server_that_goes_down_ends_watches_in_peace(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watches, server):
        events, asked = await watches.open("/api/v1/secrets")

        asked.connection.h2.close_connection()
        asked.connection.flush()

        assert [event async for event in events] == []
        await watches.open("/api/v1/secrets")
        assert len(server.connections) == 2


@pytest.mark.parametrize(
    "frame", [b"\x00\x00\x05\xff\x00\x00\x00\x00\x01abcde", b"\x00\x00\x01\x00\x00\x00\x00\x00\x07x"]
)
async def test_nonsense_ends_the_connection_or_is_passed_over(tmp_path: Path, frame: bytes) -> None:
    async with watching(tmp_path) as (watches, server):
        events, asked = await watches.open("/api/v1/secrets")

        server.connections[0].transport.write(frame)
        asked.say(line(1))

        try:
            assert (await anext(events))["number"] == 1
        except ApiError:
            await watches.open("/api/v1/configmaps")
            assert len(server.connections) == 2


async def test_a_watch_that_is_left_is_told_to_the_server(tmp_path: Path) -> None:
    async with Http2Server(tmp_path) as server:
        client = client_of(server)
        async with client.watch("/api/v1/secrets", (), METADATA):
            pass

        await until(lambda: server.left == [1])
        await client.close()
        await until(lambda: server.lost == 1)


@asynccontextmanager
async def session_of(server: Http2Server, *, buffer: int = 2**16, silence: float = 90) -> AsyncIterator[Any]:
    """Give a session whose requests are streams."""
    ours, theirs = (ssl.create_default_context(cafile=str(server.trust)) for _ in range(2))
    streams = Streams(URL(server.url), ours, buffer=buffer, silence=silence)
    connector = aiohttp.TCPConnector(ssl=theirs)
    async with aiohttp.ClientSession(middlewares=[streams], connector=connector) as session:
        yield session
    await streams.close()


async def test_a_request_that_is_cancelled_before_its_answer_is_cancelled_at_the_server(tmp_path: Path) -> None:
    async with Http2Server(tmp_path, statuses={"/mute": 0}) as server, session_of(server) as session:
        asking = asyncio.create_task(session.get(f"{server.url}/mute"))
        await until(lambda: "/mute" in server.asked)

        asking.cancel()
        await asyncio.wait({asking})

        assert asking.cancelled()
        await until(lambda: server.left == [1])
        assert server.lost == 0


async def test_a_reader_that_stands_still_holds_up_no_other(tmp_path: Path) -> None:
    async with Http2Server(tmp_path) as server, session_of(server, buffer=1024) as session:
        slow = [await session.get(f"{server.url}/slow{number}") for number in range(99)]
        quick = await session.get(f"{server.url}/quick")
        for number in range(99):
            server.asked[f"/slow{number}"].say(b"x" * 1_000_000)
        await until(lambda: all(server.asked[f"/slow{number}"].unsent < 940_000 for number in range(99)))

        server.asked["/quick"].say(line(1))
        async with asyncio.timeout(10):
            assert await quick.content.readline() == line(1)

        # Bytes that were held back come as soon as they are read.
        assert all(server.asked[f"/slow{number}"].unsent > 800_000 for number in range(99))
        assert len(server.connections) == 1
        async with asyncio.timeout(10):
            assert len(await slow[0].content.readexactly(1_000_000)) == 1_000_000
        for each in (*slow, quick):
            each.close()


async def test_a_stream_that_is_silent_ends_alone_and_a_silent_connection_with_all(tmp_path: Path) -> None:
    async with Http2Server(tmp_path) as server, session_of(server, silence=0.5) as session:
        mute, loud = await session.get(f"{server.url}/mute"), await session.get(f"{server.url}/loud")

        async def speak() -> None:
            while mute.content.exception() is None:
                server.asked["/loud"].say(b"\n")
                await asyncio.sleep(0.05)

        async with asyncio.timeout(10):
            await speak()
        assert isinstance(mute.content.exception(), TimeoutError)
        assert loud.content.exception() is None
        await until(lambda: server.left == [1])

        await until(lambda: loud.content.exception() is not None)
        assert isinstance(loud.content.exception(), TimeoutError)
        await until(lambda: server.lost == 1)


async def test_a_server_without_http_2_is_asked_by_http_1(tmp_path: Path) -> None:
    async with Http2Server(tmp_path, speaks=("http/1.1",), greets=False) as server, session_of(server) as session:
        asking = [asyncio.create_task(session.get(f"{server.url}/{number}")) for number in range(3)]
        # One that looked what it speaks, and one for each.
        await until(lambda: len(server.connections) - server.lost == 3)

        for each in server.connections[1:]:
            each.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        answers = [await (await each).read() for each in asking]

        assert answers == [b"ok"] * 3
        assert len(server.connections) == 4


async def test_each_request_that_waits_for_a_connection_shares_its_failure(tmp_path: Path) -> None:
    async with Http2Server(tmp_path) as server:
        url = server.url
        async with session_of(server) as session:
            server._server.close()
            async with asyncio.timeout(10):
                found = await asyncio.gather(*(session.get(f"{url}/{n}") for n in range(50)), return_exceptions=True)

    assert all(isinstance(each, aiohttp.ClientConnectorError) for each in found)


async def test_a_server_of_another_authority_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with Http2Server(tmp_path) as server, Http2Server(tmp_path / "other") as other:
        server.trust = other.trust
        client = client_of(server)
        with pytest.raises(ApiError):
            async with client.watch("/api/v1/secrets", (), METADATA):
                pass
        await client.close()
