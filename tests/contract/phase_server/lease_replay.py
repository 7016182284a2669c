"""Play the recorded session about leases against the embedded server, each part of it in its order and at its time.

Rule: what somebody did outside the API is done by the switches, and the seconds that were waited pass on the clock.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from contract.phase_server.comparison import Comparison, Names
from contract.phase_server.recording import HERE
from phase_dev.server.app import application
from phase_dev.server.clock import AdvancingClock
from phase_dev.server.embedded import spell_token
from phase_dev.server.installation import Phase
from phase_dev.server.seed import apply_seed, load_seed
from phase_dev.server.state import State

# The parts that were recorded against one installation, one after the other.
INSTALLATIONS = (("renew", "list", "access", "ttl"), ("slow", "aws", "worker", "gone"))
# How far a recorded span of time may be from ours: the real worker looks every two seconds.
TOLERANCE = 2.0
CREDENTIALS = {
    "<40 characters>": r"[A-Za-z0-9+/]{40}",
    "<AKIA and 16>": r"AKIA[A-Z2-7]{16}",
}


@dataclass(frozen=True)
class LeaseExchange:
    """One recorded request; without a response nobody waited for it, or it is not of this API."""

    number: int
    part: str
    name: str
    at: datetime
    seconds: float
    request: dict[str, Any]
    response: dict[str, Any] | None


def load_lease_exchanges() -> list[LeaseExchange]:
    """Return all exchanges in the order of the file."""
    content = json.loads((HERE / "lease_exchanges.json").read_text("utf-8"))
    return [
        LeaseExchange(
            e["number"],
            e["part"],
            e["name"],
            datetime.fromisoformat(f"2026-11-28T{e['at']}+00:00"),
            e["seconds"],
            e["request"],
            e["response"],
        )
        for e in content["exchanges"]
    ]


class SessionClock:
    """A clock that stands until the session goes on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 28, 1, 49, 42, 808118, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=137)
        return self.now

    def reach(self, moment: datetime) -> None:
        """Go on to this moment, never back."""
        self.now = max(self.now, moment)

    async def sleep(self, seconds: float) -> None:
        """Let the seconds pass at once."""
        self.now += timedelta(seconds=seconds)


class LeaseSession:
    """An installation and everything the recording calls by a name of its own."""

    def __init__(self) -> None:
        self.clock = SessionClock()
        state = State()
        apply_seed(load_seed(HERE / "lease_seed.yaml"), state, self.clock())
        self.phase = Phase(state, AdvancingClock(self.clock))
        self.app = application(self.phase, self.clock.sleep)
        self.names = Names(
            {
                "<uuid 0000>": "00000000-0000-4000-8000-000000000000",
                "<username>": "owner",
                "<email>": "owner@acme.test",
                "http://127.0.0.1:39165/": "https://iam.amazonaws.com/",
            }
        )
        for app in ("backend", "theirs"):
            self.names.bind(f"<app:{app}>", self.phase.app(app).id)
        for dynamic in state.dynamic_secrets.values():
            self.names.bind(f"<dynamic:{dynamic.name}>", dynamic.id)
        self.names.bind("F3EB64C8-85C1-49B0-8A05-B0C426DF714E", self.id_of("<dynamic:bucket>").upper())
        self.names.bind("<env:Staging>", self.phase.environment("backend", "Staging").id)

    def id_of(self, recorded: str) -> str:
        """Return our id of what the recording calls by a name."""
        return self.names.ours[recorded]

    async def send(self, request: dict[str, Any]) -> httpx.Response:
        """Send a recorded request, its placeholders replaced."""
        headers = {name: self._spell(value) for name, value in request["headers"].items()}
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://phase") as client:
            return await client.request(
                request["method"], self._spell(request["target"]), headers=headers, content=self._body(request["body"])
            )

    def _body(self, body: str | None) -> bytes | None:
        return self._spell(body).encode() if body else None

    def _spell(self, text: str) -> str:
        def token(match: re.Match[str]) -> str:
            account = self.phase.account(match[1])
            return spell_token(self.phase.token(match[1]), account, "hex")

        return re.sub(r"<([a-z]+)-hex>", token, self.names.translate(text))


