"""Many watches over few connections: each watch is a stream of HTTP/2 (RFC 9113), for sessions of aiohttp.

Rule: a slow, silent or refused stream does not disturb the others. A lost connection ends its streams, and their
watches are reopened. With a server that does not speak HTTP/2, each watch has a connection of HTTP/1.1, as without this
module. It is imported only with many namespaces, since the library takes memory of its own.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from ssl import SSLContext, SSLObject

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.connector import Connection as Socket
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
from multidict import CIMultiDictProxy
from yarl import URL

from phase_operator.kube.lines import StreamLines
from phase_operator.kube.made_response import MadeResponse
from phase_operator.kube.stream_headers import NO_HEADERS, pseudo_and_headers, status_and_headers

# Streams of one connection at a time; the API server announces its own limit, usually 100 or more.
_STREAMS = 100
# Bytes that a stream may send before they are read. The window of the connection is the sum of these for all streams,
# so that an unread stream cannot block the others.
_WINDOW = 65535
# Streams of one connection in its lifetime: the library keeps a record of each stream that ended.
_STREAMS_EVER = 2000
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 30.0
# Silent streams are looked for this many times within the silence that ends one.
_LOOK_SHARE = 9
# HTTP/2 is tried again after this time with a server that did not speak it.
_ASK_AGAIN_SECONDS = 600.0


class _Stream(BaseProtocol):
    """One stream: its answer and the data that is not read yet; its reader pauses and resumes it."""

    __slots__ = ("_connection", "_held", "_number", "answered", "content", "headers", "heard")

    def __init__(self, connection: "_Connection", number: int, buffer: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._connection = connection
        self._number = number
        self._held = 0
        self.heard = loop.time()
        self.headers: CIMultiDictProxy[str] = NO_HEADERS
        self.answered: asyncio.Future[int] | None = loop.create_future()
        self.content: aiohttp.StreamReader | StreamLines = aiohttp.StreamReader(self, buffer, loop=loop)

    @property
    def connected(self) -> bool:
        """Return True: the reader learns of the end of the stream by `ends`."""
        return True

    def pause_reading(self) -> None:
        """Stop acknowledging data, so that the server stops sending."""
        self._reading_paused = True

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Acknowledge the data that was held back, so that the server goes on."""
        self._reading_paused = False
        held, self._held = self._held, 0
        self._connection.taken(self._number, held)

    def go_on(self) -> None:
        """Resume reading, if it was paused."""
        if self._reading_paused:
            self.resume_reading()

    def received(self, data: bytes, size: int) -> None:
        """Take a part of the body; it used `size` bytes of the window."""
        self.content.feed_data(data)
        if self._reading_paused:
            self._held += size
        else:
            self._connection.taken(self._number, size)

    def begins(self, status: int, headers: CIMultiDictProxy[str]) -> None:
        """Take the status and headers of the answer."""
        self.headers = headers
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(status)

    def ends(self, error: Exception | None = None) -> None:
        """Take the end of the body, or the error that ended the stream."""
        if self.answered is not None and not self.answered.done():
            # aiohttp sends a request again, once, if the server disconnected before an answer.
            self.answered.set_exception(error or aiohttp.ServerDisconnectedError())
        if error is None:
            self.content.feed_eof()
        elif not self.content.is_eof():
            self.content.set_exception(error)

    def close(self) -> None:
        """Cancel the stream at the server, and forget it."""
        self._connection.leave(self._number, self._held)


class _Response(MadeResponse):
    """The answer to a request that was sent as a stream."""

    def __init__(
        self, stream: _Stream, status: int, request: aiohttp.ClientRequest, asked: aiohttp.RequestInfo
    ) -> None:
        reader = stream.content
        assert isinstance(reader, aiohttp.StreamReader)
        super().__init__(request, asked, status, stream.headers, reader, stream.close)
        self._stream = stream

    def lines(self, most: int) -> StreamLines:
        """Return the lines of the body instead of this answer, which is of no use any more; `most`: see StreamLines."""
        reader, lines = self.content, StreamLines(self._stream, most)
        self._stream.content = lines
        if (error := reader.exception()) is not None:
            lines.set_exception(error)
            return lines
        lines.feed_data(reader.read_nowait())
        if reader.is_eof():
            lines.feed_eof()
        return lines


