"""A Secret of a type holds what its readers need.

The properties hunt two things: an exception that is none of ours, and a value in a message.
"""

import base64
import json
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import SecretType
from phase_operator.core.content.secret_types import check_type
from phase_operator.core.errors import Waiting
from support.canary import Canary

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey
Spell = Callable[[bytes], bytes]

KINDS: dict[str, Callable[[], Key]] = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "DSA": lambda: dsa.generate_private_key(1024),
}
PASSWORD = BestAvailableEncryption(b"a passphrase")
EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
REGISTRY = {"auth": "dXNlcjpwYXNzd29yZA=="}


@cache
def key_of(kind: str, which: int) -> Key:
    """Make a private key; another `which`, another key."""
    return KINDS[kind]()


def key_pem(
    kind: str = "EC",
    which: int = 1,
    *,
    style: PrivateFormat = PrivateFormat.PKCS8,
    lock: KeySerializationEncryption | None = None,
) -> bytes:
    """Make the text of a private key."""
    return key_of(kind, which).private_bytes(Encoding.PEM, style, lock or NoEncryption())


@cache
def certificate(kind: str = "EC", which: int = 1) -> x509.Certificate:
    """Make a certificate of a key; it expired years ago."""
    key = key_of(kind, which)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
    made = datetime(2020, 1, 1)  # noqa: DTZ001  # the builder reads it as UTC
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, made, made + timedelta(days=1))
    return builder.sign(key, None if kind == "Ed25519" else SHA256())


def certificate_pem(kind: str = "EC", which: int = 1) -> bytes:
    """Make the text of a certificate."""
    return certificate(kind, which).public_bytes(Encoding.PEM)


def key_file() -> bytes:
    """Make a PKCS#12 file."""
    return pkcs12.serialize_key_and_certificates(b"shop", key_of("EC", 1), certificate(), None, PASSWORD)


def tls(certificate: bytes | None = None, key: bytes | None = None) -> dict[str, bytes]:
    """Make the data of a Secret for TLS; a good pair unless a part is given."""
    return {
        "tls.crt": certificate_pem() if certificate is None else certificate,
        "tls.key": key_pem() if key is None else key,
    }


def docker(config: object) -> dict[str, bytes]:
    """Make the data of a Secret for a registry."""
    return {".dockerconfigjson": json.dumps(config).encode()}


def verdict(kind: SecretType, data: dict[str, bytes]) -> Waiting | None:
    """Check, and return the refusal if it is one of ours; anything else flies on."""
    try:
        check_type(kind, data)
    except Waiting as refused:
        return refused
    return None


def refusal(kind: SecretType, data: dict[str, bytes]) -> str:
    """Check, expect a refusal, and return its message, in which no value stands."""
    found = verdict(kind, data)

    assert found is not None
    assert found.reason is Reason.TYPE_MISMATCH
    said = "".join(traceback.format_exception(found))
    for value in data.values():
        text = value.decode(errors="replace")
        assert not any(text[at : at + 16] in said for at in range(len(text) - 15))
    return found.message


@pytest.mark.parametrize(
    ("kind", "data", "wanted"),
    [
        pytest.param(SecretType.TLS, {"TLS_CERT": b"", "tls.key": b""}, ["tls.crt"], id="tls without a certificate"),
        pytest.param(SecretType.TLS, {"tls.crt": b"", "tls.pem": b""}, ["tls.key"], id="tls without a key"),
        pytest.param(SecretType.TLS, {"A": b"", "B": b""}, ["tls.crt", "tls.key"], id="tls without both"),
        pytest.param(SecretType.DOCKERCONFIGJSON, {".dockercfg": b"{}"}, [".dockerconfigjson"], id="dockerconfigjson"),
        pytest.param(SecretType.DOCKERCFG, {".dockerconfigjson": b"{}"}, [".dockercfg"], id="dockercfg"),
        pytest.param(SecretType.BASIC_AUTH, {"USERNAME": b""}, ["username", "password"], id="basic-auth"),
        pytest.param(SecretType.SSH_AUTH, {"id_rsa": b""}, ["ssh-privatekey"], id="ssh-auth"),
        pytest.param(SecretType.BOOTSTRAP_TOKEN, {"token-id": b"abcdef"}, ["token-secret"], id="bootstrap token"),
    ],
)
def test_a_missing_key_is_named_with_those_that_are_there_and_the_cure(
    kind: SecretType, data: dict[str, bytes], wanted: list[str]
) -> None:
    message = refusal(kind, data)

    assert str(kind) in message
    assert "processors.<KEY>.asName: " in message
    for key in [*wanted, *data]:
        assert f'"{key}"' in message


