"""`phase-dev cluster` as a person or a script meets it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from integration.cluster.waiting import eventually
from phase_dev.cluster import locate

pytestmark = pytest.mark.controlplane


def environment(folder: Path) -> dict[str, str]:
    """Return our environment, with temporary files and records in a folder of the test's own; the cache is shared."""
    (folder / "tmp").mkdir()
    return {**os.environ, "TMPDIR": str(folder / "tmp"), "XDG_STATE_HOME": str(folder / "state")}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "phase_dev", "cluster", *arguments]


@contextmanager
def running(env: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command until the block ends; a test that fails does not wait for it."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command(*arguments), env=env, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until_it_runs(process: subprocess.Popen[str]) -> None:
    """Return when it says where the cluster is; how long that takes is the machine's affair."""
    assert process.stdout is not None
    assert "is at https://127.0.0.1:" in process.stdout.readline()


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=env, capture_output=True, text=True, timeout=120, check=False)


def left_behind(folder: Path) -> list[str]:
    """Return the command lines that mention the folder, and the files in it, except for locks."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    # Unlike `rglob`, `walk` passes over a folder that somebody removes meanwhile, which is what the tests wait for.
    names = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    files = [name for name in names if not name.endswith(".lock")]
    return [line for line in lines if str(folder / "tmp") in line] + files


def test_a_kubeconfig_leads_to_it_and_goes_with_it_at_ctrl_c(tmp_path: Path) -> None:
    env, kubeconfig = environment(tmp_path), tmp_path / "kubeconfig"
    with running(env, "run", "--kubeconfig", str(kubeconfig)) as process:
        until_it_runs(process)
        kubectl = [str(locate("kubectl")), "--kubeconfig", str(kubeconfig)]

        said = subprocess.run([*kubectl, "get", "ns", "-o", "name"], capture_output=True, text=True, check=True).stdout

        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert "namespace/default" in said
    eventually(lambda: left_behind(tmp_path) == [])


def test_a_program_that_ends_by_itself_ends_the_cluster_in_one_sentence(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with running(env, "run") as process:
        assert process.stderr is not None
        until_it_runs(process)
        etcd = next(each for each in psutil.Process(process.pid).children(recursive=True) if each.name() == "etcd")

        etcd.kill()

        assert process.wait(20) == 1
        assert process.stderr.read().splitlines()[-1].startswith("Error: etcd ended with code -9")
    eventually(lambda: left_behind(tmp_path) == [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_signal_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    env = environment(tmp_path)
    with running(env, "run") as process:
        until_it_runs(process)

        process.send_signal(number)

        assert process.wait(20) == (-number if number is signal.SIGKILL else 0)
    eventually(lambda: left_behind(tmp_path) == [])


def test_a_signal_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with running(env, "run") as process:
        eventually(lambda: any((tmp_path / "tmp").glob("phase-dev-cluster-*/etcd.log")))

        process.send_signal(signal.SIGINT)

        assert process.wait(20) == 128 + signal.SIGINT
    eventually(lambda: left_behind(tmp_path) == [])


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        pytest.param(["run"], {"KUBEBUILDER_ASSETS": "/nonexistent"}, id="a folder that is not there"),
        pytest.param(["run", "--kubeconfig", "{there}"], {}, id="a kubeconfig of somebody else"),
        pytest.param(["run", "--kubeconfig", "/dev/null/kubeconfig"], {}, id="a kubeconfig that cannot be written"),
    ],
)
def test_an_impossible_command_is_answered_in_one_sentence(
    tmp_path: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    (tmp_path / "there").write_text("kind: Config\n")
    env = {**environment(tmp_path), **variables}

    done = run(env, *(each.format(there=tmp_path / "there") for each in arguments))

    assert done.returncode == 1
    assert not any((tmp_path / "tmp").iterdir()), "no cluster was started for it"
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("Error: ")
