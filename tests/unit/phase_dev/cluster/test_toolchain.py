"""Which Go is on this machine, and which one is pinned."""

import pytest

from phase_dev.cluster.catalog import PROGRAMS, go_needed
from phase_dev.cluster.toolchain import PIN, parse_go_version, parse_pin


@pytest.mark.parametrize(
    ("said", "version"),
    [
        pytest.param("go1.26.8\n", (1, 26), id="a release"),
        pytest.param("go1.27rc1", (1, 27), id="a candidate"),
        pytest.param("go version go1.22.2 linux/amd64", (1, 22), id="the long form"),
        pytest.param("command not found", (0, 0), id="no version at all"),
    ],
)
def test_go_tells_its_version(said: str, version: tuple[int, int]) -> None:
    assert parse_go_version(said) == version


def test_the_pinned_toolchain_can_build_every_program() -> None:
    pinned = parse_go_version(f"go{parse_pin(PIN.read_text())}")

    assert all(pinned >= go_needed(each) for each in PROGRAMS.values())


def test_the_pin_carries_hashes() -> None:
    assert "--hash=sha256:" in PIN.read_text()
