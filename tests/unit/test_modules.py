"""A module does one thing, and a function too: one that grows too long or too branched becomes several.

The limits and what they leave out: docs/decisions/0023-how-long-and-how-branched.md.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import mean

import pytest
from radon.complexity import cc_visit

import phase_operator

PRODUCT = Path(phase_operator.__file__).parent
MOST_LINES = 450
# The fields of PhaseSecret are read from top to bottom, as its reference page is.
SCHEMA = PRODUCT / "api/v1alpha1/phasesecret.py"
MOST_BRANCHES = 10
MEAN_OF_BRANCHES = 2.8
COMMAND_LINE = "cli/"


def _functions(file: Path) -> Iterator[tuple[str, int]]:
    """Each function and method with its cyclomatic complexity by radon, which counts `and`, `or` and comprehensions."""
    where = file.relative_to(PRODUCT).as_posix()
    for block in cc_visit(file.read_text()):
        if block.letter in "FM":
            yield f"{where}:{block.lineno} {block.name}", block.complexity


@pytest.fixture(scope="module")
def complexities() -> Mapping[str, int]:
    return {name: each for file in PRODUCT.rglob("*.py") for name, each in _functions(file)}


def test_no_module_but_the_schema_has_more_than_450_lines() -> None:
    lines = {file: len(file.read_text().splitlines()) for file in PRODUCT.rglob("*.py") if file != SCHEMA}

    assert {file.relative_to(PRODUCT).as_posix() for file, each in lines.items() if each > MOST_LINES} == set()


def test_no_function_has_a_complexity_above_10(complexities: Mapping[str, int]) -> None:
    assert {name: each for name, each in complexities.items() if each > MOST_BRANCHES} == {}


def test_functions_have_a_complexity_of_at_most_2_8_on_average_outside_the_command_line(
    complexities: Mapping[str, int],
) -> None:
    assert mean(each for name, each in complexities.items() if not name.startswith(COMMAND_LINE)) <= MEAN_OF_BRANCHES
