"""How other tools judge a resource: kstatus (Flux, kpt, Argo CD's guidelines) and `kubectl wait`.

The rules are those that the README of sigs.k8s.io/cli-utils/pkg/kstatus and kubectl's help publish, in our own words;
tests/manifests/test_kstatus_itself.py compares them with the Go package.
Rule: nothing of the operator is used here, so that what it says is judged from outside.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any


class KStatus(StrEnum):
    """What a resource comes to."""

    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"
    TERMINATING = "Terminating"


def kstatus(resource: Mapping[str, Any]) -> KStatus:
    """Judge a resource of a kind that kstatus does not know."""
    metadata = resource.get("metadata") or {}
    status = resource.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return KStatus.TERMINATING
    observed = status.get("observedGeneration")
    if observed is not None and observed != metadata.get("generation"):
        return KStatus.IN_PROGRESS
    # The two that stand only while something is out of the ordinary come first, in the order in which they are listed.
    for condition in _conditions(status):
        if condition.get("type") == "Reconciling" and condition.get("status") == "True":
            return KStatus.IN_PROGRESS
        if condition.get("type") == "Stalled" and condition.get("status") == "True":
            return KStatus.FAILED
    for condition in _conditions(status):
        if condition.get("type") == "Ready":
            return KStatus.CURRENT if condition.get("status") == "True" else KStatus.IN_PROGRESS
    # Nothing is said, so nothing is out of the ordinary: the trap for a resource that nobody has looked at yet.
    return KStatus.CURRENT


def wait_ends(resource: Mapping[str, Any], condition: str = "Ready") -> bool:
    """Say whether `kubectl wait --for=condition=...` returns: True, and said of this generation."""
    generation = (resource.get("metadata") or {}).get("generation")
    status = resource.get("status") or {}
    for found in _conditions(status):
        if str(found.get("type")).lower() == condition.lower():
            observed = found.get("observedGeneration", status.get("observedGeneration"))
            is_old = generation is not None and observed is not None and observed < generation
            return not is_old and str(found.get("status")).lower() == "true"
    return False


def _conditions(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return iter(status.get("conditions") or [])
