"""Whether our annotations fit on an object: Kubernetes limits the total size of all annotations.

Rule: an object that would not fit is refused before the write, and the message gives the number of keys, since a person
can change that. PhaseSecrets that merge into one object share the limit.
"""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.observed import Observed

# Kubernetes: TotalAnnotationSizeLimitB, over names and values. Some of it is left for the annotations of others.
MAX_ANNOTATIONS = 256 * 1024
_FOR_OTHERS = 8 * 1024
# The mark of a share adds quotes and a comma to the name of a key, and 12 characters for its digests.
_PER_KEY = 15


def check_marks(desired: Desired, observed: Observed | None) -> None:
    """Raise Waiting if the annotations of an object would exceed the limit of Kubernetes."""
    annotations = desired.manifest["metadata"]["annotations"]
    own = sum(len(name) + len(value.encode(errors="replace")) for name, value in annotations.items())
    rest = _keys_of_others(desired, observed) if observed is not None else []
    total = own + sum(len(key) + _PER_KEY for key in rest)
    if total <= MAX_ANNOTATIONS - _FOR_OTHERS:
        return
    beside = f", beside {len(rest)} keys of other PhaseSecrets in it," if rest else ""
    raise Waiting(
        Reason.TOO_LARGE,
        f"{len(desired.keys)} keys{beside} are too many for their length: what is noted of them would exceed the "
        "256 KiB that Kubernetes allows for all annotations; make fewer or shorter keys, or one file with format",
    )


def _keys_of_others(desired: Desired, observed: Observed) -> list[str]:
    """Return the keys that the marks of other PhaseSecrets on the object name."""
    return [key for part in observed.parts if part.manager != desired.manager for key in part.recorded]
