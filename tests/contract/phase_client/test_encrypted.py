"""The operator's client reads end-to-end encrypted apps of the embedded server, with every kind of full token.

Invariant: an app means the same before and after its owner turns server-side encryption on, entry for entry; and what
cannot be read is an error that names the entry, with no word of a value or a key.
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contract.phase_server.recording import HERE
from phase_dev.server import EmbeddedPhase
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.source.keyring import Keyring
from phase_operator.core.values import Entry, SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.session import Session
from phase_operator.reconcile.ports import Credential
from support.builders import query

ACCOUNTS = ("operator", "person", "old")


@pytest.fixture
def phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(HERE / "encrypted_seed.yaml") as phase:
        yield phase


class Reader:
    """The operator's client with one account's token."""

    def __init__(self, phase: EmbeddedPhase, session: Session, account: str, form: Any) -> None:
        self.phase = phase
        self.client = PhaseClient(session, b"k" * 32)
        self.credential: Credential = self.client.credential(SecretValue(phase.token(account, form)))
        self.url = f"{phase.url}/service/public"

    async def keyring(self) -> Keyring:
        return await self.client.keyring(self.url, self.credential, AnswerMemory(MIB).open("team"))

    async def decrypted(
        self, app: str = "vault", environment: str = "Development", keyring: Keyring | None = None
    ) -> Sequence[Entry]:
        found = await self.client.encrypted(
            self.url,
            self.credential,
            keyring=keyring or await self.keyring(),
            app_id=self.phase.app_id(app),
            environment=environment,
            place=AnswerMemory(MIB).open("team"),
        )
        if found.damage is not None and (error := found.damage.error(query(path=None))) is not None:
            raise error
        return found.entries

    async def plain(self, app: str = "vault", environment: str = "development") -> Sequence[Entry]:
        found = await self.client.entries(
            self.url,
            self.credential,
            app_id=self.phase.app_id(app),
            environment=environment,
            path=None,
            tags=(),
            place=AnswerMemory(MIB).open("team"),
        )
        return [each for each in found if isinstance(each, Entry)]


@asynccontextmanager
async def reading(phase: EmbeddedPhase, account: str = "operator", form: str = "pss") -> AsyncIterator[Reader]:
    session = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
    try:
        yield Reader(phase, session, account, form)
    finally:
        await session.close()


def shown(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    return sorted((e.path, e.key, e.value.reveal(), e.type, tuple(sorted(e.tags)), e.id) for e in entries)


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_every_full_token_opens_what_is_stored(phase: EmbeddedPhase, account: str) -> None:
    async with reading(phase, account) as reader:
        entries = await reader.decrypted()

    stored = phase.phase.state.secrets_of(phase.environment_id("vault", "Development"))
    assert [(each[0], each[1]) for each in shown(entries)] == sorted((s.path, s.key) for s in stored)
    values = {entry.key: entry.value.reveal() for entry in entries}
    assert values["GREETING"] == "héllo wörld 日本語 🔐\nsecond line"
    assert values["EMPTY"] == ""
    assert values["DB_PASS"] == "p:w$1"
    assert [(entry.type, entry.tags) for entry in entries if entry.key == "GREETING"] == [
        ("secret", frozenset({"a", "b"}))
    ]


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_the_keyring_tells_apps_environments_and_modes(phase: EmbeddedPhase, account: str) -> None:
    async with reading(phase, account) as reader:
        keyring = await reader.keyring()

    # To an old service token, Phase calls every app encrypted, so it cannot know.
    old = account == "old"
    apps = {app.name: app for app in keyring.apps}
    assert {name: app.is_encrypted for name, app in apps.items()} == {
        "vault": None if old else True,
        "plain": None if old else False,
    }
    assert {app.id for app in keyring.apps} == {phase.app_id("vault"), phase.app_id("plain")}
    names = {"Development"} if account == "person" else {"Development", "Staging"}
    assert {environment.name for environment in apps["vault"].environments} == names


async def test_a_withdrawn_environment_is_in_no_keyring(phase: EmbeddedPhase) -> None:
    for account in ACCOUNTS:
        phase.withdraw(account, "vault", "Development")
        async with reading(phase, account) as reader:
            keyring = await reader.keyring()

        named = {each.name for app in keyring.apps if app.name == "vault" for each in app.environments}
        assert "Development" not in named


async def test_a_change_moves_the_revision_of_its_environment_alone(phase: EmbeddedPhase) -> None:
    async with reading(phase) as reader:
        before = revisions(await reader.keyring())
        await reader.decrypted()
        phase.turn_sse("vault")
        assert revisions(await reader.keyring()) == before

        phase.set("vault", "Staging", "DB_HOST", "db2.staging")

        after = revisions(await reader.keyring())
    assert {name for name in after if after[name] != before[name]} == {"vault/Staging"}


def revisions(keyring: Keyring) -> dict[str, str | None]:
    return {f"{app.name}/{each.name}": each.revision for app in keyring.apps for each in app.environments}


@pytest.mark.parametrize("field", ["key", "value"])
@pytest.mark.parametrize("how", ["flipped", "cut", "version", "parts", "base64", "recipient"])
async def test_a_row_that_does_not_open_is_named(phase: EmbeddedPhase, field: Any, how: Any) -> None:
    phase.damage("vault", "Development", "DB_PASS", how, field=field, path="/net")
    row = phase.phase.secret("vault", "Development", "DB_PASS", path="/net")

    error = await refusal(phase)

    assert error.reason is Reason.DECRYPTION_FAILED
    assert ("/net/DB_PASS" if field == "value" else row.id) in error.message
    assert row.value not in error.message


async def test_a_key_that_is_no_text_is_named_by_its_row(phase: EmbeddedPhase) -> None:
    phase.damage("vault", "Development", "DB_PASS", "not-utf8", field="key", path="/net")

    error = await refusal(phase)

    assert error.reason is Reason.DECRYPTION_FAILED
    assert phase.phase.secret("vault", "Development", "DB_PASS", path="/net").id in error.message


async def test_no_text_at_all_is_an_empty_value(phase: EmbeddedPhase) -> None:
    phase.damage("vault", "Development", "DB_USER", "empty")

    async with reading(phase) as reader:
        entries = await reader.decrypted()

    assert [entry.value.reveal() for entry in entries if entry.key == "DB_USER"] == [""]


@pytest.mark.parametrize("how", ["flipped", "cut", "version", "parts", "base64", "empty", "recipient", "other"])
async def test_a_seed_that_does_not_open_names_the_environment_and_costs_no_other(
    phase: EmbeddedPhase, how: Any
) -> None:
    phase.damage_keys("vault", "Development", how)

    error = await refusal(phase)

    assert error.reason is Reason.DECRYPTION_FAILED
    assert "vault/Development" in error.message
    async with reading(phase) as reader:
        assert [entry.key for entry in await reader.decrypted(environment="Staging")] == ["DB_HOST"]


async def test_another_public_key_is_noticed(phase: EmbeddedPhase) -> None:
    phase.damage_keys("vault", "Development", "other", field="identity_key")

    assert (await refusal(phase)).reason is Reason.DECRYPTION_FAILED


@pytest.mark.parametrize("how", ["flipped", "other"])
async def test_a_share_that_does_not_fit_the_token_is_told(phase: EmbeddedPhase, how: Any) -> None:
    phase.damage_share("operator", how)

    assert (await refusal(phase)).reason is Reason.TOKEN_INVALID


async def test_a_rest_token_cannot_open_and_says_what_to_do(phase: EmbeddedPhase) -> None:
    for form in ("bearer", "hex"):
        error = await refusal(phase, form=form)

        assert error.reason is Reason.APP_ENCRYPTED
        assert phase.token("operator", "hex") not in error.message


async def refusal(phase: EmbeddedPhase, form: str = "pss") -> ExpectedError:
    """Return the error with which a read of vault/Development ends; it shows no part of the token's keys."""
    async with reading(phase, form=form) as reader:
        with pytest.raises(ExpectedError) as caught:
            await reader.decrypted()
    for secret in phase.token("operator", "pss").split(":")[2:]:
        assert secret not in caught.value.message
    return caught.value
