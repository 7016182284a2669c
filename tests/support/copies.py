"""Programs on a PATH that run as copies of a process which has imported the command line already.

A command of a page is a line for a shell, and most of its time is the start of an interpreter and its imports. What
`put` writes takes its place: it hands its arguments, folder, variables and streams to a copy, which runs `main` from
the beginning, passes signals on to it, and ends as it ends. The installed programs are run by
tests/manifests/test_repository.py, and with a cluster by the tutorial's test in tests/integration/operator.
"""

import atexit
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
from array import array
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from support import launcher
from support.forked import Forked, run_main
from support.operator_process import eventually

# How often the process looks whether the one that started it is still there.
LOOK_SECONDS = 5.0
PROGRAM = "phase_operator.cli"


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of a program has: the streams are open descriptors."""

    arguments: list[str]
    folder: str
    variables: dict[str, str]
    streams: list[int]


def put(folder: Path, *names: str, program: str = PROGRAM) -> None:
    """Write a program under some names, which runs `main` of a module as a copy."""
    text = f"#!{sys.executable} -IS\n{Path(launcher.__file__).read_text()}\n\nlaunch({str(address(program))!r})\n"
    for name in names:
        file = folder / name
        file.write_text(text)
        file.chmod(0o755)


@cache
def program(name: str = "phase-operator") -> Path:
    """Return such a program of the command line, for all who call it themselves."""
    folder = address().parent
    put(folder, name)
    return folder / name


@cache
def address(program: str = PROGRAM) -> Path:
    """Start the process of which copies are made; it ends with this one. Return where it is asked for them."""
    # Short, since the address of a socket has no room for the folder of a test.
    folder = Path(tempfile.mkdtemp(prefix="copies-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place, log = folder / "socket", folder / "log"
    variables = {"PATH": os.environ.get("PATH", os.defpath)}
    arguments = (str(place), program, str(os.getpid()))
    process = Forked(__name__, arguments, output=log, folder=folder, variables=variables)

    def is_there() -> bool:
        assert process.poll() is None, log.read_text()
        return place.exists()

    eventually(is_there, within=60, what="copies can be made")
    return place


def main() -> int:
    """Make copies for those who ask at an address, until the process that started this one has gone."""
    address, program, of = sys.argv[1:]
    module = import_module(program)
    for each in getattr(module, "COMMANDS", ()):
        import_module(each.module)
    import_module("support.frozen")
    # Nobody waits for those who serve a call.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{address}.new")
        listening.listen(16)
        listening.settimeout(LOOK_SECONDS)
        os.rename(f"{address}.new", address)
        while _lives(int(of)):
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            with connection:
                if os.fork() == 0:
                    listening.close()
                    return _serve(connection, program)
    return 0


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def _serve(connection: socket.socket, program: str) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.setblocking(True)
    call = _received(connection)
    number = os.fork()
    if number == 0:
        connection.close()
        return _run(call, program)
    for each in call.streams:
        os.close(each)
    _tell(connection, number)
    ended = os.pidfd_open(number)
    asked, _, _ = select.select([connection.fileno(), ended], [], [])
    has_gone = connection.fileno() in asked
    if has_gone:
        # Who called is killed, and can pass no signal on.
        os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    if not has_gone:
        _tell(connection, os.waitstatus_to_exitcode(status))
    return 0


def _tell(connection: socket.socket, number: int) -> None:
    # Who called may have been killed: then the connection reads as ended, and the copy has to end, too.
    with suppress(BrokenPipeError):
        connection.sendall(number.to_bytes(4, "big", signed=True))


def _received(connection: socket.socket) -> Call:
    streams = array("i")
    start, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_SPACE(3 * streams.itemsize), socket.MSG_WAITALL)
    [(_, _, descriptors)] = ancillary
    streams.frombytes(descriptors)
    body = connection.recv(int.from_bytes(start, "big"), socket.MSG_WAITALL).decode(errors="surrogateescape")
    count, *words = body.split("\0")
    arguments, (folder, *variables) = words[: int(count)], words[int(count) :]
    return Call(arguments, folder, dict(each.split("=", 1) for each in variables), list(streams))


def _run(call: Call, program: str) -> int:
    for number, each in enumerate(call.streams):
        os.dup2(each, number)
        os.close(each)
    # As an interpreter opens them.
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape")  # noqa: SIM115 - for as long as the process lives
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    return int(run_main(program, call.arguments, call.folder, call.variables) or 0)
