"""A server that answers with the very bytes that a test says, however bad they are."""

import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Raw(NamedTuple):
    """Bytes to be sent one after another, below these headers."""

    parts: Iterable[bytes]
    headers: tuple[str, ...] = ()


# The last part of the path that is asked for -> what is answered.
Answer = Callable[[str], Raw]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve these answers and yield the URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _, asked, *_ = self.rfile.readline().decode(errors="replace").split() or ["", ""]
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            raw = answer(asked.partition("?")[0].rstrip("/").rpartition("/")[2])
            head = ["HTTP/1.1 200 OK", "Content-Type: application/json", "Connection: close", *raw.headers, "", ""]
            try:
                self.wfile.write("\r\n".join(head).encode())
                for part in raw.parts:
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
