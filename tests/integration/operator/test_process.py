"""The process: starts with a sentence or not at all, answers probes, drains and ends in time, starts again for free."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support import copies
from support.operator_process import eventually, running_operator
from support.world import World


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        pytest.param(["--kubeconfig", "/nowhere"], "--kubeconfig", id="no such kubeconfig"),
        pytest.param(["--health-port", "many"], "--health-port", id="port is no number"),
        pytest.param(["--log-level", "loud"], "--log-level", id="unknown level"),
        pytest.param(["--phase-ca-file", __file__], "--phase-ca-file", id="no certificates in the file"),
        pytest.param(["--namespace", "Not_A_Name"], "--namespace", id="not a namespace"),
    ],
)
def test_a_bad_setting_is_one_sentence_and_exit_2(flags: list[str], told: str, tmp_path: Path) -> None:
    command = [str(copies.program()), "run", *flags]

    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)

    assert answer.returncode == 2
    assert told in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_one_sentence_and_exit_2(world: World, tmp_path: Path) -> None:
    kubeconfig = world.plane.service_account_kubeconfig("phase-system", "phase-operator")
    taken = str(world.operator.health_port)
    command = [str(copies.program()), "run", "--kubeconfig", str(kubeconfig)]
    command += ["--host", "127.0.0.1", "--health-port", taken, "--metrics-port", "0", "--log-level", "error"]

    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)

    assert answer.returncode == 2
    assert taken in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_kubeconfig_that_is_none_is_one_sentence_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("clusters: 7")
    command = [str(copies.program()), "run", "--kubeconfig", "kubeconfig"]

    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)

    assert answer.returncode == 2
    assert "kubeconfig" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_the_operator_answers_probes_and_metrics(world: World) -> None:
    assert world.operator.get("/healthz").text.strip() == "ok"
    assert world.operator.get("/readyz").text.strip() == "ok"
    assert "phase_operator_build_info" in world.operator.get("/metrics", metrics=True).text


def test_sigterm_ends_it_within_5_seconds_with_exit_0(installed: ControlPlane, tmp_path: Path) -> None:
    with running_operator(installed, tmp_path) as operator:
        began = time.monotonic()

        assert operator.stop() == 0

        assert time.monotonic() - began < 5


def test_a_restart_writes_nothing(world: World, tmp_path: Path) -> None:
    world.phase_secret(managedConfigMapReferences=[{"configMapName": "shop-config"}])
    found = world.until_ready()
    before = (world.get("secret", "shop"), world.get("configmap", "shop-config"))
    world.phase.reset_calls()

    with running_operator(world.plane, tmp_path) as second:
        eventually(
            lambda: second.metric("phase_operator_reconcile_total", outcome="Confirmed") >= 1, what="its first run"
        )
        calls = world.phase.calls(route="/v1/secrets/")

    assert (world.get("secret", "shop"), world.get("configmap", "shop-config")) == before
    assert world.get("phasesecret", "shop") == found
    assert calls == 0


def test_the_operator_sees_the_namespaces_of_its_settings(world: World, tmp_path: Path) -> None:
    with running_operator(world.plane, tmp_path, "--namespace", "default") as second:
        world.phase_secret()
        world.until_ready()

        assert second.metric("phase_operator_reconcile_total") == 0


def test_the_old_finalizer_of_the_official_operator_goes_away(world: World) -> None:
    world.phase_secret()
    world.until_ready()

    world.patch("phasesecret", "shop", {"metadata": {"finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}})

    eventually(
        lambda: not (world.get("phasesecret", "shop") or {})["metadata"].get("finalizers"), what="the finalizer goes"
    )


def test_the_environment_says_what_flags_say(installed: ControlPlane, tmp_path: Path) -> None:
    environment = os.environ | {"PHASE_OPERATOR_LOG_LEVEL": "loud"}
    # The one that begins with the interpreter: the others end as it does.
    command = [sys.executable, "-m", "phase_operator", "run"]

    answer = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False, env=environment
    )

    assert answer.returncode == 2
    assert "PHASE_OPERATOR_LOG_LEVEL" in answer.stderr


def test_phase_may_be_unreachable_from_the_first_moment(world: World) -> None:
    with EmbeddedPhase() as gone:
        url = gone.url
    world.phase_secret(phaseHost=url)

    assert world.until_reason("PhaseUnavailable")["status"] == "False"
