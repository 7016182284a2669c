"""Both ways to install, on an API server of their own, and what the operator's account may do afterwards."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from manifests.conftest import Render
from manifests.objects import ROOT, Object, one
from phase_dev import documents
from phase_dev.cluster import ControlPlane
from support.bare_plane import bare_plane
from support.cluster_fixture import Kubectl, may, wrong_rights_on_leases

pytestmark = pytest.mark.controlplane

ACCOUNT = ("phase-system", "phase-operator")
CRD = "crd/phasesecrets.secrets.phase.dev"


@pytest.fixture(scope="module")
def empty(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """Give a cluster in which nothing is installed; the shared one is not ours to fill."""
    with bare_plane(pytestconfig) as plane:
        yield plane


@pytest.fixture(scope="module")
def installed(empty: ControlPlane) -> ControlPlane:
    """Give that cluster with deploy/overlays/cluster-wide."""
    empty.kubectl("apply", "--server-side", "-k", ROOT / "deploy/overlays/cluster-wide")
    empty.kubectl("wait", "--for=condition=Established", CRD, "--timeout=30s")
    empty.kubectl("create", "namespace", "shop")
    empty.kubectl("-n", "shop", "apply", "--server-side", "-f", "-", stdin=json.dumps(phase_secret()))
    return empty


@pytest.fixture(scope="module")
def operator(installed: ControlPlane) -> Kubectl:
    """Give a kubectl that is the operator's account."""
    kubeconfig = installed.service_account_kubeconfig(*ACCOUNT)

    def kubectl(*arguments: str | Path, stdin: str | None = None, check: bool = True) -> object:
        return installed.kubectl(*arguments, stdin=stdin, check=check, kubeconfig=kubeconfig)

    return kubectl  # type: ignore[return-value]  # Kubectl takes any arguments; ours are fewer


def phase_secret() -> Object:
    body: Object = documents.load((ROOT / "deploy/samples/secret-only.yaml").read_text())
    del body["metadata"]["namespace"]
    return body


def target(kind: str, owner_uid: str) -> str:
    owner = {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseSecret",
        "name": "shop-secrets",
        "uid": owner_uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    metadata = {"name": f"target-{kind.lower()}", "namespace": "shop", "ownerReferences": [owner]}
    return json.dumps({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {}})


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_the_operator_applies_a_target_that_it_owns(kind: str, installed: ControlPlane, operator: Kubectl) -> None:
    uid = installed.kubectl("-n", "shop", "get", "phs", "shop-secrets", "-o", "jsonpath={.metadata.uid}").stdout

    for _ in ("create", "change"):
        operator("apply", "--server-side", "--field-manager=phase-operator", "-f", "-", stdin=target(kind, uid))

    assert operator("-n", "shop", "get", kind, f"target-{kind.lower()}", "-o", "name").stdout


def test_the_operator_applies_a_status(operator: Kubectl) -> None:
    body = phase_secret() | {"status": {"observedGeneration": 1, "keys": 2}}
    del body["spec"]

    arguments = ("-n", "shop", "apply", "--server-side", "--subresource=status", "--validate=false", "-f", "-")
    operator(*arguments, stdin=json.dumps(body))

    assert operator("-n", "shop", "get", "phs", "shop-secrets", "-o", "jsonpath={.status.keys}").stdout == "2"


def test_the_operator_writes_its_annotations_on_a_workload_and_makes_none(
    installed: ControlPlane, operator: Kubectl
) -> None:
    """As kube/workloads.py does: under uid and version, so that one that is gone is a conflict and comes not back."""
    container = {"name": "main", "image": "shop"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    installed.kubectl("create", "-f", "-", stdin=json.dumps(deployment))
    found = json.loads(operator("-n", "shop", "get", "deployment", "web", "-o", "json").stdout)["metadata"]
    marks = {"annotations": {"secrets.phase.dev/content": "1"}}
    judged = {key: found[key] for key in ("name", "namespace", "uid", "resourceVersion")}
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": judged | {"labels": {"running.secrets.phase.dev/0": "x1x"}},
        "spec": {"template": {"metadata": marks}},
    }
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=phase-operator", "--validate=false")

    operator(*apply, "-f", "-", stdin=json.dumps(patch))
    installed.kubectl("-n", "shop", "delete", "deployment", "web", "--wait=true")
    late = operator(*apply, "-f", "-", stdin=json.dumps(patch), check=False)

    assert "Operation cannot be fulfilled" in late.stderr, "a conflict, and nothing that RBAC forbids"
    assert installed.kubectl("-n", "shop", "get", "deployments", "-o", "name").stdout == ""


def test_the_operator_takes_away_an_old_finalizer(installed: ControlPlane, operator: Kubectl) -> None:
    old = '{"metadata":{"finalizers":["kopf.zalando.org/KopfFinalizerMarker"]}}'
    installed.kubectl("-n", "shop", "patch", "phs", "shop-secrets", "--type=merge", "-p", old)

    operator("-n", "shop", "patch", "phs", "shop-secrets", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')

    found = operator("-n", "shop", "get", "phs", "shop-secrets", "-o", "jsonpath={.metadata.finalizers}")
    assert found.stdout == ""


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("update", "secrets"),
        ("deletecollection", "secrets"),
        ("deletecollection", "configmaps"),
        ("create", "phasesecrets.secrets.phase.dev"),
        ("delete", "phasesecrets.secrets.phase.dev"),
        ("create", "phasedynamicsecrets.secrets.phase.dev"),
        ("delete", "phasedynamicsecrets.secrets.phase.dev"),
        ("get", "pods"),
        ("create", "deployments.apps"),
        ("update", "deployments.apps"),
        ("delete", "deployments.apps"),
        ("patch", "replicasets.apps"),
        ("patch", "jobs.batch"),
        ("list", "namespaces"),
        ("create", "serviceaccounts"),
        ("impersonate", "users"),
    ],
)
def test_the_operator_may_not(verb: str, resource: str, installed: ControlPlane) -> None:
    assert not may(installed, verb, resource, "shop")


