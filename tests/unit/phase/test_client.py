"""A call is one request to the asked host, bounded in time and size, and told to the observer."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient, trust
from phase_operator.phase.rows import Limits
from support.canary import Canary
from unit.phase.builders import (
    APP_ID,
    HEX,
    HOST,
    HTML,
    JSON,
    URL,
    Calls,
    Server,
    answered,
    client,
    failure,
    place,
    refused,
    row,
)

HEADER = SecretValue(f"Bearer ServiceAccount {HEX}")
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
    return PhaseClient(
        ca_file=None,
        user_agent="test",
        on_call=Calls() if calls is None else calls,
        timer=lambda: 0.0,
        transport=transport,
        deadline=deadline,
        limits=Limits(size=MIB),
    )


async def test_a_question_is_one_get_with_all_its_parts() -> None:
    server = Server()

    await client(server).secrets(URL, HEADER, place(), app_id=APP_ID, env="production", path="/a b", tags=("x", "y&z"))

    [request] = server.requests
    assert request.method == "GET"
    assert str(request.url.copy_with(query=None)) == f"{URL}/v1/secrets/"
    assert dict(request.url.params) == {"app_id": APP_ID, "env": "production", "path": "/a b", "tags": "x,y&z"}
    assert request.headers["authorization"] == HEADER.reveal()
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == "phase-operator/1.2.3"


async def test_a_question_for_every_folder_names_none() -> None:
    server = Server()

    await client(server).secrets(URL, HEADER, place(), app_id=APP_ID, env="production", path=None, tags=())

    assert set(server.requests[0].url.params) == {"app_id", "env"}


async def test_apps_and_environments_are_unwrapped() -> None:
    server = Server(
        apps={"data": [{"id": "1", "name": "shop", "sseEnabled": False}]},
        environments={"data": [{"id": "2", "name": "Dev", "updatedAt": "x"}]},
    )

    apps = await client(server).apps(URL, HEADER, place())
    environments = await client(server).environments(URL, HEADER, place(), "1")

    assert [(app.id, app.name) for app in apps] == [("1", "shop")]
    assert [each.name for each in environments] == ["Dev"]
    assert [request.url.path for request in server.requests] == [
        "/service/public/v1/apps/",
        "/service/public/v1/environments/",
    ]


async def test_a_redirect_is_not_followed() -> None:
    server = Server(apps=httpx.Response(302, headers=HTML | {"location": "https://elsewhere.test/v1/apps/"}))

    error = await failure(client(server).apps(URL, HEADER, place()))

    assert (type(error), error.reason) == (Transient, Reason.UNEXPECTED_ANSWER)
    assert "redirect" in error.message
    assert {request.url.host for request in server.requests} == {"phase.test"}


async def test_a_cookie_of_one_account_does_not_come_with_anothers_call() -> None:
    server = Server(apps=answered({"data": []}, headers=JSON | {"set-cookie": "session=first; Path=/"}))
    calls = client(server)

    await calls.apps(URL, HEADER, place())
    await calls.apps(URL, SecretValue("Bearer ServiceAccount other"), place())

    assert "cookie" not in server.requests[1].headers


async def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    stream = Stream(*[b" " * MIB] * 100)

    error = await failure(bounded(streaming(stream)).apps(URL, HEADER, place()))

    assert (error.reason, "1 MiB" in error.message) == (Reason.ANSWER_TOO_LARGE, True)
    assert stream.sent == 2


async def test_a_small_answer_that_unpacks_to_a_large_one_is_refused() -> None:
    stream = Stream(gzip.compress(b" " * 20 * MIB))

    error = await failure(bounded(streaming(stream, **{"content-encoding": "gzip"})).apps(URL, HEADER, place()))

    assert error.reason is Reason.ANSWER_TOO_LARGE


async def test_an_answer_that_breaks_off_shows_nothing_of_its_beginning(canary: Canary) -> None:
    start = json.dumps([row(value=canary.value("value"))]).encode()[:-1]
    stream = Stream(
        start, error=httpx.RemoteProtocolError("peer closed connection without sending complete message body")
    )

    call = bounded(streaming(stream)).secrets(
        URL, SecretValue(canary.token("Bearer ServiceAccount x")), place(), app_id=APP_ID, env="e", path=None, tags=()
    )
    error = await failure(call, canary)

    assert (error.reason, error.message) == (
        Reason.UNEXPECTED_ANSWER,
        f"{HOST} breaks off in the middle of an answer",
    )


async def test_a_broken_encoding_is_told() -> None:
    error = await failure(
        bounded(streaming(Stream(b"no gzip"), **{"content-encoding": "gzip"})).apps(URL, HEADER, place())
    )

    assert error.reason is Reason.UNEXPECTED_ANSWER


async def test_an_answer_that_never_ends_ends_at_the_deadline() -> None:
    calls = Calls()

    error = await failure(
        bounded(streaming(Stream(b"[", hang=True)), deadline=0.0, calls=calls).apps(URL, HEADER, place())
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

    task = asyncio.create_task(client(hang, calls=calls).apps(URL, HEADER, place()))
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
        client(Server(apps=answer), calls=calls, timer=lambda: next(times)).apps(URL, HEADER, place()),
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
    calls = PhaseClient(ca_file=None, user_agent="test", on_call=Calls(), timer=lambda: 0.0)

    error = await failure(calls.apps(url, HEADER, place()))

    assert error.reason is Reason.INVALID_SPEC
    await calls.close()


async def test_credentials_in_a_url_are_not_told(canary: Canary) -> None:
    password = canary.token("pass-word-of-url")

    error = await failure(
        client(Server(apps=httpx.ConnectError(""))).apps(f"https://u:{password}@phase.test", HEADER, place()), canary
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
