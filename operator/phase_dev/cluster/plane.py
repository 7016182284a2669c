"""A control plane of our own: its programs, its files, and what one asks of it.

Rule: whatever this starts or writes is gone when it is closed, or when this process is.
"""

import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Self

from phase_dev.cluster import commands
from phase_dev.cluster.access import Access
from phase_dev.cluster.catalog import needed
from phase_dev.cluster.client import Client, is_ready, node_manifest, takes_pods
from phase_dev.cluster.commands import Layout
from phase_dev.cluster.programs import obtain
from phase_dev.shell.errors import StartFailed, ToolError
from phase_dev.shell.folders import Folders, write_private
from phase_dev.shell.guard import Guard
from phase_dev.shell.ports import Ports
from phase_dev.shell.processes import Patience, Process, answers, sane_environment, wait_until
from phase_dev.shell.terminal import Progress

_COMMANDS = {
    "etcd": commands.etcd,
    "kube-apiserver": commands.api_server,
    "kube-controller-manager": commands.controller_manager,
    "kube-scheduler": commands.scheduler,
    "kwok": commands.kwok,
}
_ATTEMPTS = 3


class ControlPlane(Access):
    """A Kubernetes control plane that is ours; blocking calls, no event loop."""

    def __init__(self, programs: Mapping[str, Path], env: Mapping[str, str], ports: Path, patience: Patience) -> None:
        """Prepare the folder and the processes; nothing runs before `boot`."""
        self._patience = patience
        self._closing = ExitStack()
        folder = Path(tempfile.mkdtemp(prefix="phase-dev-cluster-"))
        guard = Guard(folder)
        self._closing.callback(guard.close)
        try:
            leased = Ports(3, ports)
            self._closing.callback(leased.release)
            layout = Layout(folder, *leased.numbers)
            own_env = sane_environment(env, folder)
            super().__init__(layout, secrets.token_urlsafe(24), programs["kubectl"], own_env)
            self.processes = {
                name: Process(
                    name, command(programs[name], layout), log=layout.log(name), group=guard.group, env=own_env
                )
                for name, command in _COMMANDS.items()
                if name in programs
            }
            write_private(layout.tokens, f'{self.admin_token},admin,admin,"system:masters"\n')
        except BaseException:
            self._closing.close()
            raise

    @classmethod
    def start(
        cls,
        programs: Mapping[str, Path],
        *,
        nodes: int = 0,
        env: Mapping[str, str] | None = None,
        ports: Path,
        patience: Patience | None = None,
    ) -> Self:
        """Start these programs and return when they are ready; if another process took a port meanwhile, use others."""
        for attempt in range(1, _ATTEMPTS + 1):
            plane = cls(programs, os.environ if env is None else env, ports, patience or Patience())
            try:
                plane.boot(nodes)
            except StartFailed:
                again = attempt < _ATTEMPTS and plane.lost_a_port()
                plane.close()
                if not again:
                    raise
            except BaseException:
                plane.close()
                raise
            else:
                return plane
        raise AssertionError("the last attempt returns or raises")

    def boot(self, nodes: int) -> None:
        """Start every program in the order in which they need each other."""
        first = [self.program("etcd"), self.program("kube-apiserver")]
        first[0].start()
        wait_until(lambda: answers(f"{self.layout.etcd_url}/health"), "etcd answers", first[:1], self._patience)
        first[1].start()
        self.ready()
        write_private(self.kubeconfig, self.kubeconfig_for("admin", self.admin_token))
        for process in self.processes.values():
            process.start()
        with self.client() as client:
            for number in range(nodes):
                client.create("/api/v1/nodes", node_manifest(f"node-{number}"))
            if "kube-controller-manager" in self.processes:
                account = "/api/v1/namespaces/default/serviceaccounts/default"
                self._wait(lambda: client.exists(account), "the default service account exists")
            for number in range(nodes):
                self._await_node(client, f"node-{number}")

    def ready(self, timeout: float | None = None) -> None:
        """Return when the API server answers and says that it is ready."""
        self._wait(lambda: is_ready(self.url, self.ca_file, self.admin_token), "the API server is ready", timeout)

    def close(self) -> None:
        """End everything and remove everything; the data goes too, so nobody is asked to end politely."""
        try:
            for process in self.processes.values():
                process.kill()
        finally:
            self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def shared_client(self) -> Client:
        """An admin's client with connections that stay open as long as the control plane."""
        client = Client(self.url, self.ca_file, self.admin_token, timeout=30.0)
        self._closing.callback(client.close)
        return client

    def program(self, name: str) -> Process:
        """Return one of the programs, to stop, kill, pause, resume or restart it."""
        if name not in self.processes:
            raise ToolError(f'this cluster has no program "{name}"; it has {", ".join(self.processes)}')
        return self.processes[name]

    def lost_a_port(self) -> bool:
        """Tell whether a program found its port taken."""
        logs = [process.log for process in self.processes.values() if process.log.exists()]
        return any("address already in use" in log.read_text(errors="replace") for log in logs)

    def _await_node(self, client: Client, name: str) -> None:
        self._wait(lambda: takes_pods(client.get(f"/api/v1/nodes/{name}")), f"{name} is ready")

    def _wait(self, condition: Callable[[], bool], what: str, timeout: float | None = None) -> None:
        patience = self._patience if timeout is None else replace(self._patience, timeout=timeout)
        wait_until(condition, what, self.processes.values(), patience)


def start_control_plane(
    *, controllers: bool = False, nodes: int = 0, env: Mapping[str, str] | None = None, progress: Progress | None = None
) -> ControlPlane:
    """Return a control plane that is ready; close it, or use it as a context manager.

    Nodes bring the controllers along: without them no pod is made or scheduled. `progress.check` is asked on the way,
    so that a wait or a build can be given up.
    """
    own_env = os.environ if env is None else env
    own_progress = progress or Progress(sys.stderr)
    found = obtain(needed(controllers=controllers or nodes > 0, nodes=nodes), own_env, own_progress)
    return ControlPlane.start(
        {name: program.path for name, program in found.items()},
        nodes=nodes,
        env=own_env,
        ports=Folders.of(own_env).ports,
        patience=Patience(check=own_progress.check),
    )
