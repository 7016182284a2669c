"""Keep what the demo put up after the show: a process in the background holds it until it is told to stop.

Rule: the demo runs as long as its holder has the lock; a record without the lock is a leftover.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from phase_dev.cluster.folders import Folders
from phase_dev.cluster.kubeconfig import write_private
from phase_dev.cluster.progress import Progress
from phase_dev.cluster.stopping import end_supervisor
from phase_dev.cluster.supervisor import last_error
from phase_dev.demo.errors import DemoError
from phase_dev.demo.stage import Stage, put_up

STOP = ".venv/bin/phase-dev demo --stop"

_GRACE = 180.0  # a cluster of the user's takes a while to remove a namespace


class Kept:
    """The demo of this user that runs in the background, if there is one."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._folder = Folders.of(env).state / "demo"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._record = self._folder / "demo.json"

    def lock(self) -> FileLock:
        """Return the lock that the holder has."""
        return FileLock(self._folder / "demo.lock")

    def is_running(self) -> bool:
        """Tell whether the demo has a holder."""
        lock = self.lock()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def refuse_second(self) -> None:
        """Raise DemoError if there is one."""
        if self.is_running():
            raise DemoError(f"a demo is running already; end it with `{STOP}`")

    def start(self, kubeconfig: Path | None, pause: Callable[[float], None] = time.sleep) -> Stage:
        """Start a holder in the background and return its stage once everything is up."""
        self._record.unlink(missing_ok=True)
        command = [sys.executable, "-m", "phase_dev.demo", "--hold"]
        command += ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            holder = subprocess.Popen(
                command, env=dict(self._env), stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
            try:
                while holder.poll() is None:
                    if self._record.exists():
                        return self._read()[1]
                    pause(0.05)
            except BaseException:
                holder.terminate()
                holder.wait()
                raise
            said.seek(0)
            raise DemoError(last_error(said.read()))

    def hold(self, kubeconfig: Path | None, pause: Callable[[float], None] = time.sleep) -> None:
        """Put everything up and hold it until an exception, such as the one of a signal, ends it."""
        with self.lock().acquire(timeout=0):
            try:
                with put_up(kubeconfig, self._env, Progress(sys.stderr)) as stage:
                    record = {"holder": os.getpid(), "stage": dataclasses.asdict(stage)}
                    write_private(self._record, json.dumps(record))
                    while True:
                        pause(1.0)
            finally:
                self._record.unlink(missing_ok=True)

    def stop(self) -> bool:
        """End the holder, wait until nothing is left of it, and tell whether there was one."""
        if not self.is_running():
            self._record.unlink(missing_ok=True)
            return False
        if not self._record.exists():
            raise DemoError("the demo is just starting or ending; try again in a moment")
        holder, _ = self._read()
        if not end_supervisor(holder, self.lock(), _GRACE):
            raise DemoError(f"the demo does not end: its process {holder} cannot be killed")
        return True

    def _read(self) -> tuple[int, Stage]:
        content = json.loads(self._record.read_text())
        return int(content["holder"]), Stage(**content["stage"])
