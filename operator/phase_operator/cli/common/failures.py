"""How a command ends: its exit code, and one sentence that says what to do.

Rule: exit codes are promises to scripts. Errors of the rooms below become one of these here and nowhere else.
"""

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import IO, Any

import click

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class ExitCode(IntEnum):
    """What the exit code of a command says."""

    OK = 0
    # Something differs, is not ready, or a check failed: the answer to what was asked is no.
    NO = 1
    USAGE = 2
    NO_CLUSTER = 3
    NO_PHASE = 4
    TIMED_OUT = 5


# What each says to people, in the help and on the page of all commands.
MEANINGS = {
    ExitCode.OK: "It is done, or the answer is yes.",
    ExitCode.NO: "The answer is no: something differs, is not ready or failed a check; or the cluster refused.",
    ExitCode.USAGE: "The command line, a file or a setting is wrong.",
    ExitCode.NO_CLUSTER: "The cluster cannot be reached.",
    ExitCode.NO_PHASE: "Phase cannot be reached, or it refused.",
    ExitCode.TIMED_OUT: "It was not done in time; it may still come about.",
}
INTERRUPTED = 130


class Failure(click.ClickException):
    """A command cannot do what it was asked to; the message is for the person who gave it."""

    def __init__(self, message: str, code: ExitCode = ExitCode.NO) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click means the same for all errors of a class
        # Asked for here: when the message is shown, the command has been left.
        context = click.get_current_context(silent=True)
        self._program = (context.find_root().info_name if context else None) or "phase-operator"

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as one line on the error stream."""
        click.echo(f"{self._program}: {self.message}", file=file or sys.stderr)


def ending(command: Callable[[], Any]) -> int:
    """Run a command of click that does not exit by itself; return the exit code of the process."""
    try:
        code = command()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    return code if isinstance(code, int) else ExitCode.OK


def to_a_reader(command: Callable[[], Any]) -> Any:
    """Return what a command returns; None if the reader of its output is gone, such as `head`, which is no error.

    Raise Failure if a disk takes no more of the output.
    """
    try:
        result = command()
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EPIPE and error.errno not in _NO_ROOM:
            raise
        # What is still in the buffer has to go somewhere when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            raise Failure(f"the output cannot be written: {error.strerror}") from error
        return None
    return result


def open_streams() -> None:
    """Give a process that was started without standard streams, as by `<&-`, empty ones."""
    # In the order of their descriptors: each takes the lowest that is free.
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - it stays open for as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end a question at once, also one within an event loop, which would only take note of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
