"""`phase-dev cluster` as a person or a script meets it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from integration.cluster.waiting import eventually

pytestmark = pytest.mark.controlplane


def environment(folder: Path) -> dict[str, str]:
    """Return our environment, with temporary files and records in a folder of the test's own; the cache is shared."""
    (folder / "tmp").mkdir()
    return {**os.environ, "TMPDIR": str(folder / "tmp"), "XDG_STATE_HOME": str(folder / "state")}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "phase_dev.cluster", *arguments]


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=env, capture_output=True, text=True, timeout=120, check=False)


def left_behind(folder: Path) -> list[str]:
    """Return the command lines that mention the folder, and the files in it, except for locks."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    files = [str(path) for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return [line for line in lines if str(folder / "tmp") in line] + files


def test_up_status_and_down_in_the_background(tmp_path: Path) -> None:
    env, kubeconfig = environment(tmp_path), tmp_path / "kubeconfig"

    up = run(env, "up", "--kubeconfig", str(kubeconfig))
    assert up.returncode == 0, up.stderr
    assert str(kubeconfig) in up.stdout
    again = run(env, "up")
    status = run(env, "status")
    down = run(env, "down")

    assert (again.returncode, len(again.stderr.splitlines())) == (1, 1)
    assert status.returncode == 0
    assert '"default": ready' in status.stdout
    assert "kube-apiserver" in status.stdout
    assert down.returncode == 0
    assert left_behind(tmp_path) == []
    assert run(env, "status").returncode == 1
    assert run(env, "down").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_signal_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    env = environment(tmp_path)
    with subprocess.Popen(command("up", "--foreground"), env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "is at https://127.0.0.1:" in process.stdout.readline()

        process.send_signal(number)

        assert process.wait(20) == (-number if number is signal.SIGKILL else 0)
    if number is signal.SIGKILL:
        run(env, "down")
    eventually(lambda: left_behind(tmp_path) == [])


def test_a_signal_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with subprocess.Popen(command("up"), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        eventually(lambda: any((tmp_path / "tmp").glob("phase-dev-cluster-*/etcd.log")))

        process.send_signal(signal.SIGINT)

        assert process.wait(20) == 128 + signal.SIGINT
    eventually(lambda: left_behind(tmp_path) == [])


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        pytest.param(["up"], {"KUBEBUILDER_ASSETS": "/nonexistent"}, id="a folder that is not there"),
        pytest.param(["up", "--kubeconfig", "{there}"], {}, id="a kubeconfig of somebody else"),
        pytest.param(["up", "--name", "../x"], {}, id="a name that is none"),
        pytest.param(["up", "--kubeconfig", "/dev/null/kubeconfig"], {}, id="a kubeconfig that cannot be written"),
        pytest.param(["status"], {}, id="a status without a cluster"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, arguments: list[str], variables: dict[str, str]) -> None:
    (tmp_path / "there").write_text("kind: Config\n")
    env = {**environment(tmp_path), **variables}

    done = run(env, *(each.format(there=tmp_path / "there") for each in arguments))

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("Error: ")
