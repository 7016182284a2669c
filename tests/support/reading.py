"""Read what Phase's end-to-end encrypted routes answer, step by step as the protocol says and with no operator.

Every step checks what it can, so that a test that reads has proved the keys, the texts and the digests.
"""

from dataclasses import dataclass
from typing import Any

from phase_dev.server import sealing
from phase_dev.server.sealing import KeyPair


@dataclass(frozen=True)
class OpenEnvironment:
    """An environment whose keys were opened."""

    id: str
    app: str
    encryption: str
    pair: KeyPair
    salt: str

    def text(self, sealed: str) -> str:
        """Return what a sealed text holds."""
        return sealing.unseal(sealed, self.pair).decode()

    def row(self, row: dict[str, Any]) -> tuple[str, str, str]:
        """Return key, value and comment of a row, whose digest is the one of its key."""
        key = self.text(row["key"])
        assert row["key_digest"] == sealing.key_digest(self.salt, key)
        return key, self.text(row["value"]), self.text(row["comment"]) if row["comment"] else ""


def account_key(token: str, wrapped_share: str) -> KeyPair:
    """Return the key pair behind a token in full and the server's share."""
    _, _, _, public, share, unwrap_key = token.split(":")
    other = sealing.unwrap(bytes.fromhex(wrapped_share), bytes.fromhex(unwrap_key))
    assert len(other) == 64, "the share is 64 hexadecimal digits"
    pair = sealing.pair_of(sealing.xor(bytes.fromhex(share), bytes.fromhex(other.decode())))
    assert pair.public.hex() == public
    return pair


def open_environments(token: str, answer: dict[str, Any]) -> dict[str, OpenEnvironment]:
    """Return the environments that a token opens, as `app/environment`; withdrawn ones are left out."""
    account = account_key(token, answer["wrapped_key_share"])
    found = {}
    for app in answer["apps"]:
        for key in app["environment_keys"]:
            if key["deleted_at"] is not None:
                continue
            seed = sealing.unseal(key["wrapped_seed"], account).decode()
            salt = sealing.unseal(key["wrapped_salt"], account).decode()
            pair = sealing.exchange_pair(bytes.fromhex(seed))
            assert pair.public.hex() == key["identity_key"]
            environment = key["environment"]
            opened = OpenEnvironment(environment["id"], app["name"], app["encryption"], pair, salt)
            found[f"{app['name']}/{environment['name']}"] = opened
    return found
