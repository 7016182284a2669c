"""Memory for answers of Phase, divided among namespaces.

Rule: a namespace may hold at most twice the shared memory that stays free. No memory that is held is taken away. So a
quarter of the total is reserved: each namespace may take a little of it, for a first answer or one that grew, and a
second copy may use it while an answer is read again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NoReturn

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting

MIB = 1024 * 1024
# Divisors of the total: the reserve, and the little of it that each namespace may take (256 KiB of 80 MiB).
_KEPT_BACK = 4
_LITTLE = 320
# When memory is short, the next namespace may take at most this fraction of what is left.
_PART = 16


class AnswerMemoryFull(Waiting):
    """The answer is valid, but the memory for all answers has no room for it."""


class AnswerMemory:
    """The memory, in bytes, for all answers that are held or being read."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._held: Counter[str] = Counter()
        # The bytes that each namespace took from the shared part, without the reserve.
        self._fair: dict[str, int] = {}

    @property
    def used(self) -> int:
        """The number of bytes in use."""
        return self._used

    @property
    def total(self) -> int:
        """The number of bytes in total."""
        return self._total

    def open(self, namespace: str, instead_of: Iterable["Reservation"] = ()) -> "Reservation":
        """Return an empty place for a namespace; `instead_of` are the places that it will replace."""
        return Reservation(self, namespace, sum(each.size for each in set(instead_of) if each.namespace == namespace))

    def open_for_one(self, namespaces: Iterable[str], instead_of: Iterable["Reservation"] = ()) -> "Reservation":
        """Return an empty place for that namespace of these that holds the fewest bytes; for "" if none is given."""
        return self.open(min(namespaces, key=lambda each: self._held.get(each, 0), default=""), instead_of)

    def move(self, namespace: str, amount: int, replaced: int = 0) -> None:
        """Change what a namespace holds by `amount` bytes, which may be negative; raise AnswerMemoryFull if too many.

        `replaced` is the number of bytes that the namespace will give back afterwards.
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
        raise AnswerMemoryFull(
            Reason.ANSWER_TOO_LARGE,
            f"the answers for namespace {namespace} would take more memory than its share of {self._total // MIB} MiB; "
            "select less, or have the operator's --answers-mib raised",
        )


class Reservation:
    """The memory of one answer. It is given back when the last reference to the place goes."""

    __slots__ = ("__weakref__", "_replaced", "_room", "namespace", "size")

    def __init__(self, memory: AnswerMemory, namespace: str, replaced: int = 0) -> None:
        self._room = memory
        self._replaced = replaced
        self.namespace = namespace
        self.size = 0

    def resize(self, size: int) -> None:
        """Set the size to this many bytes; if they do not fit, release all bytes and raise AnswerMemoryFull.

        A failed read releases its memory at once: other reads would be refused until it has ended.
        """
        before, self.size = self.size, 0
        try:
            self._room.move(self.namespace, size - before, min(size, self._replaced))
        except AnswerMemoryFull:
            self._room.move(self.namespace, -before)
            raise
        self.size = size

    def __del__(self) -> None:
        self._room.move(self.namespace, -self.size)


def reservations(held: object) -> Iterator[Reservation]:
    """Yield the places that hold a `Snapshot`: none, one or several."""
    if isinstance(held, Reservation):
        yield held
    elif isinstance(held, tuple):
        for each in held:
            yield from reservations(each)
