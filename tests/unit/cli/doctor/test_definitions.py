"""A CRD that is missing, not served, older, newer or another's is named, with the fields that differ."""

import copy
from typing import Any

import pytest

from phase_operator.api.crd import DEFINITIONS, document
from phase_operator.cli.doctor.definitions import CRD_NAMES, check_definitions, check_nobodys, difference
from phase_operator.cli.doctor.findings import Unread, Verdict

ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}


def stored() -> dict[str, Any]:
    """Return the CRDs by their names as a cluster has them."""
    return {name: document(each) | {"status": ESTABLISHED} for name, each in zip(CRD_NAMES, DEFINITIONS, strict=True)}


def fields(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return found


def changed() -> tuple[dict[str, Any], dict[str, Any]]:
    found = copy.deepcopy(stored())
    return found, fields(found[CRD_NAMES[0]])


def test_the_crds_of_this_version_are_fine() -> None:
    assert check_definitions(stored()).verdict is Verdict.OK


def test_a_missing_crd_fails_with_the_command_that_applies_it() -> None:
    finding = check_definitions(stored() | {CRD_NAMES[1]: None})

    assert finding.verdict is Verdict.BAD
    assert f"{CRD_NAMES[1]} is missing" in finding.sentence
    assert "kubectl phase crds | kubectl apply --server-side -f -" in finding.cure


def test_an_older_crd_fails_and_names_the_outermost_fields_that_it_lacks() -> None:
    found, properties = changed()
    del properties["spec"]["properties"]["managedConfigMapReferences"]
    del properties["status"]["properties"]["targets"]

    finding = check_definitions(found)

    assert finding.verdict is Verdict.BAD
    assert finding.sentence == (f"{CRD_NAMES[0]} is older: lacks spec.managedConfigMapReferences, status.targets")


def test_a_newer_crd_is_a_note() -> None:
    found, properties = changed()
    properties["spec"]["properties"]["magic"] = {"type": "string", "maxLength": 3}

    finding = check_definitions(found)

    assert (finding.verdict, finding.sentence) == (Verdict.NOTE, f"{CRD_NAMES[0]} is newer: has spec.magic")


def test_a_field_that_accepts_something_else_is_named() -> None:
    found, properties = changed()
    properties["spec"]["properties"]["pollingInterval"]["minimum"] = 60
    properties["spec"]["properties"]["phaseApp"]["description"] = "In other words."

    differs = difference(CRD_NAMES[0], found[CRD_NAMES[0]])

    assert differs is not None
    assert (differs.lacking, differs.more, differs.other) == ((), (), ("spec.pollingInterval",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": {}}, "is not established"),
        (
            {"status": {"conditions": [{"type": "NamesAccepted", "status": "False", "message": "taken\x1b[2J"}]}},
            "is not established (taken [2J)",
        ),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "is being deleted, and its resources with it"),
        ({"spec": {"versions": [{"name": "v1alpha1", "served": False}]}}, "does not serve v1alpha1"),
    ],
    ids=["unestablished", "refused names", "deleted", "not served"],
)
def test_a_crd_that_cannot_be_used_fails(change: dict[str, Any], said: str) -> None:
    found = stored()
    found[CRD_NAMES[2]] = found[CRD_NAMES[2]] | change

    finding = check_definitions(found)

    assert finding.verdict is Verdict.BAD
    assert f"{CRD_NAMES[2]} {said}" in finding.sentence


def test_crds_that_may_not_be_read_are_not_known() -> None:
    finding = check_definitions(stored() | {CRD_NAMES[0]: Unread("you have no right")})

    assert (finding.verdict, finding.sentence) == (Verdict.UNKNOWN, "you have no right")


def test_before_an_installation_no_crd_is_fine_and_another_one_is_a_note() -> None:
    nothing = dict.fromkeys(CRD_NAMES)
    found, properties = changed()
    del properties["status"]["properties"]["targets"]

    assert check_nobodys(nothing).verdict is Verdict.OK
    assert check_nobodys(stored()).verdict is Verdict.OK
    assert check_nobodys(nothing | {CRD_NAMES[0]: found[CRD_NAMES[0]]}).verdict is Verdict.NOTE
