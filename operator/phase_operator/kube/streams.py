"""Many watches over few connections: each watch is a stream of HTTP/2 (RFC 9113), for sessions of aiohttp.

Rule: a stream that is slow, silent or refused costs itself. A connection that is lost ends the streams on it, and
whoever watches opens his stream again. A server that does not speak HTTP/2 gets a connection for each watch, by
HTTP/1.1, as without this module. Only wiring with many namespaces imports it: the library takes memory of its own.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.client import responses
from ssl import SSLContext, SSLObject

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.base_protocol import BaseProtocol
from aiohttp.connector import Connection as Socket
from aiohttp.helpers import TimerNoop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

# Streams of one connection; an API server allows 100 or more, and says how many.
_STREAMS = 100
# What a stream may send before somebody takes it. The connection allows as much for each of its streams at once: one
# that nobody reads keeps nothing from the others.
_WINDOW = 65535
# After so many a connection gets no new stream: the library remembers each one that ended.
_STREAMS_EVER = 2000
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 30.0
# Of the silence that ends a stream: so often it is looked for.
_LOOK_SHARE = 9
# A server that does not speak HTTP/2 is asked again after this.
_ASK_AGAIN_SECONDS = 600.0
# What is looked at of an answer's head; thousands would be kept.
_KEPT = {"content-type", "retry-after"}
# Of the one connection that HTTP/1.1 has, or for the codings of a body that we would have to undo.
_NOT_OF_A_STREAM = {"host", "connection", "accept-encoding", "transfer-encoding", "content-length", "keep-alive"}


class _SentNothing(AbstractStreamWriter):
    """Stands where aiohttp looks for how much of a body was sent."""

    output_size = 0

    async def write(self, chunk: object) -> None:
        """Refuse: no stream has a body."""
        raise NotImplementedError

    async def write_eof(self, chunk: bytes = b"") -> None:
        """End what has not begun."""

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        """Send nothing: the head has gone already."""

    async def drain(self) -> None:
        """Wait for nothing."""

    def enable_compression(self, *_: object) -> None:
        """Compress nothing."""

    def enable_chunking(self) -> None:
        """Cut nothing."""


_SENT_NOTHING = _SentNothing()
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_NO_TIMER = TimerNoop()


class _Stream(BaseProtocol):
    """What one stream received and nobody has taken yet; aiohttp's reader tells it when to pause."""

    __slots__ = ("_connection", "_held", "_number", "answered", "content", "headers", "heard")

    def __init__(self, connection: "_Connection", number: int, buffer: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._connection = connection
        self._number = number
        self._held = 0
        self.heard = loop.time()
        self.headers: CIMultiDictProxy[str] = _NO_HEADERS
        self.answered: asyncio.Future[int] | None = loop.create_future()
        self.content = aiohttp.StreamReader(self, buffer, loop=loop)

    @property
    def connected(self) -> bool:
        """Say that there may be more to read: what ended is known to the reader."""
        return True

    def pause_reading(self) -> None:
        """Let the window close."""
        self._reading_paused = True

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Open the window again."""
        self._reading_paused = False
        held, self._held = self._held, 0
        self._connection.taken(self._number, held)

    def received(self, data: bytes, size: int) -> None:
        """Take a part of the body, which took `size` of the window."""
        self.content.feed_data(data)
        if self._reading_paused:
            self._held += size
        else:
            self._connection.taken(self._number, size)

    def begins(self, status: int, headers: CIMultiDictProxy[str]) -> None:
        """Take the answer's head."""
        self.headers = headers
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(status)

    def ends(self, error: Exception | None = None) -> None:
        """Take the end of the body, or what came instead of it."""
        if self.answered is not None and not self.answered.done():
            # Asked again by aiohttp, once.
            self.answered.set_exception(error or aiohttp.ServerDisconnectedError())
        if error is None:
            self.content.feed_eof()
        elif not self.content.is_eof():
            self.content.set_exception(error)

    def close(self) -> None:
        """Tell the server that nobody listens any more, and forget the stream."""
        self._connection.leave(self._number, self._held)


class _Response(aiohttp.ClientResponse):
    """The answer that came by a stream."""

    def __init__(
        self, stream: _Stream, status: int, request: aiohttp.ClientRequest, asked: aiohttp.RequestInfo
    ) -> None:
        super().__init__(
            request.method,
            asked.url,
            writer=None,
            continue100=None,
            timer=_NO_TIMER,
            request_info=asked,
            traces=[],
            loop=request.loop,
            session=request.session,
            stream_writer=_SENT_NOTHING,
        )
        self._stream = stream
        self.status, self.reason = status, responses.get(status, "")
        self._headers, self._raw_headers = stream.headers, ()
        self.content = stream.content
        self._closed = False

    def close(self) -> None:
        """End the stream."""
        super().close()
        self._stream.close()

    def release(self) -> object:
        """End the stream."""
        self._stream.close()
        return super().release()


class _Connection:
    """One connection with its streams; a parser in the eyes of aiohttp, which feeds it."""

    def __init__(self, socket: Socket, loop: asyncio.AbstractEventLoop, silence: float) -> None:
        self._socket = socket
        self._loop = loop
        self._silence, self._pause = silence, silence / _LOOK_SHARE
        self._streams: dict[int, _Stream] = {}
        self._opened = 0
        self._heard = loop.time()
        self._limit = 0
        self.greeted: asyncio.Future[None] = loop.create_future()
        self._looking: asyncio.TimerHandle | None = None
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._h2.local_settings = Settings(
            client=True, initial_values={SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW}
        )

    def begin(self) -> None:
        """Greet the server; what it has said already is read."""
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window((_STREAMS - 1) * _WINDOW)
        self._flush()
        if self._socket.protocol is None or self._socket.closed:
            raise aiohttp.ServerDisconnectedError
        self._socket.protocol.set_parser(self, None)
        self._look()

    @property
    def is_open(self) -> bool:
        """Say whether it is usable."""
        return not self._socket.closed

    @property
    def has_room(self) -> bool:
        """Say whether it takes another stream."""
        return self.is_open and len(self._streams) < self._limit and self._opened < _STREAMS_EVER

    def ask(self, headers: list[tuple[str, str]], buffer: int) -> _Stream:
        """Send a request without a body, and return its stream."""
        number = self._h2.get_next_available_stream_id()
        self._h2.send_headers(number, headers, end_stream=True)
        self._opened += 1
        stream = self._streams[number] = _Stream(self, number, buffer, self._loop)
        self._flush()
        return stream

    def taken(self, number: int, size: int) -> None:
        """Let the server send as much as was taken."""
        if size and not self._socket.closed:
            self._h2.acknowledge_received_data(size, number)
            self._flush()

    def leave(self, number: int, held: int) -> None:
        """Forget a stream; tell the server if it did not end it."""
        if self._streams.pop(number, None) is None:
            return
        if not self._socket.closed:
            with suppress(ProtocolError):
                self._h2.reset_stream(number, ErrorCodes.CANCEL)
            self.taken(number, held)
            self._flush()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what the server sent."""
        self._heard = self._loop.time()
        try:
            events = self._h2.receive_data(data)
            for event in events:
                self._take(event)
        except ProtocolError as error:
            self._flush()
            self.end(partial(aiohttp.ClientPayloadError, type(error).__name__))
            return True, b""
        self._flush()
        return False, b""

    def feed_eof(self) -> None:
        """Take the end of the connection."""
        self.end(aiohttp.ServerDisconnectedError)

    def end(self, error: Callable[[], Exception] | None) -> None:
        """Close the connection and end all its streams, each with an error of its own."""
        if self._looking is not None:
            self._looking.cancel()
        self._limit = 0
        if not self.greeted.done():
            self.greeted.set_exception(error() if error else aiohttp.ServerDisconnectedError())
        streams, self._streams = self._streams, {}
        self._socket.close()
        for stream in streams.values():
            stream.ends(error() if error else None)

    def _take(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged():
                self._limit = min(_STREAMS, self._h2.remote_settings.max_concurrent_streams)
                if not self.greeted.done():
                    self.greeted.set_result(None)
            case ResponseReceived(stream_id=int(number), headers=headers) if number in self._streams:
                stream = self._streams[number]
                stream.heard = self._heard
                stream.begins(*_head(headers))
            case DataReceived(stream_id=int(number), data=data, flow_controlled_length=size):
                self._received(number, bytes(data or b""), size or 0)
            case StreamEnded(stream_id=int(number)) if number in self._streams:
                self._streams.pop(number).ends()
            case StreamReset(stream_id=int(number)) if number in self._streams:
                self._streams.pop(number).ends(aiohttp.ClientPayloadError("the stream was reset"))
            case ConnectionTerminated(error_code=code):
                # A server that goes down says so, with no error: a watch that ends that way is opened again at once.
                self.end(None if code == ErrorCodes.NO_ERROR else aiohttp.ServerDisconnectedError)

    def _received(self, number: int, data: bytes, size: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            self.taken(number, size)
            return
        stream.heard = self._heard
        stream.received(data, size)

    def _look(self) -> None:
        """End what has been silent for too long: a stream, or the connection if none of its streams was heard."""
        self._looking = self._loop.call_later(self._pause, self._look)
        too_long_ago = self._loop.time() - self._silence
        if not self._streams and self._heard < self._loop.time() - self._pause:
            self.end(None)
            return
        if self._streams and self._heard < too_long_ago:
            self.end(partial(aiohttp.SocketTimeoutError, "the connection is silent"))
            return
        for number, stream in list(self._streams.items()):
            if stream.heard < too_long_ago:
                self.leave(number, 0)
                stream.ends(aiohttp.SocketTimeoutError("the stream is silent"))

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self._socket.transport is not None:
            self._socket.transport.write(data)


def _head(headers: object) -> tuple[int, CIMultiDictProxy[str]]:
    found: CIMultiDict[str] = CIMultiDict()
    status = 0
    for name, value in headers if isinstance(headers, list) else []:
        if name == ":status":
            status = int(value) if str(value).isdigit() else 0
        elif name in _KEPT:
            found.add(name, value)
    return status, CIMultiDictProxy(found)


class Streams:
    """Opens watches of one API server as streams, and the connections for them."""

    def __init__(self, server: URL, trust: SSLContext, *, buffer: int, silence: float) -> None:
        """Take a context of its own, which it changes; how much of a body may wait, in bytes; seconds."""
        trust.set_alpn_protocols(["h2", "http/1.1"])
        self._connector = aiohttp.TCPConnector(ssl=trust, limit=0)
        self._buffer = buffer
        self._silence = silence
        # What answers say of their request: one for all, without the path, and without the token among its headers.
        self._asked = aiohttp.RequestInfo(server, "GET", _NO_HEADERS, server)
        self._connections: list[_Connection] = []
        self._connecting: asyncio.Task[_Connection | None] | None = None
        # Until then the server is taken for one that does not speak HTTP/2.
        self._not_before = 0.0

    async def close(self) -> None:
        """Close all connections."""
        if self._connecting is not None:
            self._connecting.cancel()
        for each in self._connections:
            each.end(None)
        await self._connector.close()

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Answer a request of a session, as its middleware: by a stream, or else by the session itself."""
        connection = await self._with_room(request) if request.url.scheme == "https" else None
        if connection is None:
            return await handler(request)
        stream = connection.ask(_headers(request), self._buffer)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if stream.answered is None:
                    raise aiohttp.ServerDisconnectedError
                status = await stream.answered
        except BaseException:
            stream.close()
            raise
        stream.answered = None
        return _Response(stream, status, request, self._asked)

    async def _with_room(self, request: aiohttp.ClientRequest) -> _Connection | None:
        """Return a connection with room for a stream, or None if the server does not speak HTTP/2."""
        loop = asyncio.get_running_loop()
        while self._not_before <= loop.time():
            for each in self._connections:
                if each.has_room:
                    return each
            if self._connecting is None:
                self._connecting = loop.create_task(self._connect(request, loop))
                self._connecting.add_done_callback(self._connected)
            # Whoever waits for a connection shares what comes of it, a failure too.
            made = await asyncio.shield(self._connecting)
            if made is not None and not made.is_open:
                raise aiohttp.ServerDisconnectedError
        return None

    def _connected(self, task: asyncio.Task[_Connection | None]) -> None:
        self._connecting = None
        if not task.cancelled():
            # Looked at, whoever has gone meanwhile.
            task.exception()

    async def _connect(self, request: aiohttp.ClientRequest, loop: asyncio.AbstractEventLoop) -> _Connection | None:
        self._connections = [each for each in self._connections if each.is_open]
        timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS)
        async with asyncio.timeout(_ANSWER_SECONDS):
            socket = await self._connector.connect(request, traces=[], timeout=timeout)
            connection: _Connection | None = None
            try:
                if _agreed_on_http2(socket):
                    connection = _Connection(socket, loop, self._silence)
                    connection.begin()
                    await connection.greeted
            except BaseException:
                socket.close()
                raise
        if connection is not None and connection.has_room:
            self._connections.append(connection)
            return connection
        socket.close()
        self._not_before = loop.time() + _ASK_AGAIN_SECONDS
        return None


def _agreed_on_http2(socket: Socket) -> bool:
    secured = socket.transport.get_extra_info("ssl_object") if socket.transport is not None else None
    return isinstance(secured, SSLObject) and secured.selected_alpn_protocol() == "h2"


def _headers(request: aiohttp.ClientRequest) -> list[tuple[str, str]]:
    url, headers = request.url, request.headers
    found = [
        (":method", request.method),
        (":scheme", url.scheme),
        (":authority", headers.get("Host", url.authority)),
        (":path", url.raw_path_qs),
    ]
    return found + [(name.lower(), value) for name, value in headers.items() if name.lower() not in _NOT_OF_A_STREAM]
