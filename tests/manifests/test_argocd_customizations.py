"""Scripts for Argo CD lie as its own repository wants them, and do what their tests there say, in a Lua 5.1."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from manifests.objects import ROOT
from phase_dev import argocd, documents
from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.cli import cli
from support.argocd import CUSTOMIZATIONS, acted, discovered, health

KINDS = [each.kind for each in DEFINITIONS]
HEALTH, ACTIONS = "health_test.yaml", "actions/action_test.yaml"
SCRIPTS = ("health.lua", "actions/discovery.lua", *(f"actions/{each}/action.lua" for each in argocd.ACTIONS))
STATES = {"Healthy", "Progressing", "Degraded", "Suspended"}


def cases(kind: str, file: str, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = documents.load((CUSTOMIZATIONS / kind / file).read_text())[table]
    return found


def named(file: str, table: str) -> list[Any]:
    return [
        pytest.param(kind, case, id=f"{kind} {case.get('action', '')} {case['inputPath']}")
        for kind in KINDS
        for case in cases(kind, file, table)
    ]


def resource(kind: str, folder: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = documents.load((CUSTOMIZATIONS / kind / folder / path).read_text())
    return found


def script(kind: str, path: str) -> str:
    return (CUSTOMIZATIONS / kind / path).read_text()


@pytest.mark.parametrize(("kind", "case"), named(HEALTH, "tests"))
def test_the_health_of_a_resource_is_what_its_test_says(kind: str, case: dict[str, Any]) -> None:
    status, message = health(resource(kind, "", case["inputPath"]), script(kind, "health.lua"))

    assert {"status": status, "message": message} == case["healthStatus"]


@pytest.mark.parametrize(("kind", "case"), named(ACTIONS, "discoveryTests"))
def test_the_actions_of_a_resource_are_those_of_its_test(kind: str, case: dict[str, Any]) -> None:
    found = discovered(script(kind, "actions/discovery.lua"), resource(kind, "actions", case["inputPath"]))

    assert found == sorted(case["result"], key=lambda each: str(each["name"]))


@pytest.mark.parametrize(("kind", "case"), named(ACTIONS, "actionTests"))
def test_an_action_makes_of_a_resource_what_its_test_says(kind: str, case: dict[str, Any]) -> None:
    before = resource(kind, "actions", case["inputPath"])

    after = acted(script(kind, f"actions/{case['action']}/action.lua"), before)

    assert after == resource(kind, "actions", case["expectedOutputPath"])
    assert after != before


def test_a_second_sync_says_something_else_than_the_first() -> None:
    sync = script("PhaseSecret", "actions/sync/action.lua")
    first = acted(sync, resource("PhaseSecret", "actions", "testdata/active.yaml"))
    # The first one's write gives the resource another version.
    written = {**first, "metadata": {**first["metadata"], "resourceVersion": "1041"}}

    second = acted(sync, written)

    values = [each["metadata"]["annotations"][names.ANNOTATION_SYNC] for each in (first, second)]
    assert values == ["argocd 1040", "argocd 1041"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_action_and_every_health_has_a_case(kind: str) -> None:
    assert {each["action"] for each in cases(kind, ACTIONS, "actionTests")} == set(argocd.ACTIONS)
    assert {each["healthStatus"]["status"] for each in cases(kind, HEALTH, "tests")} == STATES
    used = {each["inputPath"] for each in cases(kind, HEALTH, "tests")}
    assert used == {f"testdata/{file.name}" for file in (CUSTOMIZATIONS / kind / "testdata").iterdir()}


def test_the_folder_has_what_argo_cd_reads_and_nothing_else() -> None:
    folders = {each.name for each in CUSTOMIZATIONS.iterdir()}
    files = {
        str(file.relative_to(CUSTOMIZATIONS / kind))
        for kind in KINDS
        for file in (CUSTOMIZATIONS / kind).rglob("*")
        if file.is_file() and file.parent.name != "testdata"
    }

    assert folders == set(KINDS)
    assert files == {HEALTH, ACTIONS, *SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS)
def test_a_script_is_the_same_for_each_kind(path: str) -> None:
    assert {script(kind, path) for kind in KINDS} == {script("PhaseSecret", path)}


def test_the_data_of_the_tests_are_resources_that_the_operator_can_have_written() -> None:
    files = [file for file in CUSTOMIZATIONS.rglob("*.yaml") if file.parent.name == "testdata"]

    # Lint has the verdict of the API server, also of a status.
    found = CliRunner().invoke(cli, ["lint", "--strict", *(word for file in files for word in ("-f", str(file)))])

    assert (found.exit_code, len(files) > len(KINDS) * 10) == (0, True), found.output
    assert [str(file) for file in files for why in wrong(documents.load(file.read_text())) if why] == []


def wrong(found: dict[str, Any]) -> Iterator[str]:
    """Yield what the conditions of a resource and the catalogue of reasons disagree about."""
    for condition in found.get("status", {}).get("conditions", []):
        stalls = CATALOGUE[Reason(condition["reason"])].stalled
        if condition["type"] in ("Stalled", "Reconciling") and stalls != (condition["type"] == "Stalled"):
            yield f"{condition['type']} {condition['reason']}"


def pasted(file: Path) -> dict[str, str]:
    """Return the keys of Argo CD's ConfigMap that a file of ours stands for."""
    found = documents.load(file.read_text())
    if "spec" in found:
        parts = (("health", "resourceHealthChecks", "check"), ("actions", "resourceActions", "action"))
        return {
            f"resource.customizations.{what}.{each['group']}_{each['kind']}": each[field]
            for what, items, field in parts
            for each in found["spec"][items]
        }
    data: dict[str, str] = found["configs"]["cm"] if "configs" in found else found["data"]
    return data


@pytest.mark.parametrize("path", [argocd.CONFIG_MAP, argocd.VALUES, argocd.OPERATOR])
def test_each_way_to_configure_argo_cd_has_all_scripts(path: str) -> None:
    found = pasted(ROOT / path)

    prefix = "resource.customizations"
    assert found.keys() == {f"{prefix}.{what}.{names.GROUP}_{kind}" for what in ("health", "actions") for kind in KINDS}
    for kind in KINDS:
        assert found[f"{prefix}.health.{names.GROUP}_{kind}"] == script(kind, "health.lua")
        actions = documents.load(found[f"{prefix}.actions.{names.GROUP}_{kind}"])
        assert actions == {
            "discovery.lua": script(kind, "actions/discovery.lua"),
            "definitions": [
                {"name": each, "action.lua": script(kind, f"actions/{each}/action.lua")} for each in argocd.ACTIONS
            ],
        }
