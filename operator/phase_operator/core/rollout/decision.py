"""Workload x what its objects hold -> restart it, note what it runs with, wait, or leave it, as data.

Rule: a restart is for content that the running pods have not seen, and for nothing else. What they have seen is noted
on the workload: `prepare` before an object is written, `decide` after. All state is in the cluster, so both may be
called at any time, by anybody, any number of times. docs/decisions/0008 tells why it is so.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import Followers
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.baseline import (
    MISSING,
    MIXED,
    Baseline,
    as_labels,
    read_baseline,
    reader,
    write_baseline,
)
from phase_operator.core.rollout.label_selector import Selector
from phase_operator.core.rollout.pod_references import Reference
from phase_operator.core.rollout.progress import Progress
from phase_operator.core.rollout.stall import Patience
from phase_operator.core.rollout.workload import APIS, Workload
from phase_operator.core.targets.fingerprint import NOTHING, Content
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class Policy:
    """Who follows a target: its own setting, and every selector, its own and that of the PhaseSecret."""

    followers: Followers = Followers.ANNOTATED
    selectors: tuple[Selector, ...] = ()

    def admits(self, workload: Workload) -> bool:
        """Say whether the workload is to be restarted for this target."""
        if self.followers is Followers.NONE or workload.refuses:
            return False
        if self.followers is Followers.ANNOTATED and not workload.annotated:
            return False
        return all(selector.matches(workload.labels) for selector in self.selectors)


class Gap(Enum):
    """Why nothing can be said of what a target holds."""

    # The object does not exist.
    ABSENT = "absent"
    # It exists, and was written by a version that did not take down what it holds.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Feed:
    """A target as workloads see it: who follows it, what it holds as it stands in the cluster."""

    # One of each PhaseSecret that writes it; more than one, where they merge into one object.
    policies: tuple[Policy, ...]
    content: Content | Gap
    # When it was last written with other content, by the API server's clock, as RFC 3339; "" if that is not known.
    # A later time, as of a write that changed metadata only, may cost a restart too many, and never one too few.
    written_at: str = ""

    def admits(self, workload: Workload) -> bool:
        """Say whether the workload is to be restarted for this target."""
        return any(policy.admits(workload) for policy in self.policies)


@dataclass(frozen=True, slots=True)
class Record:
    """Note what the pods run with. Nothing restarts."""

    running: str


@dataclass(frozen=True, slots=True)
class RollOut:
    """Restart the pods, and note in the same write what they will run with."""

    running: str
    content: str
    # Why some or all pods will stay as they are until somebody does something, if the workload's strategy says so.
    holds: str | None = None
    # What the pods have not seen.
    targets: tuple[TargetRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave it. `holds` says why some pods still run with what was before, if the workload's strategy keeps them."""

    holds: str | None = None


class Cause(StrEnum):
    """What a restart waits for."""

    # Nothing tells us when it ends: look again, first after a few seconds, then up to a minute.
    ROLLING_OUT = "RollingOut"
    PAUSED = "Paused"
    # The next write of the object tells.
    MISSING = "Missing"


@dataclass(frozen=True, slots=True)
class Wait:
    """The pods have not seen everything, and this is not the time to restart them."""

    cause: Cause
    why: str
    # What the pods have not seen.
    targets: tuple[TargetRef, ...] = ()


