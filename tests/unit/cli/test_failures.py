"""How a command ends: its exit code, one line, and a reader that goes away."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from phase_operator.cli.common.failures import ExitCode, Failure, ending
from phase_operator.cli.common.lazy import LazyGroup

WRITER = """
import sys
from phase_operator.cli.common.lazy import Lazy, LazyGroup
import click

@click.command()
def talk():
    for number in range(100_000):
        click.echo(f"line {number}")

sys.modules["talker"] = sys.modules["__main__"]
group = LazyGroup("tool", lazies=[Lazy("talk", "talker", "talk", "")])
group(["talk"])
"""


def raising(error: BaseException) -> int:
    def command() -> None:
        raise error

    return ending(command)


@pytest.mark.parametrize("code", [code for code in ExitCode if code])
def test_a_failure_is_one_line_on_the_error_stream_and_its_code(
    code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(Failure("there is no such thing", code)) == code

    assert capsys.readouterr() == ("", "phase-operator: there is no such thing\n")


def test_a_failure_is_told_under_the_name_of_the_program() -> None:
    @click.command()
    def broken() -> None:
        raise Failure("no")

    result = CliRunner().invoke(broken, prog_name="kubectl phase")

    assert result.stderr == "kubectl phase: no\n"
    assert result.exit_code == ExitCode.NO


def test_a_usage_error_is_exit_code_2() -> None:
    assert raising(click.UsageError("give a name")) == ExitCode.USAGE


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()], ids=["Ctrl-C", "no at a question"])
def test_ctrl_c_ends_with_the_code_of_the_signal_and_without_a_traceback(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(error) == 130

    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (5, 5), ("text", 0)])
def test_the_result_of_a_command_is_its_code_only_if_it_is_a_number(returned: object, code: int) -> None:
    assert ending(lambda: returned) == code


def test_an_unexpected_error_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "line 0\n"
        process.stdout.close()
        told = process.stderr.read()

    assert (process.returncode, told) == (0, "")


def test_a_group_ends_with_the_code_of_its_command() -> None:
    result = CliRunner().invoke(LazyGroup("tool", lazies=[]), ["none"])

    assert result.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("redirection", "command", "code", "says"),
    [
        ("<&-", "lint -f -", 0, "0 resources checked"),
        ("<&-", "auth create", 2, "give the token"),
        (">&-", "crds", 0, ""),
        ("<&- >&- 2>&-", "version", 0, ""),
        (">/dev/full", "crds", 1, "the output cannot be written: No space left on device"),
    ],
)
def test_streams_that_are_closed_or_full_end_in_no_traceback(
    redirection: str, command: str, code: int, says: str
) -> None:
    script = f'exec "$0" -m phase_operator {command} {redirection}'
    done = subprocess.run(["/bin/sh", "-c", script, sys.executable], capture_output=True, text=True, timeout=60)

    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
