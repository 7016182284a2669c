"""What a scrape of a real operator shows, and what it shows of each PhaseSecret if it is asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from phase_dev.cluster import ControlPlane
from support.canary import Canary
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World

READY = "phase_operator_resource_ready"
SUCCESS = "phase_operator_resource_last_success_timestamp_seconds"
CONFIRMED = "phase_operator_source_confirmed_timestamp_seconds"


@pytest.fixture(scope="module")
def telling(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """Run an operator with metrics for each resource."""
    with running_operator(installed, tmp_path_factory.mktemp("operator"), "--resource-metrics") as process:
        yield process


@pytest.fixture
def told(stage: World, telling: OperatorProcess, canary: Canary) -> World:
    """Give the stage with that operator at work."""
    canary.watch(lambda: telling.get("/metrics", metrics=True).text)
    stage.operator = telling
    return stage


def test_each_metric_comes_and_goes_with_its_phase_secret(told: World, canary: Canary) -> None:
    told.phase.set("shop", "Production", "DATABASE_PASSWORD", canary.value("password"))
    told.phase_secret(phaseAppEnvPath="/")
    told.until_ready()
    operator, shop = told.operator, {"namespace": told.namespace, "name": "shop"}

    eventually(lambda: operator.metric(READY, **shop) == 1, what="it is ready")
    assert operator.metric(SUCCESS, **shop) > 1.7e9
    assert operator.metric(CONFIRMED, app="shop", environment="production", path="/") > 1.7e9
    assert operator.metric("phase_operator_source_entries") >= 3
    assert 0 < operator.metric("phase_operator_answers_bytes") < operator.metric("phase_operator_answers_limit_bytes")
    assert operator.metric("phase_operator_entries_read_total") >= 3

    told.plane.kubectl("-n", told.namespace, "delete", "phasesecret", "shop", "--wait=true")

    eventually(lambda: told.namespace not in operator.get("/metrics", metrics=True).text, what="it is gone")


def test_by_default_nothing_is_named(stage: World, canary: Canary, tmp_path: Path) -> None:
    stage.phase.set("shop", "Production", "DATABASE_PASSWORD", canary.value("password"))
    # Of its own namespace only: others leave PhaseSecrets behind that are not ready.
    with running_operator(stage.plane, tmp_path, "--namespace", stage.namespace) as operator:
        stage.operator = operator
        stage.phase_secret()
        stage.until_ready()
        eventually(lambda: operator.metric("phase_operator_not_ready_seconds") == 0, what="all are ready")

        text = operator.get("/metrics", metrics=True).text
        canary.watch(text)
        assert stage.namespace not in text
        assert 'name="' not in text
        assert operator.metric("phase_operator_quota_waiting_calls") == 0
