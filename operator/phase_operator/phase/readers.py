"""Read a body that arrives in parts.

Rule: a reader holds no more than its limit, and reports when it needs no more parts.
"""

from typing import Protocol, TypeVar

from phase_operator.phase.errors import LARGEST_REFUSAL

Answer = TypeVar("Answer", covariant=True)


class Reader(Protocol[Answer]):
    """Makes an answer from a body that arrives in parts."""

    def feed(self, part: bytes) -> bool:
        """Take the next part; return False if no more is needed. Raises ExpectedError."""

    def end(self) -> Answer:
        """Return the answer, once the body has ended; raise ExpectedError."""


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
