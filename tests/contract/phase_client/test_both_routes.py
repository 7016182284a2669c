"""An app means the same before and after SSE is turned on, whichever of the two routes reads it.

Invariant: entries, revisions and refusals are the same by both; what differs is named here.
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.phase_server.recording import HERE
from phase_dev.server import EmbeddedPhase
from phase_operator.api.reasons import Reason
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.source.keyring import Decrypted, Keyring
from phase_operator.core.values import Entry, SecretValue, Snapshot
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.session import Session
from support.examples import examples
from unit.phase.builders import failure

APP = "vault"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(HERE / "encrypted_seed.yaml") as phase:
        yield phase


@pytest.fixture
def server() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(HERE / "encrypted_seed.yaml") as phase:
        yield phase


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    made = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
    yield made
    await made.close()


def place() -> Reservation:
    return AnswerMemory(80 * MIB).open("team")


class Reader:
    """One account's client, by both routes."""

    def __init__(self, server: EmbeddedPhase, session: Session, account: str = "operator", form: Any = "pss") -> None:
        self.edge = PhaseClient(session, b"k" * 32)
        self.credential = self.edge.credential(SecretValue(server.token(account, form)))
        self.url = f"{server.url}/service/public"
        self.app_id = server.app_id(APP)

    async def keyring(self) -> Keyring:
        return await self.edge.keyring(self.url, self.credential, place())

    async def encrypted(self, environment: str = "development", keyring: Keyring | None = None) -> Decrypted:
        keyring = keyring or await self.keyring()
        where: dict[str, Any] = {"app_id": self.app_id, "environment": environment, "place": place()}
        return await self.edge.encrypted(self.url, self.credential, keyring=keyring, **where)

    async def plain(self, environment: str = "development") -> list[Entry]:
        where: dict[str, Any] = {"app_id": self.app_id, "environment": environment, "place": place()}
        found = await self.edge.entries(self.url, self.credential, path=None, tags=(), **where)
        return [each for each in found if isinstance(each, Entry)]

    async def revisions(self) -> dict[str, str | None]:
        found = await self.edge.environments(self.url, self.credential, self.app_id, place())
        return {each.name: each.revision for each in found}


def revision(entries: Sequence[Entry]) -> bytes:
    return Snapshot.of("app", entries).revision


def keyed(keyring: Keyring) -> dict[str, str | None]:
    [app] = [app for app in keyring.apps if app.name == APP]
    return {each.name: each.revision for each in app.environments}


@pytest.mark.parametrize("account", ["operator", "old"])
async def test_the_entries_are_the_same(server: EmbeddedPhase, session: Session, account: str) -> None:
    reader = Reader(server, session, account)
    found = await reader.encrypted()

    server.turn_sse(APP)

    plain = await reader.plain()
    assert revision(found.entries) == revision(plain) == revision((await reader.encrypted()).entries)
    assert {each.type for each in plain} == {"secret", "config", "sealed"}
    assert any("db.staging" in each.value.reveal() for each in plain)


async def test_a_revision_is_the_same_text_so_that_turning_sse_on_reads_nothing_again(
    server: EmbeddedPhase, session: Session
) -> None:
    reader = Reader(server, session)
    server.advance(1)
    server.set(APP, "development", "NEW", "value")
    before = keyed(await reader.keyring())

    server.turn_sse(APP)

    assert keyed(await reader.keyring()) == before == await reader.revisions()


