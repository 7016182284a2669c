"""The program that stands on a PATH for another one and has it run as a copy of a process: see `support.copies`.

Nothing but what an interpreter has anyway is imported, so that a start takes a hundredth of a second.
"""

import _socket
import os
import signal
import sys
from array import array
from contextlib import suppress
from types import FrameType

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def launch(address: str) -> None:
    """Have a copy run with this process's arguments, folder, variables and streams, and end as it ends."""
    # None is lost before there is a copy to pass it on to.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    connection = call(address, sys.argv, [0, 1, 2])
    number = _number(connection)

    def pass_on(sent: int, _frame: FrameType | None) -> None:
        # It may have ended just now.
        with suppress(ProcessLookupError):
            os.kill(number, sent)

    for each in PASSED_ON:
        signal.signal(each, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    code = _number(connection)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def call(address: str, arguments: list[str], streams: list[int]) -> _socket.socket:
    """Ask for a copy that has these arguments and streams; return the connection that ends it if it is closed."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(address)
    variables = [f"{name}={value}" for name, value in os.environ.items()]
    body = "\0".join([str(len(arguments)), *arguments, os.getcwd(), *variables]).encode(errors="surrogateescape")
    message = len(body).to_bytes(8, "big") + body
    passed = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", streams).tobytes())
    sent = connection.sendmsg([message], [passed])
    connection.sendall(message[sent:])
    return connection


def _number(connection: _socket.socket) -> int:
    told = connection.recv(4, _socket.MSG_WAITALL)
    if not told:
        sys.exit("whoever makes the copies has gone")
    return int.from_bytes(told, "big", signed=True)
