"""Workload x targets that it follows -> what its pods would read of each if they began now.

Rule: two reads of the same object and the same choice of keys have equal digests exactly if pods get the same from
both, as far as short digests can tell.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.baseline import MISSING, reference_id
from phase_operator.core.rollout.followers import FollowedTarget, Gap
from phase_operator.core.rollout.pod_references import Reference
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.targets.fingerprint import EMPTY, KeyDigests
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class CurrentRead:
    """What the pods of a workload would read of one target if they began now."""

    target: TargetRef
    # `baseline.reader`: the target, and the choice of its keys.
    reference: bytes
    # MISSING if pods could not begin at all.
    digest: bytes
    written_at: str
    # Which required object or keys do not exist, for people; "" if pods can begin.
    missing: str = ""


def current_reads(workload: Workload, followed_targets: Mapping[TargetRef, FollowedTarget]) -> list[CurrentRead]:
    """Return what the pods would read of each target that the workload follows and whose content is known."""
    return [
        _current_read(target, reference, followed_target.content, followed_target.written_at)
        for target, reference, followed_target in _followed(workload, followed_targets)
        if followed_target.content is not Gap.UNKNOWN
    ]


def targets_of(reads: Iterable[CurrentRead]) -> tuple[TargetRef, ...]:
    """Return the targets that are read, each once, sorted."""
    return tuple(sorted({read.target for read in reads}))


def _followed(
    workload: Workload, followed_targets: Mapping[TargetRef, FollowedTarget]
) -> Iterable[tuple[TargetRef, Reference, FollowedTarget]]:
    for reference in workload.references:
        target = TargetRef(reference.kind, ObjectKey(workload.ref.key.namespace, reference.name))
        followed_target = followed_targets.get(target)
        if followed_target is not None and followed_target.admits(workload):
            yield target, reference, followed_target


def _current_read(target: TargetRef, reference: Reference, content: KeyDigests | Gap, written_at: str) -> CurrentRead:
    name = reference_id(reference.kind, reference.name, reference.keys)
    if isinstance(content, Gap):
        if reference.required:
            return CurrentRead(target, name, MISSING, written_at, f'{target.kind} "{target.key.name}"')
        return CurrentRead(target, name, EMPTY.read(reference.keys), written_at)
    if keys := content.lacks(reference.required_keys):
        return CurrentRead(target, name, MISSING, written_at, f'{listing(keys)} in {target.kind} "{target.key.name}"')
    return CurrentRead(target, name, content.read(reference.keys), written_at)
