"""Values that are made once: passwords, UUIDs, SSH keys and key pairs.

Rule: randomness is an argument, a function that returns as many random bytes as it is asked for. A value is made only
if neither the cluster nor Phase has one, or the spec says that it is rotated; `origin` decides that.
"""

import string
import uuid
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.errors import Invalid
from phase_operator.core.values import SecretValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

RandomBytes = Callable[[int], bytes]

SHORTEST, LONGEST, USUAL = 16, 256, 32
_LETTERS = string.ascii_letters + string.digits
# Signs that no shell, URL, YAML or template of Phase or ours takes for more than a sign: no $, braces, quotes or \.
SYMBOLS = "!#%&*+,-./:;<=>?@^_|~"
_RSA_BITS = 3072
_PUBLIC = "_PUB"


class Origin(Enum):
    """Where a generated value comes from."""

    CLUSTER = auto()
    PHASE = auto()
    MADE = auto()
    # Nobody knows yet whether Phase has it.
    UNKNOWN = auto()


def origin(*, is_in_cluster: bool, is_in_phase: bool | None, is_rotated: bool) -> Origin:
    """Return where a value comes from.

    `is_in_phase`: an entry with our mark has it; None if nobody has looked, or a lost call may still make it.
    `is_rotated`: the spec's `rotate` differs from what the Secret that keeps the values remembers of this key. If it
    remembers nothing, or is lost, nothing is rotated: what is in use is there, or in Phase.
    """
    if is_in_cluster:
        return Origin.MADE if is_rotated else Origin.CLUSTER
    if is_in_phase is None:
        return Origin.UNKNOWN
    return Origin.PHASE if is_in_phase else Origin.MADE


def keys_of(key: str, kind: GeneratedKind) -> tuple[str, ...]:
    """Return the keys that hold what is made: also one for the public half of a key pair."""
    return (key,) if kind in (GeneratedKind.PASSWORD, GeneratedKind.UUID) else (key, f"{key}{_PUBLIC}")


def generate(
    key: str, kind: GeneratedKind, random: RandomBytes, *, length: int = USUAL, has_symbols: bool = False
) -> dict[str, SecretValue]:
    """Return a new value by key, with its public half under a second one; raise Invalid for a length out of bounds."""
    values: tuple[str, ...]
    match kind:
        case GeneratedKind.PASSWORD:
            values = (password(random, length, has_symbols=has_symbols),)
        case GeneratedKind.UUID:
            values = (str(uuid.UUID(bytes=random(16), version=4)),)
        case GeneratedKind.SSH_KEY:
            values = _ssh_key(random)
        case GeneratedKind.RSA_KEY:
            values = _rsa_key()
        case GeneratedKind.EC_KEY:
            values = _ec_key(random)
    return dict(zip(keys_of(key, kind), map(SecretValue, values), strict=True))


def password(random: RandomBytes, length: int = USUAL, *, has_symbols: bool = False) -> str:
    """Return letters and digits, and signs if they are asked for: each equally likely, at each place."""
    if not SHORTEST <= length <= LONGEST:
        raise Invalid(Reason.INVALID_SPEC, f"generate.length: {length} is not from {SHORTEST} to {LONGEST}")
    alphabet = _LETTERS + (SYMBOLS if has_symbols else "")
    # A byte of the last, incomplete round of the alphabet is left out: it would make the first letters more likely.
    complete = 256 - 256 % len(alphabet)
    found: list[str] = []
    while len(found) < length:
        found += [alphabet[each % len(alphabet)] for each in random(length) if each < complete]
    return "".join(found[:length])


def _ssh_key(random: RandomBytes) -> tuple[str, str]:
    # Imported where it is used: the library takes 8 MiB of memory, and few operators make keys.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = Ed25519PrivateKey.from_private_bytes(random(32))
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = made.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()


def _rsa_key() -> tuple[str, str]:
    # Its primes are drawn by OpenSSL, from its own random numbers: the library has no other way.
    from cryptography.hazmat.primitives.asymmetric import rsa

    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS))


def _ec_key(random: RandomBytes) -> tuple[str, str]:
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = ec.SECP256R1()
    # Eight bytes more than the curve has make all numbers as good as equally likely (FIPS 186-5, A.2.1).
    number = int.from_bytes(random(curve.key_size // 8 + 8), "big")
    return _pem(ec.derive_private_key(number % (curve.group_order - 1) + 1, curve))


def _pem(made: "PrivateKeyTypes") -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization

    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