def test_the_operator_makes_no_token_and_changes_statuses_of_its_own_kinds_alone(installed: ControlPlane) -> None:
    assert not may(installed, "create", "serviceaccounts", "shop", subresource="token")
    assert not may(installed, "patch", "deployments.apps", "shop", subresource="status")
    for kind in ("phasesecrets", "phasedynamicsecrets"):
        assert may(installed, "patch", f"{kind}.secrets.phase.dev", "shop", subresource="status")


def test_the_account_may_use_its_lease_and_no_other(installed: ControlPlane) -> None:
    assert wrong_rights_on_leases(installed) == []


@pytest.mark.parametrize(
    ("role", "verb", "allowed"),
    [("view", "get", "yes"), ("view", "create", "no"), ("edit", "create", "yes"), ("edit", "delete", "yes")],
)
def test_the_roles_for_people_aggregate(role: str, verb: str, allowed: str, kustomize: Render) -> None:
    """The controller that sums them up does not run here; what it selects by and what it adds does."""
    roles = [each for each in kustomize("deploy/aggregated-roles") if each["kind"] == "ClusterRole"]
    label = f"rbac.authorization.k8s.io/aggregate-to-{role}"
    verbs = {
        verb for each in roles if label in each["metadata"]["labels"] for r in each["rules"] for verb in r["verbs"]
    }

    assert ("yes" if verb in verbs else "no") == allowed


def test_pod_security_admission_takes_the_pod(installed: ControlPlane, kustomize: Render) -> None:
    """The namespace enforces `restricted`; the API server's own admission is the judge."""
    template = one(kustomize("deploy/overlays/cluster-wide"), "Deployment")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"], "metadata": {"name": "trial"}}

    done = installed.kubectl("-n", "phase-system", "create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))

    assert "Warning" not in done.stderr


def test_the_namespaced_overlay_sees_one_namespace_only(installed: ControlPlane, kustomize: Render) -> None:
    account = {"kind": "ServiceAccount", "name": "elsewhere", "namespace": "phase-system"}
    roles = [each for each in kustomize("deploy/overlays/namespaced") if each["kind"] in {"Role", "RoleBinding"}]
    for binding in (each for each in roles if each["kind"] == "RoleBinding"):
        binding["subjects"] = [account]
    installed.kubectl("-n", "phase-system", "create", "serviceaccount", "elsewhere")
    installed.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(roles))
    elsewhere = partial(may, installed, account="phase-system:elsewhere")

    assert elsewhere("watch", "secrets", "default")
    assert not elsewhere("watch", "secrets", "shop")
    assert elsewhere("get", "secrets/phase-operator-digest-key", "phase-system")
    assert not elsewhere("get", "secrets/another", "phase-system")
