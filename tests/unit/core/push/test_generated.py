"""Values that are made once: as random as their bytes, readable by others, and made only where there is none."""

import secrets
import uuid
from collections import Counter

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_private_key,
)

from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.errors import Invalid
from phase_operator.core.push.desired import desired
from phase_operator.core.push.generated import (
    LONGEST,
    SHORTEST,
    SYMBOLS,
    Origin,
    generate,
    keys_of,
    origin,
    password,
)
from phase_operator.core.push.sources import Rule, Source
from phase_operator.core.refs import Kind
from support.canary import Canary


def counting(number: int) -> bytes:
    """Return all bytes in turn, so that a result can be foretold."""
    return bytes(each % 256 for each in range(number))


@pytest.mark.parametrize("length", [SHORTEST, 32, LONGEST])
@pytest.mark.parametrize("has_symbols", [False, True])
def test_a_password_has_the_length_and_the_signs_that_are_asked_for(length: int, has_symbols: bool) -> None:
    found = password(secrets.token_bytes, length, has_symbols=has_symbols)

    assert len(found) == length
    assert has_symbols or found.isalnum()
    assert not set(found) & set("${}\\'\"` \n")


@pytest.mark.parametrize("has_symbols", [False, True])
def test_each_sign_of_a_password_is_equally_likely(has_symbols: bool) -> None:
    """Of all values of a byte, each in turn: those of an incomplete round of the signs are left out."""
    number = 62 + (len(SYMBOLS) if has_symbols else 0)
    values = iter(range(255, -1, -1))
    counts: Counter[str] = Counter()

    for _ in range(256 // number * number):
        counts.update(password(lambda length: bytes([next(values)]) * length, SHORTEST, has_symbols=has_symbols))

    assert len(counts) == number
    assert set(counts.values()) == {256 // number * SHORTEST}
    assert list(values) == []


@pytest.mark.parametrize("length", [0, -1, SHORTEST - 1, LONGEST + 1])
def test_a_length_out_of_bounds_is_refused(length: int) -> None:
    with pytest.raises(Invalid):
        password(secrets.token_bytes, length)


def test_a_uuid_is_a_random_one() -> None:
    [found] = generate("ID", GeneratedKind.UUID, counting).values()

    assert uuid.UUID(found.reveal()).version == 4
    assert found.reveal() == "00010203-0405-4607-8809-0a0b0c0d0e0f"


def test_an_ssh_key_is_read_by_others_and_has_its_public_half() -> None:
    made = generate("DEPLOY", GeneratedKind.SSH_KEY, counting)
    private = load_ssh_private_key(made["DEPLOY"].reveal().encode(), None)

    assert isinstance(private, Ed25519PrivateKey)
    assert private.private_bytes_raw() == counting(32)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert made["DEPLOY_PUB"].reveal() == public.decode()


@pytest.mark.parametrize(
    ("kind", "of", "bits"),
    [(GeneratedKind.RSA_KEY, RSAPrivateKey, 3072), (GeneratedKind.EC_KEY, EllipticCurvePrivateKey, 256)],
)
def test_a_key_pair_is_one_pair(kind: GeneratedKind, of: type, bits: int) -> None:
    made = generate("TLS", kind, secrets.token_bytes)
    private = load_pem_private_key(made["TLS"].reveal().encode(), None)
    public = load_pem_public_key(made["TLS_PUB"].reveal().encode())

    assert isinstance(private, of)
    assert isinstance(private, RSAPrivateKey | EllipticCurvePrivateKey)
    assert private.key_size == bits
    assert private.public_key() == public


@pytest.mark.parametrize("kind", GeneratedKind)
def test_a_new_value_can_be_pushed_and_is_another_each_time(kind: GeneratedKind) -> None:
    made, again = (generate("KEY", kind, secrets.token_bytes) for _ in range(2))
    source = Source(Kind.SECRET, "made", "1", Rule("/"), {key: each.reveal().encode() for key, each in made.items()})

    assert tuple(made) == keys_of("KEY", kind)
    assert not set(made.values()) & set(again.values())
    assert len(desired([source]).entries) == len(made)


@pytest.mark.parametrize("kind", GeneratedKind)
def test_a_new_value_does_not_print(kind: GeneratedKind, canary: Canary) -> None:
    made = generate("KEY", kind, secrets.token_bytes)

    for each in made.values():
        canary.token(each.reveal())
    canary.see("made", repr(made))


@pytest.mark.parametrize(
    ("is_in_cluster", "is_in_phase", "is_rotated", "expected"),
    [
        (True, True, False, Origin.CLUSTER),
        (True, False, False, Origin.CLUSTER),
        (True, None, False, Origin.CLUSTER),
        (True, True, True, Origin.MADE),
        (False, True, False, Origin.PHASE),
        (False, True, True, Origin.PHASE),
        (False, None, True, Origin.UNKNOWN),
        (False, None, False, Origin.UNKNOWN),
        (False, False, False, Origin.MADE),
    ],
)
def test_a_value_is_made_only_where_there_is_none(
    is_in_cluster: bool, is_in_phase: bool | None, is_rotated: bool, expected: Origin
) -> None:
    assert origin(is_in_cluster=is_in_cluster, is_in_phase=is_in_phase, is_rotated=is_rotated) is expected
