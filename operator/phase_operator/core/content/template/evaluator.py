"""Render a parsed template with the values of a target.

Rule: every text is measured when it is made, and so is their total. So limits bound size and time, and memory never
runs out. A message names keys, never values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from phase_operator.api.reasons import Reason
from phase_operator.core.content.template.functions import TEXT_FUNCTIONS, base64_text, indent_text, most_after_indent
from phase_operator.core.content.template.syntax import (
    MAX_TEXT_BYTES,
    MAX_WORK,
    AllOf,
    AnyOf,
    Applied,
    Base64,
    Body,
    Both,
    Branches,
    Choice,
    Constant,
    Data,
    Default,
    Defined,
    Either,
    Filled,
    Indented,
    Joined,
    Key,
    Literal,
    Making,
    Negated,
    Placeholder,
    Required,
    Same,
    Test,
    Text,
    Within,
)
from phase_operator.core.content.work_limit import WorkLimit
from phase_operator.core.errors import Waiting
from phase_operator.core.text import clean, hint

# The cost of a step in addition to its characters, and the cost of a search for similar names.
_STEP = 16
_HINT = MAX_WORK // 8


@dataclass(frozen=True, slots=True)
class _Stored:
    """The bytes of a key; whether they are text is checked when they are used."""

    key: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Missing:
    """A key that the target does not have: an error unless `default` or `required` handles it."""

    key: str


_Value: TypeAlias = str | _Stored | _Missing


class Rendering:
    """One rendering of one template; `where` begins its messages, `limit` bounds its result in bytes."""

    def __init__(
        self, values: Mapping[str, bytes], where: str, limit: int, work_limit: WorkLimit | None = None
    ) -> None:
        self._budget = work_limit or WorkLimit(MAX_WORK)
        self._values = values
        self._where = where
        self._limit = limit
        self._line = 1
        self._size = 0
        self._written: list[bytes] = []

    def render(self, body: Body) -> bytes:
        """Return the rendered bytes, or raise Waiting."""
        self._body(body)
        return b"".join(self._written)

    def _body(self, body: Body) -> None:
        for part in body:
            self._budget.spend(_STEP, f"{self._where}, line {self._line}")
            match part:
                case Data(data):
                    self._write(data)
                case Placeholder(line, text):
                    self._line = line
                    self._write(self._text(text).encode())
                case Branches():
                    self._body(self._branch(part))
                case _:
                    assert_never(part)

    def _branch(self, branches: Branches) -> Body:
        for arm in branches.arms:
            self._line = arm.line
            if self._holds(arm.test):
                return arm.body
        return branches.otherwise

    def _write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise self._failure(f"the result would be larger than {self._limit:,} bytes")
        self._written.append(data)

    def _text(self, text: Text) -> str:
        return self._as_text(self._value(text))

    def _as_text(self, value: _Value) -> str:
        """Return a text; raise if a key is missing or its bytes are no text."""
        match value:
            case str():
                return value
            case _Stored(key, data):
                return self._decoded(key, data)
            case _Missing(key):
                raise self._no_key(key)
            case _:
                assert_never(value)

    def _value(self, text: Text) -> _Value:
        """Return the value of an expression; one that only selects a value does not check whether it is text."""
        match text:
            case Literal(constant):
                return self._measured(constant)
            case Key(name):
                return _Stored(name, self._values[name]) if name in self._values else _Missing(name)
            case Either() | Both() | Choice() | Default():
                return self._selected(text)
            case Required():
                return self._required(text)
            case _:
                return self._measured(self._made(text))

    def _selected(self, text: Either | Both | Choice | Default) -> _Value:
        """Return the value of one of the operands."""
        match text:
            case Either(first, second) | Both(first, second):
                value = self._value(first)
                is_enough = self._filled(value) is isinstance(text, Either)
                return value if is_enough else self._value(second)
            case Choice(test, then, otherwise):
                return self._value(then if self._holds(test) else otherwise)
            case Default(operand, fallback, for_empty):
                value = self._value(operand)
                is_lacking = isinstance(value, _Missing) or (for_empty and not self._filled(value))
                return self._value(fallback) if is_lacking else value
            case _:
                assert_never(text)

    def _made(self, text: Making) -> str:
        match text:
            case Joined(parts):
                return "".join([self._text(part) for part in parts])
            case Applied(function, operand):
                return TEXT_FUNCTIONS[function](self._text(operand))
            case Base64(operand):
                return base64_text(self._as_bytes(self._value(operand)))
            case Indented(operand, width, first):
                plain = self._text(operand)
                if most_after_indent(plain, width) > MAX_TEXT_BYTES:
                    raise self._too_large()
                return indent_text(plain, width, first=first)
            case _:
                assert_never(text)

    def _required(self, text: Required) -> _Value:
        value = self._value(text.operand)
        if not isinstance(value, _Missing) and self._filled(value):
            return value
        message = clean(text.message)
        match value:
            case _Missing(key):
                raise self._failure(f'the key "{key}" is required and missing: {message}')
            case _Stored(key):
                raise self._failure(f'the key "{key}" is required and empty: {message}')
            case _:
                raise self._failure(f"a required value is empty: {message}")

    def _holds(self, test: Test) -> bool:
        match test:
            case Constant(value):
                return value
            case Filled(text):
                return self._filled(self._value(text))
            case Defined(name):
                return name in self._values
            case Same(left, right):
                return self._text(left) == self._text(right)
            case Within(part, whole):
                return self._text(part) in self._text(whole)
            case Negated(inner):
                return not self._holds(inner)
            case AllOf(first, second):
                return all(map(self._holds, (first, second)))
            case AnyOf(first, second):
                return any(map(self._holds, (first, second)))
            case _:
                assert_never(test)

    def _filled(self, value: _Value) -> bool:
        match value:
            case str():
                return bool(value)
            case _Stored(_, data):
                return bool(data)
            case _Missing(key):
                raise self._no_key(key)
            case _:
                assert_never(value)

    def _as_bytes(self, value: _Value) -> bytes:
        return self._bounded(value.data) if isinstance(value, _Stored) else self._as_text(value).encode()

    def _decoded(self, key: str, data: bytes) -> str:
        try:
            return self._measured(self._bounded(data).decode())
        except UnicodeDecodeError:
            # `from None`: the original exception holds the bytes.
            message = f'the value of "{key}" is not text in UTF-8: it can only go through base64, as in KEY|base64'
            raise self._failure(message) from None

    def _bounded(self, data: bytes) -> bytes:
        if len(data) > MAX_TEXT_BYTES:
            raise self._too_large()
        return data

    def _measured(self, text: str) -> str:
        if len(text) > MAX_TEXT_BYTES:
            raise self._too_large()
        self._budget.spend(len(text) + _STEP, f"{self._where}, line {self._line}")
        return text

    def _too_large(self) -> Waiting:
        return self._failure(f"a text in it would be longer than {MAX_TEXT_BYTES:,} characters")

    def _no_key(self, key: str) -> Waiting:
        near = hint(key, self._values) if self._budget.affords(_HINT) else ""
        return self._failure(f'there is no key "{key}" among those of the target, after renaming{near}')

    def _failure(self, message: str) -> Waiting:
        return Waiting(Reason.TEMPLATE_FAILED, f"{self._where}, line {self._line}: {message}")
