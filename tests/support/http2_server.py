"""A server that speaks HTTP/2 over TLS and keeps each answer open, as an API server does for a watch.

It runs in the test's own event loop. What it says is told by the test: bytes, the end, or what goes wrong.
"""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import trustme


@dataclass(eq=False)
class Asked:
    """A request, and what may still be said to it."""

    connection: "_Connection"
    number: int
    headers: dict[str, str]

    def say(self, data: bytes) -> None:
        """Send some of the body, as the client's windows allow."""
        self.connection.waiting[self.number] += data
        self.connection.push()

    def end(self) -> None:
        """End the body."""
        self.connection.h2.end_stream(self.number)
        self.connection.flush()

    def reset(self) -> None:
        """End the stream as if something had gone wrong."""
        self.connection.h2.reset_stream(self.number, h2.errors.ErrorCodes.INTERNAL_ERROR)
        self.connection.flush()

    @property
    def unsent(self) -> int:
        """Bytes that the client has not let come."""
        return len(self.connection.waiting[self.number])


class _Connection(asyncio.Protocol):
    def __init__(self, server: "Http2Server") -> None:
        self.server = server
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: server.streams}
        )
        self.waiting: dict[int, bytes] = defaultdict(bytes)
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.append(self)
        if not self.server.greets:
            return
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.lost += 1

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data) if self.server.greets else []:
            match event:
                case h2.events.RequestReceived(stream_id=number, headers=headers):
                    assert number is not None
                    self.server.answer(Asked(self, number, {str(name): str(value) for name, value in headers or []}))
                case h2.events.WindowUpdated():
                    self.push()
                case h2.events.StreamReset(stream_id=int(number)):
                    self.server.left.append(number)
                    self.waiting.pop(number, None)
        self.flush()

    def push(self) -> None:
        for number, data in list(self.waiting.items()):
            while data:
                size = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(data))
                if size <= 0:
                    break
                self.h2.send_data(number, data[:size])
                data = data[size:]
            self.waiting[number] = data
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())


@dataclass
class Http2Server:
    """Listens on a port of its own for as long as the block lasts; `trust` is the file of its authority."""

    folder: Path
    # How many streams of a connection it allows; whether it greets, and what it speaks at all.
    streams: int = 100
    greets: bool = True
    speaks: tuple[str, ...] = ("h2",)
    # Answered with this status, by path; 0 is no answer.
    statuses: dict[str, int] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    connections: list[_Connection] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    lost: int = 0

    async def __aenter__(self) -> Self:
        authority = trustme.CA()
        self.trust = self.folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.trust))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        context.set_alpn_protocols(list(self.speaks))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=context)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for each in self.connections:
            each.transport.abort()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}"

    def answer(self, asked: Asked) -> None:
        """Send the head of an answer, and keep the body open."""
        path = asked.headers[":path"]
        self.asked[path] = asked
        status = self.statuses.get(path, 200)
        if status:
            asked.connection.h2.send_headers(
                asked.number, [(":status", str(status)), ("content-type", "application/json")]
            )