def test_keys_are_shown_in_one_order() -> None:
    data = {"B": b"", "C": b"", "A": b""}

    message = refusal(SecretType.TLS, data)

    assert message == refusal(SecretType.TLS, dict(reversed(data.items())))
    assert '"A", "B", "C"' in message


def test_a_long_message_keeps_the_cure() -> None:
    message = refusal(SecretType.TLS, {f"{at}{'x' * 250}": b"" for at in range(9)})

    assert "processors.<KEY>.asName: tls.crt" in message


def test_no_data_at_all_is_a_mismatch() -> None:
    refusal(SecretType.TLS, {})


@pytest.mark.parametrize("kind", [SecretType.OPAQUE, SecretType.SERVICE_ACCOUNT_TOKEN])
@pytest.mark.parametrize("data", [{}, {"any": b"\xff\x00"}], ids=["no data", "any data"])
def test_types_that_ask_for_no_key_take_everything(kind: SecretType, data: dict[str, bytes]) -> None:
    assert verdict(kind, data) is None


# kubernetes.io/tls


@pytest.mark.parametrize(
    ("kind", "style"),
    [
        pytest.param("RSA", PrivateFormat.TraditionalOpenSSL, id="RSA in PKCS#1"),
        pytest.param("RSA", PrivateFormat.PKCS8, id="RSA in PKCS#8"),
        pytest.param("EC", PrivateFormat.TraditionalOpenSSL, id="EC in its own format"),
        pytest.param("EC", PrivateFormat.PKCS8, id="EC in PKCS#8"),
        pytest.param("Ed25519", PrivateFormat.PKCS8, id="Ed25519"),
        pytest.param("DSA", PrivateFormat.TraditionalOpenSSL, id="DSA in its own format"),
        pytest.param("DSA", PrivateFormat.PKCS8, id="DSA in PKCS#8"),
    ],
)
def test_a_pair_of_every_kind_is_taken_although_it_expired(kind: str, style: PrivateFormat) -> None:
    assert verdict(SecretType.TLS, tls(certificate_pem(kind), key_pem(kind, style=style))) is None


def test_a_chain_is_taken_and_so_are_more_keys() -> None:
    authority = trustme.CA()
    issued = authority.create_child_ca().issue_cert("shop.example")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)

    assert (
        verdict(
            SecretType.TLS,
            tls(chain, issued.private_key_pem.bytes()) | {"ca.crt": authority.cert_pem.bytes(), "note": b""},
        )
        is None
    )


def test_a_chain_that_begins_with_its_authority_is_refused() -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("shop.example")
    chain = authority.cert_pem.bytes() + issued.cert_chain_pems[0].bytes()

    refusal(SecretType.TLS, tls(chain, issued.private_key_pem.bytes()))


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda text: b"Bag Attributes\n  friendlyName: shop\n" + text, id="text before it"),
        pytest.param(lambda text: text + b"\nand a remark\n", id="text after it"),
        pytest.param(lambda text: text.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(lambda text: text.strip(), id="no line break at the end"),
        pytest.param(lambda text: b"\n\n" + text, id="empty lines before it"),
        pytest.param(lambda text: text.replace(b"\n", b" \t\n"), id="blanks at the ends of lines"),
        pytest.param(lambda text: EC_PARAMETERS + text, id="the parameters that OpenSSL writes first"),
        pytest.param(lambda text: text + b"-----BEGIN CERTIFICATE-----\nbroken", id="a broken block after it"),
        pytest.param(lambda text: b"\xff\xfe bytes\n" + text, id="bytes that are no text"),
    ],
)
def test_a_pem_with_text_that_ingress_controllers_skip_is_accepted(spell: Spell) -> None:
    assert verdict(SecretType.TLS, tls(spell(certificate_pem()), spell(key_pem()))) is None


