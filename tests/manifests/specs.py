"""Specs that an API server with our CRD refuses, and specs that it stores as they are."""

from typing import Any

import pytest

from manifests.objects import Object


def phase_secret(name: str = "one", **spec: Any) -> Object:
    smallest = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop"}]}
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseSecret",
        "metadata": {"name": name},
        "spec": {field: value for field, value in (smallest | spec).items() if value is not ...},
    }


def token(**reference: str) -> Object:
    return {"serviceToken": {"serviceTokenSecretReference": reference}}


def targets(*found: Object | str) -> list[Object]:
    return [each if isinstance(each, dict) else {"secretName": each} for each in found]


BAD = [
    pytest.param({"phaseApp": ...}, "spec.phaseApp", id="no app"),
    pytest.param({"phaseApp": ""}, "spec.phaseApp", id="an empty app"),
    pytest.param({"managedSecretReferences": ...}, "spec.managedSecretReferences", id="no target"),
    pytest.param({"managedSecretReferences": []}, "spec.managedSecretReferences", id="an empty list of targets"),
    pytest.param({"phaseAppEnvTag": "a", "phaseAppEnvTags": ["b"]}, "spec.phaseAppEnvTags", id="tag and tags"),
    pytest.param({"phaseAppEnvTags": []}, "spec.phaseAppEnvTags", id="no tag"),
    pytest.param({"phaseAppEnvTags": ["a,b"]}, "spec.phaseAppEnvTags[0]", id="two tags in one"),
    pytest.param({"phaseAppEnvTags": ["a", "a"]}, "spec.phaseAppEnvTags[1]", id="a tag twice"),
    pytest.param({"pollingInterval": 4}, "spec.pollingInterval", id="an interval below five seconds"),
    pytest.param({"pollingInterval": "60"}, "spec.pollingInterval", id="an interval in quotes"),
    pytest.param({"phaseHost": "ftp://phase"}, "spec.phaseHost", id="a host that is not http"),
    pytest.param({"phaseHost": "https://me:pw@phase.example"}, "spec.phaseHost", id="credentials in the host"),
    pytest.param({"phaseHost": "https://phase.example/?a=b"}, "spec.phaseHost", id="a query in the host"),
    pytest.param({"phaseAppId": "a/b"}, "spec.phaseAppId", id="an id that is a path"),
    pytest.param({"redeployLabelSelector": "a;b"}, "spec.redeployLabelSelector", id="not a selector"),
    pytest.param({"onSecretReferenceError": "Ignore"}, "spec.onSecretReferenceError", id="an unknown policy"),
    pytest.param({"suspend": "yes"}, "spec.suspend", id="a suspend that is text"),
    pytest.param({"keys": {"include": [""]}}, "spec.keys.include[0]", id="an empty pattern"),
    pytest.param({"phaseAp": "shop"}, "spec.phaseAp", id="a typing error"),
    pytest.param(
        {"managedSecretReferences": targets("Shop")}, "spec.managedSecretReferences[0].secretName", id="upper case name"
    ),
    pytest.param(
        {"managedSecretReferences": targets({"secretName": "a", "secretNamespace": "a.b"})},
        "spec.managedSecretReferences[0].secretNamespace",
        id="a namespace with a dot",
    ),
    pytest.param(
        {"managedSecretReferences": targets({"secretName": "a", "secretType": "kubernetes.io/TLS"})},
        "spec.managedSecretReferences[0].secretType",
        id="an unknown type of Secret",
    ),
    pytest.param(
        {"managedSecretReferences": targets({"secretName": "a", "nameTransformer": "kebab"})},
        "spec.managedSecretReferences[0].nameTransformer",
        id="an unknown spelling",
    ),
    pytest.param(
        {"managedSecretReferences": targets({"secretName": "a", "deletionPolicy": "Orphan"})},
        "spec.managedSecretReferences[0].deletionPolicy",
        id="an unknown deletion policy",
    ),
    pytest.param(
        {"managedSecretReferences": targets({"secretName": "a", "processors": {"K": {"asName": "a/b"}}})},
        "spec.managedSecretReferences[0].processors.K.asName",
        id="a key that no Secret can have",
    ),
    pytest.param(
        {"managedSecretReferences": targets({"secretName": "a", "processors": {"K" * 254: {"type": "plain"}}})},
        "spec.managedSecretReferences[0].processors",
        id="a key that is too long",
    ),
    pytest.param(
        {
            "managedSecretReferences": targets(
                {"secretName": "a", "template": {"metadata": {"labels": {"a": "b" * 64}}}}
            )
        },
        "spec.managedSecretReferences[0].template.metadata.labels.a",
        id="a label that is too long",
    ),
    pytest.param({"phaseHost": "https://["}, "spec.phaseHost", id="a bracket in the host"),
    pytest.param({"phaseHost": "https://phase:https"}, "spec.phaseHost", id="a port that is no number"),
    *(
        pytest.param(
            {"managedSecretReferences": targets({"secretName": "a"} | target)},
            f"spec.managedSecretReferences[0].{field}",
            id=what,
        )
        for what, target, field in (
            ("fileKey without format", {"fileKey": "a"}, "fileKey"),
            ("fileKey beside KeyPerEntry", {"fileKey": "a", "format": "KeyPerEntry"}, "fileKey"),
            ("fileKey that is two dots", {"fileKey": "..", "format": "json"}, "fileKey"),
            ("asName that is a dot", {"processors": {"K": {"asName": "."}}}, "processors.K.asName"),
            ("a prefix of two dots", {"prefix": ".."}, "prefix"),
            ("versioned and merged", {"versioned": {}, "creationPolicy": "Merge"}, "creationPolicy"),
            ("versioned and Orphan", {"versioned": {}, "creationPolicy": "Orphan"}, "creationPolicy"),
            ("versions without end", {"versioned": {"keep": 51}}, "versioned.keep"),
            ("an Orphan to delete", {"creationPolicy": "Orphan", "deletionPolicy": "Delete"}, "deletionPolicy"),
            ("merged and immutable", {"creationPolicy": "Merge", "immutable": True}, "immutable"),
            ("merged and replaced", {"creationPolicy": "Merge", "onTypeChange": "Replace"}, "onTypeChange"),
            ("a text under an illegal key", {"template": {"data": {"a/b": "c"}}}, "template.data"),
            ("a text under two dots", {"template": {"data": {"..": "c"}}}, "template.data"),
            ("a path that is none", {"path": "shop"}, "path"),
            (
                "a label of two words",
                {"template": {"metadata": {"labels": {"a": "b c"}}}},
                "template.metadata.labels.a",
            ),
            (
                "a label's illegal key",
                {"template": {"metadata": {"labels": {"a/b/c": "d"}}}},
                "template.metadata.labels",
            ),
            (
                "an annotation's illegal key",
                {"template": {"metadata": {"annotations": {"a b": "c"}}}},
                "template.metadata.annotations",
            ),
        )
    ),
    pytest.param(
        {"managedConfigMapReferences": [{"configMapName": "a", "creationPolicy": "Merge", "immutable": True}]},
        "spec.managedConfigMapReferences[0].immutable",
        id="a ConfigMap merged and immutable",
    ),
    *(
        pytest.param(
            {"phaseAppEnvPath": root, "managedSecretReferences": targets({"secretName": "a", "path": path})},
            "spec.managedSecretReferences",
            id=f"{path} is not inside {root}",
        )
        for root, path in (("/shop", "/"), ("/shop", "/shops"), ("/shop/", "/shops"), ("/shop", "/other/shop"))
    ),
    pytest.param({"managedSecretReferences": targets("a", "b", "a")}, "spec.managedSecretReferences", id="twice"),
    pytest.param(
        {"managedConfigMapReferences": [{"configMapName": "a"}, {"configMapName": "a"}]},
        "spec.managedConfigMapReferences",
        id="a ConfigMap twice",
    ),
    pytest.param(
        {"managedSecretReferences": targets(*(f"s{number}" for number in range(65)))},
        "spec.managedSecretReferences",
        id="more targets than 64",
    ),
    pytest.param(
        {"managedSecretReferences": targets("a", "phase-service-token")},
        "spec.managedSecretReferences",
        id="a target that is the token Secret of the default name",
    ),
    pytest.param(
        {"authentication": token(secretName="a"), "managedSecretReferences": targets("a")},
        "spec.managedSecretReferences",
        id="a target that is the token Secret",
    ),
    pytest.param(
        {
            "authentication": token(secretName="a", secretNamespace="n"),
            "managedSecretReferences": targets({"secretName": "a", "secretNamespace": "n"}),
        },
        "spec.managedSecretReferences",
        id="a target that is the token Secret, by namespace",
    ),
]

