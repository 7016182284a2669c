"""What goes into a bundle has no value in it, wherever somebody has put one."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.cli.doctor import redacted
from support.canary import Canary
from support.doctored import deployment, pod

HEX = "0123456789abcdef" * 4
REDACTORS = (
    *(redacted.resource, redacted.deployment, redacted.pod, redacted.event, redacted.definition),
    *(redacted.network_policy, redacted.budget),
)


def everywhere(value: str) -> dict[str, Any]:
    """Return metadata in which a value stands wherever somebody may write one."""
    return {
        "name": "shop",
        "namespace": "team-a",
        "labels": {"password": value, names.LABEL_TARGET: value},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"password": value}}),
            names.ANNOTATION_SYNC: value,
            names.ANNOTATION_OWNER: value,
            "note": value,
        },
        "finalizers": [value, names.FINALIZER],
        "managedFields": [{"manager": value, "operation": "Update", "fieldsV1": {f"f:{value}": {}}}],
        "generateName": value,
        "ownerReferences": [{"name": value}],
    }


def resource(value: str) -> dict[str, Any]:
    template = {
        "data": {"app.conf": f"password={value}"},
        "metadata": {"labels": {"a": value}, "annotations": {"b": value}},
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": "PhaseSecret",
        "metadata": everywhere(value),
        "spec": {
            "phaseApp": "shop",
            "pollingInterval": 60,
            "recursive": True,
            "managedSecretReferences": [{"secretName": "shop", "template": template}],
            "aFieldOfTomorrow": value,
        },
        "status": {
            "observedGeneration": 3,
            "conditions": [{"type": "Ready", "status": "False", "reason": "NoEntries", "message": "nothing matches"}],
            "aFieldOfTomorrow": {"x": value},
        },
    }


def of_deployment(value: str) -> dict[str, Any]:
    env = {
        "PHASE_TOKEN": value,
        "PASSWORD": value,
        "HTTPS_PROXY": f"http://ada:{value}@proxy:3128",
        "NO_PROXY": "10.0.0.0/8",
    }
    body = deployment(env=env, args=["run", "--namespace", "shop", "--password", value, f"--token={value}"])
    body["metadata"] = everywhere(value)
    body["spec"]["template"]["metadata"]["annotations"] = {"note": value}
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", f"curl -u ada:{value} x"]}}}
    container["command"] = ["sh", "-c", f"PASSWORD={value} phase-operator"]
    body["status"]["conditions"] = [{"type": "Available", "status": "True", "message": value}]
    return body


def of_pod(value: str) -> dict[str, Any]:
    ended = {"terminated": {"reason": "Error", "exitCode": 1, "message": f"last lines: {value}"}}
    body = dict(pod(lastState=ended, state={"waiting": {"reason": "CrashLoopBackOff", "message": value}}).body)
    body["metadata"] = everywhere(value)
    body["spec"] = of_deployment(value)["spec"]["template"]["spec"]
    body["status"] = {**body["status"], "message": value}
    return body


def of_event(value: str) -> dict[str, Any]:
    return {
        "metadata": everywhere(value),
        "type": "Warning",
        "reason": "Failed",
        "message": f"cannot log in with {value}",
        "note": value,
        "involvedObject": {"kind": "Pod", "name": "shop", "namespace": "team-a", "fieldPath": value},
    }


def of_crd(value: str) -> dict[str, Any]:
    versions = [{"name": "v1alpha1", "served": True, "storage": True, "schema": {"description": value}}]
    return {"metadata": everywhere(value), "spec": {"versions": versions, "group": value}, "status": {}}


def of_policy(value: str) -> dict[str, Any]:
    peer = {"podSelector": {"matchLabels": {"app": value}}, "namespaceSelector": {"matchLabels": {value: value}}}
    rules = [{"ports": [{"port": 443}], "to": [peer, {"ipBlock": {"cidr": "10.0.0.0/8"}}]}]
    spec = {"podSelector": {"matchLabels": {"app": value}}, "policyTypes": ["Egress"], "egress": rules}
    return {"metadata": everywhere(value), "spec": spec, "status": {"conditions": [{"message": value}]}}


def of_budget(value: str) -> dict[str, Any]:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": value}}}
    status = {"currentHealthy": 2, "conditions": [{"type": "x", "message": value}], "disruptedPods": {value: "now"}}
    return {"metadata": everywhere(value), "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("make", "redact"),
    [
        (of_policy, redacted.network_policy),
        (of_budget, redacted.budget),
        (resource, redacted.resource),
        (of_deployment, redacted.deployment),
        (of_pod, redacted.pod),
        (of_event, redacted.event),
        (of_crd, redacted.definition),
    ],
    ids=["a NetworkPolicy", "a PodDisruptionBudget", "a resource", "a Deployment", "a pod", "an Event", "a CRD"],
)
def test_no_value_is_left_wherever_it_was_put(
    make: Callable[[str], dict[str, Any]], redact: Callable[[Mapping[str, Any]], dict[str, Any]], canary: Canary
) -> None:
    kept = json.dumps(redact(make(canary.value("password"))))

    canary.watch(kept)
    assert '"shop"' in kept


def test_a_policy_keeps_what_it_opens_and_a_budget_its_numbers() -> None:
    assert redacted.network_policy(of_policy("hunter2"))["spec"] == {
        "policyTypes": ["Egress"],
        "selectsAll": False,
        "egress": [{"ports": [{"port": 443}], "to": ["namespaceSelector+podSelector", {"cidr": "10.0.0.0/8"}]}],
    }
    assert redacted.budget(of_budget("hunter2"))["spec"] == {"minAvailable": 1}
    assert redacted.budget(of_budget("hunter2"))["status"] == {"currentHealthy": 2}


def test_a_resource_keeps_what_explains_it() -> None:
    kept = redacted.resource(resource("hunter2-hunter2"))

    assert kept["spec"] == {
        "phaseApp": "shop",
        "pollingInterval": 60,
        "recursive": True,
        "managedSecretReferences": [
            {
                "secretName": "shop",
                "template": {
                    "data": {"app.conf": "<24 characters>"},
                    "metadata": {"labels": {"a": "<15 characters>"}, "annotations": {"b": "<15 characters>"}},
                },
            }
        ],
        "aFieldOfTomorrow": "<not known to this version>",
    }
    assert kept["status"]["conditions"][0]["message"] == "nothing matches"
    assert kept["metadata"]["marks"] == [names.ANNOTATION_OWNER, names.ANNOTATION_SYNC, names.LABEL_TARGET]
    assert kept["metadata"]["finalizers"] == ["<masked>", names.FINALIZER]


def test_a_deployment_keeps_its_settings() -> None:
    kept = redacted.deployment(of_deployment("hunter2"))
    [container] = kept["spec"]["containers"]
    env = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}

    assert container["args"] == ["run", "--namespace", "shop", "<masked>", "<masked>", "<masked>"]
    assert env == {
        "PHASE_OPERATOR_POD_NAMESPACE": ["fieldRef"],
        "PHASE_OPERATOR_LEADER_ELECT": "true",
        "PHASE_TOKEN": "<masked>",
        "PASSWORD": "<masked>",
        "HTTPS_PROXY": "http://proxy:3128",
        "NO_PROXY": "10.0.0.0/8",
    }


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("PHASE_OPERATOR_CLUSTER_NAME", f"x{HEX}", "x***"),
        ("PHASE_OPERATOR_UNKNOWN", "x", "<masked>"),
        ("https_proxy", "http://not a host", "<masked>"),
        ("https_proxy", "ada:secret@proxy:3128", "proxy:3128"),
        ("https_proxy", "http://ada:se/cr@et@proxy:3128", "http://proxy:3128"),
        ("https_proxy", "http://proxy:3128/?key=secret", "<masked>"),
        ("https_proxy", "pass://word://proxy", "<masked>"),
        ("HTTPS_PROXY", "http://a@b:c@proxy", "http://proxy"),
    ],
)
def test_variables_that_look_like_secrets_are_masked(name: str, value: str, kept: str) -> None:
    assert redacted.variable(name, value) == kept


def test_tokens_are_masked_also_in_names() -> None:
    body = resource("x") | {"spec": {"phaseApp": f"pss_service:v2:{HEX}", "phaseAppEnv": HEX}}

    assert redacted.resource(body)["spec"] == {"phaseApp": "***", "phaseAppEnv": "***"}


@pytest.mark.parametrize("junk", [None, 3, "x", [], [3], {"spec": 3}], ids=str)
def test_objects_of_any_shape_are_redacted(junk: Any) -> None:
    body = {
        "kind": "PhaseSecret",
        "metadata": junk,
        "spec": junk,
        "status": junk,
        "message": junk,
        "involvedObject": junk,
    }

    for redact in REDACTORS:
        json.dumps(redact(body))
