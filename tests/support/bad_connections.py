"""Hosts that misbehave before HTTP begins: in the connection, and in the TLS handshake.

Each has a port of its own, which is answered by a thread; addresses of loopback make many hosts of one port.
"""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import trustme

# Sent back at once where the connection is to end as rudely as it can.
_RESET = struct.pack("ii", 1, 0)
# Of the chain that is too long.
_CHAIN_BYTES = 1_000_000

Manner = Callable[[socket.socket], None]


class BadConnections:
    """The ports, by manner; `met` counts connections."""

    def __init__(self, authority: Path, context: ssl.SSLContext) -> None:
        # Trusting this file is trusting every host here; the context is what an honest one shows.
        self.authority = authority
        self.context = context
        self.ports: dict[str, int] = {}
        self.met: dict[str, int] = {}

    def url(self, manner: str, number: int = 0) -> str:
        """Return the address of a host that behaves so; each number is another host."""
        scheme = "http" if manner in ("never-accepts", "resets") else "https"
        return f"{scheme}://127.0.{1 + number // 250}.{1 + number % 250}:{self.ports[manner]}"


@contextmanager
def bad_connections(folder: Path) -> Iterator[BadConnections]:
    """Listen until the block ends; `folder` gets the certificates."""
    authority = trustme.CA()
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    found = BadConnections(trusted, server_context(authority, "127.0.0.1"))
    over = threading.Event()
    with ExitStack() as stack:
        for name, manner in _manners(authority, folder, over).items():
            found.met[name] = 0
            found.ports[name] = stack.enter_context(_listening(name, manner, found, over))
        found.ports["never-accepts"] = stack.enter_context(_never_accepting())
        yield found


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return what a host of these names shows, trusted by clients that trust the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def _manners(authority: trustme.CA, folder: Path, over: threading.Event) -> dict[str, Manner]:
    good = server_context(authority, *(f"127.0.1.{number}" for number in range(1, 9)))
    long = _long_chain(authority, folder)
    cuts = iter(range(0, 1_000_000, 97))
    resets = iter(range(1_000_000))

    def silent(_: socket.socket) -> None:
        over.wait()

    def drips(connection: socket.socket) -> None:
        for each in _flight(connection, good):
            connection.sendall(bytes([each]))
            if over.wait(2.0):
                return

    def chain(connection: socket.socket) -> None:
        with suppress(ssl.SSLError):
            long.wrap_socket(connection, server_side=True).close()

    def cut(connection: socket.socket) -> None:
        flight = _flight(connection, good)
        connection.sendall(flight[: next(cuts) % (len(flight) + 1)])
        _reset(connection)

    def reset(connection: socket.socket) -> None:
        connection.recv(65536)
        answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"data": []}  '
        connection.sendall(answer[: next(resets) % (len(answer) + 1)])
        _reset(connection)

    return {"silent-tls": silent, "drips-tls": drips, "long-chain": chain, "cut-tls": cut, "resets": reset}


def _flight(connection: socket.socket, context: ssl.SSLContext) -> bytes:
    """Return what an honest server answers to the first message of a handshake."""
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(heard, said, server_side=True)
    heard.write(connection.recv(65536))
    with suppress(ssl.SSLWantReadError):
        server.do_handshake()
    return said.read()


def _long_chain(authority: trustme.CA, folder: Path) -> ssl.SSLContext:
    """Return a context whose certificates are a megabyte: its own, and the same one over and over."""
    own = authority.issue_cert("127.0.1.1")
    cert, key = own.cert_chain_pems[0].bytes(), own.private_key_pem.bytes()
    file = folder / "long-chain.pem"
    file.write_bytes(key + cert + authority.cert_pem.bytes() * (_CHAIN_BYTES // len(authority.cert_pem.bytes())))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


@contextmanager
def _listening(name: str, manner: Manner, found: BadConnections, over: threading.Event) -> Iterator[int]:
    with socket.create_server(("", 0), backlog=128) as server:

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                manner(connection)

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                found.met[name] += 1
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, name=f"bad-{name}")
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            over.set()
            # Wakes the thread that waits for a connection.
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def _never_accepting() -> Iterator[int]:
    """Listen with a queue that is full: the next client is not answered at all."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("", 0), backlog=0))
        port = int(server.getsockname()[1])
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        yield port
