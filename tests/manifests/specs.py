"""Specs that an API server with our CRD refuses, and specs that it stores as they are."""

from typing import Any, NamedTuple

from manifests.objects import Object


class Bad(NamedTuple):
    """A spec that is refused, and the field that the refusal names."""

    spec: Object
    field: str
    what: str


class Good(NamedTuple):
    """A spec that is stored as it is."""

    spec: Object
    what: str


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
    Bad({"phaseApp": ...}, "spec.phaseApp", what="no app"),
    Bad({"phaseApp": ""}, "spec.phaseApp", what="an empty app"),
    Bad({"managedSecretReferences": ...}, "spec.managedSecretReferences", what="no target"),
    Bad({"managedSecretReferences": []}, "spec.managedSecretReferences", what="an empty list of targets"),
    Bad({"phaseAppEnvTag": "a", "phaseAppEnvTags": ["b"]}, "spec.phaseAppEnvTags", what="tag and tags"),
    Bad({"phaseAppEnvTags": []}, "spec.phaseAppEnvTags", what="no tag"),
    Bad({"phaseAppEnvTags": ["a,b"]}, "spec.phaseAppEnvTags[0]", what="two tags in one"),
    Bad({"phaseAppEnvTags": ["a", "a"]}, "spec.phaseAppEnvTags[1]", what="a tag twice"),
    Bad({"pollingInterval": 4}, "spec.pollingInterval", what="an interval below five seconds"),
    Bad({"pollingInterval": "60"}, "spec.pollingInterval", what="an interval in quotes"),
    Bad({"phaseHost": "ftp://phase"}, "spec.phaseHost", what="a host that is not http"),
    Bad({"phaseHost": "https://me:pw@phase.example"}, "spec.phaseHost", what="credentials in the host"),
    Bad({"phaseHost": "https://phase.example/?a=b"}, "spec.phaseHost", what="a query in the host"),
    Bad({"phaseAppId": "a/b"}, "spec.phaseAppId", what="an id that is a path"),
    Bad({"redeployLabelSelector": "a;b"}, "spec.redeployLabelSelector", what="not a selector"),
    Bad({"onSecretReferenceError": "Ignore"}, "spec.onSecretReferenceError", what="an unknown policy"),
    Bad({"suspend": "yes"}, "spec.suspend", what="a suspend that is text"),
    Bad({"keys": {"include": [""]}}, "spec.keys.include[0]", what="an empty pattern"),
    Bad({"phaseAp": "shop"}, "spec.phaseAp", what="a typing error"),
    Bad(
        {"managedSecretReferences": targets("Shop")},
        "spec.managedSecretReferences[0].secretName",
        what="upper case name",
    ),
    Bad(
        {"managedSecretReferences": targets({"secretName": "a", "secretNamespace": "a.b"})},
        "spec.managedSecretReferences[0].secretNamespace",
        what="a namespace with a dot",
    ),
    Bad(
        {"managedSecretReferences": targets({"secretName": "a", "secretType": "kubernetes.io/TLS"})},
        "spec.managedSecretReferences[0].secretType",
        what="an unknown type of Secret",
    ),
    Bad(
        {"managedSecretReferences": targets({"secretName": "a", "nameTransformer": "kebab"})},
        "spec.managedSecretReferences[0].nameTransformer",
        what="an unknown spelling",
    ),
    Bad(
        {"managedSecretReferences": targets({"secretName": "a", "deletionPolicy": "Orphan"})},
        "spec.managedSecretReferences[0].deletionPolicy",
        what="an unknown deletion policy",
    ),
    Bad(
        {"managedSecretReferences": targets({"secretName": "a", "processors": {"K": {"asName": "a/b"}}})},
        "spec.managedSecretReferences[0].processors.K.asName",
        what="a key that no Secret can have",
    ),
    Bad(
        {"managedSecretReferences": targets({"secretName": "a", "processors": {"K" * 254: {"type": "plain"}}})},
        "spec.managedSecretReferences[0].processors",
        what="a key that is too long",
    ),
    Bad(
        {
            "managedSecretReferences": targets(
                {"secretName": "a", "template": {"metadata": {"labels": {"a": "b" * 64}}}}
            )
        },
        "spec.managedSecretReferences[0].template.metadata.labels.a",
        what="a label that is too long",
    ),
    Bad({"phaseHost": "https://["}, "spec.phaseHost", what="a bracket in the host"),
    Bad({"phaseHost": "https://phase:https"}, "spec.phaseHost", what="a port that is no number"),
    *(
        Bad(
            {"managedSecretReferences": targets({"secretName": "a"} | target)},
            f"spec.managedSecretReferences[0].{field}",
            what=what,
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
            ("a file that a text replaces", {"format": "json", "template": {"data": {"a": "b"}}}, "format"),
            (
                "a file that a text replaces, in so many words",
                {"format": "json", "template": {"data": {"a": "b"}, "mergePolicy": "Replace"}},
                "format",
            ),
            ("versions that change", {"versioned": {}, "immutable": False}, "immutable"),
            ("a selector for no restart", {"restart": {"workloads": "None", "selector": "a=b"}}, "restart.selector"),
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
    Bad(
        {"managedConfigMapReferences": [{"configMapName": "a", "creationPolicy": "Merge", "immutable": True}]},
        "spec.managedConfigMapReferences[0].immutable",
        what="a ConfigMap merged and immutable",
    ),
    *(
        Bad(
            {"phaseAppEnvPath": root, "managedSecretReferences": targets({"secretName": "a", "path": path})},
            "spec.managedSecretReferences",
            what=f"{path} is not inside {root}",
        )
        for root, path in (("/shop", "/"), ("/shop", "/shops"), ("/shop/", "/shops"), ("/shop", "/other/shop"))
    ),
    *(
        Bad(
            {"allowEmpty": True, "managedSecretReferences": ..., field: [{name: "a", "required": True}]},
            f"spec.{field}",
            what=f"{field} that are required and may be emptied",
        )
        for field, name in (
            ("managedSecretReferences", "secretName"),
            ("managedConfigMapReferences", "configMapName"),
        )
    ),
    Bad({"managedSecretReferences": targets("a", "b", "a")}, "spec.managedSecretReferences", what="twice"),
    Bad(
        {"managedConfigMapReferences": [{"configMapName": "a"}, {"configMapName": "a"}]},
        "spec.managedConfigMapReferences",
        what="a ConfigMap twice",
    ),
    Bad(
        {"managedSecretReferences": targets(*(f"s{number}" for number in range(65)))},
        "spec.managedSecretReferences",
        what="more targets than 64",
    ),
    Bad(
        {"managedSecretReferences": targets("a", "phase-service-token")},
        "spec.managedSecretReferences",
        what="a target that is the token Secret of the default name",
    ),
    Bad(
        {"authentication": token(secretName="a"), "managedSecretReferences": targets("a")},
        "spec.managedSecretReferences",
        what="a target that is the token Secret",
    ),
    Bad(
        {
            "authentication": token(secretName="a", secretNamespace="n"),
            "managedSecretReferences": targets({"secretName": "a", "secretNamespace": "n"}),
        },
        "spec.managedSecretReferences",
        what="a target that is the token Secret, by namespace",
    ),
]

GOOD = [
    Good({}, what="the smallest"),
    Good(
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
        what="empty strings, as rendered by templates",
    ),
    Good(
        {
            "phaseHost": None,
            "phaseAppEnv": None,
            "phaseAppEnvPath": None,
            "pollingInterval": None,
        },
        what="null where the official resource has a default",
    ),
    Good({"phaseApp": ..., "phaseAppId": "6ab9f4a0-8f0c-4d36"}, what="an app by its id"),
    Good({"phaseAppEnvTag": "", "phaseAppEnvTags": ["a", "b"]}, what="tags, and a tag that is empty"),
    Good({"authentication": {"serviceToken": {}}}, what="authentication without a reference"),
    Good({"redeployLabelSelector": "tier in (api, web),!canary,team!=x"}, what="a selector with sets"),
    Good({"pollingInterval": 604800}, what="once a week"),
    Good({"phaseHost": "HTTP://localhost:8080/service/public/"}, what="a host with port and path"),
    Good({"managedSecretReferences": targets(*(f"s{number}" for number in range(64)))}, what="64 targets"),
    Good(
        {"managedSecretReferences": [{"secretName": "a", "secretNamespace": space} for space in ("x", "y")]},
        what="one name in two namespaces, for the operator to judge",
    ),
    Good(
        {"authentication": token(secretName="mine"), "managedSecretReferences": targets("phase-service-token")},
        what="a target of the token's default name when the token lies elsewhere",
    ),
    Good(
        {
            "managedSecretReferences": targets(
                {"secretName": "a", "processors": {"K": {"asName": "k", "nameTransformer": "camel", "type": "plain"}}}
            )
        },
        what="asName beside nameTransformer",
    ),
    *(
        Good(
            {"phaseAppEnvPath": root, "managedSecretReferences": targets({"secretName": "a", "path": path})},
            what=f"{path or 'nothing'} is inside {root or 'nothing'}",
        )
        for root, path in (
            *(("/shop", "/shop"), ("/shop", "/shop/a"), ("/shop/", "/shop"), ("/shop", "/shop/"), ("/", "/shop")),
            *(("shop", "/shop/a"), ("//shop", "/shop"), ("/shop", "/shop//a"), ("/shop", ""), ("", "/a"), (None, "/a")),
        )
    ),
    Good(
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
        what="labels, annotations and keys as Kubernetes takes them",
    ),
    Good(
        {"allowEmpty": True, "managedSecretReferences": targets({"secretName": "a", "required": False}, "b")},
        what="targets that may be emptied",
    ),
    Good({"phaseHost": "https://[2001:db8::1]:8443/phase"}, what="a host that is an address"),
    Good({"managedSecretReferences": [], "managedConfigMapReferences": [{"configMapName": "a"}]}, what="config"),
    *(
        Good({"managedSecretReferences": targets({"secretName": "a", "secretType": kind})}, what=kind)
        for kind in (
            *("Opaque", "kubernetes.io/tls", "kubernetes.io/service-account-token", "kubernetes.io/dockercfg"),
            *("kubernetes.io/dockerconfigjson", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth"),
            "bootstrap.kubernetes.io/token",
        )
    ),
]