def play_leases(exchanges: list[LeaseExchange]) -> dict[int, list[str]]:
    """Replay all of them; return the differences by number."""
    return asyncio.run(_play(exchanges))


async def _play(exchanges: list[LeaseExchange]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for parts in INSTALLATIONS:
        session = LeaseSession()
        for exchange in exchanges:
            if exchange.part in parts:
                found[exchange.number] = await _replay(session, exchange)
    return found


async def _replay(session: LeaseSession, exchange: LeaseExchange) -> list[str]:
    if console := IN_THE_CONSOLE.get(exchange.name):
        session.clock.reach(exchange.at)
        console(session)
        return []
    session.clock.reach(exchange.at - timedelta(seconds=exchange.seconds))
    before, after = AROUND.get(exchange.name, (_nothing, _nothing))
    before(session)
    users = {user.id for user in session.phase.leases.users()}
    answer = await session.send(exchange.request)
    made = [len(user.keys) for user in session.phase.leases.users() if user.id not in users]
    after(session)
    differences = _differences(session.names, exchange.response, answer) if exchange.response else []
    if made != LEFT.get(exchange.name, made):
        differences.append(f"users: recorded keys {LEFT[exchange.name]}, got {made}")
    return differences


def _differences(names: Names, recorded: dict[str, Any], got: httpx.Response) -> list[str]:
    comparison = Comparison(names)
    if "json" not in recorded or got.headers["Content-Type"] != "application/json":
        comparison.answer(recorded, got)
        return comparison.differences
    ours = got.json()
    rows = recorded["json"]
    if isinstance(rows, list) and isinstance(ours, list):
        comparison.equal("rows", len(rows) + recorded.get("more", 0), len(ours))
        ours = [_as_abbreviated(row, mine) for row, mine in zip(rows, ours, strict=False)]
        for row, mine in zip(rows, ours, strict=True):
            _compare_lease(comparison, row.get("lease", row) or {}, mine.get("lease", mine) or {})
    comparison.equal("status", recorded["status"], got.status_code)
    comparison.json("body", rows, ours)
    return comparison.differences


def _as_abbreviated(recorded: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Return our row with the fields that were written down; most dynamic secrets were shortened."""
    if recorded.get("type") == "dynamic" and "keyMap" not in recorded:
        return {name: value for name, value in ours.items() if name in recorded}
    return ours


def _compare_lease(comparison: Comparison, recorded: dict[str, Any], ours: dict[str, Any]) -> None:
    """Compare the spans between a lease's moments and the form of its credentials."""
    for name in ("expiresAt", "revokedAt"):
        if recorded.get(name) and ours.get(name):
            spans = [_span(row, name) for row in (recorded, ours)]
            if abs(spans[0] - spans[1]) > TOLERANCE:
                comparison.differences.append(f"{name}: recorded {spans[0]:.1f} s after the start, got {spans[1]:.1f}")
    for theirs, mine in zip(recorded.get("credentials", ()), ours.get("credentials", ()), strict=True):
        form = CREDENTIALS.get(theirs["value"]) or theirs["value"].replace("<random>", "[a-z0-9]{6,18}")
        if not re.fullmatch(form, mine["value"]):
            comparison.differences.append(f"{theirs['key']}: it is not of the form {form}")


def _span(lease: dict[str, Any], name: str) -> float:
    start, end = (datetime.fromisoformat(lease[each]) for each in ("createdAt", name))
    return (end - start).total_seconds()


Turn = Callable[[LeaseSession], None]


def _nothing(session: LeaseSession) -> None:
    pass


def _failing(kind: Any, action: str | None = None, **details: Any) -> tuple[Turn, Turn]:
    return (
        lambda session: session.phase.leases.fail(kind, action, **details),
        lambda session: session.phase.leases.clear(),
    )


def _before(turn: Turn) -> tuple[Turn, Turn]:
    return turn, _nothing


def _after(turn: Turn) -> tuple[Turn, Turn]:
    return _nothing, turn


def _delete_user(session: LeaseSession) -> None:
    lease = session.phase.leases.find(session.id_of("<lease:user-deleted-by-hand>"))
    session.phase.leases.remove_user(lease.user)


# What was done in the Console, by an API that is not served here.
IN_THE_CONSOLE: dict[str, Turn] = {
    "the Console renews a lease": lambda s: s.phase.leases.renew(s.id_of("<lease:to-revoke-in-console>"), 60),
    "the Console revokes a lease": lambda s: s.phase.leases.revoke(s.id_of("<lease:to-revoke-in-console>")),
    "the Console deletes a dynamic secret": lambda s: s.phase.delete_dynamic("backend", "Production", "prod"),
}
# What was turned before an exchange and after it.
AROUND: dict[str, tuple[Turn, Turn]] = {
    "renew +60, then ZREM of the old job": _after(
        lambda s: s.phase.leases.unschedule(s.id_of("<lease:renewed-cured>"))
    ),
    "AWS takes 4 s per call": _failing("delay", delay=4),
    "client closes at once": _failing("delay", delay=4),
    "client closes with RST": _failing("delay", delay=4),
    "client closes after 2 s": _failing("delay", delay=4),
    "client with a timeout of 5 s, AWS takes 9": _failing("delay", delay=3),
    "AWS refuses CreateUser (403)": _failing("refuse", "CreateUser"),
    "AWS refuses CreateAccessKey (403)": _failing("refuse", "CreateAccessKey"),
    "AWS refuses TagUser (403)": _failing("refuse", "TagUser"),
    "AWS throttles (400 Throttling)": _failing("throttle"),
    "AWS answers 500": _failing("error"),
    "the first answer to CreateUser is lost": _failing("lost", "CreateUser", times=1),
    "the first answer to CreateAccessKey is lost": _failing("lost", "CreateAccessKey", times=1),
    "DELETE, the IAM user is gone": _before(_delete_user),
    "lease, AWS is gone": _before(lambda s: s.phase.leases.fail("away")),
    # The lease that was due meanwhile stays: its job failed and is not repeated.
    "DELETE, AWS is back": _before(lambda s: s.phase.leases.clear()),
    "expires-without-worker": _after(lambda s: s.phase.leases.set_worker(runs=False)),
    "lease, Redis refuses writes": (
        lambda s: s.phase.leases.set_worker(takes_jobs=False),
        lambda s: s.phase.leases.set_worker(takes_jobs=True),
    ),
    "AWS does not answer CreateAccessKey": _failing("hang", "CreateAccessKey", delay=120),
}
# What was found in the cloud account afterwards: of each new user, how many keys it had.
LEFT: dict[str, list[int]] = {
    "control": [1],
    "AWS takes 4 s per call": [1],
    "client closes at once": [1],
    "client closes with RST": [1],
    "client closes after 2 s": [1],
    "client with a timeout of 5 s, AWS takes 9": [1],
    "AWS refuses CreateUser (403)": [],
    "AWS refuses CreateAccessKey (403)": [],
    "AWS refuses TagUser (403)": [0],
    "AWS throttles (400 Throttling)": [],
    "AWS answers 500": [],
    "the first answer to CreateUser is lost": [0],
    "the first answer to CreateAccessKey is lost": [2],
    "lease, AWS is gone": [],
    "lease by /v1/secrets/, AWS is gone": [],
    "no id, ttl=300 over the max of one of two": [1],
    "lease, Redis refuses writes": [],
    "AWS does not answer CreateAccessKey": [2],
}
