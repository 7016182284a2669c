"""Other ways to run it: behind a proxy, with Roles only."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import trustme
import yaml

from support.operator_process import REPOSITORY, running_operator
from support.world import World


@contextmanager
def forwarder(upstream: str, asked: list[str], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a server that asks `upstream` whatever it is asked, as a proxy or a TLS front does; yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlsplit(self.path)
            headers = {"Authorization": self.headers["Authorization"], "Accept": "application/json"}
            answer = httpx.get(f"{upstream}{parts.path}?{parts.query}", headers=headers, trust_env=False)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    with QuietServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class QuietServer(ThreadingHTTPServer):
    """Does not print that a client refused its certificate."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


def test_the_operator_asks_phase_through_the_proxy_of_the_environment(stage: World, tmp_path: Path) -> None:
    asked: list[str] = []
    with forwarder(stage.phase.url, asked) as port:
        environment = {
            "HTTP_PROXY": f"http://127.0.0.1:{port}",
            "NO_PROXY": "127.0.0.1",
            "PHASE_OPERATOR_NAMESPACE": stage.namespace,
        }
        with running_operator(stage.plane, tmp_path, environment=environment) as stage.operator:
            stage.phase_secret(phaseHost="http://phase.invalid")

            stage.until_ready()

    assert {urlsplit(url).netloc for url in asked} == {"phase.invalid"}


def test_networks_in_no_proxy_are_asked_without_it(stage: World, tmp_path: Path) -> None:
    """API server and Phase lie in a network without proxy; nobody listens where the proxy should be."""
    environment = {
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "192.0.2.0/24,127.0.0.0/8,.svc",
    }
    only = ("--namespace", stage.namespace)
    with running_operator(stage.plane, tmp_path, *only, environment=environment) as stage.operator:
        stage.phase_secret()

        stage.until_ready()


@pytest.mark.parametrize("further", [pytest.param(0, id="one"), pytest.param(17, id="many, whose watches are streams")])
def test_a_kubeconfig_s_proxy_and_server_name_hold_for_every_request(
    stage: World, tmp_path: Path, further: int
) -> None:
    """The API server is known by a name that nothing resolves and reached through a proxy that the kubeconfig names."""
    name = "kubernetes.default.svc"
    port = urlsplit(stage.plane.url).port
    with connect_proxy(("127.0.0.1", port or 0)) as (proxy, asked):
        account = stage.plane.service_account_kubeconfig("phase-system", "phase-operator")
        document = yaml.safe_load(account.read_text())
        document["clusters"][0]["cluster"] |= {
            "server": f"https://api.invalid:{port}",
            "tls-server-name": name,
            "proxy-url": proxy,
        }
        kubeconfig = tmp_path / "proxied.kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(document))
        environment = {"HTTPS_PROXY": "http://127.0.0.1:9"}
        only = ["--namespace", stage.namespace, "--kubeconfig", str(kubeconfig)]
        only += [part for number in range(further) for part in ("--namespace", f"nobody-made-{number}")]
        with running_operator(stage.plane, tmp_path, *only, environment=environment) as stage.operator:
            stage.phase_secret()

            stage.until_ready()
    assert set(asked) == {f"api.invalid:{port}"}


@contextmanager
def connect_proxy(upstream: tuple[str, int]) -> Iterator[tuple[str, list[str]]]:
    """Run a proxy that tunnels whatever is asked for to `upstream`; yield its URL and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            with socket.create_connection(upstream) as behind:
                self.send_response(200)
                self.end_headers()
                sides = {self.connection: behind, behind: self.connection}
                while chunks := [(each, each.recv(65536)) for each in select.select([*sides], [], [])[0]]:
                    for each, chunk in chunks:
                        if not chunk:
                            return
                        sides[each].sendall(chunk)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    with QuietServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


@contextmanager
def behind_tls(upstream: str, authority: trustme.CA) -> Iterator[str]:
    """Run a server that speaks TLS and asks `upstream`; yield its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with forwarder(upstream, [], context) as port:
        yield f"https://127.0.0.1:{port}"


def test_a_phase_with_a_private_authority_needs_the_flag_and_says_so(stage: World, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    only = ("--namespace", stage.namespace)
    with behind_tls(stage.phase.url, authority) as url:
        with running_operator(stage.plane, tmp_path, *only) as stage.operator:
            stage.phase_secret(phaseHost=url)
            assert "--phase-ca-file" in stage.until_reason("PhaseUnavailable")["message"]

        with running_operator(stage.plane, tmp_path, *only, "--phase-ca-file", "ca.pem") as stage.operator:
            stage.until_ready()
            ends = stage.operator.metric("phase_operator_phase_certificate_expiry_timestamp_seconds")
            assert ends > time.time(), "the end of the certificate is seen"


def test_roles_in_its_namespaces_are_enough(stage: World, tmp_path: Path) -> None:
    overlay = str(REPOSITORY / "deploy/overlays/namespaced")
    manifests = stage.plane.kubectl("kustomize", overlay).stdout.replace("phase-system", "phase-roles")
    wanted = [each for each in yaml.safe_load_all(manifests) if each["kind"] != "Deployment"]
    for each in wanted:
        # The example names the namespace default; the test has one of its own.
        if each["metadata"].get("namespace") == "default":
            each["metadata"]["namespace"] = stage.namespace
    stage.plane.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(wanted))

    with running_operator(stage.plane, tmp_path, "--namespace", stage.namespace, home="phase-roles") as stage.operator:
        stage.phase_secret(managedConfigMapReferences=[{"configMapName": "shop-config"}])

        stage.until_ready()
