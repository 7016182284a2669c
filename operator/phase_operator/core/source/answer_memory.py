"""Memory for answers of Phase, divided among namespaces.

Rule: a namespace may hold twice what it leaves to others, so that one leaves half, two a sixth. Nothing that is held is
taken away; so a quarter of all is kept back for those who come late or whose answers grow, with a little for each, and
for what is read again and will be held once only.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NoReturn

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting

MIB = 1024 * 1024
# The part that is kept back, and the little of it that each namespace is sure of: 256 KiB of 80 MiB.
_KEPT_BACK = 4
_LITTLE = 320
# When little is left, whoever comes next may have so large a part of it.
_PART = 16


class NoRoom(Waiting):
    """Nothing is wrong with the answer itself; the memory for all of them has no place for it."""


class Room:
    """So many bytes for all answers that are held or read."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._held: Counter[str] = Counter()
        # What a namespace holds of what all may have, without the little and what is read again.
        self._fair: dict[str, int] = {}

    @property
    def used(self) -> int:
        """How many bytes are taken."""
        return self._used

    @property
    def total(self) -> int:
        """How many bytes there are."""
        return self._total

    def open(self, namespace: str, instead_of: Iterable["Place"] = ()) -> "Place":
        """Begin to hold something for a namespace; `instead_of`: what will be given back for it."""
        return Place(self, namespace, sum(each.size for each in set(instead_of) if each.namespace == namespace))

    def least(self, namespaces: Iterable[str]) -> str:
        """Return the one of these namespaces that holds least, or "" if there is none."""
        return min(namespaces, key=lambda each: self._held.get(each, 0), default="")

    def move(self, namespace: str, amount: int, replaced: int = 0) -> None:
        """Take so much more for a namespace, or give back; raise NoRoom if there is none left.

        `replaced`: how much of what it holds will be given back for it.
        """
        if amount > 0 and not self._may_take(namespace, amount, replaced):
            self._refuse(namespace)
        self._used += amount
        held = self._held[namespace] = self._held[namespace] + amount
        if not held:
            del self._held[namespace]
        if amount < 0 and (fair := self._fair.pop(namespace, 0)) and held:
            self._fair[namespace] = min(fair, held)

    def _may_take(self, namespace: str, amount: int, replaced: int) -> bool:
        after, left = self._held.get(namespace, 0) + amount, self._total - self._used - amount
        kept_back, little = self._total // _KEPT_BACK, self._total // _LITTLE
        if after <= 2 * (left - kept_back):
            self._fair[namespace] = after
            return True
        fair = self._fair.get(namespace, 0)
        if after <= fair + min(little, left // _PART):
            return True
        return after - replaced <= fair + little and after - fair <= 2 * (left - kept_back // 4)

    def _refuse(self, namespace: str) -> NoReturn:
        raise NoRoom(
            Reason.ANSWER_TOO_LARGE,
            f"the answers for namespace {namespace} would take more memory than its share of {self._total // MIB} MiB; "
            "select less, or have the operator's --answers-mib raised",
        )


class Place:
    """What one answer takes of the room. It is given back when nobody keeps the place any more."""

    __slots__ = ("__weakref__", "_replaced", "_room", "namespace", "size")

    def __init__(self, room: Room, namespace: str, replaced: int = 0) -> None:
        self._room = room
        self._replaced = replaced
        self.namespace = namespace
        self.size = 0

    def resize(self, size: int) -> None:
        """Take so many bytes from now on; raise NoRoom if there is none left, and take none any more.

        At once, and not when whoever reads has come to an end: others that read would be refused meanwhile.
        """
        before, self.size = self.size, 0
        try:
            self._room.move(self.namespace, size - before, min(size, self._replaced))
        except NoRoom:
            self._room.move(self.namespace, -before)
            raise
        self.size = size

    def __del__(self) -> None:
        self._room.move(self.namespace, -self.size)


def places(held: object) -> Iterator[Place]:
    """Yield the places that a `Snapshot` names: it is held in one, or in several."""
    if isinstance(held, Place):
        yield held
    elif isinstance(held, tuple):
        for each in held:
            yield from places(each)
