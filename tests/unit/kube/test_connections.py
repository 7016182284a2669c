"""Requests over the connections of aiohttp: what is sent, which answers are taken, and which connections are kept."""

import asyncio
import gzip
import ssl
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
import trustme
from yarl import URL

from phase_operator.kube.connections import Answer, Connections, Request, Server, address

TOKEN = "Bearer s3cret-token"
GET = Request("GET", "/version", {"authorization": TOKEN})
APPLY = Request(
    "PATCH", "/api/v1/namespaces/team/secrets/shop?force=true", {"authorization": TOKEN}, b'{"data":"s3cret"}'
)
DELETE = replace(APPLY, method="DELETE")
YES = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Heard:
    """What one connection brought: whole requests, head and body together."""

    requests: list[str] = field(default_factory=list)
    reader: asyncio.StreamReader = field(default_factory=asyncio.StreamReader)
    writer: asyncio.StreamWriter | None = None

    async def next(self) -> str:
        """Read one more request; raise IncompleteReadError at the end of the connection."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        size = next((line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length")), 0)
        self.requests.append(head + (await self.reader.readexactly(int(size))).decode())
        return self.requests[-1]

    async def say(self, raw: bytes) -> None:
        """Send these bytes."""
        assert self.writer is not None
        self.writer.write(raw)
        await self.writer.drain()

    def end(self) -> None:
        """Close the connection."""
        assert self.writer is not None
        self.writer.close()


class Host:
    """A server that answers each request with the next of some bytes; None closes the connection instead."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heard: list[Heard] = []
        # Each connection, once for each request that it brought, and once at its end.
        self.asked = asyncio.Queue[Heard]()
        self.ended = asyncio.Queue[Heard]()
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and close it."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        heard = Heard(reader=reader, writer=writer)
        self.heard.append(heard)
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                await self.serve(heard)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self.ended.put_nowait(heard)
            self.tasks.discard(task)

    async def serve(self, heard: Heard) -> None:
        """Answer what one connection brings."""
        while True:
            await heard.next()
            self.asked.put_nowait(heard)
            if not self.answers:
                continue
            if (answer := self.answers.pop(0)) is None:
                return
            await heard.say(answer)


@asynccontextmanager
async def listening(host: Host, secured: ssl.SSLContext | None = None) -> AsyncIterator[Host]:
    """Listen until the block ends."""
    server = await asyncio.start_server(host.accept, "127.0.0.1", 0, ssl=secured)
    host.port = server.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(20):
            yield host
    finally:
        server.close()
        tasks = list(host.tasks)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def connected(server: Server, limit: int = 2) -> AsyncIterator[Connections]:
    """Give connections, and close them at the end."""
    connections = Connections(server, limit)
    try:
        yield connections
    finally:
        await connections.close()


@asynccontextmanager
async def talking(*answers: bytes | None, below: str = "") -> AsyncIterator[tuple[Host, Connections]]:
    """Give a host with these answers, and connections to it."""
    async with listening(Host(*answers)) as host, connected(plain(host, below)) as connections:
        yield host, connections


def plain(host: Host, below: str = "") -> Server:
    """Return where a host is that speaks no TLS."""
    return Server(URL(f"http://127.0.0.1:{host.port}{below}"), ssl.create_default_context())


def lines_of(request: str) -> tuple[str, dict[str, str]]:
    """Return the first line of a request, and its headers by small names."""
    first, *headers = request.partition("\r\n\r\n")[0].split("\r\n")
    return first, {name.lower(): value for name, value in (each.split(": ", 1) for each in headers)}


async def test_a_request_is_sent_as_it_is_given() -> None:
    async with talking(YES) as (host, connections):
        answer = await connections.ask(replace(APPLY, headers={"Accept": "a/b", "authorization": TOKEN}))

    [request] = host.heard[0].requests
    first, headers = lines_of(request)
    assert first == "PATCH /api/v1/namespaces/team/secrets/shop?force=true HTTP/1.1"
    assert headers == {
        "host": f"127.0.0.1:{host.port}",
        "accept": "a/b",
        "accept-encoding": "gzip, deflate",
        "authorization": TOKEN,
        "content-length": "17",
    }
    assert request.endswith('\r\n\r\n{"data":"s3cret"}')
    assert (answer.status, answer.body) == (200, b"{}")


@pytest.mark.parametrize(
    ("method", "length"),
    [pytest.param("GET", None, id="a read"), pytest.param("POST", "0", id="a write of nothing")],
)
async def test_a_request_without_a_body(method: str, length: str | None) -> None:
    async with talking(YES) as (host, connections):
        await connections.ask(replace(GET, method=method))

    assert lines_of(host.heard[0].requests[0])[1].get("content-length") == length


