import asyncio
from collections.abc import Callable

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.query import ask_of
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.index import ReverseIndex
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Token
from support.builders import KEY, TOKEN, parsed
from support.clock import settle
from support.fakes import NO_TOKEN, FakeCluster, FakePhase

OTHER = ObjectKey("team", "other")


def tokens_of(cluster: FakeCluster, wake: Callable[[ObjectKey], None] = print) -> Tokens:
    """Return a cache of which one PhaseSecret uses two Secrets."""
    users: ReverseIndex[ObjectKey] = ReverseIndex()
    users.set(KEY, [TOKEN, OTHER])
    return Tokens(cluster, users, wake)


async def test_a_token_is_read_once() -> None:
    cluster = FakeCluster()
    tokens = tokens_of(cluster)

    found = [await tokens.get(TOKEN) for _ in range(3)]

    assert found == [Token(SecretValue("token-text"))] * 3
    assert cluster.token_reads == [TOKEN]


async def test_many_who_ask_at_once_share_a_read() -> None:
    cluster = FakeCluster()
    tokens = tokens_of(cluster)

    await asyncio.gather(*(tokens.get(TOKEN) for _ in range(9)))

    assert cluster.token_reads == [TOKEN]


async def test_each_secret_is_read_for_itself() -> None:
    cluster = FakeCluster()
    cluster.tokens[OTHER] = "other"
    tokens = tokens_of(cluster)

    found = await asyncio.gather(tokens.get(TOKEN), tokens.get(OTHER))

    assert tuple(found) == (Token(SecretValue("token-text")), Token(SecretValue("other")))


async def test_a_credential_serves_all_who_use_its_token_until_that_may_have_changed() -> None:
    cluster, phase = FakeCluster(), FakePhase()
    tokens, ask = tokens_of(cluster), ask_of(parsed(), "team")
    first = await tokens.credential(ask, phase)
    assert await tokens.credential(ask, phase) is first

    cluster.tokens[TOKEN] = "rotated"
    tokens.changed(TOKEN)
    rotated = await tokens.credential(ask, phase)
    assert rotated.header == SecretValue("rotated")

    cluster.tokens[TOKEN] = NO_TOKEN
    tokens.changed(TOKEN)
    for _ in range(2):
        with pytest.raises(Waiting):
            await tokens.credential(ask, phase)

    cluster.tokens[TOKEN] = "rotated"
    tokens.changed(TOKEN)
    assert await tokens.credential(ask, phase) == rotated


@pytest.mark.parametrize("how", ["changed", "forget"])
async def test_a_credential_is_not_kept_beyond_its_token(how: str) -> None:
    cluster = FakeCluster()
    tokens, ask = tokens_of(cluster), ask_of(parsed(), "team")
    reading = asyncio.create_task(tokens.credential(ask, FakePhase()))
    await settle(1)
    getattr(tokens, how)(TOKEN)
    early = await reading

    late = await tokens.credential(ask, FakePhase())
    getattr(tokens, how)(TOKEN)

    assert early == late
    assert tokens._credentials == {}


@pytest.mark.parametrize("how", ["changed", "forget"])
async def test_a_token_that_may_have_changed_is_read_again(how: str) -> None:
    cluster = FakeCluster()
    cluster.tokens[OTHER] = "other"
    tokens = tokens_of(cluster)
    await tokens.get(TOKEN)
    await tokens.get(OTHER)

    cluster.tokens[TOKEN] = "rotated"
    getattr(tokens, how)(TOKEN)

    assert await tokens.get(TOKEN) == Token(SecretValue("rotated"))
    assert await tokens.get(OTHER) == Token(SecretValue("other"))
    assert cluster.token_reads == [TOKEN, OTHER, TOKEN]


async def test_a_read_that_began_before_a_change_is_not_kept() -> None:
    cluster = FakeCluster()
    tokens = tokens_of(cluster)
    reading = asyncio.create_task(tokens.get(TOKEN))
    await settle(1)
    assert cluster.token_reads == [TOKEN]

    tokens.changed(TOKEN)
    await reading
    cluster.tokens[TOKEN] = "rotated"

    assert await tokens.get(TOKEN) == Token(SecretValue("rotated"))


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Waiting(Reason.TOKEN_SECRET_NOT_FOUND, "no"), id="waiting"),
        pytest.param(Transient(Reason.KUBERNETES_UNAVAILABLE, "down"), id="passing"),
    ],
)
async def test_a_failure_goes_to_all_who_ask_and_is_not_kept(error: ExpectedError) -> None:
    cluster = FakeCluster()
    cluster.errors["read_token"] = error
    tokens = tokens_of(cluster)

    found = await asyncio.gather(*(tokens.get(TOKEN) for _ in range(2)), return_exceptions=True)
    cluster.errors.clear()

    assert found == [error, error]
    assert await tokens.get(TOKEN) == Token(SecretValue("token-text"))


async def test_a_cancelled_wait_does_not_keep_others_from_their_token() -> None:
    cluster = FakeCluster()
    tokens = tokens_of(cluster)
    first, second = (asyncio.create_task(tokens.get(TOKEN)) for _ in range(2))
    await settle(1)

    first.cancel()

    assert await second == Token(SecretValue("token-text"))


async def test_users_of_a_changed_token_run_and_other_secrets_wake_nothing() -> None:
    woken: list[ObjectKey] = []
    tokens = tokens_of(FakeCluster(), woken.append)

    tokens.changed(ObjectKey("team", "no token of anybody"))
    tokens.changed(TOKEN)
    assert woken == [TOKEN]
    tokens.all_changed()

    assert woken == [TOKEN, TOKEN, OTHER]
