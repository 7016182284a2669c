"""Whether a PhaseSecret that stands in another one's way keeps what it has, or has let go of it.

Rule: a mark is a claim only of a PhaseSecret that is there, still wants the object and may write it. What cannot be
told is a claim.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from phase_operator.core.errors import Invalid
from phase_operator.core.leases.record import is_record_of
from phase_operator.core.refs import TargetRef
from phase_operator.core.status.recorded import newest_versions
from phase_operator.core.targets.policy import spec_targets
from phase_operator.core.targets.type_change import original_owner
from phase_operator.core.values import ObjectKey, has_ledger
from phase_operator.reconcile.context import parse_spec

_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
# Why PhaseSecrets of a namespace may not write targets in another one; "" if they may.
Refusal = Callable[[str, str], str]


class FindsResources(Protocol):
    """Looks our resources up."""

    async def find_resource(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Return a resource as it is now; None if it does not exist or its kind is not one of ours."""


class OwnerConflicts:
    """Looks PhaseSecrets up, for runs of others."""

    def __init__(self, cluster: FindsResources, refusal: Refusal) -> None:
        self._cluster = cluster
        self._refusal = refusal

    async def has_let_go(self, other: str, target: TargetRef) -> bool:
        """Return True if the PhaseSecret that a mark names does not keep this object; raise ExpectedError."""
        original = original_owner(other)
        found = await self._writer(original, target)
        # What a copy holds may be all that is left of a Secret: it is kept as long as its PhaseSecret is there.
        return found is None or (original == other and not _wants(found, other, target))

    async def keeps_versions(self, other: str, base: TargetRef) -> Mapping[str, Any] | None:
        """Return the PhaseSecret that a mark names, if it keeps versions of this target; raise ExpectedError."""
        found = await self._writer(other, base)
        return found if found is not None and _wants(found, other, base, versioned=True) else None

    async def _writer(self, other: str, target: TargetRef) -> Mapping[str, Any] | None:
        key = ObjectKey.read(other)
        # Anybody may write a mark: what is no name is nobody's.
        is_name = _NAME.fullmatch(key.namespace) and _NAME.fullmatch(key.name)
        if not is_name or self._refusal(key.namespace, target.key.namespace):
            return None
        return await self._cluster.find_resource(key)


def _wants(body: Mapping[str, Any], of: str, target: TargetRef, *, versioned: bool = False) -> bool:
    """Say whether a PhaseSecret names a target, or names it as versioned; one that cannot be read may."""
    key = ObjectKey.read(of)
    if has_ledger(key) and is_record_of(key, target):
        # The credentials of a lease are nowhere else.
        return True
    try:
        spec = parse_spec(body.get("spec") or {}, key.kind)
    except Invalid:
        return True
    named = (fields for ref, fields in spec_targets(spec, key.namespace) if ref == target)
    return any(fields.versioned or not versioned for fields in named)


def records_version(body: Mapping[str, Any], base: TargetRef) -> bool:
    """Return True if the status of a PhaseSecret names a version of this target."""
    return base in newest_versions(body.get("status") or {})