@pytest.mark.parametrize(
    ("below", "target", "asked"),
    [
        pytest.param("", "/version", "/version", id="a host"),
        pytest.param("/", "/version", "/version", id="with a slash at its end"),
        pytest.param("/k8s/clusters/c-1", "/version", "/k8s/clusters/c-1/version", id="below a path"),
        pytest.param("/k8s/", "/version", "/k8s/version", id="below a path with a slash at its end"),
        pytest.param("", "/a%2Fb?c=d%26e", "/a%2Fb?c=d%26e", id="quoted already"),
        pytest.param("", "/a b?c=d e", "/a%20b?c=d+e", id="spaces"),
        pytest.param("", "/ä", "/%C3%A4", id="no ASCII"),
        pytest.param("", "/a HTTP/1.1\r\nX-Other: b", "/a%20HTTP/1.1X-Other:%20b", id="another line"),
    ],
)
async def test_a_target_is_one_word(below: str, target: str, asked: str) -> None:
    async with talking(YES, below=below) as (host, connections):
        await connections.ask(replace(GET, target=target))

    assert lines_of(host.heard[0].requests[0])[0] == f"GET {asked} HTTP/1.1"


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"])
async def test_a_header_is_one_line(value: str) -> None:
    request = replace(GET, headers={"authorization": f"{TOKEN}{value}"})
    async with talking(YES) as (host, connections):
        with pytest.raises(aiohttp.ClientError) as raised:
            await connections.ask(request)

    assert host.heard == []
    assert "s3cret" not in "".join(traceback.format_exception(raised.value))


GZIPPED = gzip.compress(b'{"a":1}')


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", (204, b""), id="without a body"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + YES, (200, b"{}"), id="after hints"
        ),
        pytest.param(
            b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            (201, b"{}"),
            id="in chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIPPED) + GZIPPED,
            (200, b'{"a":1}'),
            id="packed",
        ),
        pytest.param(b"HTTP/1.1 307 T\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", (307, b""), id="elsewhere"),
        pytest.param(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", (503, b"no"), id="a refusal"),
    ],
)
async def test_an_answer_is_read(raw: bytes, answer: tuple[int, bytes]) -> None:
    async with talking(raw, YES) as (host, connections):
        found = await connections.ask(APPLY)
        again = await connections.ask(APPLY)

    assert (found.status, found.body) == answer
    # The connection is used again, and nobody is asked anything else.
    assert (again.status, again.body) == (200, b"{}")
    assert [len(each.requests) for each in host.heard] == [2]


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with listening(Host()) as host, connected(plain(host)) as connections:
        asking = asyncio.create_task(connections.ask(GET))
        heard = await host.asked.get()
        await heard.say(b"HTTP/1.1 200 OK\r\n\r\n{")
        await heard.say(b"}")
        heard.end()

        assert (await asking).body == b"{}"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: %b\r\n\r\n" % (b"a" * 20_000), id="a long header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n%b\r\n" % (b"A: b\r\n" * 200), id="many headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", id="two lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", id="less than it says"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", id="not packed"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk"),
    ],
)
async def test_an_answer_that_is_none_closes_its_connection(raw: bytes) -> None:
    async with listening(Host()) as host, connected(plain(host)) as connections:
        asking = asyncio.create_task(connections.ask(APPLY))
        heard = await host.asked.get()
        await heard.say(raw)
        if b"Length: 9" in raw:
            heard.end()
        with pytest.raises(aiohttp.ClientError) as raised:
            await asking

        assert await host.ended.get() is heard
    assert "s3cret" not in "".join(traceback.format_exception(raised.value)) + repr(raised.value)


async def test_another_protocol_is_no_success_and_closes_the_connection() -> None:
    raw = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: tls\r\nConnection: upgrade\r\n\r\n"
    async with talking(raw, YES) as (host, connections):
        assert (await connections.ask(GET)).status == 101
        assert (await connections.ask(GET)).status == 200

    assert [len(each.requests) for each in host.heard] == [1, 1]


