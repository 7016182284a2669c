"""Decide, as data: restart a workload, save what its pods have read, postpone the restart, or leave it alone.

`decide` takes the first row that fits:

| baseline         | content                     | roll-out                              | ->                        |
|------------------|-----------------------------|---------------------------------------|---------------------------|
| none, or empty   | the workload reads none     | any                                   | leave alone               |
| none             | any                         | any                                   | save the content as read  |
| there            | all of it was read          | any                                   | save it if that is news   |
| there            | some unread, some missing   | any                                   | postpone: `MISSING`       |
| there            | some unread                 | paused                                | postpone: `PAUSED`        |
| there            | some unread                 | under way, and worth waiting for      | postpone: `ROLLING_OUT`   |
| there            | some unread                 | the user's own, after the write, over | save the content as read  |
| there            | some unread                 | any other                             | restart                   |

The *baseline* is what the pods have read of each target, saved on the workload; one that we do not trust counts as none
(baseline.py). Content is *unread* if the baseline has another digest for it. A target that the baseline does not name,
or names as missing, counts as read. Content is *missing* if pods could not begin without it.

Rule: the only reason for a restart is content that running pods have not read, by the baseline. `prepare` saves that
before an object is written, `decide` judges the difference after it. Both may be called at any time and any number of
times: what they need to remember is in the cluster, except how long a roll-out has been waited for. The reasons are in
docs/decisions/0008.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any

from phase_operator.api import names
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.baseline import (
    INCONSISTENT,
    MISSING,
    Baseline,
    as_labels,
    read_baseline,
    write_baseline,
)
from phase_operator.core.rollout.current_reads import CurrentRead, current_reads, targets_of
from phase_operator.core.rollout.followers import FollowedTarget
from phase_operator.core.rollout.progress import Progress
from phase_operator.core.rollout.stall import Patience
from phase_operator.core.rollout.workload import APIS, Workload
from phase_operator.core.targets.fingerprint import KeyDigests


@dataclass(frozen=True, slots=True)
class SaveBaseline:
    """Save the baseline on the workload. Nothing restarts."""

    running: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart the pods, and save in the same write what the new pods will read."""

    running: str
    content: str
    # Why the update strategy of the workload keeps some or all pods as they are; None if it replaces all pods.
    holds: str | None = None
    # The targets that the pods have not read.
    targets: tuple[TargetRef, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaveAlone:
    """Leave the workload alone. `holds` says why its update strategy keeps pods that have read older content."""

    holds: str | None = None


class Cause(StrEnum):
    """What a postponed restart waits for."""

    # No event reports the end of a roll-out: look again after a few seconds, later once a minute.
    ROLLING_OUT = "RollingOut"
    PAUSED = "Paused"
    # The next write of the target leads to the next look.
    MISSING = "Missing"


@dataclass(frozen=True, slots=True)
class Postpone:
    """The pods have not read everything, and cannot be restarted now."""

    cause: Cause
    why: str
    # The targets that the pods have not read.
    targets: tuple[TargetRef, ...] = ()


Decision = SaveBaseline | Restart | LeaveAlone | Postpone


class _Rollout(Enum):
    """The roll-out of a workload whose pods have unread content: the third column of the table."""

    PAUSED = "paused"
    AWAITED = "under way, and worth waiting for"
    DELIVERED = "the user's own, after the write, over"
    OTHER = "any other"


_POSTPONED = {
    _Rollout.PAUSED: (Cause.PAUSED, "it is paused: it is restarted when it is resumed"),
    _Rollout.AWAITED: (Cause.ROLLING_OUT, "its last roll-out is not over: it is restarted after that"),
}


def baseline_before_write(
    workload: Workload,
    followed_targets: Mapping[TargetRef, FollowedTarget],
    coming: Mapping[TargetRef, KeyDigests],
    digest_key: bytes,
    *,
    all_known: bool = True,
) -> SaveBaseline | LeaveAlone:
    """Return what to save on a workload before targets get the content that is `coming`.

    The baseline is true before the write, so the difference shows after it. It must be saved before the write: a
    workload without a baseline that is first seen after the write would never get its restart.
    `all_known=False`: some PhaseSecrets have not run yet, so what is saved of targets without a known writer is kept.
    """
    reads = current_reads(workload, followed_targets)
    changing = _changed_by(coming, workload, followed_targets, reads)
    if not changing:
        return LeaveAlone()
    before = read_baseline(workload.running, workload.uid, digest_key)
    seen = {read.reference: _read_by_pods(read, workload, before) for read in reads}
    if workload.rollout_state.progress is Progress.UNDER_WAY:
        # Pods that begin from now on may read either content. Where content is missing they can only read the new one.
        seen |= {read.reference: INCONSISTENT for read in changing if not read.missing}
    if before is not None and not all_known:
        seen = {**before.seen, **seen}
    return _save_if_news(workload, before, Baseline(workload.template_digest(), seen), digest_key)


def _changed_by(
    coming: Mapping[TargetRef, KeyDigests],
    workload: Workload,
    followed_targets: Mapping[TargetRef, FollowedTarget],
    reads: Iterable[CurrentRead],
) -> list[CurrentRead]:
    """Return those of a workload's reads that content which is coming changes."""
    after = {
        target: replace(followed_target, content=coming.get(target, followed_target.content))
        for target, followed_target in followed_targets.items()
    }
    digests_after = {read.reference: read.digest for read in current_reads(workload, after)}
    return [read for read in reads if digests_after[read.reference] != read.digest]


def decide(
    workload: Workload,
    followed_targets: Mapping[TargetRef, FollowedTarget],
    digest_key: bytes,
    *,
    waits: Patience = Patience.FOR_THE_END,
) -> Decision:
    """Decide by the table above; `waits` is how long the roll-out of the workload is still worth waiting for."""
    reads = current_reads(workload, followed_targets)
    before = read_baseline(workload.running, workload.uid, digest_key)
    if not reads and not _names_targets(before):
        return LeaveAlone()
    current = Baseline(workload.template_digest(), {read.reference: read.digest for read in reads})
    # Without a trusted baseline we cannot know what the pods have read, so one is saved and nothing restarts.
    unread = _unread(reads, before) if before is not None else []
    if before is None or not unread:
        return _save_if_news(workload, before, current, digest_key)
    if missing := _missing(reads):
        return Postpone(Cause.MISSING, f"its pods need {missing}, and would not start without", targets_of(unread))
    rollout = _rollout_of(workload, before, unread, waits)
    if rollout in _POSTPONED:
        return Postpone(*_POSTPONED[rollout], targets_of(unread))
    if rollout is _Rollout.DELIVERED:
        return _save_if_news(workload, before, current, digest_key)
    running = write_baseline(current, workload.uid, digest_key)
    return Restart(running, _content_mark(reads, workload), workload.rollout_state.holds, targets_of(unread))


def _names_targets(baseline: Baseline | None) -> bool:
    return baseline is not None and bool(baseline.seen)


def patch(workload: Workload, action: SaveBaseline | Restart) -> dict[str, Any]:
    """Return the manifest to apply, as our field manager and with force.

    It names the resourceVersion that was judged, so that no restart is based on an older state. It has every field that
    we own: server-side apply removes the fields we leave out, and to remove our mark would restart the pods, too.
    """
    api = APIS[workload.ref.kind]
    mark = _mark_after(workload, action)
    manifest: dict[str, Any] = {
        "apiVersion": api.version,
        "kind": str(workload.ref.kind),
        "metadata": {
            "name": workload.ref.key.name,
            "namespace": workload.ref.key.namespace,
            "uid": workload.uid,
            "resourceVersion": workload.resource_version,
            "labels": as_labels(action.running),
        },
    }
    if mark:
        manifest |= _at_path(api.template, {"metadata": {"annotations": {names.ANNOTATION_CONTENT: mark}}})
    return manifest


def _mark_after(workload: Workload, action: SaveBaseline | Restart) -> str:
    """Return the mark that the pod template has from us after an action; "" for none."""
    if isinstance(action, Restart):
        return action.content
    return workload.content if workload.content_is_ours else ""


def _at_path(path: tuple[str, ...], value: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object with the value at the end of a path."""
    for part in reversed(path):
        value = {part: value}
    return value


def _unread(reads: Iterable[CurrentRead], before: Baseline) -> list[CurrentRead]:
    """Return the reads whose content running pods have not read."""
    return [read for read in reads if _is_unread(read, before)]


def _is_unread(read: CurrentRead, before: Baseline) -> bool:
    """Return whether running pods have read other content; one that was missing, or is new to us, counts as read."""
    noted = before.seen.get(read.reference)
    return noted is not None and noted not in (MISSING, read.digest)


def _missing(reads: Iterable[CurrentRead]) -> str:
    """Return what pods need and do not find, for people; "" if they can begin."""
    return ", ".join(sorted(read.missing for read in reads if read.missing))


def _read_by_pods(read: CurrentRead, workload: Workload, before: Baseline | None) -> bytes:
    """Return the digest of what running pods have read of a target, before it is written."""
    if before is None or not _is_unread(read, before):
        return read.digest
    noted = before.seen[read.reference]
    if read.missing or before.template == workload.template_digest():
        # No roll-out has ended since: new pods cannot begin without the content, or the template is still the same.
        return noted
    # The user's own roll-out replaced the pods. If it surely began after the content was there, they have read it.
    return read.digest if _has_delivered(workload, read) else INCONSISTENT


def _has_delivered(workload: Workload, read: CurrentRead) -> bool:
    return workload.rollout_state.progress is Progress.ENDED and _edited_after(workload, [read])


def _rollout_of(workload: Workload, before: Baseline, unread: Collection[CurrentRead], waits: Patience) -> _Rollout:
    if workload.rollout_state.paused:
        return _Rollout.PAUSED
    is_users_own = before.template != workload.template_digest() and _edited_after(workload, unread)
    match workload.rollout_state.progress:
        case Progress.UNDER_WAY if waits.is_enough(reads_new=is_users_own):
            return _Rollout.AWAITED
        case Progress.ENDED if is_users_own:
            return _Rollout.DELIVERED
        case _:
            return _Rollout.OTHER


def _edited_after(workload: Workload, reads: Iterable[CurrentRead]) -> bool:
    """Return whether others surely wrote the pod template after all of these were written: in a later second."""
    return all(read.written_at and workload.edited_at > read.written_at for read in reads)


def _save_if_news(
    workload: Workload, before: Baseline | None, now: Baseline, digest_key: bytes
) -> SaveBaseline | LeaveAlone:
    if now == before:
        return LeaveAlone(workload.rollout_state.holds if workload.rollout_state.held else None)
    return SaveBaseline(write_baseline(now, workload.uid, digest_key))


def _content_mark(reads: Iterable[CurrentRead], workload: Workload) -> str:
    """Return the mark for the pod template. It differs from the one there: an equal template would restart no pod."""
    digest = hashlib.blake2b(digest_size=16)
    for read in sorted(reads, key=lambda each: each.reference):
        digest.update(read.reference + read.digest)
    mark = digest.hexdigest()
    if mark != workload.content:
        return mark
    return hashlib.blake2b(mark.encode(), digest_size=16).hexdigest()
