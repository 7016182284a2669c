"""A docstring speaks of names that exist: one that was renamed in the code alone misleads its readers."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import phase_dev
import phase_operator

PACKAGES = [Path(each.__path__[0]) for each in (phase_operator, phase_dev)]
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[Path, ast.Module]:
    """Return the syntax of every module; not when this one is imported, which each worker does."""
    return {file: ast.parse(file.read_text()) for package in PACKAGES for file in package.rglob("*.py")}


def known(node: ast.AST) -> str:
    """Return the name that a node uses or defines, or the text of a literal, which may be a foreign name."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Constant(value=str(text)):
            return text
        case _:
            return ""


def strange(tree: ast.AST, existing: frozenset[str]) -> Iterator[str]:
    """Yield each word in backticks, in the docstrings of a module, that is spelt like a name and is none of these."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            words = re.findall(r"`([a-z_]\w*)`", ast.get_docstring(node) or "")
            yield from (word for word in words if word not in existing)


@cache
def names() -> frozenset[str]:
    """Return every name of a module and in a module."""
    rooms = frozenset(part for file in trees() for part in file.with_suffix("").parts)
    return rooms | {known(node) for tree in trees().values() for node in ast.walk(tree)}


# Words of others, and of Python, that are no literal.
FOREIGN = frozenset({"imagePullSecrets", "keepCase", "with"})


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.name)
def test_a_name_in_a_docstring_exists(package: Path) -> None:
    found = {
        f"{file.relative_to(package)}: {word}"
        for file, tree in trees().items()
        if file.is_relative_to(package)
        for word in strange(tree, names() | FOREIGN)
    }

    assert not found


def test_a_name_that_does_not_exist_is_found() -> None:
    tree = ast.parse('def read(live):\n    """Read; `live` and `surely` are flags of `Reader`."""')

    assert list(strange(tree, frozenset({"live"}))) == ["surely"]
