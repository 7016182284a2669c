"""A replica of the operator that is killed again and again."""

import signal
from contextlib import ExitStack
from pathlib import Path

from phase_dev.cluster import ControlPlane
from support.operator_process import OperatorProcess, eventually, running_operator, serves

# The settle window: short.
SETTLE = ("--restart-settle-seconds", "2")


class Replica:
    """One replica, which is started again whenever it was killed.

    It begins with the interpreter that is named, or as a copy of a process that has imported the operator.
    """

    def __init__(
        self, plane: ControlPlane, url: str, folder: Path, python: Path | None, flags: tuple[str, ...] = ()
    ) -> None:
        self._plane, self._url, self._folder, self._python, self._flags = plane, url, folder, python, flags
        self._stack = ExitStack()
        self.operator: OperatorProcess = self._start()

    def _start(self) -> OperatorProcess:
        flags = (*SETTLE, *self._flags)
        started = running_operator(
            self._plane, self._folder, *flags, elects=True, url=self._url, python=self._python, waits=False
        )
        operator = self._stack.enter_context(started)
        eventually(lambda: serves(operator), within=60, what="a replica answers")
        return operator

    def leads(self) -> bool:
        """Say whether it holds the Lease."""
        return self.operator.metric("phase_operator_leader") == 1

    def kill(self) -> None:
        """Kill it, without a word, and start it again."""
        self.operator.process.send_signal(signal.SIGKILL)
        self.operator.process.wait(10)
        self._stack.close()
        self._stack = ExitStack()
        self.operator = self._start()

    def close(self) -> None:
        """End it."""
        self._stack.close()
