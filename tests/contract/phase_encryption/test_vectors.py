"""What Phase's own console, SDKs and server wrote is opened here as it is there, step by step.

The vectors come from an installation that was thrown away. `must_fail` are texts that no client may open.
"""

import hashlib
from typing import Any

import httpx
import pytest
from nacl.bindings import crypto_scalarmult_base

from phase_operator.core.source.keyring import Keys
from phase_operator.core.values import SecretValue
from phase_operator.phase.crypto import (
    AccountKey,
    DecryptionError,
    EnvironmentKey,
    TokenKeys,
    WrappedKeys,
    WrappedShare,
    decrypt,
    open_account,
    open_environment,
)
from support.sealing import VECTORS, seal
from unit.phase.builders import Server, answered, client, place

URL = "https://phase.test/service/public"
KINDS = {"v2": "ServiceAccount", "v1": "Service", "user": "User"}
STEPS: dict[str, Any] = VECTORS["tokens"]["v2"]["steps"]
ROWS = {row["id"]: row for row in VECTORS["secrets_response"]}
TEXTS = [
    pytest.param(ROWS[secret["id"]][name], secret[name], id=f"{name} of {secret['key']}")
    for secret in STEPS["secrets"]
    for name in ("key", "value", "comment")
    if ROWS[secret["id"]][name]
]


def account(kind: str) -> AccountKey:
    token = VECTORS["tokens"][kind]
    return open_account(
        TokenKeys(*token["pss"].split(":")[3:]), WrappedShare(token["tokens_response"]["wrapped_key_share"])
    )


def environment(kind: str) -> EnvironmentKey:
    [key] = [
        each
        for each in VECTORS["tokens"][kind]["tokens_response"]["apps"][0]["environment_keys"]
        if each["environment"]["id"] == STEPS["environment_id"]
    ]
    return open_environment(account(kind), WrappedKeys(key["identity_key"], key["wrapped_seed"]))


def bytes_of(keys: Keys) -> dict[str, str]:
    """Return what is inside of an opaque object, by the name of the attribute."""
    names = [name for kind in type(keys).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: getattr(keys, name).hex() for name in names}


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_gives_the_fields_that_it_has(kind: str) -> None:
    token = VECTORS["tokens"][kind]
    edge = client(Server())

    found = edge.credential(SecretValue(token["pss"] + "\n"))

    steps = token["steps"]
    assert found.header.reveal() == steps["authorization"] == f"Bearer {KINDS[kind]} {steps['bearer']}"
    assert isinstance(found.keys, TokenKeys)
    assert bytes_of(found.keys) == {
        "_public": steps["public_key"],
        "_share": steps["keyshare0"],
        "_unwrap": steps["wrap_key"],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_is_opened_with_each_kind_of_token(kind: str) -> None:
    steps = VECTORS["tokens"][kind]["steps"]

    found = bytes_of(account(kind))

    assert found == {"_public": steps["public_key"], "_private": steps["private_key"]}
    shares = (int(steps[name], 16) for name in ("keyshare0", "keyshare1"))
    assert int(steps["private_key"], 16) == next(shares) ^ next(shares)


@pytest.mark.parametrize("kind", KINDS)
def test_an_environment_is_opened_with_each_kind_of_token(kind: str) -> None:
    steps = VECTORS["tokens"][kind]["steps"]

    found = bytes_of(environment(kind))

    assert found == {"_public": steps["env_public_key"], "_private": steps["env_private_key"]}
    assert crypto_scalarmult_base(bytes.fromhex(found["_private"])).hex() == found["_public"]
    assert hashlib.blake2b(bytes.fromhex(steps["env_seed"]), digest_size=32).hexdigest() == found["_private"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sealed", "plain"), TEXTS)
def test_a_text_is_decrypted_with_each_kind_of_token(kind: str, sealed: str, plain: str) -> None:
    assert decrypt(environment(kind), sealed) == plain


def test_all_texts_of_the_vectors_are_tried() -> None:
    assert len(TEXTS) == 11


@pytest.mark.parametrize("name", VECTORS["must_fail"])
def test_a_text_that_must_not_open_is_refused(name: str) -> None:
    with pytest.raises(DecryptionError):
        decrypt(environment("v2"), VECTORS["must_fail"][name])


def test_the_seal_of_these_tests_equals_that_of_phase() -> None:
    case = VECTORS["seal"]

    sealed = seal(
        case["plaintext"],
        bytes.fromhex(case["to_env_public_key"]),
        ephemeral=bytes.fromhex(case["ephemeral_private"]),
        nonce=bytes.fromhex(case["nonce"]),
    )

    assert sealed == case["ciphertext"]
    assert decrypt(environment("v2"), sealed) == case["plaintext"]


def staging_rows(answer: Any) -> list[dict[str, Any]]:
    """Return the one row of the environment that a value refers to; the vectors have its public key alone."""
    keys = answer["apps"][0]["environment_keys"]
    [key] = [each for each in keys if each["environment"]["name"] == "Staging"]
    public = bytes.fromhex(key["identity_key"])
    return [VECTORS["secrets_response"][0] | {"key": seal("DB_HOST", public), "value": seal("db.staging", public)}]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_client_reads_what_phase_answers(kind: str) -> None:
    answer = VECTORS["tokens"][kind]["tokens_response"]

    async def rows(request: httpx.Request) -> httpx.Response:
        is_home = request.headers["environment"] == STEPS["environment_id"]
        return answered(VECTORS["secrets_response"] if is_home else staging_rows(answer))

    server = Server(tokens=answer, secrets=rows)
    edge = client(server)
    credential = edge.credential(SecretValue(VECTORS["tokens"][kind]["pss"]))

    keyring = await edge.keyring(URL, credential, place())
    found = await edge.encrypted(
        URL, credential, keyring=keyring, app_id=keyring.apps[0].id, environment="development", place=place()
    )

    values = {(each["path"], each["key"]): each["value"] for each in STEPS["secrets"]}
    # The legacy token of the vectors has keys of Development alone.
    resolved = VECTORS["resolved_DATABASE_URL"]["go_sdk_default"]
    values["/", "DATABASE_URL"] = resolved if kind != "v1" else resolved.replace("db.staging", "${Staging.DB_HOST}")
    assert {(each.path, each.key): each.value.reveal() for each in found.entries} == values
    assert len(server.requests) - 1 == (1 if kind == "v1" else 2)
    asked = [(str(request.url), request.headers.get("environment")) for request in server.requests]
    assert asked[0] == ("https://phase.test/service/secrets/tokens/", None)
    assert asked[1] == ("https://phase.test/service/secrets/", STEPS["environment_id"])
    assert VECTORS["secrets_request"]["path"] == httpx.URL(asked[1][0]).path
    assert {request.headers["authorization"] for request in server.requests} == {
        VECTORS["tokens"][kind]["steps"]["authorization"]
    }
