"""End a cluster that a supervisor keeps."""

import contextlib
import os
import signal

from filelock import BaseFileLock, Timeout

from phase_dev.cluster.errors import ClusterError
from phase_dev.cluster.records import Registry

_GRACE = 20.0


def stop(registry: Registry, name: str, grace: float = _GRACE) -> bool:
    """End the cluster, wait until nothing of it is left, and tell whether there was one."""
    was_running = registry.is_running(name)
    record = registry.read(name)
    if was_running and record is None:
        raise ClusterError(f'cluster "{name}" is just starting or ending; try again in a moment')
    if was_running and record is not None and not end_supervisor(record.supervisor, registry.lock(name), grace):
        raise ClusterError(
            f'cluster "{name}" does not end: its supervisor, process {record.supervisor}, cannot be killed'
        )
    lock = registry.lock(name)
    with contextlib.suppress(Timeout), lock.acquire(timeout=0):  # held by now: a new cluster of that name; leave it
        registry.forget(name)
    return was_running


def end_supervisor(pid: int, lock: BaseFileLock, grace: float = _GRACE) -> bool:
    """Ask the process that holds the lock to end, then kill it; tell whether the lock was given back."""
    for number in (signal.SIGTERM, signal.SIGKILL):  # the guard cleans up after a killed supervisor
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        try:
            with lock.acquire(timeout=grace):
                return True
        except Timeout:
            continue
    return False
