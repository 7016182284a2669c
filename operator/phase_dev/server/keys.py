"""The keys of an installation: those of environments, of accounts and of their tokens.

Rule: every key follows from the id or the token of its owner, so that a seed gives the same keys on every start and
an old state file needs none. The keys follow from the ids: this is a tool for development.
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

from phase_dev.server.model import Account, AccountKind, Token
from phase_dev.server.sealing import KEY, NONCE, KeyPair, account_pair, exchange_pair, key_digest, seal, wrap, xor

_KEPT = 4096


@dataclass(frozen=True, slots=True)
class EnvironmentKeys:
    """The seed and the salt of an environment, 64 hexadecimal digits each, and the pair that the seed gives."""

    seed: str = field(repr=False)
    salt: str = field(repr=False)
    pair: KeyPair


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The pair behind a token and the two halves of its private key.

    `share` and `unwrap_key` are in the token's text, `wrapped_share` is what the server keeps.
    """

    pair: KeyPair
    share: bytes = field(repr=False)
    unwrap_key: bytes = field(repr=False)
    wrapped_share: bytes = field(repr=False)


def derived(*names: str, size: int = KEY) -> bytes:
    """Return the bytes that follow from these names."""
    return hashlib.blake2b("\x1f".join(("phase-dev", *names)).encode(), digest_size=size).digest()


@lru_cache(_KEPT)
def environment_keys(environment: str) -> EnvironmentKeys:
    """Return the keys of the environment with this id; they never change."""
    seed = derived("environment seed", environment)
    return EnvironmentKeys(seed.hex(), derived("environment salt", environment).hex(), exchange_pair(seed))


def token_keys(token: Token, account: Account) -> TokenKeys:
    """Return the keys of a token; all tokens of an account share its pair, an old service token has one of its own."""
    return _token_keys(token.value, account.id, account.kind)


@lru_cache(_KEPT)
def _token_keys(value: str, account: str, kind: AccountKind) -> TokenKeys:
    if kind == "legacy":
        pair = exchange_pair(derived("token pair", value))
    else:
        pair = account_pair(derived("account", account))
    share, unwrap_key = derived("share", value), derived("unwrap key", value)
    other = xor(pair.private, share).hex().encode()
    return TokenKeys(pair, share, unwrap_key, wrap(other, unwrap_key, derived("share nonce", value, size=NONCE)))


def token_text(token: Token, account: Account) -> str:
    """Return the token in full, as Phase's Console shows it once."""
    prefix = {"service": "pss_service:v2", "user": "pss_user:v1", "legacy": "pss_service:v1"}[account.kind]
    keys = token_keys(token, account)
    return ":".join((prefix, token.value, keys.pair.public.hex(), keys.share.hex(), keys.unwrap_key.hex()))


def sealed(plain: bytes, recipient: bytes, *names: str) -> str:
    """Seal a text; the same text of the same names gives the same ciphertext, as a stored row does."""
    secret = hashlib.blake2b(plain, key=derived("ephemeral", recipient.hex(), *names), digest_size=KEY + NONCE).digest()
    return seal(plain, recipient, exchange_pair(secret[:KEY]), secret[KEY:])


def digest_of(environment: str, key: str) -> str:
    """Return the digest of a key of the environment with this id."""
    return key_digest(environment_keys(environment).salt, key)
