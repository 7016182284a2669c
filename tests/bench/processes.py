"""What processes cost, by the kernel's own books: the CPU and the memory of a program and of all that it started."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase

_MIB = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")
# The field `starttime` of /proc/PID/stat, counted from the one after the name.
_START_TIME = 19


def cpu_of_tree(pid: int) -> float:
    """Return the seconds of CPU that a process, its children and what they waited for have used; 0 if it has ended."""
    total = 0.0
    for each in _tree(pid):
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_of_tree(pid: int) -> float:
    """Return the resident memory of a process and its children in MiB; 0 if it has ended."""
    total = 0
    for each in _tree(pid):
        with suppress(psutil.NoSuchProcess):
            total += each.memory_info().rss
    return total / _MIB


def cpu_of_server(plane: ControlPlane) -> float:
    """Return the seconds of CPU that the API server and etcd have used."""
    pids = [plane.program(name).pid for name in ("kube-apiserver", "etcd")]
    return sum(cpu_of_tree(pid) for pid in pids if pid is not None)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def now() -> float:
    """Return the seconds since the machine started: the clock by which it notes when a process starts."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def started(pid: int) -> float:
    """Return when a process was started by `now`, to a hundredth of a second.

    psutil adds this to the time of day at which the machine started, which is known to a second.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[_START_TIME]) / _TICKS


@dataclass
class FirstCall:
    """When Phase was called first, by `now`."""

    at: float | None = None


@contextmanager
def first_call(phase: EmbeddedPhase, pause: float = 0.005) -> Iterator[FirstCall]:
    """Count Phase's calls from zero, and note when the first one comes, to `pause` seconds, until the block ends."""
    phase.reset_calls()
    first, done = FirstCall(), threading.Event()

    def look() -> None:
        while not done.wait(pause):
            if phase.calls():
                first.at = now()
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield first
    finally:
        done.set()
        thread.join()
