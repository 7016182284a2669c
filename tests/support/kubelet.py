"""A node whose kubelet shows the log of a process as that of a pod, and a pod for a process that runs outside.

So the API server's own ways to a pod can be gone: its log, and its proxy to a port.
"""

import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import trustme

from phase_dev.cluster import ControlPlane
from support.api import api_of

_NODE = "outside"
_LOOK_EVERY = 0.05


def own_address() -> str | None:
    """Return an address of this machine that the API server's proxy asks: none on loopback. None if it has none."""
    found = (ipaddress.ip_address(each.address.partition("%")[0]) for each in _addresses())
    return next((str(each) for each in found if not (each.is_loopback or each.is_link_local)), None)


def _addresses() -> Iterator[Any]:
    for every in psutil.net_if_addrs().values():
        yield from (each for each in every if each.family.name == "AF_INET")


@dataclass
class Kubelet:
    """What is asked of the node."""

    log_file: Path
    asked: list[Mapping[str, list[str]]]


@contextmanager
def pod_outside(plane: ControlPlane, namespace: str, name: str, address: str, log_file: Path) -> Iterator[Kubelet]:
    """Have a pod on a node of its own until the block ends, with this address and the log in this file."""
    kubelet = Kubelet(log_file, [])
    with _serving(kubelet) as port:
        api = api_of(plane)
        api.create(_node(port))
        api.create(_pod(name), namespace)
        # Before it is on a node: what plays the kubelets of all nodes leaves a pod alone that has an address.
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        plane.kubectl(
            *("-n", namespace, "patch", "pod", name, "--subresource=status", "--type=merge"),
            *("-p", json.dumps({"status": status})),
        )
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "namespace": namespace}}
        body = json.dumps(binding | {"target": {"apiVersion": "v1", "kind": "Node", "name": _NODE}})
        plane.kubectl("create", "--raw", f"/api/v1/namespaces/{namespace}/pods/{name}/binding", "-f", "-", stdin=body)
        try:
            yield kubelet
        finally:
            plane.kubectl("-n", namespace, "delete", "pod", name, "--grace-period=0", "--force")
            plane.kubectl("delete", "node", _NODE)


def _node(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": _NODE},
        "spec": {"unschedulable": True},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        },
    }


def _pod(name: str) -> dict[str, Any]:
    spec = {
        "schedulerName": "nobody",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "operator",
                "image": "none",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@contextmanager
def _serving(kubelet: Kubelet) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Be silent."""

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            kubelet.asked.append(asked)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            # Whoever reads a log that goes on leaves when it suits.
            with kubelet.log_file.open("rb") as log, suppress(OSError):
                self.wfile.write(log.read())
                while asked.get("follow") == ["true"] and not over.is_set():
                    self.wfile.write(log.read())
                    self.wfile.flush()
                    time.sleep(_LOOK_EVERY)

    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
