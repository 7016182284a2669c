"""Turn an entry's text into the bytes that a target stores.

Rule: what cannot be decoded fails its target and names the key; nothing is stored half decoded.
"""

import base64
import binascii

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import Processor, ProcessorType
from phase_operator.core.errors import Waiting
from phase_operator.core.values import Entry


def decode(entry: Entry, processor: Processor | None) -> bytes:
    """Return the bytes of an entry: its text in UTF-8, or what its base64 text stands for."""
    text = entry.value.reveal()
    if processor is None or processor.type is not ProcessorType.BASE64:
        return _encode(entry, text)
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        # Not `from` the cause: its message may quote the text.
        raise Waiting(Reason.VALUE_INVALID, f'the value of "{entry.source}" is not valid base64') from None


def _encode(entry: Entry, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Waiting(Reason.VALUE_INVALID, f'the value of "{entry.source}" is not valid Unicode text') from None
