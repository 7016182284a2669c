"""A name of a test says who does what: its first word is not a pronoun that leaves the reader to guess the subject."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
HEADLESS = frozenset(
    {"also", "he", "how", "it", "she", "that", "they", "those", "what", "whatever", "when", "where", "which"}
    | {"who", "whoever", "whom", "whose", "why"}
)


def spelt(path: Path) -> list[str]:
    """Return the names of a module's tests, by its lines; those inside a text are among them."""
    return re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)


def defined(path: Path) -> frozenset[str]:
    """Return the names of a module's functions: to parse all tests takes seconds, and few are worth a second look."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_name_begins_with_its_subject() -> None:
    found = [(path, name) for path in sorted(TESTS.rglob("test_*.py")) for name in spelt(path)]

    assert len(found) > 2000
    headless = [(path, name) for path, name in found if name.split("_")[1] in HEADLESS]
    assert [f"{path.relative_to(TESTS)}::{name}" for path, name in headless if name in defined(path)] == []
