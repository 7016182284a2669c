"""The baseline of a workload: what its pods have read of each target, as text in the workload's labels.

Rule: a baseline counts only if this operator wrote it for this workload: it carries a keyed digest of itself and of the
workload's uid. With a lost digest key, a copied manifest, a restored backup or an older form, the baseline is unknown,
which costs a new baseline. It never reads as changed, which would cost a restart.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.core.digests import framed, keyed, pack, unpack
from phase_operator.core.refs import Kind
from phase_operator.core.targets.fingerprint import READ_SIZE

_FORM = "1"
_PROOF = 8
_PAIR = 2 * READ_SIZE
# A label's value has 63 characters at most, and must begin and end with a letter or digit; base64 may not.
_PIECE, _END = 61, "x"

# In place of a digest: the object is missing. Pods that need it cannot begin, so running pods began when it was there.
MISSING = bytes(READ_SIZE)
# In place of a digest: some pods began before a change and some after it. It equals no digest of a content.
INCONSISTENT = b"\xff" * READ_SIZE


@dataclass(frozen=True, slots=True)
class Baseline:
    """A pod template, and one digest for each object and choice of keys that the pods of this template have read."""

    template: bytes
    seen: Mapping[bytes, bytes]


def reference_id(kind: Kind, name: str, keys: frozenset[str] | None) -> bytes:
    """Return an id of an object and a choice of its keys. Digests of different choices cannot be compared."""
    chosen = "*" if keys is None else "\n".join(sorted(keys))
    text = f"{kind}\n{name}\n{chosen}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=READ_SIZE).digest()


def write_baseline(baseline: Baseline, uid: str, digest_key: bytes) -> str:
    """Return a baseline as text: 16 characters for each object that is read."""
    raw = baseline.template + b"".join(name + digest for name, digest in sorted(baseline.seen.items()))
    return _proven(raw, uid, digest_key)


def as_labels(written: str) -> dict[str, str]:
    """Return the text of a baseline as labels. A label starts no roll-out and makes no new generation."""
    pieces = [written[start : start + _PIECE] for start in range(0, len(written), _PIECE)]
    return {f"{names.LABEL_RUNNING_PREFIX}{number}": f"{_END}{piece}{_END}" for number, piece in enumerate(pieces)}


def from_labels(labels: Mapping[str, str], is_ours: Callable[[str], bool]) -> str:
    """Return the text of a baseline from labels, or "" if there is none.

    The text ends before the first label that is not ours. A foreign label after ours changes nothing; one in the place
    of ours cuts the text, so that its proof fails.
    """
    pieces = []
    for number in range(len(labels)):
        name = f"{names.LABEL_RUNNING_PREFIX}{number}"
        if name not in labels or not is_ours(name):
            break
        pieces.append(labels[name][1:-1])
    return "".join(pieces)


def read_baseline(text: str, uid: str, digest_key: bytes) -> Baseline | None:
    """Parse the text of a baseline; None if it is not ours, of another workload, or of another key or form."""
    raw = unpack(text.rpartition(".")[2])
    if raw is None or not hmac.compare_digest(_utf8(text), _utf8(_proven(raw, uid, digest_key))):
        return None
    pairs = [raw[start : start + _PAIR] for start in range(READ_SIZE, len(raw), _PAIR)]
    return Baseline(raw[:READ_SIZE], {pair[:READ_SIZE]: pair[READ_SIZE:] for pair in pairs})


def _proven(raw: bytes, uid: str, digest_key: bytes) -> str:
    """Return the text of a baseline: its form, the proof that we wrote it for this workload, and its content."""
    proof = keyed(digest_key, b"phase-running", [*framed([_utf8(uid)]), raw], size=_PROOF)
    return f"{_FORM}.{pack(proof)}.{pack(raw)}"


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
