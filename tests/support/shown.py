"""Resources as the API server shows them, for tests of what the command line makes of them."""

from typing import Any

NOW = 1_764_400_000.0
# Of another person, who wants to spoil what others see: ends the line, clears the screen, turns the writing round.
HOSTILE = "x\x1b[2J\x1b]0;gone\x07\r\n\u202e\x9b31m" + "y" * 5000


def resource(
    name: str = "shop",
    *,
    kind: str = "PhaseSecret",
    namespace: str = "team",
    ready: str | None = "True",
    reason: str = "Synced",
    message: str = "1 target is in step",
    targets: list[dict[str, Any]] | None = None,
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """Return a resource that was judged, unless `ready` is None."""
    said = {"type": "Ready", "status": ready, "reason": reason, "message": message}
    judged = {"observedGeneration": 2, "conditions": [said], "lastSyncedTime": "2025-11-29T06:56:40Z"}
    found = {} if ready is None else judged | ({} if targets is None else {"targets": targets}) | status
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "generation": 2,
            "creationTimestamp": "2025-11-26T07:06:40Z",
        },
        "spec": {"phaseApp": "shop", "phaseAppEnv": "Production"} | (spec or {}),
        "status": found,
    }


def target(name: str = "shop", *, ready: bool = True, reason: str = "Synced", **more: Any) -> dict[str, Any]:
    """Return what a status says of a target."""
    return {"kind": "Secret", "namespace": "team", "name": name, "ready": ready, "reason": reason} | more
