"""Check that a Secret's data fits its type.

Rule: data that Kubernetes refuses is refused here first, with advice. Data that Kubernetes accepts is refused only if
no reader could use it. What we cannot judge passes, such as a curve that our library does not know. A message names
keys, never values.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import SecretType
from phase_operator.core.errors import Waiting
from phase_operator.core.text import listing

CERTIFICATE, PRIVATE_KEY = "tls.crt", "tls.key"
DOCKERCFG, DOCKERCONFIGJSON = ".dockercfg", ".dockerconfigjson"
USERNAME, PASSWORD = "username", "password"
SSH_PRIVATE_KEY = "ssh-privatekey"
TOKEN_ID, TOKEN_SECRET = "token-id", "token-secret"

# Every reader of PEM needs the marks on lines of their own, and skips the text around the block.
_CERTIFICATE_BEGINS = re.compile(rb"^-----BEGIN ((?:X509 )?CERTIFICATE)-----[ \t\r]*$", re.MULTILINE)
_PRIVATE_KEY_BEGINS = re.compile(rb"^-----BEGIN ((?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY)-----[ \t\r]*$", re.MULTILINE)
# The same marks anywhere.
_MARK = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,80}(?:CERTIFICATE|PRIVATE KEY)-----")
# ASN.1: a sequence whose first member is the integer 3, the version that every PKCS#12 file has.
_PKCS12 = re.compile(rb"0(?:\x80|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03", re.DOTALL)
# "-----" and "{" with what may follow it, in base64.
_BASE64_OF_OURS = (b"LS0tLS", b"eyJ", b"ewo", b"ew0", b"eyA", b"e30")
# ASN.1 identifiers of keys without a public half in PKCS#8: DSA and both of Diffie-Hellman (RFC 3279, PKCS#3).
_COMPUTED = (
    bytes.fromhex("06072A8648CE380401"),
    bytes.fromhex("06092A864886F70D010301"),
    bytes.fromhex("06072A8648CE3E0201"),
)
# The most bytes of such a key in ASN.1: a DSA key of 3072 bits is shorter.
_LONG_KEY = 1024
# The fields of a Docker configuration that name an external source of credentials.
_DOCKER_SOURCES = frozenset({"auths", "credhelpers", "credsstore"})
# https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
_TOKEN_PARTS = {TOKEN_ID: 6, TOKEN_SECRET: 16}


def check_type(kind: SecretType, data: Mapping[str, bytes]) -> None:
    """Raise for data that a Secret of this type cannot hold, or that no reader could use."""
    keys, check = _CHECKS[kind]
    _require(kind, data, *keys)
    check(data)


def _require(kind: SecretType, data: Mapping[str, bytes], *keys: str) -> None:
    missing = [key for key in keys if key not in data]
    if missing:
        raise _missing(kind, " and ".join(f'"{key}"' for key in missing), missing[0], data)


def _missing(kind: SecretType, keys: str, example: str, data: Mapping[str, bytes]) -> Waiting:
    return _mismatch(
        f"a Secret of type {kind} needs {keys}; name the entry that holds it, as in "
        f"processors.<KEY>.asName: {example}; it has {listing(sorted(data)) or 'no key'}"
    )


def _check_tls(certificate: bytes, key: bytes) -> None:
    _check_filled(CERTIFICATE, certificate)
    _check_filled(PRIVATE_KEY, key)
    # The official operator documents PKCS#12 files under these two keys, and Kubernetes accepts them. Such a file is
    # encrypted with a password that only its reader has.
    if _PKCS12.match(certificate) and _PKCS12.match(key):
        return
    first = _block(_CERTIFICATE_BEGINS, certificate)
    if first is None:
        raise _mismatch(f'"{CERTIFICATE}" holds no certificate in PEM; {_clue(certificate, _PRIVATE_KEY_BEGINS)}')
    private = _block(_PRIVATE_KEY_BEGINS, key)
    if private is None:
        raise _mismatch(f'"{PRIVATE_KEY}" holds no private key in PEM; {_clue(key, _CERTIFICATE_BEGINS)}')
    _check_pair(first, private)


def _check_filled(name: str, value: bytes) -> None:
    # Kubernetes accepts an empty pair, for controllers that fill it later. Here it would empty a good target.
    if not value.strip():
        raise _mismatch(f'"{name}" is empty; enter its value in Phase')


def _check_pair(certificate: bytes, key: bytes) -> None:
    # Imported here: the library takes 8 MiB of memory, and most operators never see a Secret of this type.
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm

    try:
        certified = _certified(certificate)
        held = certified if _takes_long(key) else _held(key)
    except (UnsupportedAlgorithm, InternalError):
        # What the library does not know cannot be judged.
        return
    if certified != held:
        raise _mismatch(
            f'"{PRIVATE_KEY}" is not the key of the first certificate of "{CERTIFICATE}"; store both of one pair, the '
            "server's own certificate before those of its authorities"
        )


def _certified(certificate: bytes) -> object:
    """Return the public key in a certificate."""
    from cryptography.x509 import InvalidVersion, load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(certificate).public_key()
    except (ValueError, InvalidVersion):
        raise _mismatch(f'the first certificate of "{CERTIFICATE}" cannot be read; enter it anew in Phase') from None


def _held(key: bytes) -> object:
    """Return the public half of a private key."""
    try:
        return _public_key(key)
    except TypeError:
        raise _mismatch(
            f'the private key in "{PRIVATE_KEY}" is encrypted, and a Secret of this type has no place for a password; '
            "store the key unencrypted"
        ) from None
    except ValueError:
        raise _mismatch(
            f'the private key in "{PRIVATE_KEY}" cannot be read; store it in PEM as PKCS#8, PKCS#1 or EC'
        ) from None


def _takes_long(block: bytes) -> bool:
    """Return whether computing the public half could take long: it takes minutes for a key of 14 KB."""
    der = _der(block)
    return len(der) > _LONG_KEY and any(algorithm in der for algorithm in _COMPUTED)


def _der(block: bytes) -> bytes:
    """Return the bytes of a PEM block, without its headers; nothing if they are no base64."""
    lines = block.split(b"\n")[1:-1]
    try:
        return base64.b64decode(b"".join(line for line in lines if b":" not in line))
    except ValueError:
        return b""


def _public_key(block: bytes) -> object:
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    # Without validation: the test of an RSA key's primes would block the whole operator for a third of a second (4096
    # bits) on every run. It protects signers; we only compare the public half.
    try:
        return load_pem_private_key(block, None, unsafe_skip_rsa_key_validation=True).public_key()
    except ValueError:
        # Go and OpenSSL, and so ingress controllers, also read a key whose label names another format.
        body = base64.b64decode(block.partition(b"\n")[2].rpartition(b"\n")[0])
        return load_der_private_key(body, None, unsafe_skip_rsa_key_validation=True).public_key()


def _block(begins: re.Pattern[bytes], value: bytes) -> bytes | None:
    """Return the first PEM block, without the text, chains and other blocks around it."""
    begin = begins.search(value)
    if begin is None:
        return None
    mark = b"\n-----END " + begin[1] + b"-----"
    end = value.find(mark, begin.end())
    return value[begin.start() : end + len(mark)] if end >= 0 else None


def _check_docker_config(value: bytes) -> None:
    config = _json_object(DOCKERCONFIGJSON, value)
    # The kubelet ignores the case of field names, as Go does.
    known = {name.lower(): part for name, part in config.items()}
    if not _DOCKER_SOURCES & known.keys():
        raise _mismatch(
            f'"{DOCKERCONFIGJSON}" has no "auths", so the kubelet finds no credentials; '
            'the registries belong into {"auths": {...}}'
        )
    auths = known.get("auths")
    if auths is None:
        return
    if not isinstance(auths, dict):
        raise _mismatch(f'"auths" in "{DOCKERCONFIGJSON}" is no JSON object; correct it in Phase')
    _check_registries(DOCKERCONFIGJSON, ' under "auths"', auths)


def _check_docker_file(value: bytes) -> None:
    _check_registries(DOCKERCFG, "", _json_object(DOCKERCFG, value))


def _check_registries(key: str, where: str, registries: Mapping[str, object]) -> None:
    # One wrong entry makes the kubelet drop all of them. It accepts null, as Go does.
    if not all(isinstance(registry, dict | None) for registry in registries.values()):
        raise _mismatch(f'a registry{where} in "{key}" is no JSON object; correct it in Phase')


def _json_object(key: str, value: bytes) -> dict[str, object]:
    try:
        # Decoded first: Python would guess UTF-16 from bytes. Go reads broken UTF-8 as we do.
        found = json.loads(value.decode(errors="replace"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _mismatch(f'"{key}" is not valid JSON; {_clue(value)}') from None
    if not isinstance(found, dict):
        raise _mismatch(f'"{key}" is JSON, but no object; correct it in Phase')
    return found


def _no_constant(name: str) -> object:
    # NaN and Infinity: Python accepts them, Kubernetes does not.
    raise ValueError(name)


def _check_ssh(value: bytes) -> None:
    # Only the marks are checked: the readers (OpenSSH, libgit2, Go) know different formats, some take the passphrase
    # from another key, and we cannot read an encrypted key. Frequent mistakes are a public key, a PuTTY file or a path,
    # and none of these has the marks.
    if _block(_PRIVATE_KEY_BEGINS, value) is None:
        raise _mismatch(f'"{SSH_PRIVATE_KEY}" holds no private key in PEM or in OpenSSH\'s format; {_clue(value)}')


def _check_bootstrap_token(data: Mapping[str, bytes]) -> None:
    # The API server accepts any text; the controller and the authenticator silently ignore a token that is not valid.
    for key, length in _TOKEN_PARTS.items():
        if not re.fullmatch(rb"[a-z0-9]{%d}" % length, data[key]):
            raise _mismatch(f'"{key}" is not {length} characters of a-z and 0-9; correct it in Phase')


def _clue(value: bytes, opposite: re.Pattern[bytes] | None = None) -> str:
    """Return a guess at what happened to a value of the wrong form, for the message."""
    if opposite is not None and opposite.search(value):
        return f'it holds the other half of the pair, so "{CERTIFICATE}" and "{PRIVATE_KEY}" may be swapped'
    if value.lstrip().startswith(_BASE64_OF_OURS):
        return "it looks like base64, which processors.<KEY>.type: base64 decodes"
    if _MARK.search(value):
        return "it is cut off or has lost its line breaks; enter it anew in Phase"
    return "correct it in Phase"


def _mismatch(message: str) -> Waiting:
    return Waiting(Reason.TYPE_MISMATCH, message)


def _check_basic_auth(data: Mapping[str, bytes]) -> None:
    # Kubernetes needs only one of them, and it may be empty; a token often comes without a user.
    if not {USERNAME, PASSWORD} & data.keys():
        raise _missing(SecretType.BASIC_AUTH, f'"{USERNAME}" or "{PASSWORD}"', PASSWORD, data)


def _any(_: Mapping[str, bytes]) -> None:
    """Accept any data."""


# The keys that a Secret of a type must have, and the check of its data.
_CHECKS: Mapping[SecretType, tuple[tuple[str, ...], Callable[[Mapping[str, bytes]], None]]] = {
    SecretType.TLS: ((CERTIFICATE, PRIVATE_KEY), lambda data: _check_tls(data[CERTIFICATE], data[PRIVATE_KEY])),
    SecretType.DOCKERCONFIGJSON: ((DOCKERCONFIGJSON,), lambda data: _check_docker_config(data[DOCKERCONFIGJSON])),
    SecretType.DOCKERCFG: ((DOCKERCFG,), lambda data: _check_docker_file(data[DOCKERCFG])),
    SecretType.BASIC_AUTH: ((), _check_basic_auth),
    SecretType.SSH_AUTH: ((SSH_PRIVATE_KEY,), lambda data: _check_ssh(data[SSH_PRIVATE_KEY])),
    SecretType.BOOTSTRAP_TOKEN: ((TOKEN_ID, TOKEN_SECRET), _check_bootstrap_token),
    SecretType.OPAQUE: ((), _any),
    # Kubernetes itself fills it in, and asks for an annotation, not for keys.
    SecretType.SERVICE_ACCOUNT_TOKEN: ((), _any),
}