def test_key_and_certificate_in_one_file_under_both_names_are_taken() -> None:
    both = key_pem() + certificate_pem()

    assert verdict(SecretType.TLS, tls(both, both)) is None


@pytest.mark.parametrize(
    ("kind", "style", "label", "written"),
    [
        pytest.param("RSA", PrivateFormat.PKCS8, b"PRIVATE", b"RSA PRIVATE", id="PKCS#8 called RSA"),
        pytest.param("RSA", PrivateFormat.TraditionalOpenSSL, b"RSA PRIVATE", b"PRIVATE", id="PKCS#1 called PKCS#8"),
        pytest.param("EC", PrivateFormat.TraditionalOpenSSL, b"EC PRIVATE", b"PRIVATE", id="EC called PKCS#8"),
    ],
)
def test_a_key_under_the_label_of_another_format_is_taken(
    kind: str, style: PrivateFormat, label: bytes, written: bytes
) -> None:
    key = key_pem(kind, style=style).replace(label, written)

    assert verdict(SecretType.TLS, tls(certificate_pem(kind), key)) is None


def test_the_pkcs12_files_of_the_official_operators_example_are_taken() -> None:
    assert verdict(SecretType.TLS, tls(key_file(), key_file())) is None


def test_a_key_of_a_scheme_that_the_library_does_not_know_is_taken() -> None:
    known = key_of("Ed25519", 1).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    unknown = base64.encodebytes(known.replace(b"\x2b\x65\x70", b"\x2b\x65\x7e"))

    assert (
        verdict(SecretType.TLS, tls(key=b"-----BEGIN PRIVATE KEY-----\n" + unknown + b"-----END PRIVATE KEY-----\n"))
        is None
    )


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_key_of_another_certificate_is_refused(kind: str) -> None:
    message = refusal(SecretType.TLS, tls(certificate_pem(kind, 1), key_pem(kind, 2)))

    assert '"tls.key"' in message
    assert '"tls.crt"' in message


def test_a_key_of_another_kind_is_refused() -> None:
    refusal(SecretType.TLS, tls(certificate_pem("RSA"), key_pem("EC")))


@pytest.mark.parametrize("name", ["tls.crt", "tls.key"])
@pytest.mark.parametrize("value", [b"", b" \r\n"], ids=["no byte", "blanks"])
def test_an_empty_part_is_named(name: str, value: bytes) -> None:
    assert f'"{name}" is empty' in refusal(SecretType.TLS, tls() | {name: value})


