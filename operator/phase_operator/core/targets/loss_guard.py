"""What an answer of Phase may remove from a target, by the target's metadata and its PhaseSecret's status.

Rule: the object itself is the best record of what it holds, since it outlives the process, an edit and a suspension. An
answer that would remove more than `shrink` allows waits until Phase has given it twice. Entries that Phase still has,
and that this target does not take any more, leave at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.json_access import mapping
from phase_operator.core.source.shrink_guard import another_app, is_too_much, lacking
from phase_operator.core.targets.fingerprint import name_digest, split_digests
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.request import TargetRequest
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class CurrentTarget:
    """What a target holds of a PhaseSecret, and what it was made from."""

    # Digests of the names of its keys.
    names: frozenset[bytes]
    # How many entries of Phase it was made from.
    entries: int
    # None: the status does not say. One that an older version wrote does not.
    request: TargetRequest | None = None
    app_id: str | None = None
    # The status says that it was in step with the current spec.
    is_unedited: bool = False
    # How many entries the PhaseSecret selected then, for all its targets.
    selected: int | None = None

    @property
    def is_made(self) -> bool:
        """Whether it holds a file or texts, so that its keys do not show which entries it was made from."""
        return self.entries != len(self.names)


@dataclass(frozen=True, slots=True)
class AvailableEntries:
    """What an answer has for a target."""

    names: frozenset[bytes]
    entries: int
    request: TargetRequest
    app_id: str
    # The entries that left it on purpose: digests of their keys' names, and how many were seen to leave.
    left: frozenset[bytes] = frozenset()
    left_entries: int = 0
    # How many entries the PhaseSecret selects for all its targets, and how many of them are of no type for this one.
    selected: int = 0
    of_other_types: int = 0


@dataclass(frozen=True, slots=True)
class LossPolicy:
    """What the spec allows for a target that loses entries or has none."""

    shrink: int = 100
    # It may be emptied once Phase has said so twice.
    allow_empty: bool = False
    # It may be created without entries.
    may_lack: bool = False
    # It must never be empty, whatever the reason.
    required: bool = False
    # It is deleted when it has no entries any more.
    deletes: bool = False
    # It was deleted already, when it had no entries.
    is_cleared: bool = False
    # Phase has given this answer at least twice.
    twice: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Write what the answer has for the target, even if that is nothing."""


@dataclass(frozen=True, slots=True)
class RemoveEmpty:
    """Delete the target: it has no entries any more."""


@dataclass(frozen=True, slots=True)
class LeaveUnchanged:
    """Leave the target as it is."""

    error: ExpectedError


Decision = Write | RemoveEmpty | LeaveUnchanged


def current_target(
    observed: Observed | None, owner: ObjectKey, entry: Mapping[str, Any], status: Mapping[str, Any], generation: int
) -> CurrentTarget | None:
    """Return what a target holds of a PhaseSecret, or None. `entry` is the entry of its status for the target."""
    names = _held_names(observed, owner) if observed is not None else None
    if names is None:
        return None
    entries, source = entry.get("entries"), mapping(status.get("source"))
    app_id = source.get("appId")
    return CurrentTarget(
        names,
        entries if isinstance(entries, int) else len(names),
        TargetRequest.read(entry.get("selection")),
        app_id if isinstance(app_id, str) else None,
        entry.get("ready") is True and status.get("observedGeneration") == generation,
        source.get("entries"),
    )


def _held_names(observed: Observed, owner: ObjectKey) -> frozenset[bytes] | None:
    """Return digests of the names of the keys that an object has of a PhaseSecret; None if it is not of it."""
    if observed.belongs_to(owner):
        return split_digests(observed.names)
    part = observed.share_of(owner)
    return None if part is None else frozenset(map(name_digest, part.claimed))


def is_same_question(current: CurrentTarget, now: TargetRequest, app_id: str) -> bool:
    """Return whether a target asks for the same entries as when it was written; if that is unknown, it does."""
    if current.request is None:
        return True
    return current.request.take == now.take and (current.request.app == now.app or current.app_id == app_id)


def is_surely_same(current: CurrentTarget, now: TargetRequest) -> bool:
    """Return whether surely no edit has changed which entries the target takes."""
    return current.is_unedited if current.request is None else current.request.take == now.take


def decide(current: CurrentTarget | None, available: AvailableEntries, loss_policy: LossPolicy) -> Decision:
    """Return what an answer may do to a target."""
    if current is None:
        return _decide_new(available, loss_policy)
    found = None if loss_policy.twice else doubt(current, available, loss_policy.shrink)
    if found is not None:
        return LeaveUnchanged(found)
    if available.entries or loss_policy.allow_empty:
        return Write()
    return _decide_empty(current, available, loss_policy)


def _decide_empty(current: CurrentTarget, available: AvailableEntries, loss_policy: LossPolicy) -> Decision:
    """Return what becomes of a target for which an answer has no entry."""
    if not current.entries:
        return _nothing() if loss_policy.required else Write()
    if not _left_some(current, available, twice=loss_policy.twice):
        return _nothing()
    return RemoveEmpty() if loss_policy.deletes else Write()


def _decide_new(available: AvailableEntries, loss_policy: LossPolicy) -> Decision:
    if available.entries:
        return Write()
    if loss_policy.is_cleared and loss_policy.deletes:
        return RemoveEmpty()
    return Write() if loss_policy.allow_empty or loss_policy.may_lack else _nothing()


def doubt(current: CurrentTarget, available: AvailableEntries, shrink: int) -> ExpectedError | None:
    """Return why an answer has to be confirmed before it removes anything from a target, or None."""
    if not current.entries or not is_same_question(current, available.request, available.app_id):
        return None
    is_app_unedited = current.request is None or current.request.app == available.request.app
    if is_app_unedited and current.app_id is not None and current.app_id != available.app_id:
        return another_app(current.app_id, available.app_id)
    lost = _lost(current, available)
    if not is_too_much(lost, current.entries, shrink, nothing_left=not available.entries):
        return None
    return lacking(lost, current.entries)


def _lost(current: CurrentTarget, available: AvailableEntries) -> int:
    left = max(available.left_entries, len(current.names & available.left))
    fewer = max(0, current.entries - available.entries - left)
    is_named_alike = (
        current.is_unedited if current.request is None else current.request.naming == available.request.naming
    )
    if not is_named_alike or (current.is_made and not available.entries):
        return fewer
    return max(fewer, len(current.names - available.names - available.left))


def _left_some(current: CurrentTarget, available: AvailableEntries, *, twice: bool) -> bool:
    """Return whether any entry of a target left it on purpose."""
    if available.left_entries or current.names & available.left:
        return True
    # Its keys do not show it, but Phase lacks no entry, and enough entries have other types now.
    none_lost = current.selected is not None and available.selected >= current.selected
    return twice and current.is_made and none_lost and available.of_other_types >= current.entries > 0


def _nothing() -> LeaveUnchanged:
    return LeaveUnchanged(Waiting(Reason.NO_ENTRIES, ""))
