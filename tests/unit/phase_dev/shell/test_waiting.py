"""A wait ends with the condition, with a reason, or with the time."""

from pathlib import Path

import pytest

from phase_dev.cluster.client import node_manifest, takes_pods
from phase_dev.shell.errors import StartFailed, ToolError
from phase_dev.shell.processes import Patience, Process, sane_environment, tail, wait_until
from unit.phase_dev.cluster.builders import HandClock


def patience(clock: HandClock) -> Patience:
    return Patience(timeout=10, every=1, clock=clock, pause=clock.pause)


def idle(folder: Path) -> Process:
    return Process("etcd", ["etcd"], log=folder / "etcd.log", group=0, env={})


def test_a_wait_ends_as_soon_as_the_condition_holds() -> None:
    clock = HandClock()

    wait_until(lambda: clock.now >= 4, "it is four", [], patience(clock))

    assert clock.now == 4


def test_a_wait_in_vain_shows_the_end_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "etcd.log").write_text("starting\ndisk is full\n")

    with pytest.raises(StartFailed, match=r"until etcd answers .*disk is full"):
        wait_until(lambda: False, "etcd answers", [idle(tmp_path)], patience(HandClock()))


def test_a_wait_can_be_given_up() -> None:
    def give_up() -> None:
        raise ToolError("given up")

    with pytest.raises(ToolError, match="given up"):
        wait_until(lambda: False, "never", [], Patience(check=give_up, pause=lambda _: None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\nb\n\nc\nd\n", "b | c | d", id="the last lines"),
        pytest.param("\n", "(the log is empty)", id="an empty log"),
    ],
)
def test_a_log_is_shown_by_its_end(tmp_path: Path, text: str, shown: str) -> None:
    (tmp_path / "log").write_text(text)

    assert tail(tmp_path / "log") == shown


def test_a_log_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert tail(tmp_path / "log") == "(no log)"


def test_the_programs_know_nothing_of_our_proxies_and_kubeconfig(tmp_path: Path) -> None:
    of_go = {"GOGC": "50", "GOMAXPROCS": "3"}
    env = sane_environment({"PATH": "/bin", "HTTPS_PROXY": "p", "KUBECONFIG": "k", "HOME": "/root", **of_go}, tmp_path)

    assert env["PATH"] == "/bin"
    assert env["HOME"] == str(tmp_path)
    assert {name: env[name] for name in of_go} == of_go
    assert not {"HTTPS_PROXY", "KUBECONFIG"} & set(env)


@pytest.mark.parametrize(
    ("ready", "taints", "expected"),
    [
        pytest.param("True", [], True, id="ready"),
        pytest.param("False", [], False, id="not ready"),
        pytest.param("True", ["node.kubernetes.io/not-ready"], False, id="ready and still tainted"),
        pytest.param("True", ["example.test/gpu"], True, id="a taint of somebody else"),
    ],
)
def test_a_node_takes_pods_when_it_is_ready_and_free_of_taints(ready: str, taints: list[str], expected: bool) -> None:
    node = node_manifest("node-0")
    node["spec"] = {"taints": [{"key": key} for key in taints]}
    node["status"]["conditions"] = [{"type": "Ready", "status": ready}]

    assert takes_pods(node) is expected
