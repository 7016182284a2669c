"""Which workloads would restart if targets got another content.

Rule: the operator's own table decides (core/rollout/decision). What the pods of a workload have read is taken to be
what stands in the cluster now; content that they have not read yet is left out here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from phase_operator.cli.diffing.changes import TargetDiff
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.baseline import Baseline, write_baseline
from phase_operator.core.rollout.current_reads import current_reads
from phase_operator.core.rollout.decision import Postpone, Restart, decide
from phase_operator.core.rollout.followers import FollowedTarget, Gap, Policy
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.targets.fingerprint import KeyDigests


@dataclass(frozen=True, slots=True)
class ComingRestart:
    """A workload whose pods would be replaced, or would be later."""

    workload: str
    targets: tuple[TargetRef, ...]
    # Why it waits, or why some of its pods stay; "" if it restarts at once.
    why: str = ""


@dataclass(frozen=True, slots=True)
class Followed:
    """A target as its followers see it, before and after."""

    before: FollowedTarget
    after: FollowedTarget


def followed(
    diffs: Iterable[TargetDiff], policies: Mapping[TargetRef, Policy], digest_key: bytes
) -> dict[TargetRef, Followed]:
    """Return the targets whose content would change, and that workloads may follow."""
    found: dict[TargetRef, Followed] = {}
    for each in diffs:
        policy = policies.get(each.ref)
        if policy is None or each.before is None or each.after is None:
            continue
        before: KeyDigests | Gap = each.before.key_digests(each.ref, digest_key)
        if not each.exists:
            before = Gap.ABSENT
        after = each.after.key_digests(each.ref, digest_key)
        found[each.ref] = Followed(FollowedTarget((policy,), before), FollowedTarget((policy,), after))
    return found


def coming_restart(
    workload: Workload, targets: Mapping[TargetRef, Followed], digest_key: bytes
) -> ComingRestart | None:
    """Return what becomes of a workload when the targets have changed; None if nothing does."""
    reads = current_reads(workload, {ref: each.before for ref, each in targets.items()})
    if not reads:
        return None
    baseline = Baseline(workload.template_digest(), {read.reference: read.digest for read in reads})
    pretended = replace(workload, running=write_baseline(baseline, workload.uid, digest_key))
    match decide(pretended, {ref: each.after for ref, each in targets.items()}, digest_key):
        case Restart(holds=holds, targets=unread):
            return ComingRestart(str(workload.ref), unread, holds or "")
        case Postpone(why=why, targets=unread):
            return ComingRestart(str(workload.ref), unread, why)
    return None
