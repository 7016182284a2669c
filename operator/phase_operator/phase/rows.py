"""Parse the entries of an answer while it arrives.

Rule: an array is never held as a whole. Each element becomes an entry as soon as it is complete, and is measured. The
read ends at a limit: of bytes, of entries, of one element's length, or of the memory for all answers.
"""

import codecs
import json
import re
import sys
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.values import DynamicKey, Entry
from phase_operator.phase import elements, wire

Made = TypeVar("Made")
# The longest element: enough for all that a Secret can hold, in base64 or with every second character escaped.
MAX_ELEMENT = 2 * MIB
# A longer element has to be mostly one long text: anything else takes many times its length as Python objects.
_SHORT = 64 * 1024
# An incomplete element is parsed again when its length has doubled, or this many characters have been added.
_MORE = 256 * 1024
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+', re.DOTALL)
_BLANK = " \t\n\r"
# What comes before an element: the first, and each other. Instead of one, the array may end: that is the group.
_OPENING = re.compile(r"[ \t\n\r]*+\[[ \t\n\r]*+(\])?")
_NEXT = re.compile(r"[ \t\n\r]*+(?:,[ \t\n\r]*+|(\]))")
_DECODER = json.JSONDecoder()


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


class Memory(Protocol):
    """Where a reader reserves memory: a reservation, or a part of one."""

    def resize(self, size: int) -> None:
        """Reserve this many bytes in all; raise AnswerMemoryFull if they do not fit."""


class Array(Generic[Made]):
    """Makes entries from an answer that is an array; `place` is their memory."""

    def __init__(self, host: str, limits: Limits, place: Memory, maker: Maker[Made]) -> None:
        self._host = host
        self._limits = limits
        self._place = place
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._reader = maker
        self._entries: list[Made] = []
        self._number = 0
        self._size = 0
        # Text that is not parsed yet, and the length at which the next attempt is worthwhile.
        self._parts: list[str] = []
        self._waiting = 0
        self._enough = 0
        self._before = _OPENING
        self._closed = False

    def feed(self, part: bytes) -> bool:
        """Take the next part of the body and return True; raise ExpectedError."""
        self._size += len(part)
        if self._size > self._limits.size:
            raise too_large(self._host, self._limits.size)
        self._keep(self._decoded(part))
        if self._waiting >= self._enough:
            self._read()
        return True

    @property
    def shared(self) -> int:
        """The bytes of the memory of entries that are in use by several of them."""
        return self._reader.shared

    def end(self) -> list[Made]:
        """Return the entries; raise ExpectedError if the array is not complete."""
        self._keep(self._decoded(b"", final=True))
        self._read()
        if not self._closed:
            raise self._invalid()
        self._place.resize(self._reader.weight)
        return self._entries

    def _decoded(self, part: bytes, *, final: bool = False) -> str:
        try:
            return self._decoder.decode(part, final)
        except UnicodeDecodeError:
            # Raised outside the block: the cause would hold the part.
            pass
        raise self._invalid()

    def _keep(self, text: str) -> None:
        self._parts.append(text)
        self._waiting += len(text)

    def _read(self) -> None:
        text = "".join(self._parts)
        rest = text[self._complete(text) :]
        if len(rest) > MAX_ELEMENT or (len(rest) > _SHORT and len(_STRING.sub("_", rest)) > _SHORT):
            raise Waiting(
                Reason.ANSWER_TOO_LARGE,
                f"{self._host} answers an entry that is longer than the {MAX_ELEMENT // 1024:,} KiB that are read; no "
                "target can hold it",
            )
        self._parts = [rest]
        self._waiting = len(rest)
        self._enough = min(2 * len(rest), len(rest) + _MORE)
        self._place.resize(self._reader.weight + sys.getsizeof(rest))

    def _complete(self, text: str) -> int:
        """Parse the complete elements, and return where the rest begins."""
        at = 0
        while not self._closed:
            between = self._before.match(text, at)
            if between is None:
                self._check_blank(text, at)
                return len(text)
            if between.lastindex:
                at, self._closed = between.end(), True
                break
            found = self._element(text, between.end())
            if found is None:
                return at
            self._add(found[0])
            at, self._before = found[1], _NEXT
        self._check_blank(text, at)
        return len(text)

    def _element(self, text: str, at: int) -> tuple[object, int] | None:
        """Return an element and its end, or None if it is incomplete. A number may be cut, but is no entry anyway."""
        try:
            return _DECODER.raw_decode(text, at)
        except ValueError:
            return None
        except RecursionError:
            pass
        raise self._invalid()

    def _add(self, element: object) -> None:
        self._number += 1
        if self._number > self._limits.entries:
            raise Waiting(
                Reason.ANSWER_TOO_LARGE,
                f"{self._host} answers more than {self._limits.entries:,} entries; select a folder or tags, or have "
                "the operator's --answer-entries raised",
            )
        self._entries += self._reader.made(element)

    def _check_blank(self, text: str, at: int) -> None:
        if first := text[at:].strip(_BLANK)[:1]:
            is_json = self._before is _OPENING and first in '{"-0123456789tfn'
            raise wire.not_phase(self._host, "list_type as a whole") if is_json else self._invalid()

    def _invalid(self) -> Exception:
        return wire.not_phase(self._host, "json_invalid as a whole")


class Rows(Array[Entry | DynamicKey]):
    """Makes entries from the answer of GET /v1/secrets/."""

    def __init__(self, host: str, limits: Limits, place: Memory) -> None:
        super().__init__(host, limits, place, elements.Entries(host))


class SealedRows(Array[elements.SealedEntry]):
    """Makes sealed entries from the answer of GET /secrets/."""

    def __init__(self, host: str, limits: Limits, place: Memory) -> None:
        super().__init__(host, limits, place, elements.SealedEntries(host))


def too_large(host: str, limit: int) -> Waiting:
    """Return the error for an answer with more bytes than the limit."""
    return Waiting(
        Reason.ANSWER_TOO_LARGE,
        f"{host} answers more than {limit / MIB:g} MiB; select a folder or tags, or have the operator's --answer-mib "
        "raised",
    )
