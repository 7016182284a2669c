"""Play the recorded session against the embedded server, once and in order.

Rule: what happened between the recorded exchanges happens here through the API or an administrator's switch, and
nothing in the server knows which exchange it answers.
"""

import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import httpx

from contract.phase_server.comparison import Comparison, Names
from contract.phase_server.recording import HERE, Exchange, load_exchanges
from phase_dev.server import EmbeddedPhase

DELETED = "d" * 64
# The keys under /refs were not written down, so that length says nothing; names of leased users vary in length; the
# recorded end-to-end encrypted app had no true seed and salt (ours are 420 characters longer, the rest is equal).
LENGTH_VARIES = {124, 125, 134, 135, 142, 168}


class TickingClock:
    """A clock that moves a little with every look at it, so that no two moments are the same."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 5, 41, 54, 100007, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(microseconds=137)
        return self._now


class Session:
    """The server of a section and everything the recording calls by a name of its own."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.names = Names()
        self.phase = EmbeddedPhase()
        self.client = httpx.Client()

    def __enter__(self) -> Self:
        self.serve("seed.yaml")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def serve(self, seed: str) -> None:
        """Start over with a seed; ids that are in it stand for themselves."""
        self.names = Names()
        self.phase = self._stack.enter_context(EmbeddedPhase(HERE / seed, clock=TickingClock()))
        self.client = self._stack.enter_context(httpx.Client(base_url=self.phase.url))
        for app, alias in (("backend", "backend"), ("Shared Config", "shared"), ("legacy-e2ee", "e2ee")):
            self.names.bind(f"<app:{alias}>", self.phase.app_id(app))
        if seed == "seed.yaml":
            self.names.bind("<app:foreign>", self.phase.app_id("foreign"))

    def send(self, request: dict[str, Any]) -> httpx.Response:
        """Send a recorded request, its placeholders replaced."""
        body = request["body"]
        return self.client.request(
            request["method"],
            self.spell(request["target"]),
            headers={name: self.spell(value) for name, value in request["headers"].items()},
            content=self.spell(full_body(body)).encode() if body else None,
        )

    def call(self, method: str, account: str, body: object = None, *, env: str = "development", **query: str) -> Any:
        """Make a call that was not recorded, as its setting says."""
        params = {"app_id": self.phase.app_id("backend"), "env": env, **query}
        answer = self.client.request(
            method, "/v1/secrets/", params=params, headers=self.phase.headers(account), json=body
        )
        return answer.json()

    def held(self) -> list[object]:
        """Return what an account can make, change or delete."""
        state = self.phase.phase.state
        return [*state.secrets.values(), *state.leases.values(), *state.tokens.values()]

    def spell(self, text: str) -> str:
        """Return the text with placeholders and ids as they are here."""

        def known(match: re.Match[str]) -> str:
            name = match[1]
            if name == "operator-full-pss_service-token":
                return self.phase.token("operator", "pss")
            if name == "deleted-hex":
                return DELETED
            if name == "expired-hex":
                return self.phase.phase.token("operator", "expired").value
            if name.endswith("-hex"):
                return self.phase.token(name.removesuffix("-hex"), "hex")
            return match[0]

        return re.sub(r"<([a-z0-9_:\-]+)>", known, self.names.translate(text))


def full_body(body: str) -> str:
    """Return a body that was abbreviated while recording in its full length."""
    match = re.fullmatch(r"(.*?)(x+)\.\.\. \((\d+) bytes\)", body, re.DOTALL)
    if match is None:
        return body
    end = '"}]}'
    return match[1] + "x" * (int(match[3]) - len(match[1]) - len(end)) + end


Look = Callable[[Exchange, httpx.Response, bool], None]


def play(exchanges: list[Exchange], left_out: dict[int, str], look: Look = lambda *_: None) -> dict[int, list[str]]:
    """Replay all but the left out; return the differences by number.

    `look` sees each exchange with its answer, and whether it changed what the server holds.
    """
    found: dict[int, list[str]] = {}
    with Session() as session:
        for exchange in exchanges:
            if prepare := BEFORE.get(exchange.number):
                prepare(session)
            if exchange.number in left_out:
                continue
            assert exchange.request is not None
            comparison = Comparison(session.names)
            before = session.held()
            answer = session.send(exchange.request)
            look(exchange, answer, session.held() != before)
            comparison.answer(exchange.response, answer, same_length=exchange.number not in LENGTH_VARIES)
            check_references(comparison, exchange, answer, session)
            found[exchange.number] = comparison.differences
    return found


