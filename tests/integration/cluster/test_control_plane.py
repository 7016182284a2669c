"""What a test may expect of the session's control plane."""

import asyncio
import json
import os
from datetime import datetime, timedelta

import pytest

from integration.cluster.waiting import eventually
from phase_dev.cluster import CommandFailed, ControlPlane
from phase_dev.cluster.catalog import API_SERVER, version_of
from support.cluster_fixture import Kubectl

pytestmark = pytest.mark.controlplane

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.example.test}
spec:
  group: example.test
  scope: Namespaced
  names: {kind: Lamp, plural: lamps, singular: lamp}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {watts: {type: integer}}
              x-kubernetes-validations:
                - {rule: "self.watts < 100", message: too bright}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.test/web}]}
"""


def lamp(watts: int) -> str:
    return json.dumps(
        {"apiVersion": "example.test/v1", "kind": "Lamp", "metadata": {"name": "lamp"}, "spec": {"watts": watts}}
    )


@pytest.mark.skipif("KUBEBUILDER_ASSETS" in os.environ, reason="the user's folder decides the version")
def test_kubectl_and_the_server_say_the_pinned_version(kubectl: Kubectl) -> None:
    pinned = version_of(API_SERVER)

    said = json.loads(kubectl("version", "-o", "json").stdout)

    assert said["clientVersion"]["gitVersion"] == said["serverVersion"]["gitVersion"] == pinned
    assert pinned.startswith(f"v{said['serverVersion']['major']}.{said['serverVersion']['minor']}.")


async def test_a_loop_asks_the_same_cluster_in_a_thread(kubectl: Kubectl) -> None:
    said = await asyncio.to_thread(kubectl, "get", "ns", "-o", "name")

    assert "namespace/default" in said.stdout


def test_a_command_that_fails_says_why(kubectl: Kubectl) -> None:
    with pytest.raises(CommandFailed, match="nowhere"):
        kubectl("get", "namespace", "nowhere")

    assert kubectl("get", "namespace", "nowhere", check=False).returncode == 1


def test_a_definition_with_cel_refuses_what_it_must(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-f", "-", stdin=CRD)
    kubectl("wait", "--for=condition=Established", "crd/lamps.example.test", "--timeout=20s")

    kubectl("apply", "-n", namespace, "-f", "-", stdin=lamp(60))
    refused = kubectl("apply", "-n", namespace, "-f", "-", stdin=lamp(200), check=False)

    assert refused.returncode != 0
    assert "spec: Invalid value" in refused.stderr
    assert "too bright" in refused.stderr


def test_a_service_account_may_do_what_it_was_granted_and_no_more(control_plane: ControlPlane, namespace: str) -> None:
    kubectl = control_plane.kubectl
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubectl("create", "role", "reader", "-n", namespace, "--verb=get,list", "--resource=configmaps")
    kubectl("create", "rolebinding", "reader", "-n", namespace, "--role=reader", f"--serviceaccount={namespace}:reader")

    reader = control_plane.service_account_kubeconfig(namespace, "reader")

    whoami = kubectl("auth", "whoami", "-o", "json", kubeconfig=reader).stdout
    assert json.loads(whoami)["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:reader"
    eventually(lambda: kubectl("get", "configmaps", kubeconfig=reader, check=False).returncode == 0)
    assert "Forbidden" in kubectl("get", "secrets", kubeconfig=reader, check=False).stderr
    assert "Forbidden" in kubectl("get", "configmaps", "-n", "default", kubeconfig=reader, check=False).stderr


def test_an_account_that_is_not_there_gets_no_token(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(CommandFailed, match="nobody"):
        control_plane.service_account_kubeconfig(namespace, "nobody")


def test_a_deployment_becomes_ready_and_can_be_restarted(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=DEPLOYMENT)
    kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=30s")

    kubectl("rollout", "restart", "-n", namespace, "deployment/web")
    kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=30s")

    assert len(kubectl("get", "replicasets", "-n", namespace, "-o", "name").stdout.split()) == 2


def test_a_simulated_node_gives_signs_of_life_so_that_its_pods_stay_ready(kubectl: Kubectl) -> None:
    made = kubectl("get", "node", "node-0", "-o", "jsonpath={.metadata.creationTimestamp}").stdout
    later = datetime.fromisoformat(made) + timedelta(seconds=5)

    def renewed() -> bool:
        lease = ("-n", "kube-node-lease", "get", "lease", "node-0", "-o", "jsonpath={.spec.renewTime}")
        found = kubectl(*lease, check=False).stdout
        return found != "" and datetime.fromisoformat(found) > later

    # Without one for 50 s, the controllers take pods for not ready, and nothing ever calls a simulated pod ready again.
    eventually(renewed, 20)


def test_an_object_whose_owner_is_deleted_is_collected(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "configmap", "owner", "-n", namespace)
    uid = kubectl("get", "configmap", "owner", "-n", namespace, "-o", "jsonpath={.metadata.uid}").stdout
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    owned = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned", "ownerReferences": [owner]}}
    kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(owned))

    kubectl("delete", "configmap", "owner", "-n", namespace)

    kubectl("wait", "--for=delete", "configmap/owned", "-n", namespace, "--timeout=30s")
