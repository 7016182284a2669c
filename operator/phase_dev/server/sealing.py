"""Seal and open what end-to-end encrypted clients of Phase exchange, with libsodium.

Rule: every sealed blob is ciphertext, tag and nonce in this order; whatever cannot be opened raises SealError.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

NONCE = sodium.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
KEY = 32


class SealError(Exception):
    """A text that is not sealed to this recipient, or not sealed at all."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An X25519 key pair, 32 bytes each."""

    public: bytes
    private: bytes = field(repr=False)


def account_pair(seed: bytes) -> KeyPair:
    """Return the pair of an account: its Ed25519 identity of this seed, converted."""
    public, private = sodium.crypto_sign_seed_keypair(seed)
    return KeyPair(
        sodium.crypto_sign_ed25519_pk_to_curve25519(public), sodium.crypto_sign_ed25519_sk_to_curve25519(private)
    )


def exchange_pair(seed: bytes) -> KeyPair:
    """Return the pair of an environment, of an old service token or of a single text."""
    public, private = sodium.crypto_kx_seed_keypair(seed)
    return KeyPair(public, private)


def pair_of(private: bytes) -> KeyPair:
    """Return the pair of a private key."""
    return KeyPair(sodium.crypto_scalarmult_base(private), private)


def seal(plain: bytes, recipient: bytes, ephemeral: KeyPair, nonce: bytes) -> str:
    """Return a `ph:v1` text that only the owner of the recipient's private key can open."""
    _, key = sodium.crypto_kx_client_session_keys(ephemeral.public, ephemeral.private, recipient)
    blob = wrap(plain, key, nonce)
    return f"ph:v1:{ephemeral.public.hex()}:{base64.b64encode(blob).decode()}"


def unseal(text: str, recipient: KeyPair) -> bytes:
    """Return what a `ph:v1` text holds; raise SealError."""
    parts = text.split(":")
    if len(parts) != 4 or parts[:2] != ["ph", "v1"]:
        raise SealError("this is no ph:v1 text of four parts")
    try:
        ephemeral, blob = bytes.fromhex(parts[2]), base64.b64decode(parts[3], validate=True)
        key, _ = sodium.crypto_kx_server_session_keys(recipient.public, recipient.private, ephemeral)
    except (ValueError, binascii.Error, CryptoError) as e:
        raise SealError("the ephemeral key or the base64 is none") from e
    return unwrap(blob, key)


def wrap(plain: bytes, key: bytes, nonce: bytes) -> bytes:
    """Return the blob of a plain text under a symmetric key."""
    return bytes(sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, None, nonce, key)) + nonce


def unwrap(blob: bytes, key: bytes) -> bytes:
    """Return what a blob holds; raise SealError."""
    try:
        return bytes(sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(blob[:-NONCE], None, blob[-NONCE:], key))
    except (ValueError, CryptoError) as e:
        raise SealError("the blob does not open with this key") from e


def xor(one: bytes, other: bytes) -> bytes:
    """Return the other share of a key, or the key of two shares."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def key_digest(salt: str, key: str) -> str:
    """Return the digest by which a key is looked up; the salt is used as the 64 characters that it is written with."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=salt.encode(), digest_size=32).hexdigest()
