"""Phase servers that are as bad as their owner can make them, all behind one port: the path says how.

`http://127.0.0.1:PORT/drip/7` is a host that sends a byte every few seconds; the number only makes hosts different.
Each answer is plain bytes on a socket, so that no library keeps it decent.
"""

import asyncio
import gzip
import itertools
import json
import ssl
import threading
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache

Send = Callable[[bytes], Awaitable[None]]
Behaviour = Callable[[str, Send], Awaitable[None]]
_JSON = "application/json"


class BadPhase:
    """The servers; `asked` counts requests by behaviour. `tls_port` has what `port` has, behind a handshake."""

    def __init__(self) -> None:
        self.port = 0
        self.tls_port = 0
        self.asked: Counter[str] = Counter()

    def url(self, behaviour: str, number: int = 0) -> str:
        """Return the address of a host that behaves so."""
        assert behaviour in _BEHAVIOURS, behaviour
        return f"http://127.0.0.1:{self.port}/{behaviour}/{number}"

    def host(self, behaviour: str, number: int) -> str:
        """Return the address of a host of its own for each number: they differ in their IP."""
        return f"http://127.1.{number // 250}.{1 + number % 250}:{self.port}/{behaviour}/0"

    def tls_url(self, behaviour: str, number: int = 0) -> str:
        """Return the address of a host that behaves so once the handshake is done."""
        return f"https://127.0.0.1:{self.tls_port}/{behaviour}/{number}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, once."""

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError), ended(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            behaviour = path.split("/")[1]
            self.asked[behaviour] += 1
            await _BEHAVIOURS[behaviour](path, send)


@contextmanager
def ended(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Close a connection when the block ends: politely if it ends well, at once if it does not."""
    try:
        yield
    except BaseException:
        writer.transport.abort()
        raise
    writer.close()


@contextmanager
def bad_phase(tls: ssl.SSLContext | None = None) -> Iterator[BadPhase]:
    """Run the servers in a thread until the block ends; with `tls` also behind that."""
    found, listens, loops = BadPhase(), threading.Event(), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()

    async def run() -> None:
        server = await asyncio.start_server(found.serve, "0.0.0.0", 0, limit=1 << 20, backlog=512)
        found.port = server.sockets[0].getsockname()[1]
        secure = await asyncio.start_server(found.serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls) if tls else None
        if secure is not None:
            found.tls_port = secure.sockets[0].getsockname()[1]
        loops.append((asyncio.get_running_loop(), asyncio.Event()))
        listens.set()
        await loops[0][1].wait()
        for each in filter(None, (server, secure)):
            each.close()
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        # A connection that was aborted is closed in a later turn of the loop.
        await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="bad-phase", daemon=True)
    thread.start()
    listens.wait()
    try:
        yield found
    finally:
        loop, end = loops[0]
        loop.call_soon_threadsafe(end.set)
        thread.join()


def _head(status: str = "200 OK", kind: str = _JSON, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _hang(_: str, __: Send) -> None:
    await asyncio.sleep(3600)


async def _drip(_: str, send: Send) -> None:
    await send(_head())
    for _space in range(1000):
        await send(b" ")
        await asyncio.sleep(5)


async def _slow_head(_: str, send: Send) -> None:
    for each in _head() * 100:
        await send(bytes([each]))
        await asyncio.sleep(2)


async def _endless(_: str, send: Send) -> None:
    await send(_head() + b"[")
    while True:
        await send(b'{"id":"a","key":"K","value":"v"},' * 2000)


async def _bomb(_: str, send: Send) -> None:
    await send(_head("200 OK", _JSON, "Content-Encoding: gzip, gzip") + _packed_twice())


async def _one_bomb(_: str, send: Send) -> None:
    await send(_head("200 OK", _JSON, "Content-Encoding: gzip") + _blanks(512))


# What an answer needs is made once: these servers share the machine with those that they attack.
@cache
def _packed_twice() -> bytes:
    return gzip.compress(_blanks(1024))


@cache
def _blanks(mib: int) -> bytes:
    """Return so many MiB of blanks, compressed; made piece by piece, since this process wants to live."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * (1 << 20)) for _ in range(mib)) + packer.flush()


async def _apps(path: str, send: Send, entries: Callable[[], bytes]) -> None:
    """Answer as Phase does, with one app, one environment and the entries."""
    if "/v1/apps/" in path:
        body = _spelled({"data": [{"id": "app", "name": "shop"}]})
    elif "/v1/environments/" in path:
        body = _spelled({"data": [{"id": "env", "name": "Production", "updatedAt": "2026-01-01T00:00:00Z"}]})
    else:
        body = entries()
    await send(_head() + body)


def _spelled(document: object) -> bytes:
    return json.dumps(document).encode()


def _entry(key: str, value: str = "v") -> dict[str, object]:
    return {"id": key, "key": key, "value": value, "type": "secret", "path": "/", "tags": []}


@cache
def _300_000_entries() -> bytes:
    return _spelled([_entry(f"KEY_{number}") for number in range(300_000)])


@cache
def _60_mib() -> bytes:
    return _spelled([_entry(f"KEY_{number}", "x" * 1_000_000) for number in range(60)])


async def _many(path: str, send: Send) -> None:
    await _apps(path, send, _300_000_entries)


async def _large(path: str, send: Send) -> None:
    await _apps(path, send, _60_mib)


def _permutations(count: int) -> list[str]:
    letters = [f"{chr(97 + number % 26)}{number:02}" for number in range(64)]
    heads = itertools.permutations(range(7))
    return ["".join(letters[each] for each in head) + "".join(letters[7:]) for head in itertools.islice(heads, count)]


async def _names(path: str, send: Send) -> None:
    """Apps whose names are all nearly the one that is looked for."""
    if "/v1/apps/" in path:
        await send(_head() + _4_000_apps())
    else:
        await _apps(path, send, lambda: b"[]")


@cache
def _4_000_apps() -> bytes:
    return _spelled(
        {"data": [{"id": f"app-{number}", "name": name} for number, name in enumerate(_permutations(4000))]}
    )


async def _keys(path: str, send: Send) -> None:
    await _apps(path, send, _4_000_keys)


@cache
def _4_000_keys() -> bytes:
    return _spelled([_entry(name.upper()) for name in _permutations(4000)])


async def _good(path: str, send: Send) -> None:
    await _apps(path, send, _100_entries)


@cache
def _100_entries() -> bytes:
    return _spelled([_entry(f"KEY_{number}") for number in range(100)])


async def _deep(_: str, send: Send) -> None:
    await send(_head() + b"[" * 5_000_000)


async def _page(_: str, send: Send) -> None:
    await send(_head("414 URI Too Long", "text/html") + b"<html>too long</html>")


async def _refuses(_: str, send: Send) -> None:
    await send(_head("403 Forbidden") + b'{"error": "no access"}')


async def _busy(_: str, send: Send) -> None:
    await send(_head("429 Too Many Requests", _JSON, "Retry-After: 99999999999999999999") + b'{"error": "quota"}')


async def _broken(_: str, send: Send) -> None:
    await send(_head("503 Service Unavailable") + b'{"error": "down"}')


async def _odd_date(_: str, send: Send) -> None:
    date = "Retry-After: Mon, 01 Jan 0001 00:00:00 +9999"
    await send(_head("429 Too Many Requests", _JSON, date, "Date: Mon, 31 Dec 9999 23:59:59 -9999") + b"{}")


async def _redirects(path: str, send: Send) -> None:
    await send(_head("302 Found", "text/html", f"Location: {path}"))


async def _resets(_: str, __: Send) -> None:
    return


async def _garbage(_: str, send: Send) -> None:
    await send(b"\x00\xff" * 100_000)


async def _headers(_: str, send: Send) -> None:
    await send(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (each, b"x" * 1000) for each in range(20_000)))


async def _interim(_: str, send: Send) -> None:
    while True:
        await send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)


