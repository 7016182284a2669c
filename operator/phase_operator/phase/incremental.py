"""Read JSON while it arrives: known objects and arrays are taken apart, and what they hold is given on, value by value.

Rule: nothing that the other side sizes is held or parsed as a whole. Between two parts of the body the event loop has
its turn, so a turn handles one part. The read ends at a limit: of bytes, of one value's length, or of the memory for
all answers.
"""

import codecs
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Generic, Protocol, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.source.answer_memory import MIB
from phase_operator.phase import wire

# A place in a document: the fields that lead there, with `ELEMENT` for any element of an array.
Path = tuple[str, ...]
ELEMENT = "[]"
# The longest value: enough for all that a Secret can hold, in base64 or with every second character escaped.
MAX_VALUE = 2 * MIB
# A longer value has to be mostly one long text: anything else takes many times its length as Python objects.
_SHORT = 64 * 1024
# An incomplete value is parsed again when its length has doubled, or this many characters have been added. At least so
# many have to be added: a body can come in thousands of parts of one byte.
_MORE = 128 * 1024
_FEW = 256
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+', re.DOTALL)
_NUMBER = re.compile(r"[-+.0-9eE]*+")
_NUMERIC = frozenset("-0123456789")
_BLANK = re.compile(r"[ \t\n\r]*+")
_NAME = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*+:[ \t\n\r]*+', re.DOTALL)
# What comes before the first value of a container, and before each other. Instead of a value, its end may come: that is
# the group.
_FIRST = {"[": re.compile(r"[ \t\n\r]*+(\])?"), "{": re.compile(r"[ \t\n\r]*+(\})?")}
_NEXT = {
    "[": re.compile(r"[ \t\n\r]*+(?:,[ \t\n\r]*+|(\]))"),
    "{": re.compile(r"[ \t\n\r]*+(?:,[ \t\n\r]*+|(\}))"),
}
# What an error calls a value that is no array, or no object.
_MISFITS = {"[": "list_type", "{": "model_type"}
_BEGINNINGS = frozenset('{["-0123456789tfn')
_DECODER = json.JSONDecoder()


class Memory(Protocol):
    """Where a reader reserves memory: a reservation, or a part of one."""

    def resize(self, size: int) -> None:
        """Reserve this many bytes in all; raise AnswerMemoryFull if they do not fit."""


Place = TypeVar("Place", bound=Memory)


@dataclass(slots=True)
class _Container:
    """An object or an array that is being read."""

    path: Path
    sign: str
    before: re.Pattern[str]
    # The place of its elements, if it is an array.
    element: Path


