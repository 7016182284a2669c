"""The benchmarks run, and count what they should at a small size; how long anything takes is not judged here."""

from pathlib import Path

import pytest

from bench import fleet
from bench.__main__ import Bench
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.operator_process import install

SOURCES = fleet.APPS * len(fleet.ENVIRONMENTS)


# Minutes of waiting in one setup.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def rows(control_plane: ControlPlane, tmp_path: Path) -> dict[str, str]:
    """Run every row at the size at which each environment has one resource, and a few more."""
    install(control_plane)
    with EmbeddedPhase(fleet.seed()) as phase:
        bench = Bench(control_plane, phase, tmp_path, SOURCES + 10, foreign=3, interval=5, minute=10.0, followers=20)
        bench.run()
    return {work: ours for work, _, ours in bench.table.rows}


def test_the_counts_are_within_their_limits(rows: dict[str, str]) -> None:
    size = SOURCES + 10

    reads, probes, lists = rows[f"cold start, {size} resources over {SOURCES} environments"].split(" + ")
    assert (reads, lists) == ("60 reads", "1 lists")
    # One for each app; more only where the start took longer than the interval.
    assert int(probes.removesuffix(" probes")) >= fleet.APPS
    assert ", 0 reads, 0 writes" in rows[f"nothing changes for 10 s, {size} resources at 5 s"]
    assert rows["a value changes, 2 resources use it"].startswith("1 read;")
    assert rows[f"{size} targets edited by hand"].endswith(", 0 reads")
    assert rows[f"restart with {size + 50} synced resources"].startswith("0 reads, 0 writes;")
    for handed_over in ("the leader is asked to stop", "the leader is killed"):
        assert rows[f"{handed_over}, {size} resources"].endswith("; 1 read, 2 writes")
    assert rows["every environment changes in one second, quota 120 a minute"].startswith("0 x 429;")
    assert "a change in a namespace with 20 Deployments that follow" in rows