async def _encrypted(path: str, send: Send, keyring: Callable[[], bytes]) -> None:
    """Answer as for an app that is end-to-end encrypted, with one entry that nobody sealed."""
    if path.endswith("/secrets/tokens/"):
        await send(_head() + keyring())
    elif "/v1/apps/" in path:
        await send(_head() + _spelled({"data": [{"id": "app", "name": "shop", "sseEnabled": False}]}))
    elif "/v1/" in path:
        await send(_head("403 Forbidden") + b'{"error": "SSE is not enabled for this App."}')
    else:
        await send(_head() + _spelled([_entry("ph:v1:00:00")]))


_moves = itertools.count()
# Where the time stands that moves.
_TIME = b"@time@"


def _keyring(apps: int, *, encryption: str = "E2E") -> bytes:
    """Return keys of so many apps, whose environments move with every answer; none of them opens."""
    at = f"2030-01-01T00:00:00.{next(_moves):06}Z"
    return _keyring_at_a_time(apps, encryption).replace(_TIME, at.encode())


@cache
def _keyring_at_a_time(apps: int, encryption: str) -> bytes:
    found = []
    for number in range(apps):
        environment = {"id": f"env-{number}", "name": "Production", "updated_at": _TIME.decode()}
        key = {
            "environment": environment,
            "identity_key": "0" * 64,
            "wrapped_seed": "x" * 211,
            "wrapped_salt": "x" * 211,
        }
        name = "shop" if number == 0 else f"shop-{number}"
        ident = "app" if number == 0 else f"app-{number}"
        found.append({"id": ident, "name": name, "encryption": encryption, "environment_keys": [key]})
    return _spelled({"wrapped_key_share": "0" * 208, "account_id": "account", "apps": found})


async def _many_apps(path: str, send: Send) -> None:
    await _encrypted(path, send, lambda: _keyring(10_000))


async def _two_faced(path: str, send: Send) -> None:
    """Say by the keyring that the app is not encrypted any more, and by every other answer that it is."""
    await _encrypted(path, send, lambda: _keyring(1, encryption="SSE"))


async def _endless_keyring(path: str, send: Send) -> None:
    if not path.endswith("/secrets/tokens/"):
        await _encrypted(path, send, lambda: b"")
        return
    await send(_head() + b'{"wrapped_key_share": "", "apps": [')
    while True:
        await send(b'{"id": "app", "name": "shop", "environment_keys": []},' * 1000)


_BEHAVIOURS: dict[str, Behaviour] = {
    "hang": _hang,
    "drip": _drip,
    "slow-head": _slow_head,
    "endless": _endless,
    "bomb": _bomb,
    "one-bomb": _one_bomb,
    "many": _many,
    "large": _large,
    "names": _names,
    "keys": _keys,
    "good": _good,
    "deep": _deep,
    "page": _page,
    "refuses": _refuses,
    "busy": _busy,
    "broken": _broken,
    "odd-date": _odd_date,
    "redirects": _redirects,
    "resets": _resets,
    "garbage": _garbage,
    "headers": _headers,
    "interim": _interim,
    "many-apps": _many_apps,
    "two-faced": _two_faced,
    "endless-keyring": _endless_keyring,
}
BEHAVIOURS = tuple(_BEHAVIOURS)
