"""What Argo CD and Flux do with a manifest, and which fields of a resource it sets."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from support.world import World

MANAGERS = ("argocd-controller", "kustomize-controller")


def spec_paths(schema: Mapping[str, Any], found: Any = None, at: str = "") -> Iterator[str]:
    """Yield every field that a schema has; with `found` those that it sets."""
    is_asked = found is not None
    for name, field in schema.get("properties", {}).items():
        if not is_asked or name in found:
            yield f"{at}.{name}"
            yield from spec_paths(field, found[name] if is_asked else None, f"{at}.{name}")
    if isinstance(more := schema.get("additionalProperties"), dict):
        for value in found.values() if is_asked else [None]:
            yield from spec_paths(more, value, f"{at}.*")
    if "items" in schema:
        for value in found if is_asked else [None]:
            yield from spec_paths(schema["items"], value, f"{at}[]")


def by_server(world: World, manager: str, verb: str, manifest: Mapping[str, Any]) -> int:
    """Apply or compare a manifest as Argo CD and Flux do, and return kubectl's exit code."""
    arguments = (verb, "--server-side", "--force-conflicts", f"--field-manager={manager}", "-f", "-")
    place = ("-n", world.namespace)
    return world.plane.kubectl(*place, *arguments, stdin=json.dumps(manifest), check=False).returncode


def apply_and_compare(world: World, manifest: Mapping[str, Any]) -> None:
    """Apply and compare a manifest as each of them does; fail if anything differs."""
    for manager in MANAGERS:
        assert by_server(world, manager, "apply", manifest) == 0
        assert by_server(world, manager, "diff", manifest) == 0


def standing(world: World, kind: str, name: str) -> dict[str, Any]:
    """Return a resource as the API server has it, with who manages which field."""
    arguments = ("get", kind, name, "-o", "json", "--show-managed-fields")
    found: dict[str, Any] = json.loads(world.plane.kubectl("-n", world.namespace, *arguments).stdout)
    return found
