"""What goes wrong with what is stored: rows and keys that another client wrote badly, or that rotted.

Rule: damage is a note on a record and is done when the record is shown; without the note it is whole again.
"""

import base64
from typing import Literal

from phase_dev.server.keys import TokenKeys, derived, sealed
from phase_dev.server.sealing import KEY, NONCE, exchange_pair, wrap

# flipped: one bit; cut: the end is missing; version, parts, base64: another form of text; empty: no text at all;
# recipient: sealed to another key; not-utf8: two bytes before the plain text; other: well made, of another content.
Damage = Literal["flipped", "cut", "version", "parts", "base64", "empty", "recipient", "not-utf8", "other"]
DamagedField = Literal[
    "key", "value", "comment", "key_digest", "identity_key", "wrapped_seed", "wrapped_salt", "wrapped_key_share"
]
OF_SECRETS: frozenset[DamagedField] = frozenset({"key", "value", "comment", "key_digest"})
OF_ENVIRONMENTS: frozenset[DamagedField] = frozenset({"identity_key", "wrapped_seed", "wrapped_salt"})
_HEX: frozenset[DamagedField] = frozenset({"key_digest", "identity_key", "wrapped_key_share"})
_OF_HEX: frozenset[Damage] = frozenset({"flipped", "cut", "empty", "other"})
NO_TEXT = b"\xff\xfe"


def can_be(field: DamagedField, how: Damage | None) -> bool:
    """Return whether a field can be damaged so: one of hexadecimal digits has no parts and no recipient."""
    return how is None or field not in _HEX or how in _OF_HEX


def sealed_field(plain: bytes, recipient: bytes, names: tuple[str, ...], damage: str | None) -> str:
    """Seal a field, and do what was ordered to it."""
    match damage:
        case "recipient":
            recipient = exchange_pair(derived("somebody else", recipient.hex())).public
        case "not-utf8":
            plain = NO_TEXT + plain
        case "other":
            plain = derived("other", plain.hex()).hex().encode()
    text = sealed(plain, recipient, *names)
    head, _, blob = text.rpartition(":")
    match damage:
        case "flipped":
            return f"{head}:{base64.b64encode(_flipped(base64.b64decode(blob))).decode()}"
        case "cut":
            return text[:-24]
        case "version":
            return text.replace("ph:v1:", "ph:v2:")
        case "parts":
            return head
        case "base64":
            return f"{head}:****"
        case "empty":
            return ""
    return text


def hex_field(content: bytes, damage: str | None) -> str:
    """Write bytes in hexadecimal digits, and do what was ordered to them."""
    match damage:
        case "flipped":
            return _flipped(content).hex()
        case "cut":
            return content.hex()[: len(content)]
        case "empty":
            return ""
        case "other":
            return derived("other", content.hex(), size=len(content)).hex()
    return content.hex()


def wrapped_share(keys: TokenKeys, damage: str | None) -> str:
    """Return the share that the server keeps; another one opens as well, but gives another private key."""
    if damage != "other":
        return hex_field(keys.wrapped_share, damage)
    share = derived("other", keys.wrapped_share.hex()).hex().encode()
    return wrap(share, keys.unwrap_key, derived("other nonce", keys.wrapped_share.hex(), size=NONCE)).hex()


def _flipped(blob: bytes) -> bytes:
    """Flip a bit of the tag of a blob, or of what is shorter than one."""
    position = len(blob) - NONCE - 1 if len(blob) > KEY else 0
    return blob[:position] + bytes([blob[position] ^ 1]) + blob[position + 1 :]
