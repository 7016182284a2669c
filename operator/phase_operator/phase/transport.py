"""Connections to Phase's hosts: direct, or through the platform's proxy for the host.

Rule: the bytes before the body of an answer are limited. HTTP allows any number of interim answers (1xx), which httpx
reads until the deadline, thousands of them without a pause.
"""

import socket
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx

from phase_operator.core.access.proxies import Proxies
from phase_operator.reconcile.internal_errors import surviving

# The most bytes until the head of an answer is complete, and how many are handled without a pause. h11 reads heads of
# at most 100 KB.
_LARGEST_HEAD = 256 * 1024
_HEAD_STEP = 8 * 1024
# httpcore's message for a connection that ends before the first byte of an answer.
_CLOSED = "without sending a response"
# Marks a request that changes nothing and may be sent twice. A GET to Phase can change something: one that asks for a
# lease creates it.
QUESTION = "question"
# The most addresses of a name that are tried.
_ADDRESSES = 4


@dataclass(slots=True)
class _Head:
    """How many more bytes may arrive until the head of the answer is complete."""

    left: int = _LARGEST_HEAD
    is_complete: bool = False


# The head of the request that the current task makes.
_head: ContextVar[_Head | None] = ContextVar("head", default=None)


Lookup = Callable[[str], Awaitable[list[str]]]


def bounded(transport: httpx.AsyncHTTPTransport, lookup: Lookup) -> httpx.AsyncHTTPTransport:
    """Make a transport limit the heads of answers, and use `lookup` for host names."""
    # httpx has no option for this, but its pools have a backend for their connections.
    pool: Any = transport._pool
    pool._network_backend = Backend(pool._network_backend, lookup)
    return transport


class Backend:
    """Opens connections through another backend, after it has looked up the address.

    The connection timeout begins after the lookup. During the lookup, the call lasts until its deadline and counts as
    in flight.
    """

    def __init__(self, inner: Any, lookup: Lookup) -> None:
        self._inner = inner
        self._lookup = lookup

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> "_Stream":  # noqa: ASYNC109 - httpcore's signature
        """Look up a name, and open a connection to one of its addresses."""
        try:
            found = (await self._lookup(host))[:_ADDRESSES]
        except socket.gaierror as error:
            raise httpx.ConnectError("the name is not known") from error
        if not found:
            raise httpx.ConnectError("the name has no address")
        part = None if timeout is None else timeout / len(found)
        for address in found[:-1]:
            with surviving():
                return _Stream(await self._inner.connect_tcp(address, port, timeout=part, **options))
        return _Stream(await self._inner.connect_tcp(found[-1], port, timeout=part, **options))

    async def sleep(self, seconds: float) -> None:
        """Wait, as the inner backend does."""
        await self._inner.sleep(seconds)


class _Stream:
    """A connection that counts the bytes of a head."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        head = _head.get()
        if head is None or head.is_complete:
            return bytes(await self._inner.read(max_bytes, timeout))
        data = bytes(await self._inner.read(min(max_bytes, _HEAD_STEP), timeout))
        head.left -= len(data)
        if head.left < 0:
            raise httpx.RemoteProtocolError("too much comes before an answer")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the same
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, *arguments: Any, **options: Any) -> "_Stream":
        return _Stream(await self._inner.start_tls(*arguments, **options))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class ProxiedTransport(httpx.AsyncBaseTransport):
    """One transport for each proxy in use, and one for direct connections.

    httpx reads `NO_PROXY` without networks, so the choice is made here.
    """

    def __init__(self, proxies: Proxies, make: Callable[[str | None], httpx.AsyncBaseTransport]) -> None:
        self._proxies = proxies
        self._make = make
        self._transports: dict[str | None, httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request through the proxy for its URL, or directly."""
        proxy = self._proxies.of_url(str(request.url))
        if proxy not in self._transports:
            self._transports[proxy] = self._make(proxy)
        try:
            return await self._send(self._transports[proxy], request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
            is_closed = not isinstance(error, httpx.RemoteProtocolError) or _CLOSED in str(error)
            if not request.extensions.get(QUESTION) or not is_closed:
                raise
        # A host may close a kept-alive connection at the moment of its use; if it had not read all by then, the system
        # answers with a reset. That is no sign of a problem, so a request that changes nothing is sent once more.
        return await self._send(self._transports[proxy], request)

    async def _send(self, transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
        head = _Head()
        before = _head.set(head)
        try:
            return await transport.handle_async_request(request)
        finally:
            head.is_complete = True
            _head.reset(before)

    async def aclose(self) -> None:
        """Close the connections of every way."""
        for transport in self._transports.values():
            await transport.aclose()
