"""Every status that a PhaseSecret can have, for those who check how other tools judge it."""

from collections.abc import Iterator
from typing import Any

from phase_operator.api.crd import PHASE_SECRET, document
from phase_operator.api.reasons import Reason
from phase_operator.core.outcome import Failed, StatusDocument, Suspended, Synced
from phase_operator.core.status.document import status_document
from support.builders import in_step, out_of_step, synced

NOW = "2030-01-01T00:01:00Z"

Reported = Synced | Suspended | Failed


def reported(outcome: Reported, *before: Reported, generation: int = 1) -> dict[str, Any]:
    """Make a resource whose last runs came to this, at a generation that the last one has seen."""
    status: StatusDocument = {}
    for each in (*before, outcome):
        status = status_document(each, status, generation=generation, forced=None, now=NOW)
    return {"metadata": {"generation": generation}, "status": status}


def untouched() -> dict[str, Any]:
    """Make a resource that nobody has looked at: the API server fills in the status that the CRD has for it."""
    [version] = document(PHASE_SECRET)["spec"]["versions"]
    return {
        "metadata": {"generation": 1},
        "status": version["schema"]["openAPIV3Schema"]["properties"]["status"]["default"],
    }


def ways(reason: Reason) -> list[Reported]:
    """Return how a run can come to a reason."""
    if reason is Reason.SYNCED:
        return [synced(), synced(in_step("a"), in_step("b"))]
    if reason is Reason.SUSPENDED:
        return [Suspended()]
    return [
        Failed(reason, "text"),
        Failed(reason, "text", transient=True),
        Failed(reason, "text", targets=(in_step(),)),
        synced(out_of_step(reason=reason)),
        synced(in_step("a"), out_of_step("b", reason=reason)),
    ]


def every_way() -> Iterator[tuple[Reason, Reported]]:
    """Yield every reason with every way in which a run can come to it."""
    yield from ((reason, outcome) for reason in Reason for outcome in ways(reason))
