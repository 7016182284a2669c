"""Our copy of kstatus, by which hundreds of statuses are judged, says what the Go package says that others use."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from manifests.conftest import Run
from phase_operator.api.reasons import Reason
from support.kstatus import KStatus, kstatus
from support.statuses import NOW, every_way, reported, untouched, ways

KIND = {"apiVersion": "secrets.phase.dev/v1alpha1", "kind": "PhaseSecret"}
Resource = dict[str, Any]


def statuses() -> Iterator[tuple[str, Resource]]:
    """Yield every status that the operator reports, whatever it reported before, and what comes between its reports."""
    yield "untouched", untouched()
    for number, (reason, outcome) in enumerate(every_way()):
        what = f"{reason}, way {number}"
        yield what, reported(outcome)
        for before in Reason:
            yield f"{what}, after {before}", reported(outcome, ways(before)[0])
        yield f"{what}, edited since", reported(outcome) | {"metadata": {"generation": 2}}
        yield f"{what}, deleted", reported(outcome) | {"metadata": {"generation": 1, "deletionTimestamp": NOW}}


def strangers() -> Iterator[tuple[str, Resource]]:
    """Yield what the operator never reports, and the rules know."""
    yield "no status", {"metadata": {"generation": 1}}
    yield "an empty status", {"metadata": {"generation": 1}, "status": {}}
    yield "no condition", {"metadata": {"generation": 1}, "status": {"observedGeneration": 1}}
    for kind in ("Ready", "Stalled", "Reconciling", "Available"):
        for status in ("True", "False", "Unknown"):
            condition = {"type": kind, "status": status}
            yield f"{kind} is {status}", {"metadata": {"generation": 1}, "status": {"conditions": [condition]}}
    both = [{"type": "Reconciling", "status": "True"}, {"type": "Stalled", "status": "True"}]
    for conditions in (both, both[::-1]):
        yield f"{conditions[0]['type']} before the other", {"status": {"conditions": conditions}}


@pytest.fixture
def told(kstatus_program: Run) -> dict[str, tuple[Resource, KStatus]]:
    """Give every resource with what the Go package makes of it."""
    resources = dict([*statuses(), *strangers()])
    done = kstatus_program(stdin=json.dumps([KIND | {"metadata": {}} | each for each in resources.values()]))
    assert done.returncode == 0, done.stderr
    found = map(KStatus, json.loads(done.stdout))
    return dict(zip(resources, zip(resources.values(), found, strict=True), strict=True))


def test_the_copy_agrees_with_the_original(told: dict[str, tuple[Resource, KStatus]]) -> None:
    differing = [
        f"{what}: {original}, and by our copy {kstatus(resource)}: {resource}"
        for what, (resource, original) in told.items()
        if kstatus(resource) is not original
    ]

    assert not differing, "\n".join(differing[:20])
    assert {original for _, original in told.values()} == set(KStatus)
