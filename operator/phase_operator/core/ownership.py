"""May we write this object: ours, absent, or somebody else's.

Rule: only our own objects are written. The mark is the owner annotation; where a hand edit removed it, an object whose
data our own apply still owns is ours all the same.
"""

from phase_operator.core.targets.base import Observed, Owner


def objection(observed: Observed, owner: Owner) -> str | None:
    """Say why the object must not be written, or None if it is ours."""
    if observed.owner == str(owner.key):
        return None
    if observed.owner:
        return f"it belongs to PhaseSecret {observed.owner}"
    if observed.shape:
        return None
    if observed.managers:
        return f"it is managed by {', '.join(observed.managers)}"
    return "it was made by someone else"
