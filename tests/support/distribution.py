"""How tests are spread over workers by `make test` and `make check`, and which of them need a control plane.

Rule: tests that share something expensive stay together, and a worker has a control plane of its own, so that no
operator sees what the tests of another worker apply. Of many workers, the last one only computes, and gives way to
those that wait for an operator. Without workers, nothing here changes the order of tests.
"""

import gc
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A name that ends in a slash is a folder whose modules share something: a build of the image, a rehearsal of a release.
# Both share the storage of images, where a pull gives a name to the image that another build begins with.
TOGETHER = (("tests/integration/image/", "tests/integration/release/"),)
# Seconds by group, as they were measured when `--record-durations` was last given; short ones are left out.
DURATIONS = Path(__file__).with_name("durations.json")
_SHORT = 3.0
# For what was never measured: a new module is taken first, because one that takes minutes must not be the last.
_UNKNOWN = float("inf")
# What measures no seconds: unit tests; the client and the server of Phase, compared; the demo and the command line of
# the control plane, which start one of their own and have minutes for it; and modules that render the chart, or run
# promtool.
_COMPUTES = (
    "tests/unit/",
    "tests/contract/phase_",
    "tests/integration/cluster/test_cli.py",
    "tests/integration/demo/",
    "tests/manifests/test_alerts.py",
    "tests/manifests/test_chart.py",
    "tests/manifests/test_deploy_and_chart.py",
)
# With fewer workers than these, all of them take everything.
_MANY = 4
# By how much the worker that only computes is nicer than the others: it has a third of their share of a core.
_NICER = 5
# Whoever asks for one of these fixtures gets a real API server.
_REAL = frozenset({"control_plane", "cluster", "installed", "kubectl"})


# Modules and tests stay: nothing of what is made before all are collected is garbage that anybody would miss.
gc.disable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that measures."""
    about = "write how long each module took to tests/support/durations.json: on a quiet machine"
    parser.addoption("--record-durations", action="store_true", help=about)


def pytest_configure(config: pytest.Config) -> None:
    """Measure, in the process that hears of all tests."""
    if config.getoption("--record-durations", default=False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a control plane; among workers, put the longest modules first."""
    for item in items:
        if _REAL.intersection(getattr(item, "fixturenames", ())) or item.nodeid.startswith("tests/integration/"):
            item.add_marker(pytest.mark.controlplane)
    if hasattr(config, "workerinput"):
        known = durations()
        items.sort(key=lambda item: place(item.nodeid, known))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking at modules and tests again and again: that takes a third of the time.

    What tests make is looked at as seldom as in the operator.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Give way, in the worker that only computes; not before it has collected, because the others wait for that."""
    found = getattr(session.config, "workerinput", None)
    if found is not None and only_computes(found["workerid"], found["workercount"]):
        os.nice(_NICER)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Take a worker for each core; where tests wait for an operator, two more, and one that computes: `-n auto`."""
    cores = os.cpu_count() or 1
    is_computing = config.option.markexpr.startswith("not controlplane") or all(
        computes(f"{each}/") for each in config.args
    )
    return cores if is_computing else cores + 3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Keep the tests of a module on one worker, and those of folders in TOGETHER."""
    from support.scheduling import Mixed  # xdist is there when this is called, and need not be otherwise

    config.option.loadscopereorder = False  # the order is that of durations, not of how many tests a module has
    return Mixed(config, log)


def group(nodeid: str) -> str:
    """Return what a test shares with those that run on the same worker: its module, or the first of its folders."""
    return next((folders[0] for folders in TOGETHER if nodeid.startswith(folders)), nodeid.partition("::")[0])


def computes(scope: str) -> bool:
    """Say whether a group may take its time, because it measures none."""
    return scope.startswith(_COMPUTES)


def only_computes(worker: str, workers: int) -> bool:
    """Say whether a worker, by its id, is the one of many that only computes."""
    return workers >= _MANY and worker == f"gw{workers - 1}"


def durations() -> dict[str, float]:
    """Return the seconds of the groups that take long."""
    found: dict[str, float] = json.loads(DURATIONS.read_text())
    return found


def place(nodeid: str, known: Mapping[str, float]) -> tuple[bool, float, str]:
    """Return where a test stands: what waits before what computes, long groups before short ones."""
    scope = group(nodeid)
    missing = _UNKNOWN if scope.startswith("tests/integration/") else 0.0
    return computes(scope), -known.get(scope, missing), scope


class Recorder:
    """Measures how long each group takes, and writes it down when all tests have run."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a test's setup, call or teardown."""
        self._seconds[group(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Replace what is known of the groups that ran; leave the others, unless they are no more."""
        known = {each: seconds for each, seconds in durations().items() if (ROOT / each).exists()} | self._seconds
        long = {each: round(seconds) for each, seconds in known.items() if seconds >= _SHORT}
        ordered = dict(sorted(long.items(), key=lambda each: (-each[1], each[0])))
        DURATIONS.write_text(json.dumps(ordered, indent=2) + "\n")
