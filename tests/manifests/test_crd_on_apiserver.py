"""The CRD as a real API server takes it.

Measured with Kubernetes 1.36.3, by raising maxItems until the API server names the factor: the rule that no target is
named twice costs 0.6 of the 10 million that one rule may (it grows with the square of the targets), the bound on
processor keys 0.6, all rules of the schema together 2.9 of 100 million. What people wrote for the official operator
costs thousands.
"""

import copy
import json

import pytest

from manifests.crds import apply, changed, established, refusal_of_larger, wrongly_judged
from manifests.objects import CRD_FILE, SAMPLES, Object, in_pages
from manifests.specs import BAD, GOOD, phase_secret
from phase_dev import documents
from phase_dev.cluster import ControlPlane
from support.builders import fullest_status
from support.cluster_fixture import Kubectl
from support.dry_run import PHASE_SECRETS
from support.kstatus import KStatus, kstatus, wait_ends

pytestmark = pytest.mark.controlplane

CRD_NAME = "phasesecrets.secrets.phase.dev"


@pytest.fixture(scope="module")
def crd(kubectl: Kubectl) -> Object:
    return established(kubectl, CRD_FILE)


@pytest.fixture
def place(crd: Object, namespace: str) -> str:
    """Give a namespace in a cluster that has the CRD."""
    return namespace


