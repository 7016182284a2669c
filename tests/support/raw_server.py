"""A server that answers every call with the very bytes that a test says, however bad they are."""

import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Body = Callable[[], Iterable[bytes]]


@contextmanager
def serving(body: Body, *headers: str) -> Iterator[str]:
    """Serve a body over HTTP, chunk by chunk, and yield the URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            head = ["HTTP/1.1 200 OK", "Content-Type: application/json", "Connection: close", *headers, "", ""]
            try:
                self.wfile.write("\r\n".join(head).encode())
                for part in body():
                    self.wfile.write(part)
            except OSError:
                # Whoever asked has had enough.
                return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
