"""Resources and objects as the API server has them, for tests of what commands say of them."""

from collections.abc import Mapping
from typing import Any

from phase_operator.api import names
from phase_operator.cli.acting.waiting import Machine
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.targets.fingerprint import key_digests_of
from phase_operator.core.values import ObjectKey

KEY = b"k" * 32
SHOP = TargetRef(Kind.SECRET, ObjectKey("shop", "shop"))
# What a hostile neighbour writes wherever he may write a text.
HOSTILE = "\x1b[2J\x1b]0;x\x07a\nb\u202e└─ Secret forged: in step"


class Clock(Machine):
    """A clock that pauses move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        """Return its time."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Move it."""
        self.seconds += seconds


def condition(kind: str, status: str, reason: str = "Synced", message: str = "all is in step") -> dict[str, Any]:
    """Return a condition."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def resource(kind: str = names.KIND_PHASE_SECRET, *, metadata: Mapping[str, Any] = {}, **parts: Any) -> dict[str, Any]:
    """Return a resource that is in step; `parts` are its spec and status, where they differ."""
    usual = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop"}]}
    status = {"observedGeneration": 2, "conditions": [condition("Ready", "True")]}
    named = {"name": "shop", "namespace": "shop", "uid": "u-1", "generation": 2, "resourceVersion": "7"}
    return {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "metadata": {**named, **metadata},
        "spec": parts.get("spec", usual),
        "status": {**status, **parts.get("status", {})},
    }


def target_status(name: str = "shop", **fields: Any) -> dict[str, Any]:
    """Return the entry of a target in a status."""
    usual = {"kind": "Secret", "namespace": "shop", "name": name, "ready": True, "reason": "Synced", "keys": 2}
    return usual | fields


def managed(manager: str, *keys: str, operation: str = "Apply", time: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    """Return an entry of managedFields that owns these data keys."""
    fields: dict[str, Any] = {"f:data": {f"f:{key}": {} for key in keys}, "f:metadata": {"f:annotations": {}}}
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": fields}


def target(data: Mapping[str, str], *, key: bytes = KEY, owner: str = "shop/shop", **fields: Any) -> dict[str, Any]:
    """Return the metadata of a Secret that the operator wrote with this data."""
    digests = key_digests_of(key, str(SHOP), {name: value.encode() for name, value in data.items()})
    annotations = {names.ANNOTATION_OWNER: owner, names.ANNOTATION_KEYS: str(digests)}
    usual = {"name": "shop", "namespace": "shop", "managedFields": [managed(names.FIELD_MANAGER, *data)]}
    return usual | {"annotations": annotations} | fields