def test_the_crd_is_established_and_has_no_complaint(crd: Object, kubectl: Kubectl) -> None:
    stored = json.loads(kubectl("get", "crd", CRD_NAME, "-o", "json").stdout)

    conditions = {each["type"]: each["status"] for each in stored["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert conditions.get("Terminating", "False") == "False"


def test_the_api_server_keeps_the_crd_as_it_is(crd: Object, kubectl: Kubectl) -> None:
    stored = json.loads(kubectl("get", "crd", CRD_NAME, "-o", "json").stdout)

    version, ours = stored["spec"]["versions"][0], crd["spec"]["versions"][0]
    assert version == ours


def test_the_rules_cost_far_less_than_the_budget(crd: Object, kubectl: Kubectl) -> None:
    """Four times the targets make the dearest rule sixteen times as dear, and the API server still takes it."""
    assert not refusal_of_larger(kubectl, crd, 4, "managedSecretReferences", "managedConfigMapReferences")


def test_every_bad_spec_is_refused_with_its_field(crd: Object, control_plane: ControlPlane) -> None:
    bad = {each.what: (phase_secret(**each.spec), each.field) for each in BAD}

    assert not wrongly_judged(control_plane, PHASE_SECRETS, bad)
    assert len(bad) == len(BAD)


def test_every_good_spec_is_kept_as_it_is(crd: Object, control_plane: ControlPlane) -> None:
    assert not changed(control_plane, PHASE_SECRETS, {each.what: phase_secret(**each.spec) for each in GOOD})


def test_every_sample_is_kept_as_it_is(crd: Object, control_plane: ControlPlane) -> None:
    assert not changed(control_plane, PHASE_SECRETS, {file.stem: documents.load(file.read_text()) for file in SAMPLES})


def test_the_api_server_keeps_the_examples_of_the_pages_as_they_are(crd: Object, control_plane: ControlPlane) -> None:
    assert not changed(control_plane, PHASE_SECRETS, dict(in_pages("PhaseSecret")))


def test_a_resource_is_stored_as_it_was_applied(place: str, kubectl: Kubectl) -> None:
    body = phase_secret()

    assert apply(kubectl, place, body)["spec"] == body["spec"]


def test_a_new_resource_is_not_looked_at_yet(place: str, kubectl: Kubectl) -> None:
    stored = apply(kubectl, place, phase_secret())

    assert stored["status"] == {"observedGeneration": -1}
    assert kstatus(stored) is KStatus.IN_PROGRESS
    assert not wait_ends(stored)


def test_a_status_may_tell_of_as_many_targets_as_there_may_be(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_secret())
    name = phase_secret()["metadata"]["name"]
    status = fullest_status("\N{PILE OF POO}")

    # Not apply: what it would keep of this in an annotation is no part of the status.
    path = f"/apis/secrets.phase.dev/v1alpha1/namespaces/{place}/phasesecrets/{name}/status"
    body = json.loads(kubectl("-n", place, "get", "phs", name, "-o", "json").stdout) | {"status": status}
    kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps(body, ensure_ascii=False))

    assert json.loads(kubectl("-n", place, "get", "phs", name, "-o", "json").stdout)["status"] == status


def test_kubectl_shows_the_columns(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_secret(phaseAppEnv="staging"))
    status = {
        "observedGeneration": 1,
        "keys": 3,
        "lastSyncedTime": "2026-01-01T00:00:00Z",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Synced",
                "message": "in step",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
    patch = json.dumps({"status": status})
    kubectl("-n", place, "patch", "phs", "one", "--subresource=status", "--type=merge", "-p", patch)

    header, row = kubectl("-n", place, "get", "phs").stdout.splitlines()
    wide = kubectl("-n", place, "get", "phs", "-o", "wide").stdout.splitlines()[0]

    assert header.split() == ["NAME", "APP", "ENV", "READY", "REASON", "KEYS", "CHANGED", "AGE"]
    assert row.split()[:6] == ["one", "shop", "staging", "True", "Synced", "3"]
    assert wide.split()[-2:] == ["PATH", "MESSAGE"]


def test_kubectl_finds_them_by_app_and_by_category(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_secret("one"))
    apply(kubectl, place, phase_secret("two", phaseApp="other"))

    by_app = kubectl("-n", place, "get", "phs", "-o", "name", "--field-selector", "spec.phaseApp=other").stdout
    by_category = kubectl("-n", place, "get", "phase", "-o", "name").stdout

    assert by_app.split() == ["phasesecret.secrets.phase.dev/two"]
    assert len(by_category.split()) == 2


def test_kubectl_explains_a_field(crd: Object, kubectl: Kubectl) -> None:
    fields = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]

    said = kubectl("explain", "phs.spec.phaseHost").stdout

    assert fields["phaseHost"]["description"].split(". ")[0] in " ".join(said.split())


def test_a_rule_that_came_later_does_not_freeze_an_old_resource(
    crd: Object, place: str, kubectl: Kubectl, request: pytest.FixtureRequest
) -> None:
    """Stored under the official operator's loose CRD, it keeps taking labels, a status and the loss of a finalizer."""
    loose = copy.deepcopy(crd)
    spec = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["x-kubernetes-validations"]
    del spec["properties"]["phaseHost"]["pattern"]
    restore = ("apply", "--server-side", "--force-conflicts", "-f", CRD_FILE)
    request.addfinalizer(lambda: kubectl(*restore))
    kubectl("replace", "-f", "-", stdin=json.dumps(loose))
    bad = json.dumps(phase_secret("bad", phaseApp=..., phaseHost="console.phase.dev"))
    assert eventually(kubectl, "-n", place, "create", "-f", "-", stdin=bad, wanted=0)
    kubectl("replace", "-f", CRD_FILE)
    fresh = json.dumps(phase_secret("fresh", phaseApp=...))
    assert eventually(kubectl, "-n", place, "create", "--dry-run=server", "-f", "-", stdin=fresh, wanted=1)

    kubectl("-n", place, "label", "phs/bad", "a=b")
    kubectl("-n", place, "patch", "phs/bad", "--type=merge", "-p", '{"metadata":{"finalizers":["example.com/f"]}}')
    status = '{"status":{"observedGeneration":1}}'
    kubectl("-n", place, "patch", "phs/bad", "--subresource=status", "--type=merge", "-p", status)
    kubectl("-n", place, "delete", "phs/bad", "--wait=false")
    kubectl("-n", place, "patch", "phs/bad", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')

    assert kubectl("-n", place, "get", "phs", "-o", "name").stdout == ""


def eventually(kubectl: Kubectl, *arguments: str, stdin: str, wanted: int) -> bool:
    """Repeat a command until it ends as wanted: a changed CRD is in use a moment after the API server says so."""
    return any(kubectl(*arguments, stdin=stdin, check=False).returncode == wanted for _ in range(100))
