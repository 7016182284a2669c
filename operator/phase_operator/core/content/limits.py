"""How large the data of one object may be: the limits of Kubernetes and etcd."""

from collections.abc import Mapping

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import TemplateMetadata
from phase_operator.core.errors import Waiting
from phase_operator.core.text import listing

# Kubernetes: MaxSecretSize, and the same bound for ConfigMaps.
MAX_BYTES = 1024 * 1024
# etcd: the usual bound of one write, less our marks and the object's own metadata. managedFields repeats every key;
# quotes, punctuation and our digest add this many more bytes for each key.
_MAX_STORED, _PER_KEY = 1536 * 1024 - 16 * 1024, 36


def check_size(data: Mapping[str, bytes], template: TemplateMetadata | None = None) -> None:
    """Raise for data that Kubernetes would refuse for its size; the message names the largest keys."""
    names_of_keys = sum(map(len, data))
    total = names_of_keys + sum(map(len, data.values()))
    if total > MAX_BYTES:
        largest = sorted(data, key=lambda key: (-len(data[key]), key))
        raise Waiting(
            Reason.TOO_LARGE,
            f"the target would exceed the 1 MiB that Kubernetes allows; largest keys: {listing(largest)}",
        )
    stored = total + names_of_keys + _PER_KEY * len(data) + (_stored(template) if template else 0)
    if stored > _MAX_STORED:
        raise Waiting(
            Reason.TOO_LARGE,
            f"the target would exceed what etcd takes: {len(data)} keys are too many for their length, since each is "
            "kept twice; make fewer or shorter keys, or one file with format",
        )


def _stored(template: TemplateMetadata) -> int:
    pairs = [*template.labels.items(), *template.annotations.items()]
    return sum(2 * len(key) + len(value.encode(errors="replace")) + _PER_KEY for key, value in pairs)
