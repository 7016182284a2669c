"""Specs of PhaseDynamicSecrets that an API server with our CRD refuses, and specs that it stores as they are."""

from typing import Any

from manifests.objects import Object
from manifests.specs import Bad, Good, targets, token


def phase_dynamic_secret(name: str = "one", **spec: Any) -> Object:
    smallest = {"phaseApp": "shop", "dynamicSecret": "bucket", "managedSecretReferences": [{"secretName": "s3"}]}
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseDynamicSecret",
        "metadata": {"name": name},
        "spec": {field: value for field, value in (smallest | spec).items() if value is not ...},
    }


BAD = [
    Bad({"phaseApp": ...}, "spec.phaseApp", what="no app"),
    Bad({"phaseApp": ""}, "spec.phaseApp", what="an empty app"),
    Bad({"phaseApp": "", "phaseAppId": ""}, "spec.phaseApp", what="an empty app and an empty id"),
    Bad({"phaseHost": "ftp://phase"}, "spec.phaseHost", what="a host that is not http"),
    Bad({"phaseHost": "https://me:pw@phase.example"}, "spec.phaseHost", what="credentials in the host"),
    Bad({"dynamicSecret": ...}, "spec.dynamicSecret", what="no dynamic secret"),
    Bad({"dynamicSecret": ""}, "spec.dynamicSecret", what="an empty dynamic secret"),
    Bad({"dynamicSecret": "b" * 254}, "spec.dynamicSecret", what="a name that is too long"),
    *(
        Bad({field: value}, f"spec.{field}", what=f"{field} {value!r}")
        for field, values in (
            ("leaseTTL", (59, 0, -60, 31536001, "3600", "1h", 60.5, True)),
            ("rolloverPercent", (9, 0, -1, 91, 100, "67", 66.6)),
            ("overlap", (-1, 86401, "300", "5m")),
            ("pollingInterval", (59, 5, 0, 86401, "600")),
            ("revoke", ("yes", 1)),
            ("suspend", ("yes", 0)),
        )
        for value in values
    ),
    *(
        Bad({"leaseTTL": life, "overlap": overlap}, "spec.overlap", what=f"an overlap of {overlap} in a life of {life}")
        for life, overlap in ((600, 300), (601, 301), (60, 30), (86400, 43200), (3600, 86400))
    ),
    Bad({"managedSecretReferences": ...}, "spec.managedSecretReferences", what="no target"),
    Bad({"managedSecretReferences": []}, "spec.managedSecretReferences", what="an empty list of targets"),
    Bad(
        {"managedSecretReferences": targets(*(f"s{number}" for number in range(17)))},
        "spec.managedSecretReferences",
        what="more targets than 16",
    ),
    Bad({"managedSecretReferences": targets("a", "b", "a")}, "spec.managedSecretReferences", what="a target twice"),
    Bad(
        {"managedSecretReferences": targets(*({"secretName": "a", "secretNamespace": "n"} for _ in range(2)))},
        "spec.managedSecretReferences",
        what="a target of another namespace twice",
    ),
    Bad(
        {"managedSecretReferences": targets("a", "phase-service-token")},
        "spec.managedSecretReferences",
        what="a target that is the token's Secret of the default name",
    ),
    Bad(
        {"authentication": token(secretName="a"), "managedSecretReferences": targets("a")},
        "spec.managedSecretReferences",
        what="a target that is the token's Secret",
    ),
    Bad(
        {
            "authentication": token(secretName="a", secretNamespace="n"),
            "managedSecretReferences": targets({"secretName": "a", "secretNamespace": "n"}),
        },
        "spec.managedSecretReferences",
        what="a target that is the token's Secret, by namespace",
    ),
    # Fields of PhaseSecret that mean nothing here are typing errors, and none is dropped in silence.
    *(
        Bad({field: value}, f"spec.{field}", what=f"{field}, which only a PhaseSecret has")
        for field, value in (
            ("managedConfigMapReferences", [{"configMapName": "a"}]),
            ("phaseAppEnvTag", "a"),
            ("phaseAppEnvTags", ["a"]),
            ("recursive", True),
            ("onSecretReferenceError", "Warn"),
            ("allowEmpty", True),
            ("shrink", 50),
        )
    ),
    Bad({"renewal": "Auto"}, "spec.renewal", what="a renewal, which prolongs nothing"),
    Bad({"leaseTtl": 3600}, "spec.leaseTtl", what="leaseTTL in other letters"),
    *(
        Bad(
            {"managedSecretReferences": targets({"secretName": "a"} | target)},
            f"spec.managedSecretReferences[0].{field}",
            what=what,
        )
        for what, target, field in (
            ("an upper case name", {"secretName": "S3"}, "secretName"),
            ("types of entries", {"types": ["secret"]}, "types"),
            ("a folder of a target", {"path": "/aws"}, "path"),
            ("an unknown type of Secret", {"secretType": "kubernetes.io/TLS"}, "secretType"),
            ("a key that no Secret can have", {"processors": {"K": {"asName": "a/b"}}}, "processors.K.asName"),
            ("fileKey without format", {"fileKey": "a"}, "fileKey"),
            ("versioned and merged", {"versioned": {}, "creationPolicy": "Merge"}, "creationPolicy"),
            ("versions that change", {"versioned": {}, "immutable": False}, "immutable"),
            ("an Orphan to delete", {"creationPolicy": "Orphan", "deletionPolicy": "Delete"}, "deletionPolicy"),
            ("merged and immutable", {"creationPolicy": "Merge", "immutable": True}, "immutable"),
            ("merged and replaced", {"creationPolicy": "Merge", "onTypeChange": "Replace"}, "onTypeChange"),
            ("a file that a text replaces", {"format": "json", "template": {"data": {"a": "b"}}}, "format"),
            ("a text under an illegal key", {"template": {"data": {"a/b": "c"}}}, "template.data"),
            ("a selector for no restart", {"restart": {"workloads": "None", "selector": "a=b"}}, "restart.selector"),
        )
    ),
]

