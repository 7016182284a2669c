"""What one asks of a running cluster: its address, a kubeconfig, a command run against it."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from phase_dev.cluster.client import Client, CommandFailed
from phase_dev.cluster.commands import Layout
from phase_dev.cluster.kubeconfig import render
from phase_dev.shell.folders import write_private


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


class Access:
    """The way into a cluster; blocking calls, no event loop."""

    def __init__(self, layout: Layout, admin_token: str, kubectl: Path, env: Mapping[str, str]) -> None:
        self.layout = layout
        self.admin_token = admin_token
        self._kubectl = kubectl
        self._env = dict(env)

    @property
    def url(self) -> str:
        """The API server's address."""
        return self.layout.url

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.layout.kubeconfig

    @property
    def ca_file(self) -> Path:
        """The certificate by which to know the API server."""
        return self.layout.ca_file

    def client(self) -> Client:
        """Return an admin's client for a few raw requests."""
        return Client(self.url, self.ca_file, self.admin_token)

    def kubeconfig_for(self, user: str, token: str, namespace: str = "default") -> str:
        """Return a kubeconfig with this token."""
        return render(url=self.url, ca=self.ca_file.read_bytes(), token=token, user=user, namespace=namespace)

    def service_account_kubeconfig(self, namespace: str, name: str, seconds: int = 3600) -> Path:
        """Write a kubeconfig with a fresh token of a service account, and return its path."""
        with self.client() as client:
            token = client.token(namespace, name, seconds)
        path = self.layout.folder / "accounts" / f"{namespace}.{name}.kubeconfig"
        write_private(path, self.kubeconfig_for(f"{namespace}.{name}", token, namespace))
        return path

    def kubectl(
        self,
        *arguments: str | Path,
        stdin: str | None = None,
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = 60.0,
    ) -> Completed:
        """Run kubectl as the admin, or as the owner of another kubeconfig, and return what it said."""
        return self.run(self._kubectl, *arguments, stdin=stdin, check=check, kubeconfig=kubeconfig, timeout=timeout)

    def run(
        self,
        program: Path,
        *arguments: str | Path,
        stdin: str | None = None,
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = 60.0,
    ) -> Completed:
        """Run any client of the cluster with KUBECONFIG set and nothing of our own environment but the path."""
        env = {**self._env, "KUBECONFIG": str(kubeconfig or self.kubeconfig)}
        return run_client(program, *arguments, env=env, stdin=stdin, check=check, timeout=timeout)


def run_client(
    program: Path,
    *arguments: str | Path,
    env: Mapping[str, str],
    stdin: str | None = None,
    check: bool = True,
    timeout: float = 60.0,
) -> Completed:
    """Run a client of a cluster in exactly this environment and return what it said; raise CommandFailed."""
    spelt = " ".join([program.name, *map(str, arguments)])
    try:
        done = subprocess.run(
            [str(program), *map(str, arguments)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env=dict(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise CommandFailed(f"{spelt} was not done after {timeout:g} s") from e
    if check and done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise CommandFailed(f"{spelt} returned {done.returncode}: {said}")
    return Completed(done.returncode, done.stdout, done.stderr)
