"""The few requests that a cluster makes to itself: is it ready, give me a token, here is a node.

Tests make a hundred thousand of them, so they go through urllib3: it takes a third of the time that httpx takes.
"""

import ssl
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from phase_dev.shell.errors import ToolError

# More threads than these may ask at the same time; their connections are not kept.
_KEPT = 16


class CommandFailed(ToolError):
    """A command that was run against the cluster returned an error; `reason` is the API server's word for it."""

    def __init__(self, text: str, *, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class Client:
    """Talks to the API server as its admin, without the environment's proxies; threads may share it."""

    def __init__(self, url: str, ca_file: Path, token: str, *, timeout: float = 5.0) -> None:
        server = urlsplit(url)
        # By the name before the slash, the API server knows who wrote a field.
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "phase-dev/1"}
        self._pool = HTTPSConnectionPool(
            server.hostname or "",
            server.port,
            timeout=timeout,
            maxsize=_KEPT,
            retries=False,
            ssl_context=_trust(ca_file),
        )

    def ready(self) -> bool:
        """Tell whether the server says that it is ready and has made the default namespace."""
        try:
            return _is_success(self._ask("GET", "/readyz")) and self.exists("/api/v1/namespaces/default")
        except HTTPError:
            return False

    def exists(self, path: str) -> bool:
        """Tell whether there is an object at this path."""
        return _is_success(self._ask("GET", path))

    def get(self, path: str, accept: str = "application/json") -> dict[str, Any]:
        """Return the object at this path, in the form that `accept` names."""
        return self._send("GET", path, accept=accept)

    def create(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return what the server made of it."""
        return self._send("POST", path, manifest)

    def apply(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Apply an object on the server's side; the path names the manager, and whether it takes fields of others."""
        return self._send("PATCH", path, manifest, form="application/apply-patch+yaml")

    def patch(self, path: str, change: dict[str, Any]) -> dict[str, Any]:
        """Change an object by a JSON merge patch and return what the server made of it."""
        return self._send("PATCH", path, change, form="application/merge-patch+json")

    def replace(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Replace an object, or a part of it that has a path of its own, and return what the server made of it."""
        return self._send("PUT", path, manifest)

    def delete(self, path: str, *, grace: int | None = None) -> None:
        """Delete the object or the collection at this path, unless it is gone; its end is not waited for.

        `grace` are the seconds that a pod has to end; a kubelet says 0 when its containers have.
        """
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        try:
            # The answer may be the object as it was, which nobody reads.
            body = options if grace is None else {**options, "gracePeriodSeconds": grace}
            self._send("DELETE", path, body, reads=False)
        except CommandFailed as e:
            if e.reason != "NotFound":
                raise

    def token(self, namespace: str, name: str, seconds: int) -> str:
        """Return a token of a service account, by the TokenRequest API."""
        manifest = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        answer = self.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", manifest)
        return str(answer["status"]["token"])

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(
        self,
        method: str,
        path: str,
        manifest: dict[str, Any] | None = None,
        *,
        accept: str = "application/json",
        form: str = "application/json",
        reads: bool = True,
    ) -> dict[str, Any]:
        headers = {"Accept": accept} if manifest is None else {"Accept": accept, "Content-Type": form}
        asked = f"{method} {path}"
        try:
            response = self._ask(method, path, manifest, headers)
            body: dict[str, Any] = response.json() if reads or not _is_success(response) else {}
        except (HTTPError, ValueError) as e:
            raise CommandFailed(f"{asked} got no answer from the API server: {e}") from e
        if not _is_success(response):
            said = f"{asked}: {body.get('message', response.status)}"
            raise CommandFailed(said, reason=str(body.get("reason", "")))
        return body

    def _ask(
        self, method: str, path: str, manifest: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> BaseHTTPResponse:
        headers = self._headers | (headers or {})
        return self._pool.request(method, path, json=manifest, headers=headers, redirect=False)


def _is_success(response: BaseHTTPResponse) -> bool:
    return 200 <= response.status < 300


def is_ready(url: str, ca_file: Path, token: str) -> bool:
    """Tell whether there is an API server that is ready; one that has not written its certificate yet is not."""
    try:
        with Client(url, ca_file, token, timeout=1.0) as client:
            return client.ready()
    except (ssl.SSLError, FileNotFoundError):
        return False


def _trust(ca_file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    # The API server's self-signed CA has no key identifiers, which Python 3.13 and newer ask for by default.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def node_manifest(name: str) -> dict[str, Any]:
    """Return a node that kwok plays: large enough that the scheduler never runs out."""
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"},
        },
        "status": {"allocatable": room, "capacity": room},
    }


def takes_pods(node: dict[str, Any]) -> bool:
    """Tell whether a node is ready and free of the taint that keeps pods away until it is."""
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))
    return ready and not any(t["key"].startswith("node.kubernetes.io/") for t in node["spec"].get("taints", []))
