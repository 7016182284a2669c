"""Parse the text of a token into the header that is sent, and into the keys that stay here.

Rule: only the second field of a full token is ever sent, its last three fields go to phase/crypto, and no part of a
text is ever shown. Source of the forms: the console offers `pss_service:v2:...` and `ServiceAccount <hex>`; people
paste either, with or without `Bearer`.
"""

import re

from phase_operator.api.reasons import Reason
from phase_operator.core.digests import framed, keyed
from phase_operator.core.errors import Waiting
from phase_operator.core.values import SecretValue
from phase_operator.phase.crypto import TokenKeys
from phase_operator.reconcile.ports import Credential

_HEX = r"(?P<hex>[0-9a-fA-F]{64})"
_KEY = r"[0-9a-fA-F]{64}"
_FULL = re.compile(
    rf"pss_(?P<kind>service:v1|service:v2|user:v[0-9]+):{_HEX}:(?P<public>{_KEY}):(?P<share>{_KEY}):(?P<unwrap>{_KEY})"
)
_TYPED = re.compile(rf"(?:(?i:bearer) +)?(?P<kind>ServiceAccount|Service|User) +{_HEX}")
_BARE = re.compile(_HEX)
_FIELDS = ("the kind", "the version", "the token", "the public key", "the key share", "the key of the other share")
_DIGITS = 64
# Tokens of this kind belong to one app, and Phase calls their app encrypted whatever it is.
_OF_APP = "Service"
SERVICE_ACCOUNT = "ServiceAccount"


def parse(token: SecretValue, key: bytes) -> Credential:
    """Return the credential in a token's text; raise Waiting(TOKEN_INVALID)."""
    text = token.reveal().strip()
    if found := _FULL.fullmatch(text):
        fields = found.group("public", "share", "unwrap")
        header = f"Bearer {_type_of(found['kind'])} {found['hex']}"
        # The keys are a part of the account's name: the same token without keys, or with others, is another account.
        parts = framed(each.encode() for each in (header, *map(str.lower, fields)))
        return Credential(keyed(key, b"full", parts, size=8).hex(), SecretValue(header), TokenKeys(*fields))
    header = _header(text)
    # Keyed, so that an account's name, which memory dumps and debug logs show, cannot confirm a guessed token.
    return Credential(keyed(key, b"", [header.encode()], size=8).hex(), SecretValue(header))


def kind_of(credential: Credential) -> str:
    """Return the kind of account that a token belongs to, as Phase names it: ServiceAccount, Service or User."""
    return credential.header.reveal().split(" ")[1]


def tells_modes(credential: Credential) -> bool:
    """Return whether Phase tells this account truly which of its apps are encrypted."""
    return kind_of(credential) != _OF_APP


def _header(text: str) -> str:
    if found := _TYPED.fullmatch(text):
        return f"Bearer {found['kind']} {found['hex']}"
    if _BARE.fullmatch(text):
        return f"Bearer ServiceAccount {text}"
    raise Waiting(
        Reason.TOKEN_INVALID,
        f"this is no Phase token{_torn(text)}: store pss_service:v2:... in full, ServiceAccount <hex>, or the 64 hex "
        "digits alone; pss_service:v1:..., pss_user:..., Service <hex> and User <hex> are taken as well",
    )


def _torn(text: str) -> str:
    """Say what a full token lacks, by numbers alone; an empty text if this is not meant to be one."""
    if not text.startswith("pss_"):
        return ""
    fields = text.split(":", len(_FIELDS))
    if len(fields) < len(_FIELDS):
        return f" ({len(fields)} fields instead of {len(_FIELDS)})"
    if len(fields) > len(_FIELDS):
        return f" (more than {len(_FIELDS)} fields)"
    bad = (each for each in map(_bad_digits, _FIELDS[2:], fields[2:]) if each)
    return next(bad, " (its kind or version is unknown)")


def _bad_digits(name: str, field: str) -> str:
    if len(field) != _DIGITS:
        return f" ({name} has {len(field)} characters instead of {_DIGITS})"
    return "" if re.fullmatch(_KEY, field) else f" ({name} holds something else than hex digits)"


def _type_of(kind: str) -> str:
    if kind == "service:v2":
        return "ServiceAccount"
    return _OF_APP if kind == "service:v1" else "User"