@pytest.mark.parametrize("name", ["tls.crt", "tls.key"])
@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda text: b"/etc/ssl/private/of-the-shop.pem", id="a path"),
        pytest.param(lambda text: b"\x30\x82\x02\x01\x30\x82" + bytes(40), id="DER"),
        pytest.param(lambda text: key_file(), id="a PKCS#12 file beside PEM"),
        pytest.param(lambda text: text[: len(text) // 2], id="one half"),
        pytest.param(lambda text: b"  " + text.replace(b"\n", b"\n  "), id="indented"),
        pytest.param(lambda text: text.replace(b"\n", b" "), id="blanks for line breaks"),
        pytest.param(lambda text: text.replace(b"\n", b"\\n"), id="line breaks spelled out"),
        pytest.param(base64.b64encode, id="base64 of PEM"),
        pytest.param(lambda text: text.replace(b"\nM", b"\nN"), id="other bytes inside"),
        pytest.param(lambda text: text.replace(b"\nM", b"\n!"), id="no base64 inside"),
        pytest.param(lambda text: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", id="a public key"),
    ],
)
def test_a_part_that_no_server_reads_is_named(name: str, spell: Spell) -> None:
    data = tls()

    assert f'"{name}"' in refusal(SecretType.TLS, data | {name: spell(data[name])})


def test_swapped_parts_are_told_as_such() -> None:
    assert "swapped" in refusal(SecretType.TLS, tls(key_pem(), certificate_pem()))
    assert "swapped" in refusal(SecretType.TLS, tls(certificate_pem(), certificate_pem()))


def test_base64_in_phase_is_told_as_such() -> None:
    assert "processors.<KEY>.type: base64" in refusal(SecretType.TLS, tls(base64.encodebytes(certificate_pem())))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(lambda: key_pem(lock=PASSWORD), id="PKCS#8"),
        pytest.param(lambda: key_pem(style=PrivateFormat.TraditionalOpenSSL, lock=PASSWORD), id="with headers"),
    ],
)
def test_an_encrypted_key_is_refused_as_encrypted(key: Callable[[], bytes]) -> None:
    message = refusal(SecretType.TLS, tls(key=key()))

    assert '"tls.key" is encrypted' in message


def test_a_key_in_the_format_of_openssh_is_refused() -> None:
    key = key_pem("Ed25519", style=PrivateFormat.OpenSSH)

    assert "PKCS#8" in refusal(SecretType.TLS, tls(certificate_pem("Ed25519"), key))


def test_a_certificate_of_a_version_that_does_not_exist_is_refused() -> None:
    raw = certificate().public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x45", 1)

    refusal(
        SecretType.TLS, tls(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(raw) + b"-----END CERTIFICATE-----")
    )


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_certificate_without_a_serial_number_is_taken() -> None:
    raw = certificate().public_bytes(Encoding.DER).replace(b"\x02\x01\x07", b"\x02\x01\x00", 1)

    assert (
        verdict(
            SecretType.TLS,
            tls(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(raw) + b"-----END CERTIFICATE-----"),
        )
        is None
    )


LINES = st.text(st.characters(codec="utf-8", exclude_characters="-"), max_size=20).map(str.encode)


@given(before=st.lists(LINES, max_size=3), after=st.lists(LINES, max_size=3), crlf=st.booleans())
def test_a_pair_is_taken_whatever_text_stands_around_it(before: list[bytes], after: list[bytes], crlf: bool) -> None:
    def around(text: bytes) -> bytes:
        lines = b"\n".join([*before, *text.splitlines(), *after])
        return lines.replace(b"\n", b"\r\n") if crlf else lines

    assert verdict(SecretType.TLS, tls(around(certificate_pem()), around(key_pem()))) is None


# A turned sign of the serial number; what the library says of it is its own business.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(part=st.sampled_from(["tls.crt", "tls.key"]), at=st.integers(min_value=0), byte=st.integers(0, 255))
def test_a_byte_that_was_turned_leads_to_a_refusal_or_nothing(part: str, at: int, byte: int) -> None:
    first, *lines, last = tls()[part].splitlines()
    raw = bytearray(base64.b64decode(b"".join(lines)))
    raw[at % len(raw)] = byte

    found = verdict(SecretType.TLS, tls() | {part: b"\n".join([first, base64.b64encode(raw), last])})

    assert found is None or found.reason is Reason.TYPE_MISMATCH


# kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"auths": {"registry.example": REGISTRY}}, id="a registry"),
        pytest.param({"auths": {}}, id="none yet"),
        pytest.param({"auths": {"registry.example": {}, "other.example": None}}, id="empty registries"),
        pytest.param({"Auths": {"registry.example": REGISTRY}}, id="another case, as Go reads it"),
        pytest.param({"credHelpers": {"registry.example": "ecr-login"}}, id="helpers"),
        pytest.param({"credsStore": "desktop"}, id="a store"),
        pytest.param({"auths": {"registry.example": {"odd": [1]}}, "HttpHeaders": {}, "more": 1}, id="odd content"),
    ],
)
def test_a_docker_configuration_that_the_kubelet_takes_is_taken(config: object) -> None:
    assert verdict(SecretType.DOCKERCONFIGJSON, docker(config) | {"more": b""}) is None


def test_a_docker_configuration_may_have_line_breaks_and_broken_letters_in_its_texts() -> None:
    assert (
        verdict(SecretType.DOCKERCONFIGJSON, {".dockerconfigjson": b'{\r\n "auths": {"a": {"username": "\xff"}}}\n'})
        is None
    )


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"registry.example user password", id="no JSON"),
        pytest.param(b'{"auths": {"registry.example": ', id="cut off"),
        pytest.param(b"\xef\xbb\xbf" + b'{"auths": {}}', id="a byte order mark"),
        pytest.param('{"auths": {}}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"auths": {}, "more": NaN}', id="NaN"),
        pytest.param(b'{"auths": ' + b"[" * 100_000, id="very deep"),
        pytest.param(b'{"auths": {}, "more": ' + b"9" * 5000 + b"}", id="a number that no type holds"),
        pytest.param(b"null", id="null"),
        pytest.param(b'["auths"]', id="a list"),
        pytest.param(b'{"registry.example": {"auth": "dXNlcjpwYXNzd29yZA=="}}', id="the older form"),
        pytest.param(b"{}", id="no registry"),
        pytest.param(b'{"auths": ["registry.example"]}', id="auths is a list"),
        pytest.param(b'{"auths": {"a.example": {}, "b.example": "dXNlcjpwYXNzd29yZA=="}}', id="a registry is a text"),
        pytest.param(base64.b64encode(json.dumps({"auths": {"a": REGISTRY}}).encode()), id="base64 of JSON"),
    ],
)
def test_a_docker_configuration_without_credentials_for_the_kubelet_is_refused(value: bytes) -> None:
    assert '".dockerconfigjson"' in refusal(SecretType.DOCKERCONFIGJSON, {".dockerconfigjson": value})


@pytest.mark.parametrize(
    "config", [{}, {"registry.example": REGISTRY}, {"registry.example": None}], ids=["none", "one", "null"]
)
def test_a_dockercfg_of_registries_is_taken(config: object) -> None:
    assert verdict(SecretType.DOCKERCFG, {".dockercfg": json.dumps(config).encode()}) is None


@pytest.mark.parametrize(
    "value", [b"user:password-of-the-user", b"[]", b'{"registry.example": "dXNlcjpwYXNzd29yZA=="}']
)
def test_a_dockercfg_of_anything_else_is_refused(value: bytes) -> None:
    assert '".dockercfg"' in refusal(SecretType.DOCKERCFG, {".dockercfg": value})


# kubernetes.io/basic-auth


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"username": b"u", "password": b"p"}, id="both"),
        pytest.param({"username": b"u"}, id="the user"),
        pytest.param({"password": b"p", "more": b""}, id="the password"),
        pytest.param({"username": b"", "password": b"p"}, id="an empty user"),
    ],
)
def test_one_part_of_basic_auth_is_enough(data: dict[str, bytes]) -> None:
    assert verdict(SecretType.BASIC_AUTH, data) is None


