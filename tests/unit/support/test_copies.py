"""A program on a PATH that is a copy has what its caller has, and ends as a program does."""

import os
import select
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support import copies, launcher
from support.operator_process import eventually

# Until a signal ends it. A signal that comes just before `signal.pause` is called would never be heard.
WAITS = "all(__import__('time').sleep(0.05) is None for _ in iter(int, 1))"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Give a program that runs a line of Python."""
    copies.put(tmp_path, "line", program="support.one_line")
    return tmp_path / "line"


def run(program: Path, line: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, line], capture_output=True, text=True, timeout=30, check=False, **more)  # type: ignore[call-overload,no-any-return]


def started(program: Path, first: str, then: str) -> subprocess.Popen[str]:
    """Start a program, and return it when the first of two things that it does is done."""
    line = f"import os, signal, sys; {first}; print(os.getpid(), flush=True); {then}"
    return subprocess.Popen([program, line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def number(process: subprocess.Popen[str]) -> int:
    """Return the number of a program's copy, once it runs."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_a_copy_has_the_arguments_folder_variables_and_input_of_its_caller(program: Path, tmp_path: Path) -> None:
    line = "import os, sys; print([sys.argv, os.getcwd(), dict(os.environ), sys.stdin.read()])"

    done = run(program, line, cwd=tmp_path, env={"ONLY_HERE": "=1\n"}, input="in\n")

    said = eval(done.stdout.splitlines()[0])
    variables = {name: value for name, value in said[2].items() if name != "LC_CTYPE"}
    assert [*said[:2], variables, said[3]] == [
        [str(program), line],
        str(tmp_path),
        {"ONLY_HERE": "=1\n"},
        "in\n",
    ]


def test_output_and_errors_are_apart_and_hold_what_is_not_utf_8(program: Path) -> None:
    done = subprocess.run(
        [program, r"import sys; print('\udcff'); print('\udcff', file=sys.stderr)"],
        capture_output=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.splitlines()[0] == b"\xff"
    assert done.stderr == b"\\udcff\n"


@pytest.mark.parametrize(
    ("line", "code", "errors"),
    [
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('no')", 1, "no\n"),
        ("import os; os._exit(9)", 9, ""),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM, ""),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
    ],
    ids=["a code", "words", "at once", "terminated", "killed"],
)
def test_the_program_ends_as_its_copy_does(line: str, code: int, errors: str, program: Path) -> None:
    done = run(program, line)

    assert (done.returncode, done.stderr) == (code, errors)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_program_is_one_to_its_copy(sent: signal.Signals, program: Path) -> None:
    ends = f"signal.signal({int(sent)}, lambda *_: sys.exit(5))"
    with started(program, ends, WAITS) as process:
        assert number(process) != process.pid
        process.send_signal(sent)

    assert process.returncode == 5


def test_ctrl_c_is_an_exception_in_the_copy(program: Path) -> None:
    # A shell has what it starts in the background ignore Ctrl-C, and Python leaves it so.
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    with started(program, heard, WAITS) as process:
        number(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)

    assert "KeyboardInterrupt" in errors


def test_a_copy_goes_with_a_program_that_is_killed(program: Path) -> None:
    with started(program, "pass", WAITS) as process:
        copy = Path(f"/proc/{number(process)}")
        assert copy.exists()
        process.kill()

        eventually(lambda: not copy.exists(), what="the copy goes")


def test_a_copy_goes_with_a_program_that_is_killed_before_it_hears_of_the_copy() -> None:
    reading, writing = os.pipe()
    with closing(launcher.call(str(copies.address("support.one_line")), ["line", WAITS], [0, writing, writing])):
        os.close(writing)

    # It reads as ended when nobody has the other end any more.
    ended, _, _ = select.select([reading], [], [], 10)
    os.close(reading)

    assert ended


@pytest.mark.parametrize(
    "called", [("kubectl-phase", "get", "-A"), ("phase-operator", "get", "--no-such")], ids=" ".join
)
def test_the_command_line_answers_as_the_installed_one_does(called: tuple[str, ...], tmp_path: Path) -> None:
    name, *arguments = called
    copies.put(tmp_path, name)
    (tmp_path / "none").write_text("{}")
    variables = {**os.environ, "KUBECONFIG": str(tmp_path / "none"), "PYTHONPATH": os.pathsep.join(sys.path)}

    copy, installed = (
        subprocess.run([folder / name, *arguments], env=variables, capture_output=True, text=True, check=False)
        for folder in (tmp_path, Path(sys.executable).parent)
    )

    assert copy.returncode != 0
    assert (copy.returncode, copy.stdout, copy.stderr) == (installed.returncode, installed.stdout, installed.stderr)
