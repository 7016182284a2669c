"""The cluster's client: it keeps its connections, and says of each failure what was asked."""

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from phase_dev.cluster.client import Client, CommandFailed

REFUSED = b'{"kind": "Status", "message": "there is one", "reason": "AlreadyExists"}'


class Listener(ThreadingHTTPServer):
    """Knows what it was asked, over which connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.closes = False
        self.asked: list[tuple[int, str, bytes]] = []
        self.closed = threading.Semaphore(0)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        super().shutdown_request(request)
        self.closed.release()

    @property
    def connections(self) -> list[int]:
        """The ports that the requests came from, in order."""
        return [port for port, _, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def do_GET(self) -> None:  # the name is http.server's
        self.answer(200, b'{"path": "%s"}' % self.path.encode())

    def do_POST(self) -> None:
        self.answer(409, REFUSED)

    def do_PATCH(self) -> None:
        self.answer(200, b"no JSON")

    def answer(self, status: int, content: bytes) -> None:
        told = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.client_address[1], self.headers["Authorization"], told))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        # Without a word about it, as a server does that has waited for long.
        self.close_connection = self.server.closes

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return tmp_path / "ca.pem"


@pytest.fixture
def server(ca_file: Path) -> Iterator[Listener]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    found = Listener()
    found.socket = context.wrap_socket(found.socket, server_side=True)
    thread = threading.Thread(target=found.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def url(server: Listener) -> str:
    return f"https://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def client(server: Listener, ca_file: Path) -> Iterator[Client]:
    with Client(url(server), ca_file, "a-token") as found:
        yield found


def test_requests_go_over_one_connection_with_the_token(server: Listener, client: Client) -> None:
    assert [client.get(path) for path in ("/a", "/b?c=d")] == [{"path": "/a"}, {"path": "/b?c=d"}]

    assert len(set(server.connections)) == 1
    assert {token for _, token, _ in server.asked} == {"Bearer a-token"}


def test_a_connection_that_the_server_has_closed_is_replaced(server: Listener, client: Client) -> None:
    server.closes = True

    for _ in range(3):
        assert client.exists("/a")
        assert server.closed.acquire(timeout=10)

    assert len(set(server.connections)) == 3


def test_threads_share_it(server: Listener, client: Client) -> None:
    paths = [f"/{number}" for number in range(40)]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(client.get, paths))

    assert found == [{"path": path} for path in paths]
    assert len(set(server.connections)) <= 4


def test_a_manifest_is_sent_compact_and_keeps_its_letters(server: Listener, client: Client) -> None:
    with pytest.raises(CommandFailed):
        client.create("/a", {"b": "ü", "c": 1})

    assert server.asked[0][2] == '{"b":"ü","c":1}'.encode()


def test_a_refusal_has_the_server_s_words_and_its_reason(client: Client) -> None:
    with pytest.raises(CommandFailed, match="POST /a: there is one") as refused:
        client.create("/a", {})

    assert refused.value.reason == "AlreadyExists"


def test_an_answer_that_is_no_json_is_said(client: Client) -> None:
    with pytest.raises(CommandFailed, match="PATCH /a got no answer from the API server: Expecting value"):
        client.patch("/a", {})


def test_no_answer_is_said(server: Listener, ca_file: Path) -> None:
    with Client("https://127.0.0.1:9", ca_file, "a-token") as client:
        with pytest.raises(CommandFailed, match="GET /a got no answer from the API server"):
            client.get("/a")
        assert not client.ready()


def test_a_server_with_another_certificate_is_not_asked(server: Listener, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)

    with Client(url(server), other, "a-token") as client, pytest.raises(CommandFailed, match="certificate"):
        client.get("/a")

    assert server.asked == []
