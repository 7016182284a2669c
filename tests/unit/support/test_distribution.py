"""A run of `make check` reaches no control plane, and modules that share something stay on one worker."""

import re
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.distribution import TOGETHER, computes, durations, group, place
from support.scheduling import Mixed

ROOT = Path(__file__).parents[3]


def test_a_module_stays_together() -> None:
    assert group("tests/unit/a.py::test_b") == group("tests/unit/a.py::TestC::test_d[x::y]") == "tests/unit/a.py"


def test_modules_that_share_a_build_stay_together() -> None:
    folder = "tests/integration/image"

    assert group(f"{folder}/test_image.py::test_a") == group(f"{folder}/test_scan.py::test_b")


def test_a_module_that_starts_a_control_plane_is_marked_so_that_make_check_leaves_it_out() -> None:
    tests = [each for each in (ROOT / "tests").rglob("test_*.py") if "integration" not in each.parts]
    starts = re.compile(r"\b(start_control|bare)_plane\(")
    found = {each.name: each.read_text() for each in tests if starts.search(each.read_text())}

    assert found
    assert [name for name, text in found.items() if "mark.controlplane" not in text] == []


def test_every_module_that_is_named_exists() -> None:
    assert [name for name in chain(*TOGETHER, durations()) if not (ROOT / name).exists()] == []


def test_modules_that_wait_come_before_those_that_compute_and_long_ones_first() -> None:
    short, new, long, unit = (
        f"tests/{each}.py::test" for each in ("contract/s", "integration/n", "contract/l", "unit/u")
    )
    known = {group(short): 3.0, group(long): 100.0, group(unit): 999.0}

    assert sorted([unit, short, new, long], key=lambda each: place(each, known)) == [new, long, short, unit]


class Node:
    """A worker that ends whatever it was sent when the test says so."""

    def __init__(self, number: int) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.shutting_down = False
        self.waiting: list[int] = []

    def send_runtest_some(self, indexes: list[int]) -> None:
        """Take tests."""
        self.waiting += indexes

    def shutdown(self) -> None:
        """End after the last of them."""
        self.shutting_down = True


def scheduled(workers: int, tests: list[str]) -> list[list[str]]:
    """Return the tests of each worker when all take equally long."""
    option = SimpleNamespace(loadscopereorder=False)
    config = SimpleNamespace(option=option, getvalue=lambda _: ["popen"] * workers)
    scheduler, nodes = Mixed(config), [Node(number) for number in range(workers)]
    for node in nodes:
        scheduler.add_node(node)
    for node in nodes:
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    ran: list[list[str]] = [[] for _ in nodes]
    while any(node.waiting for node in nodes):
        for node, done in zip(nodes, ran, strict=True):
            if node.waiting:
                done.append(tests[index := node.waiting.pop(0)])
                scheduler.mark_test_complete(node, index)
    return ran


def modules(folder: str, count: int) -> list[str]:
    return [f"tests/{folder}/test_{module}.py::test_{number}" for module in range(count) for number in range(4)]


def test_one_worker_of_many_computes_while_the_others_wait() -> None:
    waiting, computing = modules("integration", 20), modules("unit", 3)

    *others, last = scheduled(4, [*waiting, *computing])

    assert last == computing
    assert [each for done in others for each in done if computes(group(each))] == []


def test_the_others_compute_when_nothing_is_left_that_waits() -> None:
    waiting, computing = modules("integration", 3), modules("unit", 9)

    *others, last = scheduled(4, [*waiting, *computing])

    assert all(any(computes(group(each)) for each in done) for done in others)
    assert all(computes(group(each)) for each in last)


def test_the_worker_that_computes_ends_at_once_if_all_tests_wait() -> None:
    *others, last = scheduled(5, modules("integration", 8))

    assert all(others)
    assert last == []


@pytest.mark.parametrize("workers", [2, 3, 4, 8])
def test_every_test_runs_once_and_a_module_on_one_worker(workers: int) -> None:
    tests = [*modules("integration", 7), *modules("unit", 9)]

    ran = scheduled(workers, tests)

    assert sorted(each for done in ran for each in done) == sorted(tests)
    homes = {(group(each), number) for number, done in enumerate(ran) for each in done}
    assert len(homes) == len({group(each) for each in tests})


def test_two_workers_take_the_longest_first() -> None:
    tests = [*modules("integration", 2), *modules("unit", 2)]

    assert [done[:4] for done in scheduled(2, tests)] == [tests[:4], tests[4:8]]
