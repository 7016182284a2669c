"""A user who may create PhaseSecrets in one namespace and nothing else, and a host of his own that keeps
what it was asked.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from phase_dev.cluster import ControlPlane
from support.accounts import Account, account_in

_NAME = "mallory"


@dataclass
class Mallory:
    """Acts with his own account only."""

    plane: ControlPlane
    account: Account
    url: str
    # What his host was asked, with the Authorization header.
    heard: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """The namespace in which he may write."""
        return self.account.namespace

    @cached_property
    def kubeconfig(self) -> Path:
        """A kubeconfig of his own."""
        return self.plane.service_account_kubeconfig(self.namespace, _NAME)

    def create(self, document: dict[str, Any]) -> None:
        """Create or change an object with his rights."""
        self.apply_as("kubectl", document)

    def apply_as(self, manager: str, document: dict[str, Any]) -> None:
        """Apply an object server-side under a field manager that he takes for his own."""
        self.account.api.apply(document, self.namespace, manager)

    def may(self, verb: str, resource: str, namespace: str, *, subresource: str = "") -> bool:
        """Say whether the API server would let him do it himself."""
        asked = ("auth", "can-i", verb, resource, f"--subresource={subresource}")
        answer = self.plane.kubectl("-n", namespace, *asked, check=False, kubeconfig=self.kubeconfig)
        return answer.stdout.strip() == "yes"


@contextmanager
def mallory_in(plane: ControlPlane, namespace: str, may_write: str = "phasesecrets") -> Iterator[Mallory]:
    """Give him a namespace where he may write one kind, and let his host listen until the block ends."""
    group = "secrets.phase.dev" if may_write == "phasesecrets" else ""
    rule = {"apiGroups": [group], "resources": [may_write], "verbs": ["create", "get", "patch"]}
    with account_in(plane, namespace, _NAME, rule) as account, _host(Mallory(plane, account, "")) as mallory:
        yield mallory


@contextmanager
def _host(mallory: Mallory) -> Iterator[Mallory]:
    """Let his host listen until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mallory.heard.append((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        mallory.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield mallory
        finally:
            server.shutdown()
            thread.join()
