"""The few requests that a cluster makes to itself: is it ready, give me a token, here is a node."""

import ssl
from pathlib import Path
from typing import Any, Self

import httpx

from phase_dev.shell.errors import ToolError


class CommandFailed(ToolError):
    """A command that was run against the cluster returned an error; `reason` is the API server's word for it."""

    def __init__(self, text: str, *, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class Client:
    """Talks to the API server as its admin, without the environment's proxies."""

    def __init__(self, url: str, ca_file: Path, token: str, *, timeout: float = 5.0) -> None:
        self._http = httpx.Client(
            base_url=url,
            verify=_trust(ca_file),
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
            trust_env=False,
        )

    def ready(self) -> bool:
        """Tell whether the server says that it is ready and has made the default namespace."""
        try:
            return self._http.get("/readyz").is_success and self.exists("/api/v1/namespaces/default")
        except httpx.TransportError:
            return False

    def exists(self, path: str) -> bool:
        """Tell whether there is an object at this path."""
        return self._http.get(path).is_success

    def get(self, path: str, accept: str = "application/json") -> dict[str, Any]:
        """Return the object at this path, in the form that `accept` names."""
        return _read(self._send("GET", path, accept=accept))

    def create(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return what the server made of it."""
        return _read(self._send("POST", path, manifest))

    def apply(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Apply an object on the server's side; the path names the manager, and whether it takes fields of others."""
        return _read(self._send("PATCH", path, manifest, form="application/apply-patch+yaml"))

    def patch(self, path: str, change: dict[str, Any]) -> dict[str, Any]:
        """Change an object by a JSON merge patch and return what the server made of it."""
        return _read(self._send("PATCH", path, change, form="application/merge-patch+json"))

    def replace(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Replace an object, or a part of it that has a path of its own, and return what the server made of it."""
        return _read(self._send("PUT", path, manifest))

    def delete(self, path: str, *, grace: int | None = None) -> None:
        """Delete the object or the collection at this path, unless it is gone; its end is not waited for.

        `grace` are the seconds that a pod has to end; a kubelet says 0 when its containers have.
        """
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        try:
            # The answer may be the object as it was, which nobody reads.
            self._send("DELETE", path, options if grace is None else {**options, "gracePeriodSeconds": grace})
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
        self._http.close()

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
    ) -> httpx.Response:
        headers = {"Accept": accept} if manifest is None else {"Accept": accept, "Content-Type": form}
        try:
            response = self._http.request(method, path, json=manifest, headers=headers)
        except httpx.HTTPError as e:
            raise CommandFailed(f"{method} {path} got no answer from the API server: {e}") from e
        if not response.is_success:
            body = _read(response)
            said = f"{method} {path}: {body.get('message', response.status_code)}"
            raise CommandFailed(said, reason=str(body.get("reason", "")))
        return response


def _read(response: httpx.Response) -> dict[str, Any]:
    try:
        body: dict[str, Any] = response.json()
    except ValueError as e:
        asked = f"{response.request.method} {response.request.url.raw_path.decode()}"
        raise CommandFailed(f"{asked} got no answer from the API server: {e}") from e
    return body


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
