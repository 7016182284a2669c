"""A call is one request to the asked host, bounded in time and size, and counted by the observer."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.values import Entry, SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.rows import Limits
from phase_operator.phase.session import Session, trust
from phase_operator.reconcile.ports import Credential
from support.canary import Canary
from unit.phase.builders import (
    APP_ID,
    HOST,
    HTML,
    JSON,
    KEY,
    URL,
    Calls,
    Server,
    answered,
    client,
    credential,
    failure,
    place,
    refused,
    row,
    session,
)

ACCOUNT = credential()
MIB = 1024 * 1024


class Stream(httpx.AsyncByteStream):
    """A body that comes in parts, and may end badly."""

    def __init__(self, *parts: bytes, error: Exception | None = None, hang: bool = False) -> None:
        self.parts, self.error, self.hang = parts, error, hang
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.sent += 1
            yield part
        if self.hang:
            await asyncio.Event().wait()
        if self.error:
            raise self.error


def streaming(stream: Stream, **headers: str) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(200, headers=JSON | headers, stream=stream))


def bounded(transport: httpx.MockTransport, *, deadline: float = 60.0, calls: Calls | None = None) -> PhaseClient:
    return PhaseClient(session(transport, deadline=deadline, calls=calls), KEY, Limits(size=MIB))


async def entries(
    edge: PhaseClient, by: Credential = ACCOUNT, path: str | None = None, tags: tuple[str, ...] = ()
) -> list[Entry]:
    found = await edge.entries(URL, by, app_id=APP_ID, environment="production", path=path, tags=tags, place=place())
    return [each for each in found if isinstance(each, Entry)]


async def test_a_question_is_one_get_with_all_its_parts() -> None:
    server = Server()

    await client(server).entries(
        URL, ACCOUNT, place=place(), app_id=APP_ID, environment="production", path="/a b", tags=("x", "y&z")
    )

    [request] = server.requests
    assert request.method == "GET"
    assert str(request.url.copy_with(query=None)) == f"{URL}/v1/secrets/"
    assert dict(request.url.params) == {
        "app_id": APP_ID,
        "env": "production",
        "path": "/a b",
        "tags": "x,y&z",
        "dynamic": "true",
    }
    assert request.headers["authorization"] == ACCOUNT.header.reveal()
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == "phase-operator/1.2.3"


async def test_a_question_for_every_folder_names_none() -> None:
    server = Server()

    await client(server).entries(
        URL, ACCOUNT, place=place(), app_id=APP_ID, environment="production", path=None, tags=()
    )

    assert set(server.requests[0].url.params) == {"app_id", "env", "dynamic"}


async def test_each_endpoint_has_its_route() -> None:
    server = Server()

    await client(server).apps(URL, ACCOUNT, place())
    await client(server).environments(URL, ACCOUNT, "1", place())

    assert [request.url.path for request in server.requests] == [
        "/service/public/v1/apps/",
        "/service/public/v1/environments/",
    ]


async def test_a_redirect_is_not_followed() -> None:
    server = Server(apps=httpx.Response(302, headers=HTML | {"location": "https://elsewhere.test/v1/apps/"}))

    error = await failure(client(server).apps(URL, ACCOUNT, place()))

    assert (type(error), error.reason) == (Transient, Reason.UNEXPECTED_ANSWER)
    assert "redirect" in error.message
    assert {request.url.host for request in server.requests} == {"phase.test"}


async def test_a_cookie_of_one_account_does_not_come_with_anothers_call() -> None:
    server = Server(apps=answered({"data": []}, headers=JSON | {"set-cookie": "session=first; Path=/"}))
    calls = client(server)

    await calls.apps(URL, ACCOUNT, place())
    await calls.apps(URL, credential("other"), place())

    assert "cookie" not in server.requests[1].headers


async def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    stream = Stream(*[b" " * MIB] * 100)

    error = await failure(bounded(streaming(stream)).apps(URL, ACCOUNT, place()))

    assert (error.reason, "1 MiB" in error.message) == (Reason.ANSWER_TOO_LARGE, True)
    assert stream.sent == 2


async def test_a_small_answer_that_unpacks_to_a_large_one_is_refused() -> None:
    stream = Stream(gzip.compress(b" " * 20 * MIB))

    error = await failure(bounded(streaming(stream, **{"content-encoding": "gzip"})).apps(URL, ACCOUNT, place()))

    assert error.reason is Reason.ANSWER_TOO_LARGE


async def test_an_answer_that_breaks_off_shows_nothing_of_its_beginning(canary: Canary) -> None:
    start = json.dumps([row(value=canary.value("value"))]).encode()[:-1]
    stream = Stream(
        start, error=httpx.RemoteProtocolError("peer closed connection without sending complete message body")
    )

    account = Credential("acc", SecretValue(canary.token("Bearer ServiceAccount x")))
    call = entries(bounded(streaming(stream)), account)
    error = await failure(call, canary)

    assert (error.reason, error.message) == (
        Reason.UNEXPECTED_ANSWER,
        f"{HOST} breaks off in the middle of an answer",
    )


async def test_a_broken_encoding_is_told() -> None:
    error = await failure(
        bounded(streaming(Stream(b"no gzip"), **{"content-encoding": "gzip"})).apps(URL, ACCOUNT, place())
    )

    assert error.reason is Reason.UNEXPECTED_ANSWER


async def test_an_answer_that_never_ends_ends_at_the_deadline() -> None:
    calls = Calls()

    error = await failure(
        bounded(streaming(Stream(b"{", hang=True)), deadline=0.0, calls=calls).apps(URL, ACCOUNT, place())
    )

    assert (type(error), error.reason) == (Transient, Reason.PHASE_UNAVAILABLE)
    assert [status for _, status, _ in calls] == ["PhaseUnavailable"]


async def test_a_cancelled_call_is_cancelled_and_counted() -> None:
    calls = Calls()
    reached = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(client(hang, calls=calls).apps(URL, ACCOUNT, place()))
    await reached.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == [("apps", "cancelled", 0.0)]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param({"data": []}, "200", id="good"),
        pytest.param(refused(403, "no"), "403", id="refused"),
        pytest.param(httpx.Response(502, headers=HTML), "502", id="bad gateway"),
        pytest.param(answered([]), "200", id="another shape"),
        pytest.param(httpx.ConnectError("no"), "PhaseUnavailable", id="not reached"),
    ],
)
async def test_every_call_is_told_to_the_observer(answer: object, status: str) -> None:
    calls = Calls()
    times = iter([10.0, 12.5])

    await asyncio.gather(
        client(Server(apps=answer), calls=calls, timer=lambda: next(times)).apps(URL, ACCOUNT, place()),
        return_exceptions=True,
    )

    assert calls == [("apps", status, 2.5)]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://127.0.0.1:99999", id="port out of range"),
        pytest.param("https://xn--", id="no host name"),
        pytest.param("https://999.999.999.999", id="no address"),
        pytest.param("https://phase.test\x7f", id="not printable"),
        pytest.param("ftp://phase.test", id="no HTTP"),
    ],
)
async def test_a_url_that_cannot_be_asked_is_the_specs_fault(url: str) -> None:
    asked = Session(ca_file=None, user_agent="test", on_call=Calls(), timer=lambda: 0.0)

    error = await failure(PhaseClient(asked, KEY).apps(url, ACCOUNT, place()))

    assert error.reason is Reason.INVALID_SPEC
    assert error.had_no_effect
    await asked.close()


async def test_credentials_in_a_url_are_not_told(canary: Canary) -> None:
    password = canary.token("pass-word-of-url")

    error = await failure(
        client(Server(apps=httpx.ConnectError(""))).apps(f"https://u:{password}@phase.test", ACCOUNT, place()), canary
    )

    assert HOST in error.message


def test_somebody_is_trusted_even_where_the_system_trusts_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert trust(None).cert_store_stats()["x509_ca"] > 50


def test_a_directory_of_authorities_is_a_choice_that_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "0a775a30.0").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert trust(None).cert_store_stats()["x509_ca"] == 0


def test_a_host_may_ask_for_no_second_handshake() -> None:
    assert trust(None).options & ssl.OP_NO_RENEGOTIATION