PLACES = [
    (APP, "Development", "/"),
    (APP, "Development", "/f"),
    (APP, "Staging", "/"),
    (APP, "Staging", "/v.1"),
    ("plain", "Development", "/"),
]
TARGETS = (
    # Of the environment itself, with a folder, in a spelling that is no reference to anything.
    *("A", "B", "lower", "LOWER", "K.L", "/f/A", "f/B", "//f//A", "/A", "NONE", " A ", "A$B", "A_${B}", ""),
    # Of another environment, and of one that is not there.
    *("Staging.A", "staging.B", "staging.K.L", "staging./v.1/A", "staging.v.1/B", "staging.A::B", "nowhere.A"),
    # Of another app, of the app itself by its name, and of what is not there.
    *("plain::Development.A", "PLAIN::DEVELOPMENT.B", "plain::development.K.L", "vault::staging.A"),
    *("plain::nowhere.A", "nothing::development.A"),
)
PARTS = ["x", "$", "{", "}", "${", "${A", "${{ A }}", "${{A}}", "::", ".", *(f"${{{target}}}" for target in TARGETS)]
VALUES = st.lists(st.sampled_from(PARTS), max_size=4).map("".join)
PLACE_OF_KEY = st.tuples(st.sampled_from(PLACES), st.sampled_from(["A", "B", "K.L", "lower", "A$B", "A::B"]))


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(held=st.dictionaries(PLACE_OF_KEY, VALUES, max_size=14))
async def test_references_mean_the_same(
    shared_server: EmbeddedPhase, session: Session, held: dict[tuple[tuple[str, str, str], str], str]
) -> None:
    server, reader = shared_server, Reader(shared_server, session)
    server.turn_sse(APP, on=False)
    for ((app, environment, path), key), value in held.items():
        server.set(app, environment, key, value, path=path, keep_case=True)

    found = await reader.encrypted()
    server.turn_sse(APP)
    plain = await reader.plain()

    for (app, environment, path), key in held:
        server.delete(app, environment, key, path=path)
    told = {each.source: each.value.reveal() for each in found.entries}
    assert told == {each.source: each.value.reveal() for each in plain}


async def test_a_reference_to_an_environment_that_the_account_does_not_have_ends_no_resolution(
    server: EmbeddedPhase, session: Session
) -> None:
    """Differs: a keyring does not list it, so that here it is as unknown as a name that nothing has."""
    reader = Reader(server, session)
    server.set(APP, "development", "A", "a")
    server.set(APP, "development", "CLOSED", "${A}-${production.DB_HOST}")

    found = await reader.encrypted()
    server.turn_sse(APP)

    [encrypted] = [each for each in found.entries if each.key == "CLOSED"]
    [plain] = [each for each in await reader.plain() if each.key == "CLOSED"]
    assert (encrypted.value.reveal(), plain.value.reveal()) == ("a-${production.DB_HOST}", "${A}-${production.DB_HOST}")
    assert encrypted.problem


async def test_a_rest_token_is_told_what_to_do_by_each_question(server: EmbeddedPhase, session: Session) -> None:
    reader = Reader(server, session, form="hex")

    for question in (reader.plain(), reader.revisions(), reader.encrypted()):
        assert (await failure(question)).reason is Reason.APP_ENCRYPTED
    listed = await reader.edge.apps(reader.url, reader.credential, place())
    assert {app.name: app.is_encrypted for app in listed} == {APP: True, "plain": False}


async def test_access_that_was_withdrawn_since_the_probe_is_told(server: EmbeddedPhase, session: Session) -> None:
    reader = Reader(server, session)
    old = await reader.keyring()

    server.withdraw("operator", APP, "Development")

    assert (await failure(reader.encrypted(keyring=old))).reason is Reason.ACCESS_DENIED
    assert (await failure(reader.encrypted())).reason is Reason.ENVIRONMENT_NOT_FOUND


async def test_a_revoked_token_is_refused(server: EmbeddedPhase, session: Session) -> None:
    reader = Reader(server, session)
    old = await reader.keyring()

    server.revoke_tokens("operator")

    assert (await failure(reader.keyring())).reason is Reason.ACCESS_DENIED
    assert (await failure(reader.encrypted(keyring=old))).reason is Reason.ACCESS_DENIED


@pytest.mark.parametrize("account", ["no_secrets", "ip_locked"])
async def test_keys_are_listed_to_those_who_may_not_read(server: EmbeddedPhase, session: Session, account: str) -> None:
    assert (await failure(Reader(server, session, account).encrypted())).reason is Reason.ACCESS_DENIED


async def test_an_account_without_apps_has_an_empty_keyring(server: EmbeddedPhase, session: Session) -> None:
    assert (await Reader(server, session, "nobody").keyring()).apps == ()
