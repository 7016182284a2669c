"""The benchmarks run, and count what they should at a small size; how long anything takes is not judged here."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import compare, fleet
from bench.__main__ import Bench
from bench.candidate import Failed
from bench.compare import Comparison, candidate_of
from bench.small_quota import Load
from bench.stage import Stage
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.namespaces import no_namespace_stays
from support.operator_process import REPOSITORY, install_once

# A list, a read and a probe are the first look at one environment: one more than the quota allows. Of more
# environments, as many calls are refused together as are under way, which depends on how busy the machine is.
QUOTA = Load(interval=5, limit=2, windows=1, window=10.0, apps=1, environments=1)
# One for each app.
COMPARED = fleet.APPS
NEW = 3
SOURCES = fleet.APPS * len(fleet.ENVIRONMENTS)


# Minutes of waiting in one setup.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Give a cluster where the operator is installed; the fleet goes afterwards."""
    install_once(control_plane)
    with no_namespace_stays(control_plane):
        yield control_plane


def compared(plane: ControlPlane, folder: Path, command: str, *measures: str) -> dict[str, str]:
    """Put a program through the comparison, with resources from a template, and take them away again."""
    samples = REPOSITORY / "tests/bench/samples"
    words = ["--name", "it", "--command", command, "--ready", "Ready", "--measures", *measures]
    words += ["--template", str(samples / "phase-operator.yaml"), "--apply", str(REPOSITORY / "crds")]
    words += ["--each-namespace", str(samples / "phase-operator-namespace.yaml")]
    words += ["--service-account", "phase-system/phase-operator"]
    options = compare.arguments().parse_args(words)
    with EmbeddedPhase(fleet.seed()) as phase:
        stage = Stage(plane, phase, folder, candidate_of(options), COMPARED, interval=5)
        stage.prepare()
        comparison = Comparison(stage, minute=6.0, edits=COMPARED, new=NEW, beside_bare=False)
        try:
            comparison.run(options.measures)
        finally:
            asyncio.run(fleet.unmake(plane, range(COMPARED + NEW)))
    return {row[0]: row[1] for row in comparison.table.rows}


def test_our_operator_goes_through_the_comparison_as_any_other_would(plane: ControlPlane, tmp_path: Path) -> None:
    flags = "--pod-namespace phase-system --leader-elect false --host 127.0.0.1"
    ports = "--health-port ${port1} --metrics-port ${port2}"
    command = f"${{python}} -m phase_operator run --kubeconfig ${{kubeconfig}} {flags} {ports}"

    rows = compared(plane, tmp_path, command, *compare.MEASURES)

    # A read for each, and a probe for each of its apps; the list of apps.
    assert int(rows["calls to Phase in it"]) >= 2 * COMPARED + 1
    assert ", 0 writes, " in rows["nothing changes for 6 s, at 5 s"]
    assert rows["a value changes, 1 resources use it"].endswith(" s (p99)")
    assert rows[f"{COMPARED} targets edited by hand"].startswith(f"{COMPARED} repaired, ")
    assert rows[f"a new resource while {COMPARED} are refreshed"].endswith(f" s (p99 of {NEW})")
    assert ", 0 writes, " in rows["the first 6 s of a restart, all in step"]
    assert float(rows["memory then"].removesuffix(" MiB")) > 10.0
    assert re.fullmatch(
        r"[\d.]+ s from the start of the process", rows[f"cold start until {COMPARED} targets are there"]
    )


def test_the_bare_program_goes_through_the_same_arguments(plane: ControlPlane, tmp_path: Path) -> None:
    program = f"env PYTHONPATH={REPOSITORY / 'tests'} ${{python}} -m bench.bare"
    command = f"{program} --kubeconfig ${{kubeconfig}} --size ${{size}} --namespaces ${{namespaces}}"

    rows = compared(plane, tmp_path, command)

    assert rows["calls to Phase in it"] == "0"
    assert f"cold start until {COMPARED} targets are there" in rows


def test_a_program_that_ends_at_once_is_shown_with_the_end_of_its_log(plane: ControlPlane, tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"(?s)ended with 3; the end of its log:\nno such flag"):
        compared(plane, tmp_path, "sh -c 'echo no such flag; exit 3'")


@pytest.fixture
def rows(plane: ControlPlane, tmp_path: Path) -> dict[str, str]:
    """Run every row at the size at which each environment has one resource, and a few more."""
    with EmbeddedPhase(fleet.seed()) as phase:
        bench = Bench(
            plane,
            phase,
            tmp_path,
            SOURCES + 10,
            foreign=3,
            python=None,
            interval=5,
            minute=10.0,
            followers=20,
            rest=0.5,
            starts=1,
            bare_as_admin=True,
            quota=QUOTA,
        )
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
    assert rows[QUOTA.name] == "1 refused"
    assert "a change in a namespace with 20 Deployments that follow" in rows
