"""The policies for tenants refuse what they say, on a real API server; those for Kyverno say the same."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from manifests.conftest import Render
from manifests.objects import KUBERNETES, ROOT, Object, one, validate
from phase_dev import documents
from phase_dev.cluster import CommandFailed, ControlPlane
from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from support.api import Api, api_of
from support.bare_plane import bare_plane
from support.operator_process import eventually

ADMISSION, KYVERNO = "deploy/policies/admission", "deploy/policies/kyverno"
POLICIES = ("phase-host", "phase-no-adopt", "phase-own-namespace")
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
# What both kinds of policy have, in the same words.
COMMON = ("failurePolicy", "matchConditions", "variables", "validations")
HOST = "https://console.phase.dev"


def body(kind: str, **spec: Any) -> Object:
    """Return the smallest resource of a kind."""
    least: dict[str, dict[str, Any]] = {
        "PhaseSecret": {"managedSecretReferences": [{"secretName": "a"}]},
        "PhaseDynamicSecret": {"dynamicSecret": "a", "managedSecretReferences": [{"secretName": "a"}]},
        "PhasePushSecret": {"sources": [{"secretName": "a"}]},
    }
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": kind,
        "metadata": {"name": "shop"},
        "spec": {"phaseApp": "shop", **least[kind], **spec},
    }


def secrets(**fields: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": "fine"}, {"secretName": "a", **fields}]}


def config_maps(**fields: Any) -> dict[str, Any]:
    return {"managedConfigMapReferences": [{"configMapName": "a", **fields}]}


@pytest.fixture(scope="module")
def plane(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """Give a cluster with our CRDs, the policies, and a resource that was there before them."""
    with bare_plane(pytestconfig) as plane:
        plane.kubectl("apply", "--server-side", "-k", ROOT / "crds")
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        api = api_of(plane)
        for name in ("team", "platform"):
            api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        old = body("PhaseSecret", phaseHost="https://elsewhere.example")
        old["metadata"] = {"name": "old", "finalizers": [names.FINALIZER]}
        api.create(old, "team")
        plane.kubectl("apply", "-k", ROOT / ADMISSION)
        # A policy that was applied is at work a little later.
        refused = (("phase-host", old), ("phase-no-adopt", ADOPTS), ("phase-own-namespace", ELSEWHERE))
        for why, each in refused:
            eventually(lambda why=why, each=each: why in refusal(api, each), what=f"{why} is at work")  # type: ignore[misc]
        yield plane
        plane.kubectl("delete", "-k", ROOT / ADMISSION)
        eventually(lambda: not any(refusal(api, each) for _, each in refused), what="no policy is at work")


ADOPTS = body("PhaseSecret", **secrets(adopt=True))
ELSEWHERE = body("PhaseSecret", **secrets(secretNamespace="default"))


def refusal(api: Api, document: Mapping[str, Any], namespace: str = "team") -> str:
    """Return what the API server has against an object; "" if it would take it."""
    try:
        api.create({**document, "metadata": {"name": "tried"}}, namespace, dryRun="All")
    except CommandFailed as error:
        return str(error)
    return ""


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("why", "document"),
    [
        *(("phase-host", body(each.kind, phaseHost="https://elsewhere.example")) for each in DEFINITIONS),
        ("phase-host", body("PhaseSecret", phaseHost=f"{HOST}.elsewhere.example")),
        ("phase-host", body("PhaseSecret", phaseHost="http://console.phase.dev")),
        ("phase-no-adopt", ADOPTS),
        ("phase-no-adopt", body("PhaseSecret", **config_maps(adopt=True))),
        ("phase-no-adopt", body("PhaseDynamicSecret", **secrets(adopt=True))),
        ("phase-no-adopt", body("PhasePushSecret", updatePolicy="Replace")),
        ("phase-own-namespace", ELSEWHERE),
        ("phase-own-namespace", body("PhaseSecret", **config_maps(configMapNamespace="default"))),
        ("phase-own-namespace", body("PhaseDynamicSecret", **secrets(secretNamespace="default"))),
    ],
    ids=lambda each: each if isinstance(each, str) else each["kind"],
)
def test_a_policy_refuses_what_it_is_for(why: str, document: Object, plane: ControlPlane) -> None:
    assert why in refusal(api_of(plane), document)
    # The platform team is exempt.
    assert refusal(api_of(plane), document, "platform") == ""


@pytest.mark.controlplane
@pytest.mark.parametrize(
    "document",
    [
        *(body(each.kind) for each in DEFINITIONS),
        *(body(each.kind, phaseHost=HOST) for each in DEFINITIONS),
        body("PhaseSecret", **secrets(adopt=False, secretNamespace="team")),
        body("PhaseSecret", **config_maps(adopt=False, configMapNamespace="team")),
        body("PhasePushSecret", updatePolicy="Owned"),
    ],
    ids=lambda each: each["kind"],
)
def test_a_policy_lets_all_else_through(document: Object, plane: ControlPlane) -> None:
    assert refusal(api_of(plane), document) == ""


@pytest.mark.controlplane
def test_a_resource_from_before_the_policies_can_be_labelled_and_deleted(plane: ControlPlane) -> None:
    where = ("-n", "team")
    plane.kubectl(*where, "label", "phasesecret", "old", "tier=api")

    edited = plane.kubectl(
        *where, "patch", "phasesecret", "old", "--type=merge", "-p", '{"spec":{"phaseApp":"other"}}', check=False
    )
    plane.kubectl(*where, "delete", "phasesecret", "old", "--wait=false")
    # What the operator does when it has removed its targets.
    plane.kubectl(*where, "patch", "phasesecret", "old", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')

    assert "phase-host" in edited.stderr
    assert api_of(plane).get("phasesecret", "old", "team") is None


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_policies_of_kubernetes_are_what_it_takes(version: str, kustomize: Render) -> None:
    validate(kustomize(ADMISSION), version)


@pytest.mark.parametrize("name", POLICIES)
def test_the_policy_of_kyverno_says_the_same(name: str, kustomize: Render) -> None:
    ours, bound = (one(kustomize(ADMISSION), kind, name)["spec"] for kind in (POLICY, BINDING))
    theirs = one(kustomize(KYVERNO), "ValidatingPolicy", name)

    assert theirs["apiVersion"] == "policies.kyverno.io/v1"
    spec = theirs["spec"]
    assert spec.keys() == {*COMMON, "matchConstraints", "validationActions", "evaluation"}
    assert {field: spec[field] for field in COMMON} == {field: ours[field] for field in COMMON}
    assert spec["validationActions"] == bound["validationActions"] == ["Deny"]
    assert spec["matchConstraints"] == ours["matchConstraints"] | bound["matchResources"]
    assert spec["evaluation"] == {"background": {"enabled": False}}


def test_each_policy_names_itself_in_its_messages(kustomize: Render) -> None:
    for name in POLICIES:
        for each in one(kustomize(ADMISSION), POLICY, name)["spec"]["validations"]:
            assert name in each["message"]
            assert each["reason"] == "Forbidden"


def test_the_policies_are_about_all_kinds_of_ours(kustomize: Render) -> None:
    for name in POLICIES:
        [rule] = one(kustomize(ADMISSION), POLICY, name)["spec"]["matchConstraints"]["resourceRules"]
        assert (rule["apiGroups"], rule["resources"]) == ([names.GROUP], [each.plural for each in DEFINITIONS])


def test_each_folder_has_one_file_a_policy() -> None:
    for folder in (ADMISSION, KYVERNO):
        listed = documents.load((ROOT / folder / "kustomization.yaml").read_text())["resources"]
        assert sorted([*listed, "kustomization.yaml"]) == sorted(file.name for file in (ROOT / folder).iterdir())
