"""`phase-operator run` on a machine that can be suspended: when it goes on, all of its clocks are ahead.

A test that needs a minute to pass has the process miss it. Timers that fell due meanwhile run at once, as they do after
a real suspension; nothing else differs.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from phase_operator import wiring
from phase_operator.core.timestamps import timestamp
from phase_operator.settings import load
from phase_operator.wiring.process import SystemClock

PROGRAM = (str(Path(__file__)),)
# The variable with the seconds that the machine had missed before the process began.
MISSED = "MISSED_SECONDS"
# What tells the process to go on, after its file says how many seconds its machine has missed altogether.
_GO_ON = signal.SIGUSR1


def miss(folder: Path, process: int, seconds: float) -> None:
    """Suspend the machine of a process that runs in a folder, and let it go on so many seconds later."""
    file = _file(folder, process)
    file.write_text(str(float(file.read_text()) + seconds))
    os.kill(process, _GO_ON)


def _file(folder: Path, process: int) -> Path:
    return folder / f"missed-{process}"


class Machine(asyncio.SelectorEventLoop):
    """The loop's clock, the machine's clocks, and how far they are ahead."""

    def __init__(self, missed: float) -> None:
        super().__init__()
        self._missed = missed

    def time(self) -> float:
        """Return the time by which timers run."""
        return super().time() + self._missed

    def monotonic(self) -> float:
        """Return the seconds of a clock that counts while the machine is suspended."""
        return SystemClock().monotonic() + self._missed

    def now(self) -> str:
        """Return the wall clock."""
        return timestamp(time.time() + self._missed)

    def go_on(self, missed: float) -> None:
        """Be ahead by so many seconds from now on."""
        self._missed = missed


def main() -> int:
    """Run until stopped; every flag is followed by its value."""
    pairs = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    settings = load({flag.removeprefix("--").replace("-", "_"): value for flag, value in pairs})
    missed = _file(Path.cwd(), os.getpid())
    missed.write_text(os.environ.get(MISSED, "0"))
    machine = Machine(float(missed.read_text()))
    machine.add_signal_handler(_GO_ON, lambda: machine.go_on(float(missed.read_text())))
    with asyncio.Runner(loop_factory=lambda: machine) as runner:
        return runner.run(wiring.run(settings, clock=machine))


if __name__ == "__main__":
    sys.exit(main())
