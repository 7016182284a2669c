"""What a workload's pods run with, as far as we know, in the form in which it stands on the workload.

Rule: it is believed only if this operator wrote it for this workload, so it carries a keyed seal over itself and the
workload's uid. A lost digest key, a copied manifest, a restored backup or another form thereby mean "not known", which
costs a new baseline; they never mean "changed", which would cost a restart.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.core.digests import framed, keyed, pack, unpack
from phase_operator.core.refs import Kind
from phase_operator.core.targets.fingerprint import READ

_FORM = "1"
_SEAL = 8
_PAIR = 2 * READ
# Kubernetes takes 63 characters as a label's value, of which the first and the last may be no sign.
_PIECE, _END = 61, "x"

# In place of a digest: pods that need it could not start without it, so those that run began when it was there.
MISSING = bytes(READ)
# In place of a digest: some pods began before it changed and some after, so it equals nothing.
MIXED = b"\xff" * READ


@dataclass(frozen=True, slots=True)
class Baseline:
    """The pod template, and a digest for each object and choice of its keys that pods made from it have read."""

    template: bytes
    seen: Mapping[bytes, bytes]


def reader(kind: Kind, name: str, keys: frozenset[str] | None) -> bytes:
    """Name an object and a choice of its keys. Another choice is another name: what it gives cannot be compared."""
    chosen = "*" if keys is None else "\n".join(sorted(keys))
    text = f"{kind}\n{name}\n{chosen}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=READ).digest()


def write_baseline(baseline: Baseline, uid: str, digest_key: bytes) -> str:
    """Return the note as text: 16 characters for each object that is read."""
    raw = baseline.template + b"".join(name + digest for name, digest in sorted(baseline.seen.items()))
    return f"{_FORM}.{pack(_seal(raw, uid, digest_key))}.{pack(raw)}"


def as_labels(written: str) -> dict[str, str]:
    """Spell a note as labels: none starts a roll-out, and none counts as a new generation."""
    pieces = [written[start : start + _PIECE] for start in range(0, len(written), _PIECE)]
    return {f"{names.LABEL_RUNNING_PREFIX}{number}": f"{_END}{piece}{_END}" for number, piece in enumerate(pieces)}


def from_labels(labels: Mapping[str, str], is_ours: Callable[[str], bool]) -> str:
    """Return the note that labels spell, or "" if there is none.

    It ends with the first label that is not ours: one that a hand added after it takes nothing from it, and one that a
    hand put in the place of ours leaves a note without its seal.
    """
    pieces = []
    for number in range(len(labels)):
        name = f"{names.LABEL_RUNNING_PREFIX}{number}"
        if name not in labels or not is_ours(name):
            break
        pieces.append(labels[name][1:-1])
    return "".join(pieces)


def read_baseline(text: str, uid: str, digest_key: bytes) -> Baseline | None:
    """Read a note; None if it is not ours, not of this workload, or of another key or form."""
    form, _, rest = text.partition(".")
    sealed, _, encoded = rest.partition(".")
    raw, seal = unpack(encoded), unpack(sealed)
    if form != _FORM or raw is None or seal is None or not hmac.compare_digest(seal, _seal(raw, uid, digest_key)):
        return None
    pairs = [raw[start : start + _PAIR] for start in range(READ, len(raw), _PAIR)]
    return Baseline(raw[:READ], {pair[:READ]: pair[READ:] for pair in pairs})


def _seal(raw: bytes, uid: str, digest_key: bytes) -> bytes:
    owner = uid.encode("utf-8", "surrogatepass")
    return keyed(digest_key, b"phase-running", [*framed([owner]), raw], size=_SEAL)
