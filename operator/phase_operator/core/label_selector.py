"""Label selectors, in kubectl's syntax: `tier=api,env!=dev,team in (a,b),!legacy`.

Rule: a selector that we accept means what it means to kubectl. One that kubectl refuses is refused, and the message
says where.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Invalid

_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DNS = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_KEY = re.compile(rf"(?:(?=.{{1,253}}/){_DNS}(?:\.{_DNS})*/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_WORDS = frozenset({"in", "notin"})
_SIGNS = frozenset({"=", "==", "!=", "!", "<", ">", "(", ")", ","})
_END = ""


class Operator(Enum):
    """How a requirement judges a label."""

    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    DOES_NOT_EXIST = "!"
    GREATER = ">"
    LESS = "<"


_OPERATORS = {
    "=": Operator.IN,
    "==": Operator.IN,
    "in": Operator.IN,
    "!=": Operator.NOT_IN,
    "notin": Operator.NOT_IN,
    ">": Operator.GREATER,
    "<": Operator.LESS,
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the labels meet the requirement; a label that is missing is in no set."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.GREATER:
                return self._compares(value, int.__gt__)
            case Operator.LESS:
                return self._compares(value, int.__lt__)

    def __str__(self) -> str:
        """Return the requirement as kubectl spells it."""
        values = ",".join(sorted(self.values))
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.IN | Operator.NOT_IN:
                return f"{self.key} {self.operator.value} ({values})"
            case Operator.GREATER | Operator.LESS:
                return f"{self.key}{self.operator.value}{values}"

    def _compares(self, value: str | None, holds: Callable[[int, int], bool]) -> bool:
        if value is None or not _INTEGER.fullmatch(value):
            return False
        return all(holds(int(value), int(bound)) for bound in self.values)


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements that must all be met. Without any, it selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the labels meet every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        """Return the selector as kubectl spells it."""
        return ",".join(map(str, self.requirements))


EVERYTHING = Selector()


def parse_selector(text: str) -> Selector:
    """Parse a selector; raise Invalid if kubectl would refuse it."""
    tokens = _Tokens(text)
    if tokens.peek() == _END:
        return EVERYTHING
    found = [_requirement(tokens)]
    while tokens.peek() != _END:
        tokens.expect(",")
        found.append(_requirement(tokens))
    return Selector(tuple(found))


class _Tokens:
    """The operators and words of a selector, one after another; the end is an empty one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._left = _TOKEN.findall(text)[::-1]

    def peek(self) -> str:
        return str(self._left[-1]) if self._left else _END

    def take(self) -> str:
        return str(self._left.pop()) if self._left else _END

    def expect(self, *wanted: str) -> str:
        found = self.take()
        if found not in wanted:
            raise self.refusal(found, " or ".join(f'"{each}"' for each in wanted))
        return found

    def refusal(self, found: str, wanted: str) -> Invalid:
        place = f'it has "{found}" where' if found else "it ends where"
        return Invalid(
            Reason.INVALID_SPEC, f'label selector "{self._text}" cannot be read: {place} {wanted} is expected'
        )


def _requirement(tokens: _Tokens) -> Requirement:
    if tokens.peek() == "!":
        tokens.take()
        return Requirement(_key(tokens), Operator.DOES_NOT_EXIST)
    key = _key(tokens)
    if tokens.peek() in (_END, ","):
        return Requirement(key, Operator.EXISTS)
    sign = tokens.expect(*_OPERATORS)
    operator = _OPERATORS[sign]
    if sign in _WORDS:
        return Requirement(key, operator, _values(tokens))
    if sign in {"<", ">"}:
        return Requirement(key, operator, frozenset({_integer(tokens)}))
    return Requirement(key, operator, frozenset({_value(tokens)}))


def _key(tokens: _Tokens) -> str:
    found = tokens.take()
    if found in _WORDS or not _KEY.fullmatch(found):
        raise tokens.refusal(found, "the key of a label")
    return found


def _values(tokens: _Tokens) -> frozenset[str]:
    tokens.expect("(")
    found = {_value(tokens)}
    while tokens.expect(",", ")") == ",":
        found.add(_value(tokens))
    return frozenset(found)


def _value(tokens: _Tokens) -> str:
    # A value may be empty: `tier=`, `tier in (,api)`.
    if tokens.peek() in (_END, ",", ")"):
        return ""
    found = tokens.take()
    if found in _SIGNS or not _VALUE.fullmatch(found):
        raise tokens.refusal(found, "a label's value")
    return found


def _integer(tokens: _Tokens) -> str:
    found = tokens.take()
    if not _INTEGER.fullmatch(found):
        raise tokens.refusal(found, "an integer")
    return found
