"""A name of a test says who does what: its first word is not a pronoun that leaves the reader to guess the subject."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[2]
HEADLESS = frozenset(
    {"also", "he", "how", "it", "she", "that", "they", "those", "what", "whatever", "when", "where", "which"}
    | {"who", "whoever", "whom", "whose", "why"}
)


def names() -> Iterator[tuple[str, str]]:
    """Yield each test, with the path of its module."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield str(path.relative_to(TESTS)), node.name


def test_every_name_begins_with_its_subject() -> None:
    found = list(names())

    assert len(found) > 2000
    assert [f"{path}::{name}" for path, name in found if name.split("_")[1] in HEADLESS] == []
