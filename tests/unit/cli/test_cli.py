import os
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from phase_dev import documents
from phase_operator import __version__
from phase_operator.api import crd, names
from phase_operator.cli import COMMANDS, cli
from phase_operator.cli.common.lazy import Lazy, LazyGroup
from phase_operator.settings import PREFIX, Settings

BROKEN = (
    Lazy("good", "phase_operator.cli.commands.crds", "crds", "Works."),
    Lazy("broken", "no.such.module", "command", "Cannot be imported.", "Others"),
)
NAMES = [each.name for each in COMMANDS]
# The packages that take time, and are of no use to a command that does not run the operator.
HEAVY = ("kopf", "prometheus_client", "phase_operator.wiring", "phase_operator.handlers")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


def call(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=variables, prog_name="phase-operator")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_every_command(flag: str) -> None:
    result = call(flag)

    assert result.exit_code == 0
    assert [name for name in NAMES if f"\n  {name} " not in result.stdout] == []


@pytest.mark.parametrize("command", sorted(NAMES))
def test_every_command_has_help(command: str) -> None:
    result = call(command, "-h")

    assert result.exit_code == 0
    assert f"phase-operator {command}" in result.stdout


def test_every_setting_is_a_flag_and_a_variable() -> None:
    told = call("run", "--help").stdout

    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')} " in told
        assert re.search(rf"\[env\s+var:\s+{PREFIX}{name.upper()}[;\]]", told)


def test_the_version_is_told() -> None:
    assert call("--version").stdout.split() == ["phase-operator,", "version", __version__]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["run", "--health-port", "none"], "--health-port", id="no number"),
        pytest.param(["run", "--log-level", "loud"], "--log-level", id="not of the list"),
        pytest.param(["run", "--kubeconfig", "/does/not/exist"], "--kubeconfig", id="no file"),
        pytest.param(
            ["run", "--namespace", "A", "--namespace", "b", "--workers", "x"], "--namespace", id="one bad of two"
        ),
        pytest.param(["run", "--grant", "from=a,to=b,what=all"], "--grant", id="no grant"),
        pytest.param(["run", "--allow-phase-host", "phase.example"], "--allow-phase-host", id="no host"),
        pytest.param(["run", "--allow-impersonation-types=no?"], "--allow-impersonation-types", id="no switch"),
        pytest.param(["run", "--allow-impersonation-types", "--workers", "x"], "--workers", id="a lone switch"),
    ],
)
def test_a_bad_setting_is_one_line_and_exit_code_2(arguments: list[str], named: str) -> None:
    result = call(*arguments)

    [line] = result.stderr.splitlines()
    assert line.startswith(f"phase-operator: {named} ")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_bad_variable_is_told_by_its_name() -> None:
    result = call("run", PHASE_OPERATOR_WORKERS="many")

    [line] = result.stderr.splitlines()
    assert "PHASE_OPERATOR_WORKERS" in line
    assert result.exit_code == 2


@pytest.mark.parametrize("arguments", [["fly"], ["run", "--fly"], ["crds", "fly"]], ids=" ".join)
def test_an_unknown_command_or_option_is_a_usage_error(arguments: list[str]) -> None:
    result = call(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "fly" in result.stderr


def test_crds_prints_what_the_models_say() -> None:
    result = call("crds")

    printed = list(documents.load_all(result.stdout))
    assert result.exit_code == 0
    assert printed == [crd.document(definition) for definition in crd.DEFINITIONS]
    assert {document["kind"] for document in printed} == {"CustomResourceDefinition"}
    assert printed[0]["metadata"]["name"] == f"{names.PLURAL_PHASE_SECRETS}.{names.GROUP}"


def test_a_command_is_imported_when_it_is_called_and_not_before() -> None:
    group = LazyGroup("tool", lazies=BROKEN)

    result = CliRunner().invoke(group, ["good"])

    assert result.exit_code == 0
    with pytest.raises(ModuleNotFoundError):
        CliRunner().invoke(group, ["broken"], catch_exceptions=False)


def test_a_lazy_group_knows_its_commands_in_their_order() -> None:
    group = LazyGroup("tool", lazies=BROKEN)
    context = click.Context(group)

    assert group.list_commands(context) == ["good", "broken"]
    assert group.get_command(context, "none") is None


def test_help_says_a_line_of_each_command_and_imports_none() -> None:
    result = CliRunner().invoke(LazyGroup("tool", lazies=BROKEN), ["--help"])

    assert result.exit_code == 0
    assert "Commands:\n  good  Works.\n" in result.stdout
    assert "Others:\n  broken  Cannot be imported.\n" in result.stdout


def test_the_line_in_the_help_does_not_contradict_the_command() -> None:
    context = click.Context(cli)
    for each in COMMANDS:
        command = cli.get_command(context, each.name)
        assert command is not None
        assert command.name == each.name or each.attribute == "command"
        assert each.about.endswith(".")
        assert command.help


def test_no_command_but_run_imports_the_operator() -> None:
    imports = "[cli.get_command(click.Context(cli), each.name) for each in COMMANDS if each.name != 'run']"
    told = f"print([name for name in {HEAVY!r} if name in sys.modules])"
    code = f"import click, sys; from phase_operator.cli import COMMANDS, cli; {imports}; {told}"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


def test_ctrl_c_in_a_command_exits_130() -> None:
    @click.command()
    def waits() -> None:
        raise KeyboardInterrupt

    assert CliRunner().invoke(_only(waits), ["waits"]).exit_code == 130


def _only(command: click.Command) -> LazyGroup:
    """Return a group with one command, which is there already."""

    class Group(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return command

    return Group("tool", lazies=[])
