"""Decompress bodies of answers: one layer, in small steps, and no further than the limit.

Rule: the other side decides neither how much memory a body takes nor how long it blocks the event loop.
"""

import zlib
from collections.abc import AsyncIterator, Iterator

import httpx

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.phase.loop_turns import LoopTurns

ACCEPTED = "gzip"
_PLAIN = frozenset({"", "identity"})
_PACKED = frozenset({"gzip", "x-gzip"})
# zlib: the header of gzip and the largest window.
_GZIP = 16 + zlib.MAX_WBITS
# The most bytes of a part; and the bytes that each part counts for, however small it is.
STEP = 64 * 1024
_PART = 256
# Bytes of all parts that are handled without waiting for a turn.
_SHORT = STEP // 4


async def parts(response: httpx.Response, host: str, turns: LoopTurns) -> AsyncIterator[bytes]:
    """Yield the unpacked body in parts of at most `STEP` bytes; raise Transient(UNEXPECTED_ANSWER).

    `turns` are shared by all answers that are read at the same time: all but short ones wait there before each part.
    """
    unpack = _unpacker(response.headers.get("content-encoding", "").strip().lower(), host)
    assert isinstance(response.stream, httpx.AsyncByteStream)
    work = 0
    # The raw stream: httpx would decompress every layer to its end, before its size could be checked.
    async for raw in response.stream:
        for part in unpack(raw):
            # One read of the socket can bring thousands of parts.
            work += len(part) + _PART
            if work >= _SHORT:
                await turns.wait()
                work = 0
            yield part
    unpack.end()


def _unpacker(encoding: str, host: str) -> "_Plain | _Gzip":
    if encoding in _PACKED:
        return _Gzip(host)
    if encoding in _PLAIN:
        return _Plain()
    raise _unreadable(host)


class _Plain:
    def __call__(self, raw: bytes) -> Iterator[bytes]:
        return (raw[start : start + STEP] for start in range(0, len(raw), STEP))

    def end(self) -> None:
        """Nothing is left."""


class _Gzip:
    def __init__(self, host: str) -> None:
        self._host = host
        self._zlib = zlib.decompressobj(_GZIP)

    def __call__(self, raw: bytes) -> Iterator[bytes]:
        while raw and not self._zlib.eof:
            try:
                part = self._zlib.decompress(raw, STEP)
            except zlib.error as error:
                raise _unreadable(self._host) from error
            raw = self._zlib.unconsumed_tail
            # A header gives no bytes; an empty part is yielded all the same, because it was work.
            yield part

    def end(self) -> None:
        if not self._zlib.eof:
            raise Transient(Reason.UNEXPECTED_ANSWER, f"{self._host} breaks off in the middle of an answer")


def _unreadable(host: str) -> Transient:
    return Transient(Reason.UNEXPECTED_ANSWER, f"{host} answers in an encoding that cannot be read")
