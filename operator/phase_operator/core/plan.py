"""Desired x observed -> what to do, as data.

Rule: nothing is written when nothing differs, and nothing that is not ours is written at all.
"""

from dataclasses import dataclass

from phase_operator.core.ownership import objection
from phase_operator.core.targets.base import Desired, Observed


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply the manifest. `resource_version` is the object we judged; None: it must not exist yet."""

    resource_version: str | None
    # Data keys of others to take out afterwards: server-side apply leaves what it does not own.
    prune: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave it: it is as it should be."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Leave it: it is not ours."""

    why: str


Action = Apply
Plan = Apply | Keep | Refuse


def plan(desired: Desired, observed: Observed | None) -> Plan:
    """Say what brings the target to what it should be."""
    if observed is None:
        return Apply(resource_version=None)
    why = objection(observed, desired.owner)
    if why is not None:
        return Refuse(f"it exists and is not ours: {why}; choose another name or delete that object")
    prune = tuple(key for key in observed.foreign_keys if key not in desired.keys)
    if observed.digest == desired.digest and observed.shape == desired.shape and not prune:
        return Keep()
    return Apply(resource_version=observed.resource_version, prune=prune)
