"""See to it that nothing outlives us, not even a kill -9.

A guard is a small process beside a process group which all our children join. It holds the reading end of a pipe;
when we are gone, however that came about, the pipe closes and the guard kills the group and removes the folders.
PR_SET_PDEATHSIG would be shorter, but it fires when the *thread* that started the child ends, and it is Linux only.
"""

import contextlib
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

_SCRIPT = """
import os, shutil, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
leader = os.fork()
if not leader:
    os.setpgid(0, 0)
    os.close(0); os.close(1)
    while True:
        signal.pause()
try:
    os.setpgid(leader, leader)
except OSError:
    pass
os.write(1, b"%d" % leader)
os.close(1)
while os.read(0, 64):
    pass
os.killpg(leader, signal.SIGKILL)
os.waitpid(leader, 0)
for folder in sys.argv[1:]:
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            break
        time.sleep(0.02)
"""


class Guard:
    """Holds a process group and ends it when this process ends."""

    def __init__(self, *folders: Path) -> None:
        """Start the guard; the folders are removed when it ends the group."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SCRIPT, *map(str, folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        assert self._process.stdout is not None
        with self._process.stdout as answer:
            self.group = int(answer.read())

    def close(self) -> None:
        """Kill what is left in the group, remove the folders, and wait until that is done."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
