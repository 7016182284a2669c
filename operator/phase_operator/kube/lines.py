"""The lines of an answer that comes for as long as a watch lasts, and the events in them.

Rule: what nobody reads is bounded, and a watch that waits holds as little as possible, since hundreds of them wait.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from phase_operator.kube.errors import ApiError
from phase_operator.kube.raw_json import NO_JSON, JsonReader

# What readers raise for a line that is longer than they hold.
TOO_LONG = (ValueError, LineTooLong)


class LineReader(Protocol):
    """The rest of an answer, line by line."""

    async def readline(self) -> bytes:
        """Return the next line, or nothing at the end."""

    def close(self) -> None:
        """Read no more."""


class ResponseLines:
    """The lines of an answer that has a connection of its own."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.readline, self.close = response.content.readline, response.close


class Pausable(Protocol):
    """What sends the parts of a body, and can pause."""

    def pause_reading(self) -> None:
        """Send no more, until `go_on`."""

    def go_on(self) -> None:
        """Send again, if it was paused."""

    def close(self) -> None:
        """Send no more at all."""


class StreamLines:
    """The lines of an answer: what a watch needs of aiohttp's reader, in a tenth of its memory while nothing comes."""

    __slots__ = ("_begun", "_error", "_is_over", "_lines", "_most", "_size", "_stream", "_waiter")

    def __init__(self, stream: Pausable, most: int) -> None:
        """Read a stream; with `most` bytes that nobody has read it pauses, and a line is at most as long."""
        self._stream, self._most = stream, most
        self._lines: deque[bytes] | None = None
        self._begun: list[bytes] | None = None
        self._size = 0
        self._error: BaseException | None = None
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None

    async def readline(self) -> bytes:
        """Return the next line, or nothing at the end; raise the error that ended the stream."""
        while not self._lines:
            if self._error is not None:
                raise self._error
            if self._is_over:
                rest, self._begun = b"".join(self._begun or ()), None
                return rest
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        line = self._lines.popleft()
        if not self._lines:
            self._lines = None
        self._size -= len(line)
        self._bound()
        return line

    def close(self) -> None:
        """Cancel the stream."""
        self._stream.close()

    def feed_data(self, data: bytes) -> None:
        """Take a part of the body."""
        *ended, rest = data.split(b"\n")
        for end in ended:
            self._lines = deque() if self._lines is None else self._lines
            self._lines.append(b"".join([*(self._begun or ()), end, b"\n"]))
            self._begun = None
        if rest:
            self._begun = self._begun or []
            self._begun.append(rest)
        self._size += len(data)
        self._bound()
        self._wake()

    def feed_eof(self) -> None:
        """Take the end of the body."""
        self._is_over = True
        self._wake()

    def set_exception(self, error: BaseException) -> None:
        """Take the error that ended the stream; lines before it are read first."""
        self._error = error
        self._wake()

    def is_eof(self) -> bool:
        """Return whether the body has ended."""
        return self._is_over

    def _bound(self) -> None:
        if self._size <= self._most:
            self._stream.go_on()
            return
        self._stream.pause_reading()
        if not self._lines:
            self._error = ValueError("a line is too long")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Watch:
    """An open watch: a context, and the events in it. No generator, since hundreds of watches wait at once."""

    __slots__ = ("_json", "_lines", "_open")

    def __init__(self, open_: Callable[[], Awaitable[LineReader]], json: JsonReader) -> None:
        self._open: Callable[[], Awaitable[LineReader]] | None = open_
        self._json = json
        self._lines: LineReader | None = None

    async def __aenter__(self) -> Self:
        if self._open is not None:
            # What it needed is not kept while the watch waits.
            opening, self._open = self._open(), None
            self._lines = await opening
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._lines is not None:
            self._lines.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if self._lines is None:
            raise StopAsyncIteration
        try:
            line = await self._lines.readline()
        except (TimeoutError, aiohttp.ClientError, OSError, *TOO_LONG) as error:
            raise ApiError(0, type(error).__name__, "") from error
        if not line:
            raise StopAsyncIteration
        event = await self._json.object(line)
        if event is None:
            raise ApiError(0, NO_JSON, "")
        return event
