"""Start programs of Python as copies of a process that has imported them already.

To import the operator takes more than a second of a core, and the tests start it hundreds of times. A copy has what an
import makes and nothing else: arguments, variables, folder and output are its own, and it runs from the beginning of
`main`. Where a test is about the start itself, or about memory, it begins with the interpreter instead.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Protocol

# What copies are made of: the modules, and what they import.
PROGRAMS = ("phase_operator.cli.commands.run", "support.suspended", "support.frozen")


class Process(Protocol):
    """What tests do with a process; a `subprocess.Popen` is one."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def returncode(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None until somebody saw it end."""

    def poll(self) -> int | None:
        """Look whether it has ended, and return the code."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends, for so many seconds at most: `subprocess.TimeoutExpired`."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it still runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Forked:
    """A copy that runs `main` of a module until it ends."""

    def __init__(
        self, module: str, arguments: Sequence[str], *, output: Path, folder: Path, variables: Mapping[str, str]
    ) -> None:
        """Start it; its output and its errors go to a file."""
        about = (module, tuple(arguments), str(output), str(folder), dict(variables))
        self._process = _context().Process(target=_run, args=about, daemon=True)
        self._process.start()
        self._arguments = arguments

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or minus the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Look whether it has ended, and return the code."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(list(self._arguments), timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


@cache
def _context() -> ForkServerContext:
    # It is given no path: it reads the variable, which is there only while it starts.
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PROGRAMS))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(each for each in sys.path if each)
    try:
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return context


def _run(module: str, arguments: Sequence[str], output: str, folder: str, variables: Mapping[str, str]) -> None:
    with Path(output).open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    sys.exit(run_main(module, [module, *arguments], folder, variables))


def run_main(module: str, words: Sequence[str], folder: str, variables: Mapping[str, str]) -> int | str | None:
    """Run `main` of a module as a program that was started with these words, there, and return what it returns."""
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = list(words)
    code: int | str | None = import_module(module).main()
    return code
