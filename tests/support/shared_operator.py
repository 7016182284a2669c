"""The operator of a module's tests, which is not there while one of them runs its own.

Two operators at once, which do not elect a leader, both write targets and statuses; with other settings they contradict
each other, and the last one to write wins.

A conftest.py defines `module_operator`, a SharedOperator for each module, imports the fixtures below, and has its
`stage` ask for `no_second_operator`.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from phase_dev.cluster import ControlPlane
from support.operator_process import PROGRAM, OperatorProcess, running_operator


class SharedOperator:
    """Starts the operator when a test asks for it."""

    def __init__(self, plane: ControlPlane, folder: Path, program: Sequence[str] = PROGRAM) -> None:
        self._plane, self._folder, self._program = plane, folder, program
        self._running = ExitStack()
        self._operator: OperatorProcess | None = None

    def operator(self) -> OperatorProcess:
        """Return the running operator."""
        if self._operator is None:
            starting = running_operator(self._plane, self._folder, program=self._program)
            self._operator = self._running.enter_context(starting)
        return self._operator

    def stop(self) -> None:
        """End it, if it runs."""
        self._running.close()
        self._operator = None


@pytest.fixture
def operator(module_operator: SharedOperator) -> OperatorProcess:
    """Give the module's operator, at work."""
    return module_operator.operator()


@pytest.fixture
def no_second_operator(module_operator: SharedOperator, request: pytest.FixtureRequest) -> None:
    """End the module's operator, unless the test asks for it."""
    if "operator" not in request.fixturenames:
        module_operator.stop()
