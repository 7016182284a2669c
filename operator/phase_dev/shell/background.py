"""One process of a user that runs in the background until it is stopped.

Rule: it runs as long as it holds its lock; a record without the lock is a leftover.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from phase_dev.shell.errors import StartFailed, ToolError
from phase_dev.shell.folders import write_private


class Background:
    """The process, whether it runs or not; what it says of itself is a record that only its owner can read."""

    def __init__(self, what: str, folder: Path) -> None:
        """Look into this folder; `what` names the process in messages."""
        folder.mkdir(parents=True, exist_ok=True)
        self._what = what
        self._record = folder / f"{what}.json"
        self._lock = folder / f"{what}.lock"
        self._child: subprocess.Popen[bytes] | None = None

    def is_running(self) -> bool:
        """Tell whether the process is there."""
        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def start(
        self, command: Sequence[str], env: Mapping[str, str], pause: Callable[[float], None] = time.sleep
    ) -> dict[str, Any]:
        """Start the process, which must call `hold`, and return its record once there is one."""
        self._record.unlink(missing_ok=True)
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            process = subprocess.Popen(
                command, env=dict(env), stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
            try:
                while process.poll() is None:
                    if self._record.exists():
                        self._child = process
                        return self._read()
                    pause(0.05)
            except BaseException:
                process.terminate()
                process.wait()
                raise
            said.seek(0)
            raise StartFailed(last_error(said.read()))

    @contextmanager
    def hold(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Be the process until the block ends; give what writes the record."""
        with FileLock(self._lock).acquire(timeout=0):
            try:
                yield lambda record: write_private(self._record, json.dumps({**record, "pid": os.getpid()}))
            finally:
                self._record.unlink(missing_ok=True)

    def stop(self, grace: float) -> bool:
        """Ask the process to end, kill it after the grace, and tell whether there was one."""
        if not self.is_running():
            self._record.unlink(missing_ok=True)
            return False
        if not self._record.exists():
            raise ToolError(f"the {self._what} is just starting or ending; try again in a moment")
        pid = int(self._read()["pid"])
        for number in (signal.SIGTERM, signal.SIGKILL):  # what a killed process leaves, its guard takes away
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            with contextlib.suppress(Timeout), FileLock(self._lock).acquire(timeout=grace):
                self._record.unlink(missing_ok=True)
                if self._child is not None:
                    self._child.wait()
                return True
        raise ToolError(f"the {self._what} does not end: its process {pid} cannot be killed")

    def _read(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._record.read_text())
        return content


def last_error(text: str) -> str:
    """Return the last line that a process wrote, without click's prefix."""
    lines = text.strip().splitlines() or ["the process ended without a word"]
    return lines[-1].removeprefix("Error: ")
