"""Keep a cluster that `up` started: start it, keep its record true, end it when asked.

The same code runs in the foreground and, as a session of its own, in the background.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from phase_dev.cluster.catalog import PROGRAMS, version_of
from phase_dev.cluster.errors import ClusterError, StartFailed
from phase_dev.cluster.folders import Folders
from phase_dev.cluster.kubeconfig import refuse_foreign, write_private
from phase_dev.cluster.plane import ControlPlane
from phase_dev.cluster.programs import ASSETS, locate
from phase_dev.cluster.progress import Progress
from phase_dev.cluster.records import ProgramRecord, Record, Registry
from phase_dev.cluster.starting import start_control_plane


@dataclass(frozen=True, slots=True)
class Wish:
    """The cluster that somebody asked for."""

    name: str
    controllers: bool
    nodes: int
    kubeconfig: Path | None

    def arguments(self) -> list[str]:
        """Return the wish as arguments of `phase-dev cluster up`."""
        chosen = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        return [f"--name={self.name}", f"--nodes={self.nodes}", *(["--controllers"] * self.controllers), *chosen]


def supervise(
    wish: Wish,
    env: Mapping[str, str],
    progress: Progress,
    announce: Callable[[Record], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Run the cluster until an exception, such as the one of a signal, ends it; nothing is left behind."""
    registry = Registry(Folders.of(env))
    lock = registry.lock(wish.name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise already_running(wish.name) from None
    try:
        registry.forget(wish.name)
        with start_control_plane(controllers=wish.controllers, nodes=wish.nodes, env=env, progress=progress) as plane:
            if wish.kubeconfig is not None:
                refuse_foreign(wish.kubeconfig)
                write_private(wish.kubeconfig, plane.kubeconfig.read_text())
            record = describe(wish, plane, env)
            registry.write(record)
            announce(record)
            while True:
                pause(1.0)
                now = describe(wish, plane, env)
                if now != record:
                    record = now
                    registry.write(record)
    finally:
        registry.forget(wish.name)
        lock.release()


def detach(wish: Wish, env: Mapping[str, str], pause: Callable[[float], None] = time.sleep) -> Record:
    """Start a supervisor in the background and return the record of the cluster once it is ready."""
    registry = Registry(Folders.of(env))
    command = [sys.executable, "-m", "phase_dev.cluster", "up", "--foreground", *wish.arguments()]
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        supervisor = subprocess.Popen(
            command, env=dict(env), stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            while supervisor.poll() is None:
                record = registry.read(wish.name)
                if record is not None and record.supervisor == supervisor.pid:
                    return record
                pause(0.05)
        except BaseException:
            supervisor.terminate()
            supervisor.wait()
            raise
        said.seek(0)
        raise StartFailed(last_error(said.read()))


def last_error(text: str) -> str:
    """Return the last line that a supervisor wrote, without click's prefix."""
    lines = text.strip().splitlines() or ["the supervisor ended without a word"]
    return lines[-1].removeprefix("Error: ")


def already_running(name: str) -> ClusterError:
    """Return the refusal of a second cluster of the same name."""
    return ClusterError(
        f'cluster "{name}" is running already; end it with `phase-dev cluster down --name {name}`, '
        "or choose another --name"
    )


def describe(wish: Wish, plane: ControlPlane, env: Mapping[str, str]) -> Record:
    """Return the record of the cluster as it is now."""
    return Record(
        name=wish.name,
        supervisor=os.getpid(),
        url=plane.url,
        kubeconfig=str(wish.kubeconfig or plane.kubeconfig),
        ca_file=str(plane.ca_file),
        admin_token=plane.admin_token,
        kubectl=str(locate("kubectl", env)),
        programs=tuple(
            ProgramRecord(
                process.name,
                process.state,
                process.pid,
                f"from {ASSETS}" if env.get(ASSETS) else version_of(PROGRAMS[process.name]),
                str(process.log),
            )
            for process in plane.processes.values()
        ),
    )
