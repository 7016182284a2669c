"""Where a resource stands: what its status says of it, for the generation that it has now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import bounded, mapping, mappings, number, text, texts
from phase_operator.core.status.document import LONGEST_SYNC
from phase_operator.core.text import clean


@dataclass(frozen=True, slots=True)
class Standing:
    """The Ready condition of a resource, safe to show."""

    # None: the operator has not judged it yet.
    ready: bool | None
    reason: str = ""
    message: str = ""
    # It is about the spec as it is now.
    is_current: bool = False
    # Nothing changes before a person acts.
    is_stalled: bool = False

    def __str__(self) -> str:
        """Return it in words: `ready`, or the reason with its message."""
        if self.ready is None:
            return "not judged yet by an operator"
        if self.ready:
            return "ready" if self.is_current else "was ready, before its spec was edited"
        return f"not ready: {self.reason}: {self.message}"


def conditions(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the conditions of an object of whatever kind, by their types."""
    return {text(each.get("type")): each for each in mappings(mapping(body.get("status")).get("conditions"))}


def is_true(condition: Mapping[str, Any]) -> bool:
    """Return whether a condition is true; one that is not there, and so empty, is not."""
    return condition.get("status") == "True"


def ready_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the Ready condition of an object; an empty one if there is none."""
    return conditions(body).get("Ready", {})


def is_current(body: Mapping[str, Any]) -> bool:
    """Return whether the status of a resource is about its spec as it is now."""
    return count(body, "observedGeneration") == number(mapping(body.get("metadata")).get("generation"))


def standing(resource: Mapping[str, Any]) -> Standing:
    """Return where a resource stands."""
    ready = ready_of(resource)
    if not ready:
        return Standing(None)
    return Standing(
        is_true(ready),
        clean(text(ready.get("reason"))),
        clean(text(ready.get("message"))),
        is_current=is_current(resource),
        is_stalled=is_true(conditions(resource).get("Stalled", {})),
    )


def is_suspended(resource: Mapping[str, Any]) -> bool:
    """Return whether its spec suspends it."""
    return mapping(resource.get("spec")).get("suspend") is True


def sync_asked(resource: Mapping[str, Any]) -> str | None:
    """Return the value of its sync annotation, as its status would repeat it; None without one."""
    value = texts(mapping(resource.get("metadata")).get("annotations")).get(names.ANNOTATION_SYNC)
    return None if value is None else bounded(value, LONGEST_SYNC)


def sync_answered(resource: Mapping[str, Any]) -> str | None:
    """Return the value of the sync annotation that the operator has acted on last; None if there was none."""
    value = mapping(resource.get("status")).get("lastForcedSync")
    return value if isinstance(value, str) else None


def lease_end(resource: Mapping[str, Any]) -> str:
    """Return when the lease that serves the targets of a PhaseDynamicSecret ends; "" if none does."""
    leases = mappings(mapping(resource.get("status")).get("leases"))
    return next((text(each.get("endsAt")) for each in leases if each.get("state") == "Active"), "")


def count(resource: Mapping[str, Any], field: str) -> int:
    """Return a number of the status; 0 if it is absent."""
    return number(mapping(resource.get("status")).get(field))


def place(resource: Mapping[str, Any]) -> str:
    """Return app, environment and folder of a resource, as its spec names them: `shop/production:/web`."""
    spec = mapping(resource.get("spec"))
    app = text(spec.get("phaseAppId")) or text(spec.get("phaseApp"))
    environment = text(spec.get("phaseAppEnv")) or "production"
    return f"{clean(app) or '-'}/{clean(environment)}:{clean(text(spec.get('phaseAppEnvPath')) or '/')}"