async def test_an_answer_that_is_too_long_is_not_read_to_its_end() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"a" * 2000
    async with talking(long, YES) as (host, connections):
        assert await connections.ask(replace(GET, most=1000)) == Answer(200, {"Content-Length": "1000000000"}, None)
        assert await host.ended.get() is host.heard[0]
        assert (await connections.ask(replace(GET, most=1000))).body == b"{}"

    assert [len(each.requests) for each in host.heard] == [1, 1]


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        pytest.param(GET, 2, id="a read"),
        pytest.param(DELETE, 2, id="a deletion"),
        pytest.param(APPLY, 1, id="a patch"),
        pytest.param(replace(APPLY, method="POST"), 1, id="a creation"),
    ],
)
async def test_a_connection_that_is_closed_instead_of_an_answer(request_: Request, asked: int) -> None:
    """A write that is not the same if it is made twice is not made twice."""
    async with talking(YES, None, YES) as (host, connections):
        await connections.ask(GET)
        asking = asyncio.gather(connections.ask(request_), return_exceptions=True)

        [found] = await asking

    sent = [each for heard in host.heard for each in heard.requests][1:]
    assert len(sent) == asked
    assert isinstance(found, Answer if asked == 2 else aiohttp.ServerDisconnectedError)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", id="it says so"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", id="an old server"),
        pytest.param(YES + YES, id="more than one answer"),
    ],
)
async def test_a_connection_that_is_not_used_again(raw: bytes) -> None:
    async with talking(raw, YES) as (host, connections):
        assert (await connections.ask(APPLY)).body == b"{}"
        assert (await connections.ask(APPLY)).body == b"{}"

    assert [len(each.requests) for each in host.heard] == [1, 1]


async def test_a_request_is_repeated_once() -> None:
    async with talking(None, None, YES) as (host, connections):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await connections.ask(GET)

    assert sum(len(each.requests) for each in host.heard) == 2


class Rude(Host):
    """Closes each connection."""

    async def serve(self, heard: Heard) -> None:
        """Leave."""


async def test_a_host_that_is_not_reached_is_asked_once() -> None:
    async with listening(Rude()) as host:
        server = Server(URL(f"https://127.0.0.1:{host.port}"), ssl.create_default_context())
        async with connected(server) as connections:
            with pytest.raises(aiohttp.ClientConnectorError):
                await connections.ask(GET)
        await host.ended.get()

    assert len(host.heard) == 1


async def test_nobody_gets_an_answer_that_nobody_asked_for() -> None:
    """A server that says goodbye on an idle connection, as some do before they close it."""
    goodbye = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    async with talking(YES, YES, YES) as (host, connections):
        await connections.ask(APPLY)
        await host.heard[0].say(goodbye)
        # It has arrived before an answer that was sent later.
        async with connected(plain(host)) as others:
            await others.ask(APPLY)

        assert (await connections.ask(APPLY)).status == 200

    assert [len(each.requests) for each in host.heard] == [1, 1, 1]


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"], ids=["silent", "slow"])
async def test_a_request_that_is_given_up_closes_its_connection(beginning: bytes) -> None:
    async with listening(Host()) as host, connected(plain(host), limit=1) as connections:
        asking = asyncio.create_task(connections.ask(APPLY))
        heard = await host.asked.get()
        await heard.say(beginning)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        assert await host.ended.get() is heard
        host.answers = [YES]
        assert (await connections.ask(APPLY)).status == 200


