"""A process that is killed at any step leaves no lease behind and loses none in use.

The process is really killed, between two requests that it makes one after another: the second one is held on its way.
After all is quiet, what lives at Phase is what ledgers name. Time that would only be waited for is missed instead, by
Phase and by the process that goes on (`tests/support/suspended.py`).
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.api_proxy import ApiProxy
from support.kills import Places, kill, killed
from support.lease_stage import NAME, TARGET, LeaseStage
from support.operator_process import eventually

SHORT: dict[str, Any] = {"leaseTTL": 120, "rolloverPercent": 10, "overlap": 0}
# Seconds after which another lease may be asked for, when one was lost or replaced early. The roll-over of a SHORT one,
# the first look at the list of Phase, and the next try of a write come sooner.
AGAIN = 15.0
# Seconds after which a call that was lost cannot give a lease any more, and a moment before them.
SURELY, ALMOST = 130.0, 120.0
_STATUS = f"/phasedynamicsecrets/{NAME}/status"


@pytest.fixture
def proxy(stage: LeaseStage) -> Iterator[ApiProxy]:
    with ApiProxy(stage.plane) as found:
        yield found


@pytest.fixture(autouse=True)
def told(stage: LeaseStage) -> Iterator[None]:
    """Tell what was left at the server when all was over: `pytest -rP` shows it, with what was there at rest before."""
    yield
    stage.tell("at the end")


def settled(stage: LeaseStage, folder: Path, *, later: float = 0.0) -> None:
    """Let another process find what is there, and some time pass until all is quiet; then delete all."""
    with stage.running(folder) as operator:
        stage.later(later, operator)
        comes_to_rest(stage)
    assert stage.live() == []


def comes_to_rest(stage: LeaseStage) -> None:
    """Wait until all is quiet, look at it, and delete all."""
    stage.until_serving(within=60)
    stage.until_quiet()
    (serving,) = (row["id"] for row in stage.ledger() if row["state"] == "Active")
    assert stage.held() == serving
    assert len(stage.live()) == 1
    stage.no_leases()


def test_k1_the_ledger_is_written_and_phase_was_not_called(stage: LeaseStage, tmp_path: Path) -> None:
    # The call never reaches what makes leases.
    stage.phase.fail("delay", delay=300, lease=True, times=1)
    with stage.running(tmp_path) as operator:
        stage.dynamic_secret()
        (row,) = stage.until_rows("Asking")
        time.sleep(0.5)
        kill(operator)
    assert stage.live() == []
    stage.phase.reset_calls()

    with stage.running(tmp_path) as operator:
        stage.later(ALMOST, operator)
        eventually(lambda: stage.phase.calls(method="GET") > 0, what="it looks whether there is a lease")
        time.sleep(1)
        assert [each["attempt"] for each in stage.ledger()] == [row["attempt"]], "it could still be made"
        stage.later(SURELY - ALMOST, operator)
        comes_to_rest(stage)
    assert stage.live() == []
    assert stage.phase.calls(lease=True) <= 2


def test_k2_while_phase_makes_the_lease(stage: LeaseStage, tmp_path: Path) -> None:
    # Three calls to the cloud make a lease.
    stage.phase.leases.fail("delay", delay=2)
    with stage.running(tmp_path) as operator:
        stage.dynamic_secret()
        eventually(lambda: stage.phase.phase.leasing.in_the_making, what="Phase has begun")
        kill(operator)
    assert stage.live() == []
    assert [row["state"] for row in stage.ledger()] == ["Asking"]
    eventually(lambda: len(stage.live()) == 1, what="Phase makes the lease, though nobody waits for it")
    (orphan,) = stage.live()
    stage.phase.clear()

    settled(stage, tmp_path, later=AGAIN)

    assert any(each["reason"] == "LeaseOrphanRevoked" and orphan.id in each["message"] for each in stage.events_of())


def test_k3_the_answer_came_and_its_record_was_not_made(stage: LeaseStage, tmp_path: Path, proxy: ApiProxy) -> None:
    with killed(stage, tmp_path, proxy, Places("PATCH", f"/secrets/{NAME}-lease-")):
        stage.dynamic_secret()
    (orphan,) = stage.live()
    assert stage.records() == []

    settled(stage, tmp_path, later=AGAIN)

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
    with stage.running(tmp_path) as operator:
        stage.dynamic_secret(**fields)
        stage.until_serving()
        first = stage.held()
        stage.later(AGAIN, operator)
        eventually(lambda: stage.held() not in ("", first), within=40, what="the next lease is in the target")
        kill(operator)
    assert first in {each.id for each in stage.live()}, "the one before is still in use"

    with stage.running(tmp_path) as operator:
        stage.later(fields["overlap"], operator)
        eventually(lambda: first not in {each.id for each in stage.live()}, within=60, what="it is given back")
        stage.no_leases()
    assert stage.live() == []


def test_k7_the_answer_to_a_revocation_is_lost(stage: LeaseStage, tmp_path: Path) -> None:
    with stage.running(tmp_path) as operator:
        stage.dynamic_secret(**SHORT)
        stage.until_serving()
        first = stage.held()
        stage.phase.fail("lost", method="DELETE")
        stage.later(AGAIN, operator)
        eventually(lambda: first not in {each.id for each in stage.live()}, within=60, what="it is revoked, unknown")
        assert first in {row.get("id") for row in stage.ledger()}
        kill(operator)
    stage.phase.clear()
    stage.dynamic_secret(leaseTTL=3600)

    with stage.running(tmp_path):
        eventually(lambda: first not in {row.get("id") for row in stage.ledger()}, within=60, what="it is out")
        stage.until_quiet()
        stage.no_leases()
    assert stage.live() == []


def test_k8_a_lease_is_revoked_and_its_record_stands(stage: LeaseStage, tmp_path: Path, proxy: ApiProxy) -> None:
    with killed(stage, tmp_path, proxy, Places("DELETE", f"/secrets/{NAME}-lease-")) as operator:
        stage.dynamic_secret(**SHORT)
        stage.until_serving()
        first = stage.held()
        stage.later(AGAIN, operator)
    assert first not in {each.id for each in stage.live()}
    assert len(stage.records()) == 2
    stage.dynamic_secret(leaseTTL=3600)

    with stage.running(tmp_path):
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

    with stage.running(tmp_path) as operator:
        stage.later(AGAIN, operator)
        eventually(lambda: not stage.resource(), within=60, what="it is gone")

    assert stage.live() == []
    eventually(lambda: stage.records() == [], what="its record is gone")


def test_k10_the_api_server_is_away_after_the_answer(stage: LeaseStage, tmp_path: Path, proxy: ApiProxy) -> None:
    with stage.running(tmp_path, url=proxy.url) as operator:
        place = Places("PATCH", f"/secrets/{NAME}-lease-")
        proxy.answer(503, "ServiceUnavailable", scope=place)
        stage.dynamic_secret()
        eventually(lambda: place.has_come, what="it tries to make the record")
        proxy.answer(503, "ServiceUnavailable")
        time.sleep(5)
        proxy.mend()
        # Its next try would come by itself, after a pause.
        stage.later(AGAIN, operator)

        stage.until_serving(within=60)
        stage.until_quiet()
        assert stage.phase.calls(lease=True) == 1
        stage.no_leases()


def test_two_leaders_for_a_moment_leave_one_lease(stage: LeaseStage, tmp_path: Path, proxy: ApiProxy) -> None:
    with stage.running(tmp_path, url=proxy.url):
        # The first has an answer, and is cut off from the cluster before its record is made.
        place = Places("PATCH", f"/secrets/{NAME}-lease-")
        proxy.hold(place)
        stage.dynamic_secret()
        eventually(lambda: place.has_come, what="the first has an answer")

        with stage.running(tmp_path) as second:
            stage.later(AGAIN, second)
            stage.until_serving(within=60)
            serving = stage.held()
            proxy.mend()
            time.sleep(5)

            stage.until_quiet()
            assert stage.held() == serving
            assert len(stage.live()) == 1
            stage.no_leases()
    assert stage.live() == []