class IncrementalReader(Generic[Place]):
    """Takes a document apart; `opens` names the containers that are taken apart, with the sign that each begins with.

    A subclass takes what is found, in the order of the text, and says what it has made of it weighs. `limit` is the
    most bytes, `place` is their memory, and `signs` is the most separators, if they are limited.
    """

    def __init__(
        self, host: str, limit: int, place: Place, opens: Mapping[Path, str], signs: int | None = None
    ) -> None:
        self._host = host
        self._limit = limit
        self._place = place
        self._opens = opens
        self._signs_left = signs
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._size = 0
        # Text that is not parsed yet, and the length at which the next attempt is worthwhile.
        self._parts: list[str] = []
        self._waiting = 0
        self._enough = 0
        self._within: list[_Container] = []
        self._has_begun = False
        self._refused: Transient | None = None

    def feed(self, part: bytes) -> bool:
        """Take the next part; return False if the body is no such document. Raises ExpectedError at a limit."""
        self._size += len(part)
        if self._size > self._limit:
            raise too_large(self._host, self._limit)
        if self._signs_left is not None:
            self._signs_left -= wire.separators(part)
            if self._signs_left < 0:
                raise self._longer_than_any()
        try:
            self._add(part)
        except Transient as error:
            # The host has answered all the same: the call ends as one that has an answer.
            self._refused = error.to_keep()
        return self._refused is None

    def _finish(self) -> None:
        """Take the end of the body; raise ExpectedError if the document is not complete, or another."""
        if self._refused is not None:
            raise self._refused
        self._keep(self._decoded(b"", final=True))
        self._read(final=True)
        if self._within or not self._has_begun:
            raise self._invalid()
        self._place.resize(self._weight)

    def _add(self, part: bytes) -> None:
        if self._refused is not None:
            return
        self._keep(self._decoded(part))
        if self._waiting >= self._enough:
            self._read()

    @property
    def _weight(self) -> int:
        """The bytes that all that was made so far takes in memory."""
        raise NotImplementedError

    def _open(self, path: Path) -> None:
        """Begin with a container that is taken apart."""

    def _take(self, path: Path, value: object) -> None:
        """Take a complete value; raise ExpectedError."""
        raise NotImplementedError

    def _close(self, path: Path) -> None:
        """End with a container; raise ExpectedError."""

    def _too_long(self) -> Waiting:
        """Return the error for a value that is too long."""
        return Waiting(
            Reason.ANSWER_TOO_LARGE,
            f"{self._host} answers a list with an element that is longer than the {MAX_VALUE // 1024:,} KiB that are "
            "read",
        )

    def _longer_than_any(self) -> Waiting:
        return Waiting(Reason.ANSWER_TOO_LARGE, f"{self._host} answers a list that is longer than any of Phase's")

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

    def _read(self, *, final: bool = False) -> None:
        text = "".join(self._parts)
        rest = text[self._complete(text, final=final) :]
        if len(rest) > MAX_VALUE or (len(rest) > _SHORT and len(_STRING.sub("_", rest)) > _SHORT):
            raise self._too_long()
        self._parts = [rest]
        self._waiting = len(rest)
        self._enough = len(rest) + max(_FEW, min(len(rest), _MORE))
        self._place.resize(self._weight + sys.getsizeof(rest))

    def _complete(self, text: str, *, final: bool) -> int:
        """Give on the complete values, and return where the rest begins."""
        at: int | None = 0
        rest = 0
        while at is not None and (self._within or not self._has_begun):
            rest = at
            at = self._step(text, at, final=final)
        rest = _end(_BLANK, text, rest if at is None else at)
        if at is not None and rest < len(text):
            raise self._invalid()
        return rest

    def _step(self, text: str, at: int, *, final: bool) -> int | None:
        """Read the next values of a container or its end, and return where they end; None if there is none complete."""
        if not self._within:
            return self._value(text, _end(_BLANK, text, at), (), final=final)
        container = self._within[-1]
        found = container.before.match(text, at)
        if found is None:
            if _end(_BLANK, text, at) < len(text):
                raise self._invalid()
            return None
        if found.lastindex:
            self._within.pop()
            self._close(container.path)
            return found.end()
        if container.sign == "{":
            return self._next_field(container, text, found.end(), final=final)
        return self._next_element(container, text, found.end(), final=final)

    def _next_element(self, container: _Container, text: str, at: int, *, final: bool) -> int | None:
        # Set first: the element may be a container of its own.
        before, container.before = container.before, _NEXT["["]
        after = self._value(text, at, container.element, final=final)
        if after is None:
            container.before = before
        return after

    def _next_field(self, container: _Container, text: str, at: int, *, final: bool) -> int | None:
        named = _NAME.match(text, at)
        if named is None:
            return None
        before, container.before = container.before, _NEXT["{"]
        after = self._value(text, named.end(), (*container.path, self._named(named[1])), final=final)
        if after is None:
            container.before = before
        return after

    def _value(self, text: str, at: int, path: Path, *, final: bool) -> int | None:
        """Read a value, or the beginning of a container, and return where it ends; None if it is incomplete."""
        if at == len(text):
            return None
        sign = self._opens.get(path)
        if sign is not None and text[at] != sign:
            raise self._not_opened(sign, path, text[at])
        found = self._parsed(text, at)
        if sign is not None:
            self._has_begun = True
            if found is not None:
                # Most are shorter than a part of the body: the parser of the library is faster.
                self._take_apart(path, found[0])
                return found[1]
            self._within.append(_Container(path, sign, _FIRST[sign], (*path, ELEMENT)))
            self._open(path)
            return at + 1
        # A number that ends with the text may go on with the next part: 1, 1. and 1.5 are the beginnings of 1.5e3.
        if found is None or (text[at] in _NUMERIC and not final and _end(_NUMBER, text, at) == len(text)):
            return None
        self._take(path, found[0])
        return found[1]

    def _take_apart(self, path: Path, value: Any) -> None:
        """Give on what is in a container that is complete, in the same way."""
        self._open(path)
        element = (*path, ELEMENT)
        within: Iterable[tuple[Path, Any]] = (
            (((*path, name), each) for name, each in value.items())
            if isinstance(value, dict)
            else zip(repeat(element), value)
        )
        for inner, each in within:
            sign = self._opens.get(inner)
            if sign is None:
                self._take(inner, each)
            elif isinstance(each, dict if sign == "{" else list):
                self._take_apart(inner, each)
            else:
                raise self._misfit(sign, inner)
        self._close(path)

    def _parsed(self, text: str, at: int) -> tuple[object, int] | None:
        """Return a value and its end, or None if it is incomplete."""
        try:
            return _DECODER.raw_decode(text, at)
        except ValueError:
            return None
        except RecursionError:
            pass
        raise self._invalid()

    def _named(self, written: str) -> str:
        found = self._parsed(written, 0)
        if found is None:
            raise self._invalid()
        return str(found[0])

    def _not_opened(self, sign: str, path: Path, found: str) -> Transient:
        """Return the error for what is found where a container has to begin: another value, or no JSON."""
        return self._misfit(sign, path) if found in _BEGINNINGS else self._invalid()

    def _misfit(self, sign: str, path: Path) -> Transient:
        return wire.not_phase(self._host, wire.at_place(_MISFITS[sign], path))

    def _invalid(self) -> Transient:
        return wire.not_phase(self._host, "json_invalid as a whole")


def too_large(host: str, limit: int) -> Waiting:
    """Return the error for an answer with more bytes than the limit."""
    return Waiting(
        Reason.ANSWER_TOO_LARGE,
        f"{host} answers more than {limit / MIB:g} MiB; select a folder or tags, or have the operator's --answer-mib "
        "raised",
    )


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()
