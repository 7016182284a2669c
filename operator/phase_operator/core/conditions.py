"""Set conditions by the kstatus rules.

Rule: Ready always stands; Stalled and Reconciling only while true; a transition time moves only when status does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from phase_operator.api.reasons import CATALOGUE, ConditionType
from phase_operator.core.outcome import Verdict


def conditions(
    verdict: Verdict, previous: Sequence[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """Return the conditions that a verdict means, sorted by type."""
    wanted = [(ConditionType.READY, "True" if verdict.ready else "False")]
    if not verdict.ready:
        stalled = CATALOGUE[verdict.reason].stalled
        wanted.append((ConditionType.STALLED if stalled else ConditionType.RECONCILING, "True"))
    before = {str(condition.get("type")): condition for condition in previous}
    return [
        {
            "type": str(kind),
            "status": status,
            "observedGeneration": generation,
            "lastTransitionTime": _since(before.get(str(kind)), status, now),
            "reason": str(verdict.reason),
            "message": verdict.message,
        }
        for kind, status in sorted(wanted)
    ]


def _since(before: Mapping[str, Any] | None, status: str, now: str) -> str:
    if before is not None and before.get("status") == status and before.get("lastTransitionTime"):
        return str(before["lastTransitionTime"])
    return now