# kubernetes.io/ssh-auth


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(lambda: key_pem("Ed25519", style=PrivateFormat.OpenSSH), id="OpenSSH"),
        pytest.param(lambda: key_pem("RSA", style=PrivateFormat.TraditionalOpenSSL), id="PKCS#1"),
        pytest.param(lambda: key_pem("EC"), id="PKCS#8"),
        pytest.param(lambda: key_pem("EC", lock=PASSWORD), id="encrypted"),
        pytest.param(lambda: key_pem("EC").replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(
            lambda: b"-----BEGIN OPENSSH PRIVATE KEY-----\n?\n-----END OPENSSH PRIVATE KEY-----", id="unknown"
        ),
    ],
)
def test_a_private_key_for_ssh_is_taken_in_every_format(key: Callable[[], bytes]) -> None:
    assert verdict(SecretType.SSH_AUTH, {"ssh-privatekey": key(), "known_hosts": b""}) is None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda: b"", id="nothing"),
        pytest.param(
            lambda: key_of("EC", 1).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH), id="public"
        ),
        pytest.param(lambda: b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", id="a PuTTY file"),
        pytest.param(lambda: b"/home/shop/.ssh/id_ed25519", id="a path"),
        pytest.param(lambda: key_pem()[:100], id="cut off"),
        pytest.param(lambda: key_pem().replace(b"\n", b" "), id="no line breaks"),
        pytest.param(lambda: base64.b64encode(key_pem()), id="base64 of a key"),
    ],
)
def test_a_value_that_is_clearly_no_private_key_for_ssh_is_refused(value: Callable[[], bytes]) -> None:
    assert '"ssh-privatekey"' in refusal(SecretType.SSH_AUTH, {"ssh-privatekey": value()})


# bootstrap.kubernetes.io/token


def test_a_bootstrap_token_in_the_documented_form_is_taken() -> None:
    assert (
        verdict(
            SecretType.BOOTSTRAP_TOKEN, {"token-id": b"07401b", "token-secret": b"f395accd246ae52d", "expiration": b""}
        )
        is None
    )


@pytest.mark.parametrize(
    ("part", "value"),
    [
        pytest.param("token-id", b"07401", id="a short id"),
        pytest.param("token-id", b"07401B", id="an upper-case id"),
        pytest.param("token-id", b"07401b\n", id="an id with a line break"),
        pytest.param("token-secret", b"f395accd246ae52d0", id="a long secret"),
        pytest.param("token-secret", b"", id="an empty secret"),
    ],
)
def test_a_bootstrap_token_in_another_form_is_refused(part: str, value: bytes) -> None:
    data = {"token-id": b"07401b", "token-secret": b"f395accd246ae52d", part: value}

    assert f'"{part}"' in refusal(SecretType.BOOTSTRAP_TOKEN, data)


# Every type


PIECES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"\n", b"-----", b"-----BEGIN ", b"-----END ", b"PRIVATE KEY-----\n", b"CERTIFICATE-----\n"]),
    st.sampled_from(
        [b"MIIB", b"0\x82\x01\x01\x02\x01\x03", b"Proc-Type: 4,ENCRYPTED\n\n", b'{"auths":', b"{", b"}", b'"a"']
    ),
)
NAMES = [
    "tls.crt",
    "tls.key",
    ".dockercfg",
    ".dockerconfigjson",
    "username",
    "ssh-privatekey",
    "token-id",
    "token-secret",
]


@given(
    kind=st.sampled_from(SecretType),
    data=st.dictionaries(st.sampled_from(NAMES), st.lists(PIECES, max_size=8).map(b"".join)),
)
def test_any_data_is_taken_or_refused(kind: SecretType, data: dict[str, bytes]) -> None:
    found = verdict(kind, data)

    assert found is None or found.reason is Reason.TYPE_MISMATCH


@pytest.mark.parametrize("kind", list(SecretType))
def test_no_message_holds_a_value(kind: SecretType, canary: Canary) -> None:
    text = canary.value("the value").encode()
    armour = [b"-----BEGIN CERTIFICATE-----\n", b"\n-----END CERTIFICATE-----"]
    for value in (
        text,
        text.join(armour),
        text.join(armour).replace(b"CERTIFICATE", b"PRIVATE KEY"),
        b'{"%s": 1}' % text,
    ):
        for names in ([], NAMES):
            if refused := verdict(kind, dict.fromkeys([*names, "other"], value)):
                canary.watch("".join(traceback.format_exception(refused)))