class _Connection:
    """One connection with its streams; aiohttp feeds it with data as it would feed a parser."""

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
        """Send the preface of HTTP/2, and read what the server has already sent."""
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window((_STREAMS - 1) * _WINDOW)
        self._flush()
        if self._socket.protocol is None or self._socket.closed:
            raise aiohttp.ServerDisconnectedError
        self._socket.protocol.set_parser(self, None)
        self._look()

    @property
    def is_open(self) -> bool:
        """Return whether the connection is usable."""
        return not self._socket.closed

    @property
    def has_room(self) -> bool:
        """Return whether the connection takes another stream."""
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
        """Acknowledge data that was read, so that the server may send as much again."""
        if size and not self._socket.closed:
            self._h2.acknowledge_received_data(size, number)
            self._flush()

    def leave(self, number: int, held: int) -> None:
        """Forget a stream, and cancel it at the server if it has not ended."""
        if self._streams.pop(number, None) is None:
            return
        if not self._socket.closed:
            with suppress(ProtocolError):
                self._h2.reset_stream(number, ErrorCodes.CANCEL)
            self.taken(number, held)
            self._flush()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take data of the server."""
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
        """Close the connection and end all its streams, each with an exception of its own."""
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
                self._greeted()
            case ResponseReceived(stream_id=int(number), headers=headers) if number in self._streams:
                stream = self._streams[number]
                stream.heard = self._heard
                stream.begins(*status_and_headers(headers))
            case DataReceived(stream_id=int(number), data=data, flow_controlled_length=size):
                self._received(number, bytes(data or b""), size or 0)
            case StreamEnded(stream_id=int(number)) if number in self._streams:
                self._streams.pop(number).ends()
            case StreamReset(stream_id=int(number)) if number in self._streams:
                self._streams.pop(number).ends(aiohttp.ClientPayloadError("the stream was reset"))
            case ConnectionTerminated(error_code=code):
                # A server that shuts down reports no error; the streams end normally and are reopened at once.
                self.end(None if code == ErrorCodes.NO_ERROR else aiohttp.ServerDisconnectedError)

    def _greeted(self) -> None:
        self._limit = min(_STREAMS, self._h2.remote_settings.max_concurrent_streams)
        if not self.greeted.done():
            self.greeted.set_result(None)

    def _received(self, number: int, data: bytes, size: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            self.taken(number, size)
            return
        stream.heard = self._heard
        stream.received(data, size)

    def _look(self) -> None:
        """End each stream that is silent for too long, and a connection that is silent or has no streams."""
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


class Streams:
    """Opens watches of one API server as streams, and the connections for them."""

    def __init__(self, server: URL, trust: SSLContext, *, buffer: int, silence: float) -> None:
        """Take over a TLS context, which is changed; `buffer` is bytes of unread body, `silence` is seconds."""
        trust.set_alpn_protocols(["h2", "http/1.1"])
        self._connector = aiohttp.TCPConnector(ssl=trust, limit=0)
        self._buffer = buffer
        self._silence = silence
        # One description of the request for all responses: it saves memory, and keeps the token out of them.
        self._asked = aiohttp.RequestInfo(server, "GET", NO_HEADERS, server)
        self._connections: list[_Connection] = []
        self._connecting: asyncio.Task[_Connection | None] | None = None
        # Before this time the server is assumed not to speak HTTP/2.
        self._not_before = 0.0

    async def close(self) -> None:
        """Close all connections."""
        if self._connecting is not None:
            self._connecting.cancel()
        for each in self._connections:
            each.end(None)
        await self._connector.close()

    @staticmethod
    def lines_of(response: aiohttp.ClientResponse, most: int) -> StreamLines | None:
        """Return the lines of an answer instead of it, if it is a stream; see `StreamLines` for `most`."""
        return response.lines(most) if isinstance(response, _Response) else None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request of a session as a stream, or by the session itself if the server does not speak HTTP/2."""
        connection = await self._with_room(request) if request.url.scheme == "https" else None
        if connection is None:
            return await handler(request)
        stream = connection.ask(pseudo_and_headers(request), self._buffer)
        with ExitStack() as undo:
            undo.callback(stream.close)
            async with asyncio.timeout(_ANSWER_SECONDS):
                if stream.answered is None:
                    raise aiohttp.ServerDisconnectedError
                status = await stream.answered
            undo.pop_all()
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
            # All requests that wait for a connection share its result, also a failure.
            made = await asyncio.shield(self._connecting)
            if made is not None and not made.is_open:
                raise aiohttp.ServerDisconnectedError
        return None

    def _connected(self, task: asyncio.Task[_Connection | None]) -> None:
        self._connecting = None
        if not task.cancelled():
            # Retrieve the exception, or asyncio logs it when no request waits for the connection.
            task.exception()

    async def _connect(self, request: aiohttp.ClientRequest, loop: asyncio.AbstractEventLoop) -> _Connection | None:
        self._connections = [each for each in self._connections if each.is_open]
        timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS)
        async with asyncio.timeout(_ANSWER_SECONDS):
            socket = await self._connector.connect(request, traces=[], timeout=timeout)
            connection: _Connection | None = None
            with ExitStack() as undo:
                undo.callback(socket.close)
                if _agreed_on_http2(socket):
                    connection = _Connection(socket, loop, self._silence)
                    connection.begin()
                    await connection.greeted
                undo.pop_all()
        if connection is not None and connection.has_room:
            self._connections.append(connection)
            return connection
        socket.close()
        self._not_before = loop.time() + _ASK_AGAIN_SECONDS
        return None


def _agreed_on_http2(socket: Socket) -> bool:
    secured = socket.transport.get_extra_info("ssl_object") if socket.transport is not None else None
    return isinstance(secured, SSLObject) and secured.selected_alpn_protocol() == "h2"