GOOD = [
    Good({}, what="the smallest"),
    Good({"phaseApp": ..., "phaseAppId": "6ab9f4a0-8f0c-4d36"}, what="an app by its id"),
    Good({"leaseTTL": 60, "rolloverPercent": 10, "overlap": 0, "pollingInterval": 60}, what="the least of all"),
    Good({"leaseTTL": 31536000, "rolloverPercent": 90, "overlap": 86400, "pollingInterval": 86400}, what="the most"),
    Good({"leaseTTL": 601, "overlap": 300}, what="an overlap just below half of the life"),
    Good({"overlap": 86400}, what="a long overlap beside a life that only Phase knows"),
    Good({"leaseTTL": 60}, what="a life shorter than the default overlap"),
    Good({"revoke": False, "suspend": True}, what="both switches"),
    Good({"managedSecretReferences": targets(*(f"s{number}" for number in range(16)))}, what="16 targets"),
    Good(
        {"managedSecretReferences": [{"secretName": "a", "secretNamespace": space} for space in ("x", "y")]},
        what="one name in two namespaces, for the operator to judge",
    ),
    Good(
        {
            "phaseHost": "",
            "phaseAppId": "",
            "phaseAppEnv": "",
            "phaseAppEnvPath": "",
            "redeployLabelSelector": "",
            "authentication": token(secretName="", secretNamespace=""),
        },
        what="empty strings, as rendered by templates",
    ),
    Good(
        {
            "phaseAppEnvPath": "/aws",
            "managedSecretReferences": targets(
                {
                    "secretName": "s3",
                    "processors": {"AWS_ACCESS_KEY_ID": {"asName": "access-key"}},
                    "template": {
                        "data": {"credentials": "[default]\naws_access_key_id={{ AWS_ACCESS_KEY_ID }}\n"},
                        "mergePolicy": "Merge",
                    },
                    "versioned": {"keep": 2},
                    "restart": {"workloads": "All"},
                }
            ),
        },
        what="all that a target may have",
    ),
]
