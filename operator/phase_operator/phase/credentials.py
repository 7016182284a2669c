"""Token texts -> what is sent.

Rule: only the part that the REST API needs is kept, and no part of a text is ever shown. Source of the spellings:
the console offers `pss_service:v2:...` and `ServiceAccount <hex>`; people paste either, with or without `Bearer`.
"""

import hashlib
import re

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.values import SecretValue
from phase_operator.reconcile.ports import Credential

_HEX = r"(?P<hex>[0-9a-fA-F]{64})"
_FULL = re.compile(rf"pss_(?P<kind>service|user):v(?P<version>\d+):{_HEX}(?::[0-9a-fA-F]{{64}}){{3}}")
_TYPED = re.compile(rf"(?:(?i:bearer) +)?(?P<type>ServiceAccount|Service|User) +{_HEX}")
_BARE = re.compile(_HEX)
_TYPES = {("service", "1"): "Service", ("service", "2"): "ServiceAccount", ("user", "1"): "User"}


def parse(token: SecretValue, key: bytes) -> Credential:
    """Return the credential in a token's text; raise Waiting(TOKEN_INVALID)."""
    text = token.reveal().strip()
    if found := _FULL.fullmatch(text):
        kind = _TYPES.get((found["kind"], found["version"]))
        if kind is None:
            raise _invalid()
    elif found := _TYPED.fullmatch(text):
        kind = found["type"]
    elif found := _BARE.fullmatch(text):
        kind = "ServiceAccount"
    else:
        raise _invalid()
    header = f"Bearer {kind} {found['hex']}"
    account = hashlib.blake2b(header.encode(), key=key, digest_size=8).hexdigest()
    return Credential(account, SecretValue(header))


def _invalid() -> Waiting:
    return Waiting(
        Reason.TOKEN_INVALID,
        "this is no Phase token: store pss_service:v2:..., ServiceAccount <hex>, or the 64 hex digits alone",
    )
