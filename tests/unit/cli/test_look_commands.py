"""The arguments of `get`, `explain`, `events` and `logs`."""

import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from phase_operator.cli import cli


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="kubectl phase")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["get", "shop", "-A"], "names"),
        (["get", "shop", "-l", "a=b"], "names"),
        (["get", "-w", "-o", "json"], "-w"),
        (["get", "-w", "--fail"], "-w"),
        (["get", "pod/shop"], "phasepushsecret"),
        (["get", "phs/"], "phasepushsecret"),
        (["get", "-n", "a", "-A"], "either -n or -A"),
        (["get", "--operator-port", "0"], "operator-port"),
        (["get", "-o", "xml"], "'table', 'wide', 'yaml', 'json', 'name'"),
        (["get", "--reason", "KeyColision"], 'did you mean "KeyCollision"?'),
        (["explain"], "Missing argument"),
        (["explain", "KeyColision"], 'did you mean "KeyCollision"?'),
        (["explain", "Deployment/web"], "phasepushsecret"),
        (["events"], "Missing argument"),
        (["events", "cm/x"], "phasepushsecret"),
        (["logs", "shop", "--since", "yesterday"], "10m"),
        (["logs", "shop", "--since", "0s"], "at least 1s"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_options_that_cannot_be_meant_are_a_usage_error(arguments: list[str], says: str) -> None:
    result = call(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in " ".join(result.stderr.split())


def test_a_reason_is_explained_without_a_cluster() -> None:
    result = call("explain", "keycollision", "--kubeconfig", "/does/not/exist")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("KeyCollision: what it means\n")


@pytest.mark.parametrize("what", ["\x1b[2J\x07Key", "A" * 5000])
def test_a_reason_that_there_is_not_cannot_reach_the_terminal(what: str) -> None:
    result = call("explain", what)

    assert result.exit_code == 2
    assert len(result.stderr) < 1000
    assert all(line.isprintable() for line in result.stderr.splitlines())


@pytest.mark.parametrize(
    "command", [["get"], ["get", "shop"], ["explain", "shop"], ["events", "shop"], ["logs", "shop"]]
)
def test_without_a_cluster_it_says_so_and_ends_with_3(command: list[str]) -> None:
    result = call(*command, "--kubeconfig", "/does/not/exist")

    assert (result.exit_code, result.stdout) == (3, "")
    [line] = result.stderr.splitlines()
    assert "kubectl config get-contexts" in line


def test_a_reason_is_explained_without_the_kubernetes_client() -> None:
    program = """
import sys
from phase_operator.cli import cli
try:
    cli(["explain", "Synced"])
except SystemExit:
    print([name for name in ("kubernetes", "kopf", "httpx") if name in sys.modules])
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
