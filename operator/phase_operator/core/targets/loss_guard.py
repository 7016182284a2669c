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
from phase_operator.core.source.shrink_guard import another_app, is_too_much, lacking
from phase_operator.core.targets.fingerprint import name_digest, parted
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.request import Asked
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class Stood:
    """What a target holds of a PhaseSecret, and what it was made from."""

    # Digests of the names of its keys.
    names: frozenset[bytes]
    # How many entries of Phase it was made from.
    entries: int
    # None: the status does not say. One that an older version wrote does not.
    asked: Asked | None = None
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
class Offer:
    """What an answer has for a target."""

    names: frozenset[bytes]
    entries: int
    asked: Asked
    app_id: str
    # The entries that left it on purpose: digests of their keys' names, and how many were seen to leave.
    left: frozenset[bytes] = frozenset()
    left_entries: int = 0
    # How many entries the PhaseSecret selects for all its targets, and how many of them are of no type for this one.
    selected: int = 0
    of_other_types: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
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
class Fill:
    """Write what the answer has for the target, even if that is nothing."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Delete the target: it has no entries any more."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave the target as it is."""

    error: ExpectedError


Decision = Fill | Clear | Hold


def stood(
    observed: Observed | None, owner: ObjectKey, told: Mapping[str, Any], status: Mapping[str, Any], generation: int
) -> Stood | None:
    """Return what a target holds of a PhaseSecret, or None. `told` is the entry of its status for the target."""
    if observed is None:
        return None
    part = observed.part(merge_manager(owner))
    if observed.owner == str(owner):
        names = parted(observed.names)
    elif part is not None:
        names = frozenset(map(name_digest, part.claimed))
    else:
        return None
    entries = told.get("entries")
    source = status.get("source")
    app_id = source.get("appId") if isinstance(source, Mapping) else None
    return Stood(
        names,
        entries if isinstance(entries, int) else len(names),
        Asked.read(told.get("selection")),
        app_id if isinstance(app_id, str) else None,
        told.get("ready") is True and status.get("observedGeneration") == generation,
        source.get("entries") if isinstance(source, Mapping) else None,
    )


def is_same_question(stands: Stood, now: Asked, app_id: str) -> bool:
    """Return whether a target asks for the same entries as when it was written; if that is unknown, it does."""
    if stands.asked is None:
        return True
    return stands.asked.take == now.take and (stands.asked.app == now.app or stands.app_id == app_id)


def is_surely_same(stands: Stood, now: Asked) -> bool:
    """Return whether surely no edit has changed which entries the target takes."""
    return stands.is_unedited if stands.asked is None else stands.asked.take == now.take


def decide(stands: Stood | None, offer: Offer, terms: Terms) -> Decision:
    """Return what an answer may do to a target."""
    if stands is None:
        return _decide_new(offer, terms)
    if not terms.twice and (found := doubt(stands, offer, terms.shrink)) is not None:
        return Hold(found)
    if offer.entries or terms.allow_empty:
        return Fill()
    if not stands.entries:
        return _nothing() if terms.required else Fill()
    if _left_some(stands, offer, twice=terms.twice):
        return Clear() if terms.deletes else Fill()
    return _nothing()


def _decide_new(offer: Offer, terms: Terms) -> Decision:
    if terms.is_cleared and terms.deletes and not offer.entries:
        return Clear()
    return Fill() if offer.entries or terms.allow_empty or terms.may_lack else _nothing()


def doubt(stands: Stood, offer: Offer, shrink: int) -> ExpectedError | None:
    """Return why an answer has to be confirmed before it removes anything from a target, or None."""
    if not stands.entries or not is_same_question(stands, offer.asked, offer.app_id):
        return None
    is_app_unedited = stands.asked is None or stands.asked.app == offer.asked.app
    if is_app_unedited and stands.app_id is not None and stands.app_id != offer.app_id:
        return another_app(stands.app_id, offer.app_id)
    lost = _lost(stands, offer)
    if not is_too_much(lost, stands.entries, shrink, nothing_left=not offer.entries):
        return None
    return lacking(lost, stands.entries)


def _lost(stands: Stood, offer: Offer) -> int:
    left = max(offer.left_entries, len(stands.names & offer.left))
    fewer = max(0, stands.entries - offer.entries - left)
    is_named_alike = stands.is_unedited if stands.asked is None else stands.asked.naming == offer.asked.naming
    if not is_named_alike or (stands.is_made and not offer.entries):
        return fewer
    return max(fewer, len(stands.names - offer.names - offer.left))


def _left_some(stands: Stood, offer: Offer, *, twice: bool) -> bool:
    """Return whether any entry of a target left it on purpose."""
    if offer.left_entries or stands.names & offer.left:
        return True
    # Its keys do not show it, but Phase lacks no entry, and enough entries have other types now.
    none_lost = stands.selected is not None and offer.selected >= stands.selected
    return twice and stands.is_made and none_lost and offer.of_other_types >= stands.entries > 0


def _nothing() -> Hold:
    return Hold(Waiting(Reason.NO_ENTRIES, ""))
