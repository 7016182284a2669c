"""An operator with a host for resources that name none: they are read there as others are at the cloud."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from phase_operator.cli import cli
from phase_operator.cli.common.failures import ExitCode
from support.operator_process import running_operator
from support.world import World, phase_secret


@pytest.fixture
def world(stage: World, tmp_path: Path) -> Iterator[World]:
    """Give a namespace and an operator whose default host is the test's Phase."""
    with running_operator(stage.plane, tmp_path, "--default-host", stage.phase.url) as operator:
        stage.operator = operator
        yield stage


def test_a_resource_that_names_no_host_is_read_at_the_default_host(world: World) -> None:
    world.apply(phase_secret("shop", world.phase.url, phaseHost=None))

    status = world.until_ready()["status"]

    assert world.data()
    assert status["source"]["host"] == world.phase.url


def test_a_resource_that_names_its_host_says_it_nowhere_else(world: World) -> None:
    world.phase_secret()

    assert "host" not in world.until_ready()["status"]["source"]


def test_commands_ask_where_the_operator_asks(world: World) -> None:
    world.apply(phase_secret("shop", world.phase.url, phaseHost=None))
    world.until_ready()

    def run(*arguments: str) -> tuple[int, str]:
        given = ["--kubeconfig", str(world.plane.kubeconfig), "-n", world.namespace]
        done = CliRunner().invoke(cli, [*arguments, *given], prog_name="kubectl phase")
        return done.exit_code, done.output

    code, shown = run("tree", "shop", "-o", "json")
    assert code == ExitCode.OK, shown
    assert world.phase.url in shown
    # The status alone is no reason to send a token there; the person has to name the host.
    code, shown = run("diff", "shop")
    assert code == ExitCode.USAGE, shown
    assert world.phase.url in shown
    code, shown = run("diff", "shop", "--default-host", world.phase.url)
    assert code == ExitCode.OK, shown
    assert json.dumps(world.data()) not in shown
