"""What is made of a body that comes in parts.

Rule: a reader holds no more than it is told to, and says when nothing more is wanted.
"""

from typing import Protocol, TypeVar

from pydantic import TypeAdapter

from phase_operator.core.source.answer_memory import Place
from phase_operator.phase import wire
from phase_operator.phase.errors import LARGEST_REFUSAL
from phase_operator.phase.rows import too_large

Answer = TypeVar("Answer", covariant=True)
# So many times the length of a list are taken while it is read.
_READ_TAKES = 4


class Reader(Protocol[Answer]):
    """Makes an answer of a body that comes in parts."""

    def feed(self, part: bytes) -> bool:
        """Take the next part; return False if no more is wanted. Raises ExpectedError."""

    def end(self) -> Answer:
        """Return the answer, once the body has ended; raise ExpectedError."""


class Whole(Reader[Answer]):
    """Reads a body that is short enough to be held."""

    def __init__(self, host: str, adapter: TypeAdapter[Answer], limit: int, place: Place) -> None:
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
        """Parse it."""
        return wire.read_list(bytes(self._body), self._adapter, self._host)


class Words(Reader[bytes]):
    """Reads the body of a refusal, as far as anybody would read its words."""

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, part: bytes) -> bool:
        """Take the next part."""
        self._body += part
        return len(self._body) <= LARGEST_REFUSAL

    def end(self) -> bytes:
        """Return what was read."""
        return bytes(self._body)
