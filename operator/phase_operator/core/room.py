"""Memory for answers of Phase, divided among namespaces.

Rule: a namespace may hold as much as is still free and no more, so that one leaves half to the others, two a quarter,
and something is free whoever asks. Nothing that is held is taken away.
"""

from collections import Counter
from typing import NoReturn

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting

MIB = 1024 * 1024


class Room:
    """So many bytes for all answers that are held or read."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._held: Counter[str] = Counter()

    @property
    def used(self) -> int:
        """How many bytes are taken."""
        return self._used

    def open(self, namespace: str) -> "Place":
        """Begin to hold something for a namespace."""
        return Place(self, namespace)

    def move(self, namespace: str, amount: int) -> None:
        """Take so much more for a namespace, or give back; raise Waiting(ANSWER_TOO_LARGE) if there is no room."""
        if amount > 0 and self._held[namespace] + amount > self._total - self._used - amount:
            self._refuse(namespace)
        self._used += amount
        self._held[namespace] += amount
        if not self._held[namespace]:
            del self._held[namespace]

    def _refuse(self, namespace: str) -> NoReturn:
        raise Waiting(
            Reason.ANSWER_TOO_LARGE,
            f"the answers for namespace {namespace} would take more memory than its share of {self._total // MIB} MiB; "
            "select less, or have the operator's --answers-mib raised",
        )


class Place:
    """What one answer takes of the room. It is given back when nobody keeps the place any more."""

    __slots__ = ("__weakref__", "_namespace", "_room", "_size")

    def __init__(self, room: Room, namespace: str) -> None:
        self._room = room
        self._namespace = namespace
        self._size = 0

    def resize(self, size: int) -> None:
        """Take so many bytes from now on; raise Waiting(ANSWER_TOO_LARGE) if there is no room, and take none any more.

        At once, and not when whoever reads has come to an end: others that read would be refused meanwhile.
        """
        before, self._size = self._size, 0
        try:
            self._room.move(self._namespace, size - before)
        except Waiting:
            self._room.move(self._namespace, -before)
            raise
        self._size = size

    def __del__(self) -> None:
        self._room.move(self._namespace, -self._size)
