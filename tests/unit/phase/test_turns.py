"""However long an answer is, and however short its elements, the loop has its turn while it is read.

What is counted is objects that one turn of the loop makes and keeps, so that the speed of the machine does not matter:
an answer that is parsed as a whole keeps all of its objects at the end of one turn. 10,000 take 5 to 10 ms.
"""

import asyncio
import selectors
import sys
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain
from typing import Any

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.leases.ledger import LeasePlace
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.leases import LeaseClient
from phase_operator.phase.rows import Limits
from phase_operator.phase.session import Session
from support.large_answers import apps, keys, rows
from support.sealing import SealedAccount
from unit.phase.builders import JSON, KEY, URL, place, session

MOST = 10_000
TOKEN = SecretValue(SealedAccount().token())
Question = Callable[[Session], Awaitable[object]]


class Objects(selectors.DefaultSelector):
    """Counts how many more objects there are after a turn of the loop than before it."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._before: int | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Look at the sockets: here one turn ends, and another begins."""
        if self._before is not None:
            self.most = max(self.most, sys.getallocatedblocks() - self._before)
        found = super().select(timeout)
        self._before = sys.getallocatedblocks()
        return found


def phase(question: Callable[[PhaseClient], Awaitable[object]]) -> Question:
    return lambda session: question(PhaseClient(session, KEY, Limits(size=16 * MIB)))


def credential() -> Any:
    return PhaseClient.credential(PhaseClient(None, KEY), TOKEN)  # type: ignore[arg-type]  # it asks nobody


LIST = phase(lambda edge: edge.apps(URL, credential(), place()))
ENVIRONMENTS = phase(lambda edge: edge.environments(URL, credential(), "app", place()))
KEYRING = phase(lambda edge: edge.keyring(URL, credential(), place()))
SECRETS = phase(
    lambda edge: edge.entries(URL, credential(), app_id="1", environment="e", path=None, tags=(), place=place())
)
WHERE = LeasePlace("none", "app", "production", "secret")


def leases(session: Session) -> Awaitable[object]:
    return LeaseClient(session).leases(URL, credential(), WHERE, place())


def many(element: bytes, count: int) -> Iterable[bytes]:
    return (b"[", b",".join(element % number for number in range(count)), b"]")


def listed(element: bytes, count: int) -> Iterable[bytes]:
    return chain((b'{"data":',), many(element, count), (b"}",))


APP = b'{"id":"%d","name":"a"}'
ENVIRONMENT = b'{"id":"1","name":"%d"}'
LEASE = b'{"id":"%d","ttl":"01:00:00"}'
LONG_LIST = [f"app-{number}" for number in range(9_900)]
ANSWERS = [
    pytest.param(SECRETS, lambda: rows(19_000), id="entries"),
    pytest.param(SECRETS, lambda: chain((b"[",), rows_after_a_long_one(), (b"]",)), id="entries after a long one"),
    pytest.param(LIST, lambda: apps(LONG_LIST), id="apps"),
    pytest.param(LIST, lambda: listed(APP, 9_900), id="short apps"),
    pytest.param(LIST, lambda: listed(APP, 100_000), id="too many apps"),
    pytest.param(ENVIRONMENTS, lambda: listed(ENVIRONMENT, 9_900), id="environments"),
    pytest.param(KEYRING, lambda: keys(9_900), id="keys of one app"),
    pytest.param(KEYRING, lambda: keyring_of_apps(4_900), id="keys of many apps"),
    pytest.param(KEYRING, lambda: keys(9_900, identity_key="", wrapped_seed=""), id="withdrawn keys"),
    pytest.param(leases, lambda: many(LEASE, 9_900), id="leases"),
]


def rows_after_a_long_one() -> Iterable[bytes]:
    short = b'{"id":"1","key":"A","value":""}'
    return (b'{"id":"0","key":"LONG","value":"', b"x" * 520_000, b'"},', b",".join([short] * 15_000))


def keyring_of_apps(count: int) -> Iterable[bytes]:
    key = b'{"environment":{"id":"e","name":"n"},"identity_key":"1","wrapped_seed":"1"}'
    app = b'{"id":"%d","name":"a","environment_keys":[' + key + b"]}"
    yield b'{"apps":['
    yield b",".join(app % number for number in range(count))
    yield b'],"wrapped_key_share":"' + b"00" * 104 + b'"}'


@pytest.mark.parametrize(("question", "answer"), ANSWERS)
def test_no_turn_makes_all_of_a_long_answer(question: Question, answer: Callable[[], Iterable[bytes]]) -> None:
    body = b"".join(answer())
    counted = Objects()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(counted)) as runner:
        kept = runner.run(asked(question, body))

    assert not isinstance(kept, ExpectedError) or kept.reason is Reason.ANSWER_TOO_LARGE, kept
    assert counted.most < MOST


async def asked(question: Question, body: bytes) -> object:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=JSON, content=body))
    try:
        return await question(session(transport))
    except ExpectedError as error:
        return error
