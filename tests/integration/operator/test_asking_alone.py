"""How Phase is asked by an operator that nobody helps: restarts, quotas, references."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import suspended
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World

SECRETS = "/v1/secrets/"


@pytest.fixture
def quick(stage: World, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Run an operator that follows references within seconds."""
    with running_operator(stage.plane, tmp_path, "--reference-seconds", "3") as operator:
        yield operator


def test_a_change_by_reference_arrives_within_the_bound(stage: World, quick: OperatorProcess) -> None:
    stage.operator = quick
    stage.phase_secret(phaseAppEnv="Development")
    stage.phase_secret("staging", phaseAppEnv="Staging")
    stage.until_ready()
    stage.until_ready("staging")

    stage.phase.set("shop", "Staging", "CDN_HOST", "cdn.moved.example")

    eventually(lambda: (stage.data() or {})["CDN_HOST"] == "cdn.moved.example", within=30, what="the reference follows")


def test_after_a_restart_what_moved_costs_one_read_for_all(stage: World, tmp_path: Path) -> None:
    with running_operator(stage.plane, tmp_path) as first:
        stage.operator = first
        names = stage.many()
    stage.phase.set("shop", "Production", "LOG_LEVEL", "error")
    stage.phase.reset_calls()

    with running_operator(stage.plane, tmp_path) as second:
        stage.operator = second
        stage.until_data(names, LOG_LEVEL="error")

        assert stage.phase.calls(route=SECRETS) == 1


def test_a_target_that_went_while_nobody_looked_is_made_again(stage: World, tmp_path: Path) -> None:
    with running_operator(stage.plane, tmp_path) as first:
        stage.operator = first
        stage.phase_secret()
        stage.until_ready()
    stage.delete("secret", "shop")

    with running_operator(stage.plane, tmp_path):
        eventually(lambda: stage.data() is not None, what="the Secret is back")


def test_a_quota_is_kept_before_phase_refuses(stage: World, tmp_path: Path) -> None:
    stage.phase.set_quota(10)
    for number in range(12):
        stage.phase.set("shop", "Production", "KEY", f"value {number}", path=f"/folder-{number}")

    flags = ("--phase-quota", "10", "--whole-environment-above", "0")
    with running_operator(stage.plane, tmp_path, *flags, program=suspended.PROGRAM) as operator:
        stage.operator = operator
        for number in range(12):
            stage.phase_secret(f"shop-{number}", phaseAppEnvPath=f"/folder-{number}")
        eventually(lambda: stage.phase.calls(route=SECRETS) >= 7, what="the first reads")
        stage.in_time(
            lambda: stage.data("shop-11") and stage.data("shop-0"), within=90, what="the rest, a minute later"
        )

    assert stage.phase.calls(status=429) == 0


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("phase-quota", "-1"),
        ("whole-environment-above", "many"),
        ("reference-seconds", "-5"),
        ("full-read-seconds", "1"),
    ],
)
def test_absurd_settings_are_refused_by_name(stage: World, tmp_path: Path, flag: str, value: str) -> None:
    with (
        pytest.raises(AssertionError, match=f"the operator ended with 2(.|\n)*--{flag}"),
        running_operator(stage.plane, tmp_path, f"--{flag}", value),
    ):
        raise AssertionError("it started")
