"""The smallest valid questions and answers, a server that a test writes in one line, a clock turned by hand."""

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
import pytest

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.session import Session
from phase_operator.reconcile.ports import Credential
from support.canary import Canary

URL = "https://phase.test/service/public"
HOST = "https://phase.test"
HEX = "ab" * 32
KEY = b"k" * 32
APP_ID = "6dd6f11c-390e-42d2-9db8-3130ba7bdf03"
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}

Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


class Server:
    """Answers each route with what a test put there, and remembers what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {"secrets": [], "apps": {"data": []}, "environments": {"data": []}} | answers
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)  # as a socket does: others get their turn
        answer = self.answers[request.url.path.rstrip("/").rpartition("/")[2]]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            # A response is read once; a server answers as often as it is asked.
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        if callable(answer):
            made: httpx.Response = await answer(request)
            return made
        return answered(answer)

    def asked(self, route: str) -> int:
        return sum(request.url.path.endswith(f"/v1/{route}/") for request in self.requests)


class Calls(list[tuple[str, str, float]]):
    """The calls that the observer counted."""

    def __call__(self, route: str, status: str, seconds: float) -> None:
        self.append((route, status, seconds))


def answered(document: object, status: int = 200, headers: Mapping[str, str] = JSON) -> httpx.Response:
    return httpx.Response(status, headers=dict(headers), content=json.dumps(document).encode())


def refused(status: int, words: str) -> httpx.Response:
    return answered({"error": words}, status)


def session(
    transport: httpx.AsyncBaseTransport,
    *,
    calls: Calls | None = None,
    timer: Callable[[], float] = lambda: 0.0,
    deadline: float = 60.0,
) -> Session:
    return Session(
        ca_file=None,
        user_agent="phase-operator/1.2.3",
        on_call=Calls() if calls is None else calls,
        timer=timer,
        transport=transport,
        deadline=deadline,
    )


def client(handler: Handler, *, calls: Calls | None = None, timer: Callable[[], float] = lambda: 0.0) -> PhaseClient:
    transport = httpx.MockTransport(handler)  # type: ignore[arg-type]  # httpx knows the two kinds, not their union
    return PhaseClient(session(transport, calls=calls, timer=timer), KEY)


def credential(text: str = HEX) -> Credential:
    return Credential(account="acc", header=SecretValue(f"Bearer ServiceAccount {text}"))


def place(total: int = 80 * MIB) -> Reservation:
    """Return room for one answer."""
    return AnswerMemory(total).open("team")


def row(key: str = "DB_HOST", value: object = "db.example", **fields: Any) -> dict[str, Any]:
    """Return an element of GET /v1/secrets/; a field of None is sent as null."""
    return {"id": f"id-{key}", "key": key, "value": value, "type": "secret", "path": "/", "tags": []} | fields


def app(name: str, number: int = 1) -> dict[str, Any]:
    return {"id": f"00000000-0000-0000-0000-{number:012}", "name": name, "sseEnabled": True}


def environments(*names: str) -> dict[str, Any]:
    return {"data": [{"id": f"env-{name}", "name": name, "index": 0} for name in names]}


async def failure(awaitable: Awaitable[object], canary: Canary | None = None) -> ExpectedError:
    """Return the error that a call ends in; all that could be printed of it is scanned for secrets."""
    with pytest.raises(ExpectedError) as caught:
        await awaitable
    if canary is not None:
        show(caught.value, canary)
    return caught.value


def show(error: ExpectedError, canary: Canary) -> None:
    texts: Sequence[str] = (str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error)))
    canary.see("error", "\n".join(texts))
