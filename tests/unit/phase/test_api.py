"""The port: a question becomes a snapshot, or an error that names what was meant."""

import traceback
from pathlib import Path

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.values import SecretValue, Snapshot
from phase_operator.phase.credentials import parse
from phase_operator.reconcile.ports import PhaseApi
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
    credential,
    environments,
    failure,
    phase,
    query,
    refused,
    row,
)

NO_ENVIRONMENT = refused(404, "Environment 'prod' not found in App X")


async def test_an_app_by_name_is_resolved_and_read() -> None:
    server = Server(apps={"data": [app("shop")]}, secrets=[row("B"), row("A"), row("B")])

    snapshot = await phase(server).read(query(app="shop"), credential())

    assert snapshot.app_id == app("shop")["id"]
    assert [entry.key for entry in snapshot.entries] == ["A", "B"]
    assert server.requests[-1].url.params["app_id"] == app("shop")["id"]


async def test_an_app_by_id_is_read_at_once() -> None:
    server = Server()

    snapshot = await phase(server).read(query(app_id=APP_ID.upper()), credential())

    assert snapshot == Snapshot.of(APP_ID, [])
    assert len(server.requests) == 1


async def test_every_call_goes_to_the_host_of_the_question_with_its_token() -> None:
    server = Server(apps={"data": [app("shop")]}, secrets=NO_ENVIRONMENT, environments=environments("dev"))

    await failure(phase(server).read(query(app="shop", environment="prod"), credential()))

    assert len(server.requests) == 3
    assert all(str(request.url).startswith(f"{URL}/v1/") for request in server.requests)
    assert {request.headers["authorization"] for request in server.requests} == {credential().header.reveal()}


async def test_an_unknown_environment_names_those_that_the_account_sees() -> None:
    server = Server(
        apps={"data": [app("Backend")]},
        secrets=NO_ENVIRONMENT,
        environments=environments("production", "development"),
    )

    error = await failure(phase(server).read(query(app="Backend", environment="prod"), credential()))

    assert (type(error), error.reason) == (Waiting, Reason.ENVIRONMENT_NOT_FOUND)
    assert error.message == (
        'app "Backend" has no environment "prod"; did you mean "production"? '
        '(the account sees: "development", "production")'
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refused(403, "You don't have permission to read environments."), id="not permitted"),
        pytest.param(httpx.Response(404, headers=HTML), id="older server"),
        pytest.param(httpx.ConnectError("no"), id="not reached"),
        pytest.param(environments(), id="none"),
        pytest.param(environments("Prod"), id="made this moment"),
    ],
)
async def test_where_the_names_cannot_help_the_servers_words_stay(answer: object) -> None:
    server = Server(secrets=NO_ENVIRONMENT, environments=answer)

    error = await failure(phase(server).read(query(environment="prod"), credential()))

    assert error.reason is Reason.ENVIRONMENT_NOT_FOUND
    assert error.message == "Phase answers 404: Environment 'prod' not found in App X"
    assert server.asked("environments") == 1


async def test_an_id_that_phase_lost_is_looked_up_again() -> None:
    server = Server(apps={"data": [app("shop", 1)]}, secrets=refused(404, "App with ID X not found"))
    edge = phase(server)
    error = await failure(edge.read(query(app="shop"), credential()))
    server.answers |= {"apps": {"data": [app("shop", 2)]}, "secrets": []}

    snapshot = await edge.read(query(app="shop"), credential())

    assert error.reason is Reason.APP_NOT_FOUND
    assert snapshot.app_id == app("shop", 2)["id"]


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        pytest.param(
            refused(401, "Service account cannot access this app"), Waiting, Reason.ACCESS_DENIED, id="access"
        ),
        pytest.param(
            refused(400, "SSE is not enabled for this App"), Waiting, Reason.REQUEST_REFUSED, id="encrypted app"
        ),
        pytest.param(httpx.Response(200, headers=HTML), Transient, Reason.UNEXPECTED_ANSWER, id="login page"),
        pytest.param({"data": []}, Transient, Reason.UNEXPECTED_ANSWER, id="another shape"),
        pytest.param(httpx.ConnectError("no"), Transient, Reason.PHASE_UNAVAILABLE, id="not reached"),
    ],
)
async def test_a_failed_read_says_why(answer: object, kind: type[ExpectedError], reason: Reason) -> None:
    error = await failure(phase(Server(secrets=answer)).read(query(), credential()))

    assert (type(error), error.reason) == (kind, reason)


async def test_a_quota_says_how_long() -> None:
    quota = answered({"error": "x"}, 429, {"content-type": "application/json", "retry-after": "17"})

    error = await failure(phase(Server(secrets=quota)).read(query(), credential()))

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
    error = await failure(phase(server).read(query(), credential()))

    files = {Path(frame.f_code.co_filename).name for frame, _ in traceback.walk_tb(error.__traceback__)}
    assert (error.__cause__, error.__context__) == (None, None)
    assert files.isdisjoint({"client.py", "wire.py", "errors.py"})


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
        await failure(phase(Server(secrets=answer)).read(query(), credential(token)), canary)


def test_a_token_is_parsed_with_the_key_of_the_process() -> None:
    edge: PhaseApi = phase(Server())

    assert edge.credential(SecretValue(f"{HEX}\n")) == parse(SecretValue(HEX), KEY)
