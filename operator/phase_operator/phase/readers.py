"""Read a body that arrives in parts.

Rule: a reader holds no more than its limit, and reports when it needs no more parts.
"""

from typing import Protocol, TypeVar

from pydantic import TypeAdapter

from phase_operator.core.source.answer_memory import Reservation
from phase_operator.phase import wire
from phase_operator.phase.errors import LARGEST_REFUSAL
from phase_operator.phase.rows import too_large

Answer = TypeVar("Answer", covariant=True)
# While a list is read, it takes this multiple of its length in memory.
_READ_TAKES = 4


class Reader(Protocol[Answer]):
    """Makes an answer from a body that arrives in parts."""

    def feed(self, part: bytes) -> bool:
        """Take the next part; return False if no more is needed. Raises ExpectedError."""

    def end(self) -> Answer:
        """Return the answer, once the body has ended; raise ExpectedError."""


class Whole(Reader[Answer]):
    """Reads a body that is short enough to be held as a whole."""

    def __init__(self, host: str, adapter: TypeAdapter[Answer], limit: int, place: Reservation) -> None:
        self._host = host
        self._adapter = adapter
        self._limit = limit
        self._place = place
        self._body = bytearray()

    def feed(self, part: bytes) -> bool:
        """Take the next part."""
        self._body += part
        if len(self._body) > self._limit:
            raise too_large(self._host, self._limit)
        self._place.resize(_READ_TAKES * len(self._body))
        return True

    def end(self) -> Answer:
        """Parse the body."""
        return wire.read_list(bytes(self._body), self._adapter, self._host)


class Words(Reader[bytes]):
    """Reads the body of a refusal, up to the limit for messages."""

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, part: bytes) -> bool:
        """Take the next part."""
        self._body += part
        return len(self._body) <= LARGEST_REFUSAL

    def end(self) -> bytes:
        """Return what was read."""
        return bytes(self._body)