class Slow(Host):
    """Reads no body before it is told to, and notes how much came then."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = asyncio.Event()
        self.size = 0

    async def serve(self, heard: Heard) -> None:
        """Read what one connection brings."""
        await heard.reader.readuntil(b"\r\n\r\n")
        self.asked.put_nowait(heard)
        await self.reads.wait()
        while part := await heard.reader.read(2**20):
            self.size += len(part)


async def test_a_write_that_is_given_up_is_not_sent_later() -> None:
    size = 32 * 2**20
    async with listening(Slow()) as host, connected(plain(host)) as connections:
        asking = asyncio.create_task(connections.ask(replace(APPLY, body=b"a" * size)))
        await host.asked.get()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert isinstance(host, Slow)
        host.reads.set()
        await host.ended.get()

    assert host.size < size


async def test_a_request_that_may_not_be_sent_any_more_is_not() -> None:
    def refuse() -> None:
        raise aiohttp.ClientConnectionError("not any more")

    async with talking(YES) as (host, connections):
        with pytest.raises(aiohttp.ClientConnectionError, match="not any more"):
            await connections.ask(replace(DELETE, check=refuse))
        await connections.ask(APPLY)

    assert [lines_of(each)[0].split()[0] for heard in host.heard for each in heard.requests] == ["PATCH"]


async def test_no_more_connections_are_opened_than_allowed() -> None:
    async with talking(*[YES] * 20) as (host, connections):
        await asyncio.gather(*(connections.ask(APPLY) for _ in range(20)))

    assert 1 <= len(host.heard) <= 2
    assert sum(len(each.requests) for each in host.heard) == 20


@dataclass(frozen=True)
class Trust:
    """Certificates of a server, and those who trust it."""

    authority: trustme.CA
    secured: ssl.SSLContext
    trusting: ssl.SSLContext


def trust_in(name: str) -> Trust:
    """Return the trust in a server of that name."""
    authority = trustme.CA()
    secured = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(secured)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return Trust(authority, secured, trusting)


async def test_a_server_proves_who_it_is() -> None:
    trust = trust_in("127.0.0.1")
    async with listening(Host(YES), trust.secured) as host:
        url = URL(f"https://127.0.0.1:{host.port}")
        async with connected(Server(url, trust.trusting)) as connections:
            assert (await connections.ask(APPLY)).body == b"{}"
        async with connected(Server(url, ssl.create_default_context())) as connections:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await connections.ask(APPLY)

    assert sum(len(each.requests) for each in host.heard) == 1


async def test_a_certificate_may_have_another_name() -> None:
    trust = trust_in("kubernetes.example")
    async with listening(Host(YES), trust.secured) as host:
        server = Server(URL(f"https://127.0.0.1:{host.port}"), trust.trusting, hostname="kubernetes.example")
        async with connected(server) as connections:
            assert (await connections.ask(APPLY)).body == b"{}"

    assert lines_of(host.heard[0].requests[0])[1]["host"] == f"127.0.0.1:{host.port}"


async def test_a_client_shows_its_certificate() -> None:
    trust = trust_in("127.0.0.1")
    trust.secured.verify_mode = ssl.CERT_REQUIRED
    trust.authority.configure_trust(trust.secured)
    trust.authority.issue_cert("operator@example.org").configure_cert(trust.trusting)
    async with listening(Host(YES), trust.secured) as host:
        server = Server(URL(f"https://127.0.0.1:{host.port}"), trust.trusting)
        async with connected(server) as connections:
            assert (await connections.ask(APPLY)).body == b"{}"


class Proxy(Host):
    """Tunnels connections, and notes what it was asked."""

    async def serve(self, heard: Heard) -> None:
        """Pass on what one connection brings."""
        assert heard.writer is not None
        target = lines_of(await heard.next())[0].split()[1]
        far_reader, far_writer = await asyncio.open_connection(*target.split(":"))
        try:
            await heard.say(b"HTTP/1.1 200 Connected\r\n\r\n")
            await asyncio.gather(pass_on(heard.reader, far_writer), pass_on(far_reader, heard.writer))
        finally:
            far_writer.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on to the end."""
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
    writer.close()


async def test_a_tunnel_hides_everything_from_the_proxy() -> None:
    trust = trust_in("127.0.0.1")
    async with listening(Host(YES, YES, YES), trust.secured) as host, listening(Proxy()) as proxy:
        server = Server(
            URL(f"https://127.0.0.1:{host.port}"),
            trust.trusting,
            proxy=f"http://user:pass@127.0.0.1:{proxy.port}",
            proxy_headers={"X-Way": "a"},
        )
        async with connected(server) as connections:
            for _ in range(3):
                assert (await connections.ask(APPLY)).body == b"{}"

    [heard] = proxy.heard
    [asked] = heard.requests
    first, headers = lines_of(asked)
    assert first == f"CONNECT 127.0.0.1:{host.port} HTTP/1.1"
    assert headers["proxy-authorization"] == f"Basic {b64encode(b'user:pass').decode()}"
    assert headers["x-way"] == "a"
    assert "authorization" not in headers
    assert all("proxy" not in each.lower() for each in host.heard[0].requests)


async def test_a_proxy_that_refuses() -> None:
    trust = trust_in("127.0.0.1")
    async with listening(Host(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as proxy:
        server = Server(URL("https://127.0.0.1:9"), trust.trusting, proxy=f"http://127.0.0.1:{proxy.port}")
        async with connected(server) as connections:
            with pytest.raises(aiohttp.ClientHttpProxyError):
                await connections.ask(APPLY)


async def test_a_proxy_is_told_the_whole_address_where_there_is_no_tunnel() -> None:
    async with listening(Host(YES, YES)) as proxy:
        server = Server(
            URL("http://api.example:8080/below"),
            ssl.create_default_context(),
            f"http://user:pass@127.0.0.1:{proxy.port}",
        )
        async with connected(server) as connections:
            for _ in range(2):
                await connections.ask(APPLY)

    [heard] = proxy.heard
    for each in heard.requests:
        first, headers = lines_of(each)
        assert first == f"PATCH http://api.example:8080/below{APPLY.target} HTTP/1.1"
        assert headers["proxy-authorization"] == f"Basic {b64encode(b'user:pass').decode()}"
        assert headers["host"] == "api.example:8080"


@pytest.mark.parametrize("text", ["", "garbage", "ftp://a", "http://", "http://[a", "/path", "https://a:99999999"])
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(aiohttp.ClientError):
        address(text)


def test_a_request_hides_what_it_holds() -> None:
    assert "s3cret" not in repr(APPLY)
