"""Secrets that could not be made anew with another type: not to be tried again at once.

Rule: each try takes the Secret away for a moment, so one that was refused is tried more and more rarely as long as the
same is wanted.
"""

from collections.abc import Collection
from dataclasses import dataclass

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.refs import TargetRef
from phase_operator.core.targets.desired import Desired

# A run is repeated every 45 s at the latest: the longest pause is about an hour.
_MOST = 80


@dataclass(slots=True)
class _Refused:
    digest: str
    reason: Reason
    message: str
    tries: int
    # So many runs do not try.
    pause: int


class TypeChangeBackoff:
    """What was refused after the old Secret had gone."""

    def __init__(self) -> None:
        self._refused: dict[TargetRef, _Refused] = {}

    def check(self, desired: Desired) -> None:
        """Raise Waiting with the API server's message if it is too early to try again."""
        found = self._refused.get(desired.ref)
        if found is None or found.digest != desired.digest or found.pause == 0:
            return
        found.pause -= 1
        raise Waiting(found.reason, found.message)

    def add(self, desired: Desired, error: ExpectedError) -> Waiting:
        """Record that the new Secret was refused; return the error for the target's result."""
        refusal = Waiting(
            error.reason, f"it cannot be made anew with another type and stays as it was: {error.message}"
        )
        before = self._refused.get(desired.ref)
        tries = before.tries + 1 if before is not None and before.digest == desired.digest else 1
        pause = min(_MOST, 2**tries)
        self._refused[desired.ref] = _Refused(desired.digest, refusal.reason, refusal.message, tries, pause)
        return refusal

    def forget(self, targets: Collection[TargetRef]) -> None:
        """Drop what is remembered of targets that no PhaseSecret wants any more."""
        for target in targets:
            self._refused.pop(target, None)
