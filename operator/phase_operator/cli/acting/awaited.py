"""What a command waits for: when a resource has done what was asked of it, and how that went.

Rule: pure decisions over a resource as it was read. A status that speaks of an earlier question decides nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.cli.common.resources import uid_of
from phase_operator.cli.common.standing import Standing, is_current, is_suspended, standing, sync_answered, sync_asked
from phase_operator.core.json_access import mapping

# An operator that cannot read says why in the status and does not answer the annotation. Until it has looked, the
# status may still be about the time before.
_LOOKED = 5.0


class Ending(Enum):
    """How the wait for a resource ended."""

    DONE = auto()
    # It ended, and not as it should have.
    NOT_DONE = auto()
    TIMED_OUT = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a wait, and a sentence about it."""

    ending: Ending
    says: str


# Of a resource that should have stayed, and of one that should go.
_DELETED, _GONE = Verdict(Ending.NOT_DONE, "it was deleted meanwhile"), Verdict(Ending.DONE, "gone")
# A resource as it was read, None if it is gone, and the seconds since it was asked -> its end, or None: not yet.
Judge = Callable[[Mapping[str, Any] | None, float], Verdict | None]


def synced(uid: str, value: str, before: str | None) -> Judge:
    """Return what judges whether a resource has acted on this value of its sync annotation.

    `before` is the value that it had acted on when it was asked.
    """

    def judge(found: Mapping[str, Any] | None, waited: float) -> Verdict | None:
        there = _same(found, uid)
        if there is None:
            return _DELETED
        if is_suspended(there):
            return Verdict(Ending.NOT_DONE, "it was suspended meanwhile")
        now = standing(there)
        answered = sync_answered(there)
        # Whoever asks after us asks for a later read; a tool that sets an old value again does not.
        if answered == value or (answered == sync_asked(there) and answered != before):
            return _answered(now)
        if now.ready is False and now.is_current and now.is_stalled and waited >= _LOOKED:
            return Verdict(Ending.NOT_DONE, str(now))
        return None

    return judge


def _answered(now: Standing) -> Verdict | None:
    if now.ready is None or not now.is_current:
        return None
    return Verdict(Ending.DONE if now.ready else Ending.NOT_DONE, str(now))


def suspended(uid: str) -> Judge:
    """Return what judges whether the operator has taken in that a resource is suspended."""

    def judge(found: Mapping[str, Any] | None, waited: float) -> Verdict | None:
        del waited
        there = _same(found, uid)
        if there is None:
            return _DELETED
        if not is_suspended(there):
            return Verdict(Ending.NOT_DONE, "somebody took the suspension away meanwhile")
        now = standing(there)
        if not now.is_current:
            return None
        if now.reason == Reason.SUSPENDED:
            return Verdict(Ending.DONE, "suspended")
        # What is refused is refused with `suspend` or without: it writes nothing, either.
        return Verdict(Ending.DONE, f"suspended, and {now}") if now.is_stalled else None

    return judge


def taken_in(uid: str) -> Judge:
    """Return what judges whether the operator has taken in the spec of a resource as it is now."""

    def judge(found: Mapping[str, Any] | None, waited: float) -> Verdict | None:
        del waited
        there = _same(found, uid)
        if there is None:
            return _GONE
        if "deletionTimestamp" in mapping(there.get("metadata")) or is_current(there):
            return Verdict(Ending.DONE, "taken in")
        return None

    return judge


def gone(uid: str) -> Judge:
    """Return what judges whether a resource that is being deleted is gone."""

    def judge(found: Mapping[str, Any] | None, waited: float) -> Verdict | None:
        del waited
        return _GONE if _same(found, uid) is None else None

    return judge


def _same(found: Mapping[str, Any] | None, uid: str) -> Mapping[str, Any] | None:
    """Return a resource if it is the one with this uid; None if that one is gone."""
    if found is None:
        return None
    return found if uid_of(found) == uid else None