GOOD = [
    pytest.param({}, id="the smallest"),
    pytest.param(
        {
            "phaseHost": "",
            "phaseAppId": "",
            "phaseAppEnv": "",
            "phaseAppEnvPath": "",
            "phaseAppEnvTag": "",
            "redeployLabelSelector": "",
            "authentication": token(secretName="", secretNamespace=""),
            "managedSecretReferences": targets({"secretName": "a", "secretNamespace": "", "processors": {}}),
        },
        id="empty strings, as rendered by templates",
    ),
    pytest.param(
        {
            "phaseHost": None,
            "phaseAppEnv": None,
            "phaseAppEnvPath": None,
            "pollingInterval": None,
        },
        id="null where the official resource has a default",
    ),
    pytest.param({"phaseApp": ..., "phaseAppId": "6ab9f4a0-8f0c-4d36"}, id="an app by its id"),
    pytest.param({"phaseAppEnvTag": "", "phaseAppEnvTags": ["a", "b"]}, id="tags, and a tag that is empty"),
    pytest.param({"authentication": {"serviceToken": {}}}, id="authentication without a reference"),
    pytest.param({"redeployLabelSelector": "tier in (api, web),!canary,team!=x"}, id="a selector with sets"),
    pytest.param({"pollingInterval": 604800}, id="once a week"),
    pytest.param({"phaseHost": "HTTP://localhost:8080/service/public/"}, id="a host with port and path"),
    pytest.param({"managedSecretReferences": targets(*(f"s{number}" for number in range(64)))}, id="64 targets"),
    pytest.param(
        {"managedSecretReferences": [{"secretName": "a", "secretNamespace": space} for space in ("x", "y")]},
        id="one name in two namespaces, for the operator to judge",
    ),
    pytest.param(
        {"authentication": token(secretName="mine"), "managedSecretReferences": targets("phase-service-token")},
        id="a target of the token's default name when the token lies elsewhere",
    ),
    pytest.param(
        {
            "managedSecretReferences": targets(
                {"secretName": "a", "processors": {"K": {"asName": "k", "nameTransformer": "camel", "type": "plain"}}}
            )
        },
        id="asName beside nameTransformer",
    ),
    *(
        pytest.param(
            {"phaseAppEnvPath": root, "managedSecretReferences": targets({"secretName": "a", "path": path})},
            id=f"{path or 'nothing'} is inside {root or 'nothing'}",
        )
        for root, path in (
            *(("/shop", "/shop"), ("/shop", "/shop/a"), ("/shop/", "/shop"), ("/shop", "/shop/"), ("/", "/shop")),
            *(("shop", "/shop/a"), ("//shop", "/shop"), ("/shop", "/shop//a"), ("/shop", ""), ("", "/a"), (None, "/a")),
        )
    ),
    pytest.param(
        {
            "managedSecretReferences": targets(
                {
                    "secretName": "a",
                    "prefix": ".",
                    "template": {
                        "metadata": {
                            "labels": {"a.b/C_d": "E.f-1", "empty": "", "made": "{{ TIER }}"},
                            "annotations": {"A.b/c": "any text", "argocd.argoproj.io/sync-options": "Prune=false"},
                        },
                        "data": {".env": "a", "a..b": "c"},
                    },
                }
            )
        },
        id="labels, annotations and keys as Kubernetes takes them",
    ),
    pytest.param({"phaseHost": "https://[2001:db8::1]:8443/phase"}, id="a host that is an address"),
    pytest.param({"managedSecretReferences": [], "managedConfigMapReferences": [{"configMapName": "a"}]}, id="config"),
    *(
        pytest.param({"managedSecretReferences": targets({"secretName": "a", "secretType": kind})}, id=kind)
        for kind in (
            *("Opaque", "kubernetes.io/tls", "kubernetes.io/service-account-token", "kubernetes.io/dockercfg"),
            *("kubernetes.io/dockerconfigjson", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth"),
            "bootstrap.kubernetes.io/token",
        )
    ),
]
