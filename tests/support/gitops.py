"""What Argo CD and Flux do with a manifest, and which fields of a resource it sets."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from support.operator_process import REPOSITORY
from support.world import World

MANAGERS = ("argocd-controller", "kustomize-controller")
FILES = [*sorted((REPOSITORY / "deploy/samples").glob("*.yaml")), REPOSITORY / "tests/support/full.yaml"]
RESOURCES = {
    f"{file.stem} {found['metadata']['name']}": found
    for file in FILES
    for found in yaml.safe_load_all(file.read_text())
    if found["kind"] == "PhaseSecret"
}


def prepared(world: World, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource for the test's namespace and Phase, every 5 s, and have Phase hold what it reads."""
    certificate = base64.b64encode(b"a certificate").decode()
    world.phase.set("shop", "Production", "POSTGRES_USER", world.canary.value("user"), tags=["backend"])
    world.phase.set("shop", "Staging", "DB_HOST", world.canary.value("host"), path="/backend", tags=["backend"])
    world.phase.set("shop", "Staging", "DB_CERTIFICATE", certificate, path="/backend", tags=["shared"])
    for key in ("CLUSTER_URL", "CLUSTER_TOKEN", "REPO_URL", "REPO_USER", "REPO_PASSWORD"):
        world.phase.set("shop", "Production", key, world.canary.value(key), tags=["argocd"])
    text = json.dumps(wanted).replace('"default"', f'"{world.namespace}"').replace('"argocd"', '"shop"')
    found: dict[str, Any] = json.loads(text.replace("APP_ID", world.phase.app_id("shop")))
    found["spec"] |= {"phaseHost": world.phase.url, "pollingInterval": 5}
    return found


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
