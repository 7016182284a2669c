"""Regular expressions of the product mean the same in every Python that it takes."""

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from re import _constants as codes
from re import _parser as parser
from typing import Any

import pytest

import phase_operator

POSSESSIVE = {codes.POSSESSIVE_REPEAT, codes.ATOMIC_GROUP}
# What can match in another way if the rest does not match.
TAKEN_BACK = {codes.BRANCH, codes.MAX_REPEAT, codes.MIN_REPEAT}


def steps(part: object) -> Iterator[Any]:
    """Yield a part of a parsed expression and all that is in it."""
    if isinstance(part, parser.SubPattern):
        for code, value in part:
            yield code, value
            yield from steps(value)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from steps(each)


def is_misread(pattern: str | bytes, flags: int = 0) -> bool:
    """Say whether a possessive repeat holds what could be taken back: before 3.11.5, Python matches too much then.

    Source: https://github.com/python/cpython/issues/106052
    """
    found = steps(parser.parse(pattern, flags))
    return any(code in POSSESSIVE and any(within in TAKEN_BACK for within, _ in steps(value)) for code, value in found)


def patterns_in(value: object) -> Iterable[re.Pattern[Any]]:
    """Return the compiled expressions in a module's variable."""
    if isinstance(value, re.Pattern):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple | set) else ()
    return [each for each in inner if isinstance(each, re.Pattern)]


def patterns() -> dict[str, re.Pattern[Any]]:
    """Return all expressions of the product, by module and name."""
    names = [each.name for each in pkgutil.walk_packages(phase_operator.__path__, "phase_operator.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    return {
        f"{module.__name__}.{name} {number}": pattern
        for module in modules
        for name, value in vars(module).items()
        for number, pattern in enumerate(patterns_in(value))
    }


@pytest.mark.parametrize("pattern", [r"(?:ab?c)++", r"(?:a|b[c])*+d", rb"(?>a+b)", r"x(?:y(?:a|bc)z)?+"])
def test_a_possessive_repeat_of_alternatives_is_found(pattern: str | bytes) -> None:
    assert is_misread(pattern)


@pytest.mark.parametrize("pattern", [r"(?:ab?c)+", r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', r"[ab]++|c*"])
def test_a_possessive_repeat_of_what_is_not_taken_back_may_be(pattern: str) -> None:
    assert not is_misread(pattern)


def test_no_expression_needs_a_python_that_a_user_may_not_have() -> None:
    found = patterns()

    assert len(found) > 50
    assert [name for name, each in found.items() if is_misread(each.pattern, each.flags)] == []
