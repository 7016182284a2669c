"""Will the marks on an object fit: Kubernetes bounds all annotations of an object together.

Rule: it is told before the write, by the number of keys, since a person can do something about these. PhaseSecrets that
merge into one object share the bound.
"""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.observed import Observed

# Kubernetes: TotalAnnotationSizeLimitB, over names and values; less what others have on the object as a rule.
MAX_ANNOTATIONS = 256 * 1024
_FOR_OTHERS = 8 * 1024
# A mark names each key between quotes and with a comma, and its content takes twelve characters a key.
_PER_KEY = 15


def check_marks(desired: Desired, observed: Observed | None) -> None:
    """Refuse an object whose annotations would exceed what Kubernetes allows; raise Waiting."""
    annotations = desired.manifest["metadata"]["annotations"]
    own = sum(len(name) + len(value.encode(errors="replace")) for name, value in annotations.items())
    parts = observed.parts if observed is not None else ()
    rest = [key for part in parts if part.manager != desired.manager for key in part.recorded]
    total = own + sum(len(key) + _PER_KEY for key in rest)
    if total <= MAX_ANNOTATIONS - _FOR_OTHERS:
        return
    beside = f", beside {len(rest)} keys of other PhaseSecrets in it," if rest else ""
    raise Waiting(
        Reason.TOO_LARGE,
        f"{len(desired.keys)} keys{beside} are too many for their length: what is noted of them would exceed the "
        "256 KiB that Kubernetes allows for all annotations; make fewer or shorter keys, or one file with format",
    )
