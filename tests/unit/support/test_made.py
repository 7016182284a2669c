"""Tests that need what `make` makes do not get into each other's way."""

import sys
from pathlib import Path

from support.made import made

RECIPE = """
import sys
from filelock import FileLock, Timeout

try:
    FileLock("build/.made.lock", timeout=0).acquire()
except Timeout:
    open(sys.argv[1], "w").close()
"""


def test_nobody_else_makes_anything_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "recipe.py").write_text(RECIPE)
    (tmp_path / "Makefile").write_text(f"thing:\n\t{sys.executable} recipe.py thing\n")

    assert made("thing", tmp_path).exists(), "another worker could have made the same"
