"""The other side of end-to-end encryption, as Phase's clients write it: accounts, environments, sealed rows.

Rule: nothing of the operator is used here, so that both sides can only agree by keeping to Phase's forms.
"""

import base64
import json
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from nacl import bindings
from nacl.utils import random

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "contract" / "phase_encryption" / "vectors.json").read_text()
)
_numbers = count(1)


def lock(plain: bytes, key: bytes, nonce: bytes | None = None) -> bytes:
    """Return a sealed blob: ciphertext, tag, nonce."""
    nonce = random(24) if nonce is None else nonce
    return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, None, nonce, key) + nonce


def seal(plain: str | bytes, public: bytes, *, ephemeral: bytes | None = None, nonce: bytes | None = None) -> str:
    """Seal a text for the holder of a key; `ephemeral` is the private key that is used once."""
    mine, tx = _session_keys(random(32) if ephemeral is None else ephemeral, public)
    blob = lock(plain.encode() if isinstance(plain, str) else plain, tx, nonce)
    return f"ph:v1:{mine.hex()}:{base64.b64encode(blob).decode()}"


@lru_cache(maxsize=16)
def _session_keys(private: bytes, public: bytes) -> tuple[bytes, bytes]:
    """Return the public key of a private one, and the key that seals for somebody else."""
    mine = bindings.crypto_scalarmult_base(private)
    _, tx = bindings.crypto_kx_client_session_keys(mine, private, public)
    return mine, tx


@lru_cache(maxsize=16)
def _keypair(seed: bytes) -> tuple[bytes, bytes]:
    public, private = bindings.crypto_kx_seed_keypair(seed)
    return public, private


@dataclass
class SealedAccount:
    """A service account with one token."""

    private: bytes = field(default_factory=lambda: random(32))
    bearer: bytes = field(default_factory=lambda: random(32))
    share: bytes = field(default_factory=lambda: random(32))
    unwrap: bytes = field(default_factory=lambda: random(32))

    @property
    def public(self) -> bytes:
        return bindings.crypto_scalarmult_base(self.private)

    @property
    def other_share(self) -> bytes:
        return bytes(one ^ two for one, two in zip(self.private, self.share, strict=True))

    @property
    def wrapped_share(self) -> str:
        return lock(self.other_share.hex().encode(), self.unwrap).hex()

    def token(self, kind: str = "pss_service:v2") -> str:
        return ":".join([kind, *(part.hex() for part in (self.bearer, self.public, self.share, self.unwrap))])


@dataclass
class SealedEnvironment:
    """An environment with its seed, and the rows that were written to it."""

    name: str = "Production"
    seed: bytes = field(default_factory=lambda: random(32))
    id: str = field(default_factory=lambda: f"00000000-0000-0000-0001-{next(_numbers):012}")
    updated_at: str | None = "2030-01-01T00:00:00.000001Z"
    rows: list[dict[str, Any]] = field(default_factory=list)
    # The private key that seals all rows; a new one for each if there is none, which is how clients do it.
    ephemeral: bytes | None = None

    @property
    def public(self) -> bytes:
        return _keypair(self.seed)[0]

    @property
    def private(self) -> bytes:
        return _keypair(self.seed)[1]

    def key(self, account: SealedAccount, **fields: Any) -> dict[str, Any]:
        """Return its key as the token route lists it for an account."""
        return {
            "id": f"key-{self.id}",
            "environment": {"id": self.id, "name": self.name, "index": 0, "updated_at": self.updated_at},
            "paths": None,
            "identity_key": self.public.hex(),
            "wrapped_seed": seal(self.seed.hex(), account.public),
            "wrapped_salt": seal(random(32).hex(), account.public),
            "deleted_at": None,
        } | fields

    def add(self, key: str | bytes, value: str | bytes = "value", /, **fields: Any) -> dict[str, Any]:
        """Write a row, and return it; a field takes the place of what would be sealed."""
        row = {
            "id": f"row-{next(_numbers)}",
            "key": seal(key, self.public, ephemeral=self.ephemeral),
            "value": seal(value, self.public, ephemeral=self.ephemeral),
            "comment": "",
            "tags": [],
            "override": None,
            "type": "secret",
            "path": "/",
        } | fields
        self.rows.append(row)
        return row


@dataclass
class SealedApp:
    """An app and its environments."""

    name: str
    environments: list[SealedEnvironment]
    encryption: str = "E2E"
    id: str = field(default_factory=lambda: f"00000000-0000-0000-0002-{next(_numbers):012}")


def tokens_answer(account: SealedAccount, *apps: SealedApp, **fields: Any) -> dict[str, Any]:
    """Return the answer of GET /secrets/tokens/."""
    listed = [
        {
            "id": app.id,
            "name": app.name,
            "encryption": app.encryption,
            "environment_keys": [each.key(account) for each in app.environments],
        }
        for app in apps
    ]
    return {"wrapped_key_share": account.wrapped_share, "account_id": "a", "apps": listed} | fields
