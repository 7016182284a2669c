"""Requests over the connections of aiohttp, without its session, which takes twice the time of all that it does here.

Rule: aiohttp opens, secures and keeps the connections, also through a proxy, and reads the answers. What a session adds
is left out: cookies, redirects, timers and tasks of its own. An answer of the API server never says where a Secret is
sent next.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from ssl import SSLContext
from typing import NamedTuple

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from phase_operator.kube.part_size import bytes_within
from phase_operator.kube.stream_headers import NO_HEADERS

# A body that is not read is held back by the server beyond this many bytes.
_READ_AHEAD = 2 * 1024 * 1024
# What may be sent twice, if the server closed a connection before it answered; a write that was not is not known to be
# lost.
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
# A target that is sent as it is. aiohttp's own URL quotes what another holds.
_PLAIN = re.compile(r"[!-~]+")
_SCHEMES = frozenset({"http", "https"})
# Answers before the answer.
_INTERIM = frozenset(range(100, 200)) - {HTTPStatus.SWITCHING_PROTOCOLS}
_UNSAFE = re.compile(r"[\r\n\0]")
# Whoever asks has a timeout for all of it.
_NO_TIMEOUT = aiohttp.ClientTimeout()


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API server is, and the way to it."""

    url: URL
    trust: SSLContext
    proxy: str | None = None
    proxy_headers: Mapping[str, str] | None = None
    # The name in its certificate, if that is not the one in its URL.
    hostname: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: `target` is a path with its query, below the server's own path."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    # Asked at the last moment: whether the request may be sent. It raises what says why not.
    check: Callable[[], None] | None = None
    # The most bytes of the answer's body that are read.
    most: int | None = None


class Answer(NamedTuple):
    """An answer; the body is None if it is longer than was to be read."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


def address(text: str) -> URL:
    """Return the URL of a server; raise ClientError if it is none."""
    try:
        url = URL(text)
        if url.scheme in _SCHEMES and url.raw_host:
            return url
    except ValueError:
        pass
    raise aiohttp.InvalidUrlClientError("the address of the API server")


class Connections:
    """A few connections to one API server; made where an event loop runs."""

    def __init__(self, server: Server, limit: int) -> None:
        self._server = server
        self._connector = aiohttp.TCPConnector(ssl=server.trust, limit=limit)
        self._below = server.url.raw_path.rstrip("/")
        self._way = self._described()
        # All errors name this request, so that none holds a token or a password.
        self._asked = aiohttp.RequestInfo(server.url.origin(), "", NO_HEADERS, server.url.origin())
        self._first_headers = "".join(f"{name}: {value}\r\n" for name, value in self._way.headers.items())

    async def close(self) -> None:
        """Close all connections."""
        await self._connector.close()

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a request; raise aiohttp.ClientError or OSError if there is none.

        A request that is given up closes its connection, and what was not sent yet is not sent.
        """
        head, body = self._head(request), request.body or b""
        try:
            return await self._exchange(request, head, body)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            if request.method not in _IDEMPOTENT:
                raise
        return await self._exchange(request, head, body)

    async def _exchange(self, request: Request, head: str, body: bytes) -> Answer:
        connection, way = await self._connected()
        with ExitStack() as undo:
            undo.callback(_break, connection)
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(read_until_eof=True, read_bufsize=_READ_AHEAD)
            if request.check is not None:
                request.check()
            transport.write(self._spelled(way, request, head) + body)
            try:
                message, content = await protocol.read()
                while message.code in _INTERIM:
                    message, content = await protocol.read()
            except HttpProcessingError as error:
                raise aiohttp.ClientResponseError(self._asked, (), status=error.code) from error
            found = await bytes_within(content, request.most)
            undo.pop_all()
            # It is closed if its answer was not read to the end.
            connection.release()
        return Answer(message.code, message.headers, found)

    async def _connected(self) -> tuple[Connection, aiohttp.ClientRequest]:
        """Return a connection on which nothing was said that nobody asked for."""
        # aiohttp notes in a request what its proxy asks for.
        way = self._way if self._server.proxy is None else self._described()
        while True:
            connection = await self._connector.connect(way, traces=[], timeout=_NO_TIMEOUT)
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection, way
            _break(connection)

    def _described(self) -> aiohttp.ClientRequest:
        """Return a request as aiohttp's connector wants it, to find the way to the server by."""
        server = self._server
        return aiohttp.ClientRequest(
            "GET",
            server.url,
            skip_auto_headers=["Accept", "User-Agent"],
            proxy=None if server.proxy is None else URL(server.proxy),
            proxy_headers=server.proxy_headers,
            server_hostname=server.hostname,
            loop=asyncio.get_running_loop(),
        )

    def _head(self, request: Request) -> str:
        """Return the headers of a request; raise ClientError if they would be more than they say."""
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        if any(map(_UNSAFE.search, lines)):
            raise aiohttp.ClientConnectionError("a header with a line break")
        if request.body is not None or request.method != "GET":
            lines.append(f"Content-Length: {len(request.body or b'')}")
        return "".join(f"{line}\r\n" for line in lines)

    def _spelled(self, way: aiohttp.ClientRequest, request: Request, head: str) -> bytes:
        """Return all that is sent before the body."""
        target = f"{self._below}{request.target}"
        if not _PLAIN.fullmatch(target):
            target = URL(f"{self._server.url.origin()}{target}").raw_path_qs
        if way.proxy is not None and not way.is_ssl():
            # A proxy without a tunnel is told the whole address, and who we are.
            target = f"{self._server.url.origin()}{target}"
            head += "".join(f"{name}: {value}\r\n" for name, value in way.headers.items() if name.startswith("Proxy-"))
        return f"{request.method} {target} HTTP/1.1\r\n{self._first_headers}{head}\r\n".encode()


def _break(connection: Connection) -> None:
    """Close a connection at once, with what was not sent on it yet."""
    if connection.transport is not None:
        connection.transport.abort()
    connection.close()