def check_references(comparison: Comparison, exchange: Exchange, answer: httpx.Response, session: Session) -> None:
    """Compare the table of stored and returned values that stands beside an exchange."""
    if not exchange.references:
        return
    returned = {row["key"]: row["value"] for row in answer.json()}
    for row in exchange.references:
        key = reference_key(row["stored"])
        comparison.equal(row["stored"], row["returned"], returned.get(key))
    dev_only = session.call("GET", "dev_only", path="/refs")
    # Both bodies hold the same rows, so the recorded lengths show the difference of all values together.
    ours = sum(len(row["value"]) for row in dev_only) - sum(len(value) for value in returned.values())
    comparison.equal("length of the dev-only answer", 13521 - 13330, ours)


def reference_key(stored: str) -> str:
    """Return the key of a value whose key the recording names, or else one made from its bytes."""
    named = {"a${/refs/R_CYCLE_B}": "R_CYCLE_A", "b${/refs/R_CYCLE_A}": "R_CYCLE_B", "s${/refs/R_SELF}": "R_SELF"}
    return named.get(stored, f"R_{stored.encode().hex().upper()}")


def _two_to_delete(session: Session) -> None:
    for key, recorded in (
        ("DEL1", "13d0ece2-c6c7-4556-aa4b-5c45730974ae"),
        ("DEL2", "4cfc90e5-83df-4559-af70-49bbb4c692d1"),
    ):
        created = session.call("POST", "operator", {"secrets": [{"key": key, "value": "d"}]})
        session.names.bind(recorded, created[0]["id"])


def _tidy(session: Session) -> None:
    rows = session.call("GET", "operator")
    ids = [row["id"] for row in rows if row["key"] in {"X5", "TWICE", "BIG64K", "BIG2M", "NUL"}]
    session.call("DELETE", "operator", {"secrets": ids})


def _references(session: Session) -> None:
    phase = session.phase
    phase.set("backend", "staging", "STG_HOST", "stg.example")
    phase.set("backend", "staging", "STG_NESTED", "n:${STG_HOST}")
    phase.set("backend", "staging", "INNER", "stg-inner", path="/net")
    phase.set("backend", "production", "PROD_PW", "prod-secret")
    phase.set("Shared Config", "development", "LICENSE", "lic-123")
    phase.set("Shared Config", "development", "LOCALREF", "<${LICENSE}>")
    phase.set("Shared Config", "development", "TOKEN", "tok", path="/deep/er")
    phase.set("backend", "development", "SIB", "sibling-value", path="/refs")
    rows = next(e.references for e in load_exchanges() if e.references)
    for row in rows:
        phase.set("backend", "development", reference_key(row["stored"]), row["stored"], path="/refs")


def _changes(session: Session) -> None:
    secret = session.names.translate("853bcb2e-2d9f-483e-bb04-9e61ad6426fe")
    for change in ({"value": "1"}, {"value": "1"}, {"tags": ["db"]}, {"comment": "c"}):
        session.call("PUT", "operator", {"secrets": [{"id": secret, **change}]})
    session.phase.set("backend", "staging", "STG_HOST", "stg2.example")


def _quota(session: Session) -> None:
    _changes(session)
    session.phase.set_quota(5)


def _calls(account: str, number: int) -> Callable[[Session], None]:
    def make(session: Session) -> None:
        for _ in range(number):
            session.call("GET", account, key="EMPTY")

    return make


def _rotating(session: Session) -> None:
    session.phase.phase.set_secret(
        "backend", "development", "OPENAI_API_KEY", "sk-rotated-1", path="/rot", lifecycle="rotating"
    )


def _mixed_case(session: Session) -> None:
    session.phase.phase.set_secret("backend", "development", "mixedCase", "m", keep_case=True)


BEFORE: dict[int, Callable[[Session], None]] = {
    91: _two_to_delete,
    98: _tidy,
    124: _references,
    178: _quota,
    179: _calls("operator", 4),
    185: _calls("no_permission", 6),
    186: lambda session: session.phase.set_quota(None),
    189: _rotating,
    193: _mixed_case,
    194: lambda session: session.phase.phase.set_plan("free"),
    197: lambda session: session.phase.phase.rename_environment("backend", "staging", "stage"),
    198: lambda session: session.phase.withdraw("dev_only", "backend", "development"),
    200: lambda session: session.serve("seed_late.yaml"),
}