Decision = Record | RollOut | Keep | Wait


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a workload gets of one object that it follows, as it stands."""

    target: TargetRef
    reader: bytes
    digest: bytes
    written_at: str
    # What pods need and do not find; they would not start.
    lacking: str = ""


def prepare(
    workload: Workload,
    feeds: Mapping[TargetRef, Feed],
    coming: Mapping[TargetRef, Content],
    digest_key: bytes,
    *,
    whole: bool = True,
) -> Record | Keep:
    """Say what to note before targets are written, each with other content that is `coming`.

    `whole=False`: not every PhaseSecret is known yet, so what is noted of objects without a feed stays noted.
    What is noted is true before the write, so that afterwards the difference tells. It is carried out before the write:
    a workload that was not noted is seen for the first time after it, and then nothing tells that it is owed a restart.
    """
    readings = _readings(workload, feeds)
    after = {target: replace(feed, content=coming.get(target, feed.content)) for target, feed in feeds.items()}
    will_read = {reading.reader: reading.digest for reading in _readings(workload, after)}
    changing = [reading for reading in readings if will_read[reading.reader] != reading.digest]
    if not changing:
        return Keep()
    before = read_baseline(workload.running, workload.uid, digest_key)
    template = workload.template_digest()

    def unseen(reading: _Reading, seen: bytes) -> bytes:
        if before is None or before.template == template:
            return seen
        # The user's own roll-out replaced the pods: after the content had come, or who knows when.
        ended = workload.standing.progress is Progress.ENDED
        return reading.digest if ended and _edited_after(workload, [reading]) else MIXED

    seen = _seen(readings, before, unseen)
    if workload.standing.progress is Progress.UNDER_WAY:
        # Pods that begin from now on read the one or the other; those that cannot begin without it read the new one.
        seen |= {reading.reader: MIXED for reading in changing if not reading.lacking}
    if before is not None and not whole:
        seen = {**before.seen, **seen}
    return _noted(workload, before, Baseline(template, seen), digest_key)


def decide(
    workload: Workload, feeds: Mapping[TargetRef, Feed], digest_key: bytes, *, waits: Patience = Patience.FOR_THE_END
) -> Decision:
    """Say what is to be done for what stands in the cluster now; `waits` is how its roll-out is waited for."""
    readings = _readings(workload, feeds)
    before = read_baseline(workload.running, workload.uid, digest_key)
    if not readings and (before is None or not before.seen):
        return Keep()
    template = workload.template_digest()
    if before is None:
        # First sight, or nothing that we can believe: the pods may run with anything, and that is no reason to act.
        return _noted(workload, None, Baseline(template, _seen(readings, None, _retained)), digest_key)
    unseen = [reading for reading in readings if _is_unseen(reading, before)]
    if lacking := [reading for reading in readings if reading.lacking and unseen]:
        return Wait(Cause.MISSING, _missing(lacking), _targets(unseen))
    if not unseen:
        return _noted(workload, before, Baseline(template, _seen(readings, before, _retained)), digest_key)
    return _for_unseen(workload, readings, unseen, before, digest_key, waits)


def _for_unseen(
    workload: Workload,
    readings: Collection[_Reading],
    unseen: Collection[_Reading],
    before: Baseline,
    digest_key: bytes,
    waits: Patience,
) -> Decision:
    standing = workload.standing
    if standing.paused:
        return Wait(Cause.PAUSED, "it is paused: it is restarted when it is resumed", _targets(unseen))
    template = workload.template_digest()
    is_answered = before.template != template and _edited_after(workload, unseen)
    # One that stands still with content that is gone is rolled over, and one of the user's own that has the new not.
    rolls_over = waits is Patience.OVER or (waits is Patience.WHILE_IT_GETS_ON and not is_answered)
    if standing.progress is Progress.UNDER_WAY and not rolls_over:
        why = "its last roll-out is not over: it is restarted after that"
        return Wait(Cause.ROLLING_OUT, why, _targets(unseen))
    current = Baseline(template, {reading.reader: reading.digest for reading in readings})
    if is_answered and standing.progress is Progress.ENDED:
        # A roll-out of the user's own has done it.
        return _noted(workload, before, current, digest_key)
    running = write_baseline(current, workload.uid, digest_key)
    return RollOut(running, _mark(readings, workload.content), standing.holds, _targets(unseen))


def patch(workload: Workload, action: Record | RollOut) -> dict[str, Any]:
    """Return what to apply, as our field manager and with force.

    Under the version that was judged, so that a roll-out is never started from what somebody has changed since. It
    holds every field that is ours: server-side apply takes out what we leave out, and that would be a roll-out, too.
    """
    api = APIS[workload.ref.kind]
    mark = action.content if isinstance(action, RollOut) else workload.content if workload.content_is_ours else ""
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
        template: dict[str, Any] = {"metadata": {"annotations": {names.ANNOTATION_CONTENT: mark}}}
        for part in reversed(api.template):
            template = {part: template}
        manifest |= template
    return manifest


def _followed(workload: Workload, feeds: Mapping[TargetRef, Feed]) -> Iterable[tuple[TargetRef, Reference, Feed]]:
    for reference in workload.references:
        target = TargetRef(reference.kind, ObjectKey(workload.ref.key.namespace, reference.name))
        feed = feeds.get(target)
        if feed is not None and feed.admits(workload):
            yield target, reference, feed


def _readings(workload: Workload, feeds: Mapping[TargetRef, Feed]) -> list[_Reading]:
    return [
        _reading(target, reference, feed.content, feed.written_at)
        for target, reference, feed in _followed(workload, feeds)
        if feed.content is not Gap.UNKNOWN
    ]


def _reading(target: TargetRef, reference: Reference, content: Content | Gap, written_at: str) -> _Reading:
    name = reader(reference.kind, reference.name, reference.keys)
    if isinstance(content, Gap):
        if reference.required:
            return _Reading(target, name, MISSING, written_at, f'{target.kind} "{target.key.name}"')
        return _Reading(target, name, NOTHING.read(reference.keys), written_at)
    if lacks := content.lacks(reference.required_keys):
        return _Reading(target, name, MISSING, written_at, f'{listing(lacks)} in {target.kind} "{target.key.name}"')
    return _Reading(target, name, content.read(reference.keys), written_at)


def _is_unseen(reading: _Reading, before: Baseline) -> bool:
    seen = before.seen.get(reading.reader)
    return seen is not None and seen not in (MISSING, reading.digest)


def _seen(
    readings: Iterable[_Reading], before: Baseline | None, unseen: Callable[[_Reading, bytes], bytes]
) -> dict[bytes, bytes]:
    """Return what the pods have seen of each object; who reads what is new to us is taken to have seen it."""
    found: dict[bytes, bytes] = {}
    for reading in readings:
        seen = None if before is None else before.seen.get(reading.reader)
        if seen is None or seen in (MISSING, reading.digest):
            found[reading.reader] = reading.digest
        elif reading.lacking:
            # Pods that run have it, and others cannot begin.
            found[reading.reader] = seen
        else:
            found[reading.reader] = unseen(reading, seen)
    return found


def _targets(readings: Iterable[_Reading]) -> tuple[TargetRef, ...]:
    return tuple(sorted({reading.target for reading in readings}))


def _retained(_: _Reading, seen: bytes) -> bytes:
    return seen


def _edited_after(workload: Workload, readings: Iterable[_Reading]) -> bool:
    """Say whether the pod template was written by others after all of these, surely: in a later second."""
    return all(reading.written_at and workload.edited_at > reading.written_at for reading in readings)


def _noted(workload: Workload, before: Baseline | None, baseline: Baseline, digest_key: bytes) -> Record | Keep:
    if baseline == before:
        return Keep(workload.standing.holds if workload.standing.held else None)
    return Record(write_baseline(baseline, workload.uid, digest_key))


def _missing(lacking: Iterable[_Reading]) -> str:
    return f"its pods need {', '.join(sorted(each.lacking for each in lacking))}, and would not start without"


def _mark(readings: Iterable[_Reading], before: str) -> str:
    """Return the mark for a content. It never equals the one that stands: an equal template would restart nothing."""
    digest = hashlib.blake2b(digest_size=16)
    for reading in sorted(readings, key=lambda each: each.reader):
        digest.update(reading.reader + reading.digest)
    mark = digest.hexdigest()
    if mark != before:
        return mark
    return hashlib.blake2b(mark.encode(), digest_size=16).hexdigest()
