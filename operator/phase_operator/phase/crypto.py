"""Phase's end-to-end encryption: from a token to the key of its account, of an environment, and to plain texts.

Rule: no other module touches key material. Keys are objects that print as nothing. All that cannot be opened is one
DecryptionError: neither its message nor the frames of its traceback hold a key. Every primitive is libsodium's.

The forms are Phase's own. A sealed blob is ciphertext, tag and nonce, in this order; a sealed text is
`ph:v1:<ephemeral public key>:<blob in base64>`. Shares, seeds and salts are sealed as their hex digits.
"""

import re
from binascii import a2b_base64, a2b_hex

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_ABYTES,
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    crypto_kx_seed_keypair,
    crypto_kx_server_session_keys,
    crypto_scalarmult_base,
)
from nacl.exceptions import CryptoError

from phase_operator.core.source.keyring import Keys

_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES
# Digits of a key.
_KEY = 64
# A share of 64 digits, its tag and its nonce.
_SHARE = re.compile(r"[0-9a-fA-F]{208}")
# PyNaCl has a family of its own, and raises it for a low-order point as for a wrong tag.
_FAILURES = (ValueError, CryptoError)


class DecryptionError(Exception):
    """Something cannot be opened. The message says which kind of thing; the caller knows its name."""


class TokenKeys(Keys):
    """The key fields of a full token: public key, first share of the private key, key that the other is sealed with."""

    __slots__ = ("_public", "_share", "_unwrap")

    def __init__(self, public: str, share: str, unwrap: str) -> None:
        self._public, self._share, self._unwrap = (_key(each) for each in (public, share, unwrap))


class WrappedShare(Keys):
    """The second share of an account's private key, as Phase's server keeps it: sealed for the holder of the token."""

    __slots__ = ("_sealed",)

    def __init__(self, text: str) -> None:
        if not _SHARE.fullmatch(text):
            raise DecryptionError("a wrapped share has another form")
        self._sealed = bytes.fromhex(text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WrappedShare) and other._sealed == self._sealed

    def __hash__(self) -> int:
        return hash(self._sealed)


class WrappedKeys(Keys):
    """An environment's public key and its seed, sealed for an account. They are not judged before they are opened.

    Its salt is not kept: it makes digests of keys, which only writers need.
    """

    __slots__ = ("_identity", "_seed")

    def __init__(self, identity: str, seed: str) -> None:
        self._identity, self._seed = identity, seed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WrappedKeys) and (other._identity, other._seed) == (self._identity, self._seed)

    def __hash__(self) -> int:
        return hash((self._identity, self._seed))


class _KeyPair(Keys):
    __slots__ = ("_private", "_public")

    def __init__(self, public: bytes, private: bytes) -> None:
        self._public, self._private = public, private


class AccountKey(_KeyPair):
    """What opens the seeds of an account's environments."""

    __slots__ = ()


class EnvironmentKey(_KeyPair):
    """What opens the texts of one environment."""

    __slots__ = ()


# Each of these three only raises: what it calls returns None, so that its own frame, which a traceback keeps, holds
# opaque objects alone.


def open_account(token: TokenKeys, share: WrappedShare) -> AccountKey:
    """Put an account's key together; raise DecryptionError unless it is the one whose public key the token names."""
    found = _account(token, share)
    if found is None:
        raise DecryptionError("the key of an account cannot be opened")
    return found


def open_environment(account: AccountKey, keys: WrappedKeys) -> EnvironmentKey:
    """Derive an environment's key; raise DecryptionError unless it is the one that the server lists for it."""
    found = _environment(account, keys)
    if found is None:
        raise DecryptionError("the key of an environment cannot be opened")
    return found


def decrypt(key: EnvironmentKey, text: str) -> str:
    """Return the plain text of a sealed text; raise DecryptionError, also if the plain text is not UTF-8."""
    found = _text(key, text)
    if found is None:
        raise DecryptionError("a text cannot be decrypted")
    return found


def _account(token: TokenKeys, share: WrappedShare) -> AccountKey | None:
    try:
        other = _key(_unlocked(share._sealed, token._unwrap).decode("ascii"))
        private = bytes(one ^ two for one, two in zip(token._share, other, strict=True))
        is_right = crypto_scalarmult_base(private) == token._public
    except _FAILURES:
        return None
    return AccountKey(token._public, private) if is_right else None


def _environment(account: AccountKey, keys: WrappedKeys) -> EnvironmentKey | None:
    try:
        public, private = crypto_kx_seed_keypair(_key(_opened(account, keys._seed).decode("ascii")))
        # The derived public key is what texts are opened with; the listed one only has to agree.
        is_right = public == _key(keys._identity)
    except _FAILURES:
        return None
    return EnvironmentKey(public, private) if is_right else None


def _text(key: EnvironmentKey, text: str) -> str | None:
    try:
        return _opened(key, text).decode()
    except _FAILURES:
        return None


def _opened(pair: _KeyPair, text: str) -> bytes:
    """Open a sealed text; raise one of _FAILURES."""
    scheme, version, ephemeral, data = text.split(":", 4)
    if scheme != "ph" or version != "v1":
        raise ValueError("another form")
    blob = a2b_base64(data, strict_mode=True)
    key, _ = crypto_kx_server_session_keys(pair._public, pair._private, _key(ephemeral))
    return _unlocked(blob, key)


def _unlocked(blob: bytes, key: bytes) -> bytes:
    if len(blob) < _TAG + _NONCE:
        raise ValueError("too short")
    return crypto_aead_xchacha20poly1305_ietf_decrypt(blob[:-_NONCE], None, blob[-_NONCE:], key)


def _key(text: str) -> bytes:
    # Other than `bytes.fromhex`, this skips no blanks; and every text takes it twice, so no pattern comes before it.
    if len(text) != _KEY:
        raise ValueError("no key")
    return a2b_hex(text)
