"""Other ways to run it: behind a proxy, with Roles only."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml

from support.operator_process import REPOSITORY, running_operator
from support.world import World


@contextmanager
def forward_proxy(upstream: str) -> Iterator[tuple[str, list[str]]]:
    """Run a proxy that sends whatever it is asked for to `upstream`; yield its URL and the URLs it was asked for."""
    asked: list[str] = []

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

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_it_asks_phase_through_the_proxy_of_the_environment(stage: World, tmp_path: Path) -> None:
    with forward_proxy(stage.phase.url) as (proxy, asked):
        environment = {
            "HTTP_PROXY": proxy,
            "NO_PROXY": "127.0.0.1",
            "PHASE_OPERATOR_NAMESPACE": stage.namespace,
        }
        with running_operator(stage.plane, tmp_path, environment=environment) as stage.operator:
            stage.phase_secret(phaseHost="http://phase.invalid")

            stage.until_ready()

    assert {urlsplit(url).netloc for url in asked} == {"phase.invalid"}


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
