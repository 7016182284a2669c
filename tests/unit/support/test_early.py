"""A failure is told when it happens, in one process and in several."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parents[2]
BROKEN = "import os\n\ndef test_good():\n    pass\n\ndef test_bad():\n    assert 1 == 2, 'they differ'\n"


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["one process", "a worker"])
def test_a_failure_is_named_before_the_report(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    pytester.makepyfile(test_it=BROKEN)

    said = pytester.runpytest_subprocess("-p", "support.early", *workers, "-q").stdout.lines

    named = next(number for number, line in enumerate(said) if line.startswith("test_it.py::test_bad (call): "))
    assert said[named].endswith("AssertionError: they differ")
    assert named < next(number for number, line in enumerate(said) if "FAILURES" in line)
    assert not [line for line in said if line.startswith("test_it.py::test_good")]
