"""Bytes of the fuzzer -> JSON, texts and objects as others could write them.

Rule: words that our code looks for come often, since a fuzzer that has to guess `f:annotations` finds nothing.
"""

from collections.abc import Sequence
from typing import Any

import atheris

from phase_operator.api import names

WORDS = (
    *("metadata", "annotations", "labels", "managedFields", "manager", "operation", "Apply", "Update", "fieldsV1"),
    *(
        "f:metadata",
        "f:annotations",
        "f:labels",
        "f:ownerReferences",
        "f:data",
        "f:binaryData",
        "f:type",
        "subresource",
    ),
    *("uid", "resourceVersion", "ownerReferences", "controller", "kind", "name", "namespace", "deletionTimestamp"),
    *("creationTimestamp", "generation", "finalizers", "data", "type", "spec", "status", "template", "containers"),
    *(
        "initContainers",
        "envFrom",
        "env",
        "valueFrom",
        "secretKeyRef",
        "secretRef",
        "configMapRef",
        "volumes",
        "secret",
    ),
    *("projected", "sources", "items", "key", "optional", "csi", "imagePullSecrets", "replicas", "observedGeneration"),
    *("updatedReplicas", "availableReplicas", "readyReplicas", "unavailableReplicas", "conditions", "Progressing"),
    *("Available", "progressDeadlineSeconds", "paused", "strategy", "updateStrategy", "rollingUpdate", "partition"),
    *("currentRevision", "updateRevision", "numberReady", "desiredNumberScheduled", "updatedNumberScheduled", "phase"),
    *("reason", "message", "Ready", "True", "False", "lastTransitionTime", "targets", "source", "entries", "appId"),
    *("keys", "version", "leftOut", "restarted", "lastForcedSync", "lastSyncedTime", "Secret", "ConfigMap", "shop"),
    *("details", "causes", "field", "retryAfterSeconds", "Synced", "team", "team/shop", "Delete", "true", "OnDelete"),
    *("digest", "seal", "content", "of", "origin", "id", "key", "value", "path", "tags", "updatedAt", "config", "/a/b"),
    *("phaseApp", "phaseAppEnv", "phaseAppId", "phaseAppEnvPath", "phaseAppEnvTags", "phaseHost", "pollingInterval"),
    *("managedSecretReferences", "managedConfigMapReferences", "secretName", "configMapName", "secretNamespace"),
    *(
        "secretType",
        "Opaque",
        "kubernetes.io/tls",
        "nameTransformer",
        "camel",
        "processors",
        "asName",
        "format",
        "json",
    ),
    *("creationPolicy", "Merge", "Owner", "deletionPolicy", "adopt", "versioned", "keep", "include", "exclude", "*_?"),
    *("{{ A }}", "{{ A | base64 }}", "{% if A %}x{% endif %}", "prefix", "types", "recursive", "suspend", "shrink"),
    *("restart", "redeployLabelSelector", "a in (b,c),!d", "authentication", "serviceToken", "A", "DATABASE_URL"),
    *("serviceTokenSecretReference", "http://phase.example", "2026-01-01T00:00:00Z", 'k:{"uid":"x"}', ""),
    *(names.LABEL_TARGET, names.LABEL_VERSION_OF, names.ANNOTATION_OWNER, names.ANNOTATION_DIGEST, names.FIELD_MANAGER),
    *(names.ANNOTATION_SEAL, names.ANNOTATION_KEYS, names.ANNOTATION_ON_REMOVAL, names.ANNOTATION_SYNC),
    *(names.MERGE_MANAGER_PREFIX + "team/shop", names.ANNOTATION_REDEPLOY, names.ANNOTATION_CONTENT),
    *(names.LABEL_RUNNING_PREFIX + "0", names.MERGE_ANNOTATION_PREFIX + "0123456789"),
)
# Words of pushes, for the targets that are about them: what older cases are made of stays the same.
PUSH_WORDS = (
    *("secretSelector", "sources", "generate", "generateInto", "rotate", "length", "updatePolicy", "Replace", "Owned"),
    *("IfNotExists", "onTypeChange", "tags", "pushedTo", "announcedAt", "unclearUntil", "attempt", "state", "Adding"),
    *("comment", "keyMap", "keyName", "dynamic", "sealed", "createdAt", "lifecycle", "rotating", "tls.crt", "a-b"),
    *(names.LABEL_GENERATED_VALUE, names.ANNOTATION_GENERATED_FOR, names.ANNOTATION_ROTATIONS),
)
_DEPTH = 8
_MANY = 6


class Material:
    """What one case is made of; every call takes bytes from the fuzzer."""

    def __init__(self, data: bytes, words: Sequence[str] = WORDS) -> None:
        self._bytes = atheris.FuzzedDataProvider(data)
        self._words = words

    def number(self, low: int, high: int) -> int:
        """Return a number between these, both among them."""
        return int(self._bytes.ConsumeIntInRange(low, high))

    def yes(self) -> bool:
        """Return True or False."""
        return bool(self._bytes.ConsumeBool())

    def one(self, of: Sequence[Any]) -> Any:
        """Return one of these."""
        return of[self.number(0, len(of) - 1)]

    def raw(self, most: int = 400) -> bytes:
        """Return bytes."""
        return bytes(self._bytes.ConsumeBytes(self.number(0, most)))

    def text(self, most: int = 80) -> str:
        """Return a word that our code knows, or any text, also such as no encoding takes."""
        if self.number(0, 3):
            return str(self.one(self._words))
        return str(self._bytes.ConsumeUnicode(self.number(0, most)))

    def words(self) -> str:
        """Return a few words after one another."""
        between: str = self.one((" ", "", ",", "/", "\n"))
        return between.join(self.text() for _ in range(self.number(0, 5)))

    def json(self, depth: int = _DEPTH) -> Any:
        """Return whatever a JSON document may hold."""
        match self.number(0, 9 if depth else 5):
            case 0:
                return None
            case 1:
                return self.yes()
            case 2:
                return self.number(-(2**70), 2**70)
            case 3:
                return float(self._bytes.ConsumeFloat())
            case 4 | 5:
                return self.text()
            case 6:
                return [self.json(depth - 1) for _ in range(self.number(0, _MANY))]
            case _:
                return {self.text(): self.json(depth - 1) for _ in range(self.number(0, _MANY))}

    def mapping(self) -> dict[str, Any]:
        """Return a JSON object."""
        found = self.json()
        return found if isinstance(found, dict) else {self.text(): found}

    def metadata(self) -> dict[str, Any]:
        """Return an object's metadata: as the API server makes it, with anything in the places that users fill."""
        manager = self.one((names.FIELD_MANAGER, names.MERGE_MANAGER_PREFIX + "team/shop", self.text()))
        fields = {
            "f:metadata": {
                "f:labels": {f"f:{self.text()}": {} for _ in range(self.number(0, 3))},
                "f:annotations": {f"f:{self.text()}": {} for _ in range(self.number(0, 3))},
            },
            "f:data": {f"f:{self.text()}": {} for _ in range(self.number(0, 4))},
        }
        managed = {
            "manager": manager,
            "operation": self.one(("Apply", "Update")),
            "fieldsV1": fields,
            "time": self.text(),
        }
        return {
            "name": self.text(),
            "namespace": "team",
            "uid": self.text(),
            "resourceVersion": self.text(),
            "labels": {self.text(): self.text() for _ in range(self.number(0, 4))},
            "annotations": {self.text(): self.one((self.text(), self.words())) for _ in range(self.number(0, 6))},
            "managedFields": [managed, self.json(3)],
            **(self.mapping() if self.yes() else {}),
        }
