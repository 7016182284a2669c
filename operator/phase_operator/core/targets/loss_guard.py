"""What a target holds, by its own metadata and by its PhaseSecret's status, and how much of that an answer may take.

Rule: the object is the best witness, since it outlives the process, an edit and a suspension. What it would lose is
doubted until Phase has said so twice. What Phase still has, and another target or nobody takes now, leaves at once.
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
    """What stands of a PhaseSecret at a target's place, and what it was made of."""

    # Digests of the names of its keys.
    names: frozenset[bytes]
    # How many entries of Phase it was made of.
    entries: int
    # None: the status does not tell; one of an older version does not.
    asked: Asked | None = None
    app_id: str | None = None
    # It was in step for the spec as it is now.
    is_unedited: bool = False

    # How many entries the PhaseSecret selected then, for all its targets.
    selected: int | None = None

    @property
    def is_made(self) -> bool:
        """Whether it holds a file or texts: its keys do not tell which entries it is made of."""
        return self.entries != len(self.names)


@dataclass(frozen=True, slots=True)
class Offer:
    """What an answer has for a target."""

    names: frozenset[bytes]
    entries: int
    asked: Asked
    app_id: str
    # Of the entries that left it on purpose: the names of their keys, and how many were seen to.
    left: frozenset[bytes] = frozenset()
    left_entries: int = 0
    # How many entries the PhaseSecret selects for all its targets, and how many of them are of no type for this one.
    selected: int = 0
    of_other_types: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What the spec says of a target without entries, and of losses."""

    shrink: int = 100
    # Phase says twice: it is emptied.
    allow_empty: bool = False
    # It may be made empty.
    may_lack: bool = False
    # It may not stand empty, whatever the reason.
    required: bool = False
    # It goes when it holds nothing any more.
    deletes: bool = False
    # It went already, when nothing was left for it.
    is_cleared: bool = False
    # Phase said so at least twice.
    twice: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """Write what the answer has for the target, be it nothing."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Nothing is left for the target, and it goes."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave the target as it is."""

    error: ExpectedError


Decision = Fill | Clear | Hold


def stood(
    observed: Observed | None, owner: ObjectKey, told: Mapping[str, Any], status: Mapping[str, Any], generation: int
) -> Stood | None:
    """Return what stands of a PhaseSecret; None if nothing does. `told` is what its status tells of the target."""
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
    """Say whether a target asks for the same entries as when it was written; where nothing tells, it does."""
    if stands.asked is None:
        return True
    return stands.asked.take == now.take and (stands.asked.app == now.app or stands.app_id == app_id)


def is_surely_same(stands: Stood, now: Asked) -> bool:
    """Say whether it is known that no edit changed which entries the target takes."""
    return stands.is_unedited if stands.asked is None else stands.asked.take == now.take


def decide(stands: Stood | None, offer: Offer, terms: Terms) -> Decision:
    """Say what an answer may do to a target."""
    if stands is None and terms.is_cleared and terms.deletes and not offer.entries:
        return Clear()
    if stands is None:
        return Fill() if offer.entries or terms.allow_empty or terms.may_lack else _nothing()
    if not terms.twice and (found := doubt(stands, offer, terms.shrink)) is not None:
        return Hold(found)
    if offer.entries or terms.allow_empty:
        return Fill()
    if not stands.entries:
        return _nothing() if terms.required else Fill()
    if _left_some(stands, offer, twice=terms.twice):
        return Clear() if terms.deletes else Fill()
    return _nothing()


def doubt(stands: Stood, offer: Offer, shrink: int) -> ExpectedError | None:
    """Say why an answer is to be asked for again before it takes anything from a target, or None."""
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
    """Say whether anything that a target held left it on purpose."""
    if offer.left_entries or stands.names & offer.left:
        return True
    # Its keys do not tell, but nothing is missing from Phase, and what there is is of other types.
    none_lost = stands.selected is not None and offer.selected >= stands.selected
    return twice and stands.is_made and none_lost and offer.of_other_types >= stands.entries > 0


def _nothing() -> Hold:
    return Hold(Waiting(Reason.NO_ENTRIES, ""))
