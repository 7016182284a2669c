"""How tests are spread over workers by `make test` and `make check`, and which of them need a control plane.

Rule: tests that share something expensive stay together, and a worker has a control plane of its own, so that no
operator sees what the tests of another worker apply. Without workers, nothing here changes the order of tests.
"""

import os
from typing import Any

import pytest

# A name that ends in a slash is a folder whose modules share something: here, a build of the image.
TOGETHER = ("tests/integration/image/",)
# Longest first, so that no worker ends with one of them alone: they wait more than they compute.
FIRST = (
    "tests/integration/operator/test_faults.py",
    "tests/integration/bench/",
    "tests/integration/operator/test_restarts.py",
    "tests/integration/operator/test_leaders.py",
    "tests/integration/image/",
    "tests/integration/operator/test_asking_alone.py",
    "tests/integration/operator/test_pages.py",
    "tests/integration/demo/",
    "tests/integration/",
    "tests/contract/",
    "tests/manifests/",
)
# Whoever asks for one of these fixtures gets a real API server.
_REAL = frozenset({"control_plane", "cluster", "installed", "kubectl"})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a control plane; among workers, put the longest modules first."""
    for item in items:
        if _REAL.intersection(getattr(item, "fixturenames", ())) or item.nodeid.startswith("tests/integration/"):
            item.add_marker(pytest.mark.controlplane)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Take a worker for each core, and one more where tests wait for an operator: `-n auto`."""
    cores = os.cpu_count() or 1
    return cores if config.option.markexpr == "not controlplane" else cores + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Keep the tests of a module on one worker, and those of a folder in TOGETHER."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    config.option.loadscopereorder = False  # the order is that of FIRST, not of how many tests a module has
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group
    return scheduler


def group(nodeid: str) -> str:
    """Return what a test shares with those that run on the same worker: its module, or its folder."""
    return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def _place(nodeid: str) -> int:
    return next((place for place, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))
