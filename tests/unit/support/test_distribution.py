"""A run of `make check` reaches no control plane, and modules that share something stay on one worker."""

from pathlib import Path

import pytest

from support.distribution import FIRST, TOGETHER, group

ROOT = Path(__file__).parents[3]


def test_a_module_stays_together() -> None:
    assert group("tests/unit/a.py::test_b") == group("tests/unit/a.py::TestC::test_d[x::y]") == "tests/unit/a.py"


def test_modules_that_share_a_build_stay_together() -> None:
    folder = "tests/integration/image"

    assert group(f"{folder}/test_image.py::test_a") == group(f"{folder}/test_scan.py::test_b")


def test_who_starts_a_control_plane_is_marked_so_that_make_check_leaves_it_out() -> None:
    tests = [each for each in (ROOT / "tests").rglob("test_*.py") if "integration" not in each.parts]
    starts = "start_control_plane" + "("
    found = {each.name: each.read_text() for each in tests if starts in each.read_text()}

    assert found
    assert [name for name, text in found.items() if "mark.controlplane" not in text] == []


@pytest.mark.parametrize("name", [*TOGETHER, *FIRST])
def test_what_is_named_is_there(name: str) -> None:
    path = ROOT / name

    assert path.is_dir() if name.endswith("/") else path.is_file()
