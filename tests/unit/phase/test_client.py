"""The port: a call becomes entries, apps, environments, or an error that says why."""

import traceback
from pathlib import Path
from types import FrameType

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.values import Entry, SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.credentials import parse
from phase_operator.reconcile.ports import Credential, PhaseApi
from support.canary import Canary
from unit.phase.builders import (
    APP_ID,
    HEX,
    HTML,
    KEY,
    URL,
    Server,
    answered,
    app,
    client,
    credential,
    environments,
    failure,
    place,
    refused,
    row,
)


async def read(edge: PhaseClient, by: Credential | None = None) -> list[Entry]:
    """Read the root folder of production."""
    found = await edge.entries(
        URL, by or credential(), app_id=APP_ID, environment="production", path="/", tags=("a", "b"), place=place()
    )
    return [each for each in found if isinstance(each, Entry)]


async def test_apps_and_environments_come_with_what_decisions_need() -> None:
    seen = {"data": [{"id": "e", "name": "Production", "updatedAt": "2030-01-01T00:00:00.000001Z"}]}
    edge = client(Server(apps={"data": [app("shop")]}, environments=seen))

    assert await edge.apps(URL, credential(), place()) == [App(str(app("shop")["id"]), "shop", is_encrypted=False)]
    assert await edge.environments(URL, credential(), APP_ID, place()) == [
        Environment("Production", "2030-01-01T00:00:00.000001Z")
    ]


@pytest.mark.parametrize(
    ("fields", "is_encrypted"),
    [({"sseEnabled": True}, False), ({"sseEnabled": False}, True), ({}, None), ({"sseEnabled": "false"}, None)],
    ids=["true", "false", "left out", "a text"],
)
async def test_the_list_of_apps_tells_which_are_encrypted(fields: dict[str, object], is_encrypted: bool | None) -> None:
    edge = client(Server(apps={"data": [{"id": "1", "name": "shop"} | fields]}))

    [found] = await edge.apps(URL, credential(), place())

    assert found.is_encrypted is is_encrypted


@pytest.mark.parametrize("moved", [None, "", "yesterday", 17, ["2030-01-01T00:00:00Z"]])
async def test_a_revision_that_is_no_date_is_none(moved: object) -> None:
    edge = client(Server(environments={"data": [{"id": "e", "name": "Production", "updatedAt": moved}]}))

    assert await edge.environments(URL, credential(), APP_ID, place()) == [Environment("Production", None)]


async def test_a_read_asks_for_what_is_wanted_and_leaves_out_dynamic_secrets() -> None:
    server = Server(secrets=[row("A"), row("B", type="dynamic")])

    entries = await read(client(server))

    assert [entry.key for entry in entries] == ["A"]
    assert "lease" not in server.requests[0].url.params
    assert dict(server.requests[0].url.params) == {
        "app_id": APP_ID,
        "env": "production",
        "path": "/",
        "tags": "a,b",
        "dynamic": "true",
    }


async def test_every_call_goes_to_the_host_of_the_question_with_its_token() -> None:
    server = Server(apps={"data": []}, secrets=[], environments=environments("dev"))
    edge = client(server)

    await edge.apps(URL, credential(), place())
    await edge.environments(URL, credential(), APP_ID, place())
    await read(edge)

    assert len(server.requests) == 3
    assert all(str(request.url).startswith(f"{URL}/v1/") for request in server.requests)
    assert {request.headers["authorization"] for request in server.requests} == {credential().header.reveal()}


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        pytest.param(
            refused(401, "Service account cannot access this app"), Waiting, Reason.ACCESS_DENIED, id="access"
        ),
        pytest.param(
            refused(400, "SSE is not enabled for this App"), Waiting, Reason.APP_ENCRYPTED, id="encrypted app"
        ),
        pytest.param(httpx.Response(200, headers=HTML), Transient, Reason.UNEXPECTED_ANSWER, id="login page"),
        pytest.param({"data": []}, Transient, Reason.UNEXPECTED_ANSWER, id="another shape"),
        pytest.param(httpx.ConnectError("no"), Transient, Reason.PHASE_UNAVAILABLE, id="not reached"),
    ],
)
async def test_a_failed_read_says_why(answer: object, kind: type[ExpectedError], reason: Reason) -> None:
    error = await failure(read(client(Server(secrets=answer)), credential()))

    assert (type(error), error.reason) == (kind, reason)


async def test_a_quota_says_how_long() -> None:
    quota = answered({"error": "x"}, 429, {"content-type": "application/json", "retry-after": "17"})

    error = await failure(read(client(Server(secrets=quota)), credential()))

    assert isinstance(error, Transient)
    assert (error.reason, error.after) == (Reason.RATE_LIMITED, 17.0)


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Server(secrets=[row(value=None), row("B", "VALUE")]), id="an entry without value"),
        pytest.param(Server(secrets=httpx.ConnectError("no")), id="not reached"),
        pytest.param(Server(secrets=answered("VALUE", 502)), id="bad gateway"),
    ],
)
async def test_a_kept_error_holds_neither_causes_nor_frames_of_the_call(server: Server) -> None:
    error = await failure(read(client(server), credential()))

    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if "/phase_operator/" in _file(frame)]
    assert (error.__cause__, error.__context__) == (None, None)
    # The one that remains has the arguments of the call.
    assert [(Path(_file(frame)).name, frame.f_code.co_name) for frame in frames] == [("client.py", "asked")]
    assert set(frames[0].f_locals) <= {"args", "kwargs", "question", "error"}


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename


async def test_no_error_shows_a_value_or_a_token(canary: Canary) -> None:
    value, token = canary.value("value"), canary.token(HEX)
    bad = [
        [row(value=[value])],
        {"error": value},
        answered({"error": f"token {token} is bad"}, 401),
        httpx.Response(500, headers=HTML, content=value.encode()),
        httpx.ReadError(value),
        httpx.ConnectError(f"{token}"),
    ]

    for answer in bad:
        await failure(read(client(Server(secrets=answer)), credential(token)), canary)


def test_a_token_is_parsed_with_the_key_of_the_process() -> None:
    edge: PhaseApi = client(Server())

    assert edge.credential(SecretValue(f"{HEX}\n")) == parse(SecretValue(HEX), KEY)
