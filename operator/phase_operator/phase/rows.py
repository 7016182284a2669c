"""Read answers that are, or hold, one array: each element becomes what a maker makes of it, as soon as it is complete.

Rule: an array is never held as a whole. Its elements are counted and weighed, and the read ends at a limit.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.values import DynamicKey, Entry
from phase_operator.phase import elements, wire
from phase_operator.phase.incremental import ELEMENT, MAX_VALUE, IncrementalReader, Memory, Path

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Limits:
    """How large one answer may be: in bytes after decompression, and in entries."""

    size: int = 16 * MIB
    entries: int = 20_000


class Maker(Protocol[Made]):
    """Makes entries from elements, and weighs in bytes what it has made."""

    @property
    def weight(self) -> int:
        """The bytes that all it has made take in memory."""

    @property
    def shared(self) -> int:
        """Those of them for texts that several entries have."""

    def made(self, element: object) -> list[Made]:
        """Return what an element becomes; raise ExpectedError."""


class Array(IncrementalReader[Memory], Generic[Made]):
    """Makes things of the elements of an array, which is the answer or the field `at` of it."""

    def __init__(
        self, host: str, limits: Limits, place: Memory, maker: Maker[Made], at: Path = (), signs: int | None = None
    ) -> None:
        opens = {at[:depth]: "{" for depth in range(len(at))} | {at: "["}
        super().__init__(host, limits.size, place, opens, signs)
        self._most = limits.entries
        self._maker = maker
        self._at = at
        self._element = (*at, ELEMENT)
        self._found: list[Made] | None = None
        self._number = 0

    @property
    def shared(self) -> int:
        """The bytes of the memory of entries that are in use by several of them."""
        return self._maker.shared

    def end(self) -> list[Made]:
        """Return what was made; raise ExpectedError if the answer is not complete."""
        self._finish()
        if self._found is None:
            raise wire.not_phase(self._host, wire.at_place("missing", self._at))
        return self._found

    @property
    def _weight(self) -> int:
        return self._maker.weight

    def _open(self, path: Path) -> None:
        if path == self._at:
            # As in any JSON, the last of two fields of one name counts.
            self._found, self._number = [], 0

    def _take(self, path: Path, value: object) -> None:
        if path != self._element or self._found is None:
            return
        self._number += 1
        if self._number > self._most:
            raise self._too_many()
        self._found += self._maker.made(value)

    def _too_many(self) -> Waiting:
        """Return the error for too many elements."""
        raise NotImplementedError


class EntryArray(Array[Made]):
    """Makes things of entries, as many as may be read."""

    def _too_many(self) -> Waiting:
        return Waiting(
            Reason.ANSWER_TOO_LARGE,
            f"{self._host} answers more than {self._most:,} entries; select a folder or tags, or have the operator's "
            "--answer-entries raised",
        )

    def _too_long(self) -> Waiting:
        return Waiting(
            Reason.ANSWER_TOO_LARGE,
            f"{self._host} answers an entry that is longer than the {MAX_VALUE // 1024:,} KiB that are read; no "
            "target can hold it",
        )


class Rows(EntryArray[Entry | DynamicKey]):
    """Makes entries from the answer of GET /v1/secrets/."""

    def __init__(self, host: str, limits: Limits, place: Memory) -> None:
        super().__init__(host, limits, place, elements.Entries(host))


class SealedRows(EntryArray[elements.SealedEntry]):
    """Makes sealed entries from the answer of GET /secrets/."""

    def __init__(self, host: str, limits: Limits, place: Memory) -> None:
        super().__init__(host, limits, place, elements.SealedEntries(host))
