"""Answers of aiohttp that no connection of aiohttp brought: those of a stream, and those that we make ourselves."""

from collections.abc import Callable
from http.client import responses

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import TimerNoop
from multidict import CIMultiDict, CIMultiDictProxy


class _SentNothing(AbstractStreamWriter):
    """A writer without a body: aiohttp asks a response how much of the request's body was sent."""

    output_size = 0

    async def write(self, chunk: object) -> None:
        """Refuse: no request of a stream has a body."""
        raise NotImplementedError

    async def write_eof(self, chunk: bytes = b"") -> None:
        """Do nothing: there is no body to end."""

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        """Do nothing: the headers were sent already."""

    async def drain(self) -> None:
        """Do nothing: no data is waiting."""

    def enable_compression(self, *_: object) -> None:
        """Do nothing: there is no body to compress."""

    def enable_chunking(self) -> None:
        """Do nothing: there is no body to send in chunks."""


_SENT_NOTHING = _SentNothing()
_NO_TIMER = TimerNoop()


class MadeResponse(aiohttp.ClientResponse):
    """The answer to a request; `end` is called when nobody reads on."""

    def __init__(
        self,
        request: aiohttp.ClientRequest,
        asked: aiohttp.RequestInfo,
        status: int,
        headers: CIMultiDictProxy[str],
        content: aiohttp.StreamReader,
        end: Callable[[], None],
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
        self._end = end
        self.status, self.reason = status, responses.get(status, "")
        self._headers, self._raw_headers = headers, ()
        self.content = content
        self._closed = False

    def close(self) -> None:
        """End the body."""
        super().close()
        self._end()

    def release(self) -> object:
        """End the body."""
        self._end()
        return super().release()
