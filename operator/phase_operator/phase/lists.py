"""Read the lists of Phase: apps, environments, dynamic secrets and leases, of which an account sees all at once.

Rule: a list that is longer than any of Phase's is refused, and so is what Phase would not send in an element.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from phase_operator.core.errors import Waiting
from phase_operator.phase import wire
from phase_operator.phase.incremental import ELEMENT, IncrementalReader, Memory, Path
from phase_operator.phase.rows import Array, Limits

Model = TypeVar("Model")
Made = TypeVar("Made")


class _Listed(Generic[Model, Made]):
    """Makes things of elements that a model describes."""

    shared = 0

    def __init__(
        self,
        host: str,
        place: Path,
        adapter: TypeAdapter[Model],
        make: Callable[[Model], Made],
        weigh: Callable[[Made], int],
    ) -> None:
        self._host = host
        self._place = place
        self._adapter = adapter
        self._make = make
        self._weigh = weigh
        self.weight = 0

    def made(self, element: object) -> list[Made]:
        """Return what an element becomes; raise Transient(UNEXPECTED_ANSWER)."""
        made = self._make(wire.read_element(element, self._adapter, self._host, self._place))
        self.weight += self._weigh(made)
        return [made]


class Listing(Array[Made]):
    """Makes things of the elements of a list, which is the answer or the field `at` of it.

    `limit` is the most bytes. `weigh` says how many bytes of memory a thing takes, and `of` names the elements.
    """

    def __init__(
        self,
        host: str,
        limit: int,
        place: Memory,
        adapter: TypeAdapter[Model],
        make: Callable[[Model], Made],
        weigh: Callable[[Made], int],
        *,
        at: Path = (),
        of: str = "apps or environments",
    ) -> None:
        maker = _Listed(host, (*at, ELEMENT), adapter, make, weigh)
        super().__init__(host, Limits(limit, wire.MAX_LISTED), place, maker, at, wire.MAX_SIGNS)
        self._of = of

    def _too_many(self) -> Waiting:
        return wire.too_many(self._host, self._of)


class Acknowledgement(IncrementalReader[Memory]):
    """Reads an object that says only that something was done."""

    def __init__(self, host: str, limit: int, place: Memory) -> None:
        super().__init__(host, limit, place, {(): "{"}, wire.MAX_SIGNS)

    def end(self) -> None:
        """Raise ExpectedError if the answer is no complete object."""
        self._finish()

    @property
    def _weight(self) -> int:
        return 0

    def _take(self, path: Path, value: object) -> None:
        """Nothing in it matters."""
