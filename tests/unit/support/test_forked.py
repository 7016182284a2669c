"""A copy of a process runs a program as an interpreter of its own would, with nothing of the process that asked for it.

The programs are modules of the standard library that have a `main`.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.forked import Forked


def run(folder: Path, module: str, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run a program until it ends; return its exit code and its output."""
    output = folder / "output"
    process = Forked(module, arguments, output=output, folder=folder, variables=variables)
    code = process.wait(30)
    assert (process.poll(), process.returncode) == (code, code)
    return code, output.read_text()


def asleep(folder: Path) -> Forked:
    """Start a program that sleeps for a minute."""
    arguments = ("-n1", "-r1", "__import__('time').sleep(60)")
    return Forked("timeit", arguments, output=folder / "output", folder=folder, variables={})


def test_a_copy_has_arguments_and_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"a":1}')

    assert run(tmp_path, "json.tool", "--compact", "in.json") == (0, '{"a":1}\n')


def test_a_copy_has_variables_of_its_own_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY_HERE", "1")
    code, output = run(tmp_path, "timeit", "-n1", "-r1", "import os; print(dict(os.environ))", ONLY_THERE="2")

    assert code == 0
    assert output.splitlines()[0] == "{'ONLY_THERE': '2'}"
    assert "ONLY_THERE" not in os.environ


def test_errors_go_to_the_output_and_their_exit_code_is_known(tmp_path: Path) -> None:
    code, output = run(tmp_path, "json.tool", "no-such-file.json")

    assert code == 2
    assert "No such file" in output


def test_an_exception_is_shown_and_is_exit_code_one(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text("{")
    code, output = run(tmp_path, "json.tool", "in.json")

    assert code == 1
    assert "Expecting property name" in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_copy_and_is_its_code(number: signal.Signals, tmp_path: Path) -> None:
    process = asleep(tmp_path)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)

    process.send_signal(number)

    assert process.wait(30) == -number
    process.send_signal(number)  # nothing is there to hear it


def test_copies_run_beside_each_other_and_one_that_ends_leaves_the_others(tmp_path: Path) -> None:
    one, other = asleep(tmp_path), asleep(tmp_path)
    one.kill()

    assert one.wait(30) == -signal.SIGKILL
    assert other.poll() is None
    assert one.pid != other.pid
    other.terminate()
    assert other.wait(30) == -signal.SIGTERM


def test_a_copy_has_imported_the_operator_before_it_begins(tmp_path: Path) -> None:
    statement = "import sys; print('phase_operator.wiring' in sys.modules, 'pytest' in sys.modules)"

    assert run(tmp_path, "timeit", "-n1", "-r1", statement)[1].splitlines()[0] == "True False"
    assert "pytest" in sys.modules
