"""Parse the text of a token into the header that is sent.

Rule: only the part that the REST API needs is kept, and no part of a text is ever shown. Source of the forms: the
console offers `pss_service:v2:...` and `ServiceAccount <hex>`; people paste either, with or without `Bearer`.
"""

import re

from phase_operator.api.reasons import Reason
from phase_operator.core.digests import keyed
from phase_operator.core.errors import Waiting
from phase_operator.core.values import SecretValue
from phase_operator.reconcile.ports import Credential

_HEX = r"(?P<hex>[0-9a-fA-F]{64})"
# The three further fields are key material of the encrypted API, which we do not use: they are never sent.
_FULL = re.compile(rf"pss_(?P<kind>service:v1|service:v2|user:v[0-9]+):{_HEX}(?::[0-9a-fA-F]{{64}}){{3}}")
_TYPED = re.compile(rf"(?:(?i:bearer) +)?(?P<kind>ServiceAccount|Service|User) +{_HEX}")
_BARE = re.compile(_HEX)


def parse(token: SecretValue, key: bytes) -> Credential:
    """Return the credential in a token's text; raise Waiting(TOKEN_INVALID)."""
    header = SecretValue(_header(token.reveal().strip()))
    # Keyed, so that an account's name, which memory dumps and debug logs show, cannot confirm a guessed token.
    account = keyed(key, b"", [header.reveal().encode()], size=8).hex()
    return Credential(account, header)


def _header(text: str) -> str:
    if found := _FULL.fullmatch(text):
        return f"Bearer {_type_of(found['kind'])} {found['hex']}"
    if found := _TYPED.fullmatch(text):
        return f"Bearer {found['kind']} {found['hex']}"
    if _BARE.fullmatch(text):
        return f"Bearer ServiceAccount {text}"
    raise Waiting(
        Reason.TOKEN_INVALID,
        "this is no Phase token: store pss_service:v2:... in full, ServiceAccount <hex>, or the 64 hex digits alone; "
        "pss_service:v1:..., pss_user:..., Service <hex> and User <hex> are taken as well",
    )


def _type_of(kind: str) -> str:
    if kind == "service:v2":
        return "ServiceAccount"
    return "Service" if kind == "service:v1" else "User"
