"""What the server seals with opens what a real console and its clients sealed, and refuses what must not open."""

from typing import Any

import pytest

from phase_dev.server import sealing
from phase_dev.server.sealing import KeyPair, SealError
from support.reading import account_key, open_environments
from support.sealing import VECTORS

KINDS = ("v2", "v1", "user")


def raw(digits: str) -> bytes:
    return bytes.fromhex(digits)


def steps(kind: str) -> dict[str, Any]:
    return dict(VECTORS["tokens"][kind]["steps"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_of_a_token_is_the_recorded_one(kind: str) -> None:
    recorded = VECTORS["tokens"][kind]

    pair = account_key(recorded["pss"], recorded["tokens_response"]["wrapped_key_share"])

    assert pair == KeyPair(raw(steps(kind)["public_key"]), raw(steps(kind)["private_key"]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_environment_of_a_token_opens(kind: str) -> None:
    recorded = VECTORS["tokens"][kind]

    opened = open_environments(recorded["pss"], recorded["tokens_response"])

    development = opened["vault/Development"]
    assert development.id == steps(kind)["environment_id"]
    assert development.salt == steps(kind)["env_salt"]
    assert development.pair == KeyPair(raw(steps(kind)["env_public_key"]), raw(steps(kind)["env_private_key"]))
    assert ("vault/Staging" in opened) == (kind != "v1")


def test_every_row_opens_and_its_digest_fits() -> None:
    recorded = VECTORS["tokens"]["v2"]
    development = open_environments(recorded["pss"], recorded["tokens_response"])["vault/Development"]

    opened = {row["id"]: development.row(row) for row in VECTORS["secrets_response"]}

    assert opened == {s["id"]: (s["key"], s["value"], s["comment"]) for s in steps("v2")["secrets"]}
    assert len(opened) == 5


def test_a_text_is_sealed_to_the_recorded_ciphertext() -> None:
    given = VECTORS["seal"]

    sealed = sealing.seal(
        given["plaintext"].encode(),
        raw(given["to_env_public_key"]),
        sealing.pair_of(raw(given["ephemeral_private"])),
        raw(given["nonce"]),
    )

    assert sealed == given["ciphertext"]


def test_a_share_is_wrapped_to_the_recorded_one() -> None:
    wrapped = raw(VECTORS["tokens"]["v2"]["tokens_response"]["wrapped_key_share"])

    again = sealing.wrap(steps("v2")["keyshare1"].encode(), raw(steps("v2")["wrap_key"]), wrapped[-24:])

    assert again == wrapped


@pytest.mark.parametrize("name", VECTORS["must_fail"])
def test_a_text_that_must_not_open_is_refused(name: str) -> None:
    pair = KeyPair(raw(steps("v2")["env_public_key"]), raw(steps("v2")["env_private_key"]))

    with pytest.raises(SealError):
        sealing.unseal(VECTORS["must_fail"][name], pair)
