"""A process that is killed at any step leaves no lease behind and loses none in use.

The process is really killed, between two requests that it makes one after another: the second one is held on its way.
After all is quiet, what lives at Phase is what ledgers name.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.api_proxy import ApiProxy, Asked
from support.lease_stage import NAME, TARGET, LeaseStage
from support.operator_process import OperatorProcess, eventually, running_operator

SHORT: dict[str, Any] = {"leaseTTL": 120, "rolloverPercent": 10, "overlap": 0}
_STATUS = f"/phasedynamicsecrets/{NAME}/status"


class Places:
    """Which requests of the operator are held, and whether one has come."""

    def __init__(self, verb: str, part: str, *, after: Callable[[], bool] = lambda: True) -> None:
        self._verb, self._part, self._after = verb, part, after
        self.has_come = False

    def __call__(self, asked: Asked) -> bool:
        is_it = asked.verb == self._verb and self._part in asked.path and (self.has_come or self._after())
        self.has_come |= is_it
        return is_it


@pytest.fixture
def proxy(stage: LeaseStage) -> Iterator[ApiProxy]:
    with ApiProxy(stage.plane) as found:
        yield found


@pytest.fixture(autouse=True)
def told(stage: LeaseStage) -> Iterator[None]:
    """Tell what was left at the server when all was over: `pytest -rP` shows it, with what was there at rest before."""
    yield
    stage.tell("at the end")


@contextmanager
def killed(stage: LeaseStage, folder: Path, proxy: ApiProxy, place: Places) -> Iterator[OperatorProcess]:
    """Run an operator until it makes a request of this place, which never arrives; then kill it."""
    with running_operator(stage.plane, folder, url=proxy.url) as operator:
        proxy.hold(place)
        yield operator
        eventually(lambda: place.has_come, within=60, what="it comes to the place")
        kill(operator)
    # What was held is lost with the process: its connection is gone.
    proxy.mend()


def kill(operator: OperatorProcess) -> None:
    """Kill a process as the kernel does when memory is short."""
    operator.process.kill()
    operator.process.wait(10)


def settled(stage: LeaseStage, folder: Path, *, leases: int = 1, within: float = 60.0) -> None:
    """Let another process find what is there, until all is quiet; then delete all."""
    with running_operator(stage.plane, folder):
        stage.until_serving(within=within)
        stage.until_quiet(within=within)
        (serving,) = (row["id"] for row in stage.ledger() if row["state"] == "Active")
        assert stage.held() == serving
        assert len(stage.live()) == leases
        stage.no_leases()
    assert stage.live() == []


def test_k1_the_ledger_is_written_and_phase_was_not_called(stage: LeaseStage, tmp_path: Path) -> None:
    # The call never reaches what makes leases.
    stage.phase.fail("delay", delay=300, lease=True, times=1)
    with running_operator(stage.plane, tmp_path) as operator:
        stage.dynamic_secret()
        stage.until_rows("Asking")
        time.sleep(0.5)
        kill(operator)
    assert stage.live() == []

    settled(stage, tmp_path, within=170)

    assert stage.phase.calls(lease=True) <= 2


def test_k2_while_phase_makes_the_lease(stage: LeaseStage, tmp_path: Path) -> None:
    stage.phase.leases.fail("delay", delay=4)
    with running_operator(stage.plane, tmp_path) as operator:
        stage.dynamic_secret()
        stage.until_rows("Asking")
        time.sleep(1)
        kill(operator)
    eventually(lambda: len(stage.live()) == 1, what="Phase makes the lease, though nobody waits for it")
    (orphan,) = stage.live()
    stage.phase.clear()

    settled(stage, tmp_path)

    assert any(each["reason"] == "LeaseOrphanRevoked" and orphan.id in each["message"] for each in stage.events_of())


def test_k3_the_answer_came_and_its_record_was_not_made(stage: LeaseStage, tmp_path: Path, proxy: ApiProxy) -> None:
    with killed(stage, tmp_path, proxy, Places("PATCH", f"/secrets/{NAME}-lease-")):
        stage.dynamic_secret()
    (orphan,) = stage.live()
    assert stage.records() == []

    settled(stage, tmp_path)

    assert any(each["reason"] == "LeaseOrphanRevoked" and orphan.id in each["message"] for each in stage.events_of())


def test_k4_the_record_is_made_and_the_ledger_does_not_say_so(
    stage: LeaseStage, tmp_path: Path, proxy: ApiProxy
) -> None:
    with killed(stage, tmp_path, proxy, Places("PATCH", _STATUS, after=lambda: bool(stage.records()))):
        stage.dynamic_secret()
    (made,) = stage.live()
    assert [row["state"] for row in stage.ledger()] == ["Asking"]

    settled(stage, tmp_path)

    assert stage.phase.calls(lease=True) == 1
    assert not any(each["reason"] == "LeaseOrphanRevoked" for each in stage.events_of()), made.id


def test_k5_the_ledger_says_it_and_the_targets_do_not_have_it(
    stage: LeaseStage, tmp_path: Path, proxy: ApiProxy
) -> None:
    with killed(stage, tmp_path, proxy, Places("PATCH", f"/secrets/{TARGET}")):
        stage.dynamic_secret()
    assert [row["state"] for row in stage.ledger()] == ["Active"]
    assert stage.data(TARGET) is None

    settled(stage, tmp_path)

    assert stage.phase.calls(lease=True) == 1


def test_k6_the_targets_have_the_next_lease_and_the_one_before_retires(stage: LeaseStage, tmp_path: Path) -> None:
    fields = SHORT | {"overlap": 20}
    with running_operator(stage.plane, tmp_path) as operator:
        stage.dynamic_secret(**fields)
        stage.until_serving()
        first = stage.held()
        eventually(lambda: stage.held() not in ("", first), within=40, what="the next lease is in the target")
        kill(operator)
    assert first in {each.id for each in stage.live()}, "the one before is still in use"

    with running_operator(stage.plane, tmp_path):
        eventually(lambda: first not in {each.id for each in stage.live()}, within=60, what="it is given back")
        stage.no_leases()
    assert stage.live() == []


def test_k7_the_answer_to_a_revocation_is_lost(stage: LeaseStage, tmp_path: Path) -> None:
    with running_operator(stage.plane, tmp_path) as operator:
        stage.dynamic_secret(**SHORT)
        stage.until_serving()
        first = stage.held()
        stage.phase.fail("lost", method="DELETE")
        eventually(lambda: first not in {each.id for each in stage.live()}, within=60, what="it is revoked, unknown")
        assert first in {row.get("id") for row in stage.ledger()}
        kill(operator)
    stage.phase.clear()
    stage.dynamic_secret(leaseTTL=3600)

    with running_operator(stage.plane, tmp_path):
        eventually(lambda: first not in {row.get("id") for row in stage.ledger()}, within=60, what="it is out")
        stage.until_quiet()
        stage.no_leases()
    assert stage.live() == []


def test_k8_a_lease_is_revoked_and_its_record_stands(stage: LeaseStage, tmp_path: Path, proxy: ApiProxy) -> None:
    with killed(stage, tmp_path, proxy, Places("DELETE", f"/secrets/{NAME}-lease-")):
        stage.dynamic_secret(**SHORT)
        stage.until_serving()
        first = stage.held()
    assert first not in {each.id for each in stage.live()}
    assert len(stage.records()) == 2
    stage.dynamic_secret(leaseTTL=3600)

    with running_operator(stage.plane, tmp_path):
        eventually(lambda: first not in {row.get("id") for row in stage.ledger()}, within=60, what="it is out")
        stage.until_quiet()
        stage.no_leases()
    assert stage.records() == []


@pytest.mark.parametrize(
    ("verb", "part"),
    [
        pytest.param("PATCH", f"/secrets/{NAME}-lease-", id="before the record"),
        pytest.param("PATCH", f"/secrets/{TARGET}", id="before the target"),
    ],
)
def test_k9_a_resource_that_is_deleted_while_nobody_works(
    stage: LeaseStage, tmp_path: Path, proxy: ApiProxy, verb: str, part: str
) -> None:
    with killed(stage, tmp_path, proxy, Places(verb, part)):
        stage.dynamic_secret()
    stage.plane.kubectl("-n", stage.namespace, "delete", "phasedynamicsecret", NAME, "--wait=false")
    assert len(stage.live()) == 1

    with running_operator(stage.plane, tmp_path):
        eventually(lambda: not stage.resource(), within=60, what="it is gone")

    assert stage.live() == []
    eventually(lambda: stage.records() == [], what="its record is gone")


def test_k10_the_api_server_is_away_after_the_answer(stage: LeaseStage, tmp_path: Path, proxy: ApiProxy) -> None:
    with running_operator(stage.plane, tmp_path, url=proxy.url):
        place = Places("PATCH", f"/secrets/{NAME}-lease-")
        proxy.answer(503, "ServiceUnavailable", scope=place)
        stage.dynamic_secret()
        eventually(lambda: place.has_come, what="it tries to make the record")
        proxy.answer(503, "ServiceUnavailable")
        time.sleep(5)
        proxy.mend()

        stage.until_serving(within=60)
        stage.until_quiet()
        assert stage.phase.calls(lease=True) == 1
        stage.no_leases()


def test_two_leaders_for_a_moment_leave_one_lease(stage: LeaseStage, tmp_path: Path, proxy: ApiProxy) -> None:
    with running_operator(stage.plane, tmp_path, url=proxy.url):
        # The first has an answer, and is cut off from the cluster before its record is made.
        place = Places("PATCH", f"/secrets/{NAME}-lease-")
        proxy.hold(place)
        stage.dynamic_secret()
        eventually(lambda: place.has_come, what="the first has an answer")

        with running_operator(stage.plane, tmp_path):
            stage.until_serving(within=60)
            serving = stage.held()
            proxy.mend()
            time.sleep(5)

            stage.until_quiet()
            assert stage.held() == serving
            assert len(stage.live()) == 1
            stage.no_leases()
    assert stage.live() == []
