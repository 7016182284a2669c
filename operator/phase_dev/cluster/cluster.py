"""The control plane for asynchronous code: every call that may take a while is awaited, the loop stays free.

It belongs to no event loop, so one cluster serves tests that each have a loop of their own.
"""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from phase_dev.cluster.access import Completed
from phase_dev.cluster.errors import ClusterError
from phase_dev.cluster.plane import ControlPlane
from phase_dev.cluster.process import Process, State
from phase_dev.cluster.progress import Progress
from phase_dev.cluster.starting import start_control_plane


class AsyncProcess:
    """One program of the cluster, to do harm to."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        """The process id, or None when it does not run."""
        return self._process.pid

    @property
    def state(self) -> State:
        """What the program is doing."""
        return self._process.state

    @property
    def log(self) -> Path:
        """The program's log."""
        return self._process.log

    async def start(self) -> None:
        """Start the program; one that runs is left alone."""
        await asyncio.to_thread(self._process.start)

    async def stop(self, grace: float = 10.0) -> None:
        """Ask the program to end, and kill it when it has not done so within the grace."""
        await asyncio.to_thread(self._process.stop, grace)

    async def kill(self) -> None:
        """End the program without warning."""
        await asyncio.to_thread(self._process.kill)

    async def pause(self) -> None:
        """Freeze the program: its connections stay open and nothing answers."""
        self._process.pause()

    async def resume(self) -> None:
        """Let a paused program go on."""
        self._process.resume()

    async def restart(self, grace: float = 10.0) -> None:
        """Stop the program if it runs, and start it; `Cluster.ready` tells when the cluster answers again."""
        await asyncio.to_thread(self._process.restart, grace)


class Cluster:
    """A running Kubernetes cluster on loopback."""

    def __init__(self, plane: ControlPlane) -> None:
        """Speak for a control plane that runs; whoever started it closes it."""
        self.plane = plane

    @classmethod
    @asynccontextmanager
    async def start(
        cls, *, controllers: bool = False, nodes: int = 0, env: Mapping[str, str] | None = None
    ) -> AsyncIterator["Cluster"]:
        """Start a cluster, and end it with the block; a cancellation on the way leaves nothing behind."""
        given_up = threading.Event()

        def check() -> None:
            if given_up.is_set():
                raise ClusterError("the start was given up")

        progress = Progress(sys.stderr, check=check)
        starting = asyncio.ensure_future(
            asyncio.to_thread(start_control_plane, controllers=controllers, nodes=nodes, env=env, progress=progress)
        )
        try:
            plane = await asyncio.shield(starting)
        except asyncio.CancelledError:
            given_up.set()
            with contextlib.suppress(ClusterError):
                (await starting).close()
            raise
        try:
            yield cls(plane)
        finally:
            await asyncio.shield(asyncio.to_thread(plane.close))

    @property
    def url(self) -> str:
        """The API server's address."""
        return self.plane.url

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.plane.kubeconfig

    @property
    def ca_file(self) -> Path:
        """The certificate by which to know the API server."""
        return self.plane.ca_file

    @property
    def admin_token(self) -> str:
        """The admin's bearer token."""
        return self.plane.admin_token

    def program(self, name: str) -> AsyncProcess:
        """Return one of the programs, to stop, kill, pause, resume or restart it."""
        return AsyncProcess(self.plane.program(name))

    async def ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the wait is in a thread, which a cancellation cannot end
        """Return when the API server answers and says that it is ready."""
        await asyncio.to_thread(self.plane.ready, timeout)

    async def kubectl(
        self, *arguments: str | Path, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None
    ) -> Completed:
        """Run kubectl as the admin, or as the owner of another kubeconfig, and return what it said."""
        return await asyncio.to_thread(self.plane.kubectl, *arguments, stdin=stdin, check=check, kubeconfig=kubeconfig)

    async def service_account_kubeconfig(self, namespace: str, name: str, seconds: int = 3600) -> Path:
        """Write a kubeconfig with a fresh token of a service account, and return its path."""
        return await asyncio.to_thread(self.plane.service_account_kubeconfig, namespace, name, seconds)
