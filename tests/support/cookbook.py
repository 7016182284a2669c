"""What a test of the cookbook says about a recipe, a line each: it is applied as it stands, and what comes of it."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

import yaml

from phase_operator.api import names
from support.operator_process import REPOSITORY, eventually
from support.world import World

COOKBOOK = REPOSITORY / "deploy/cookbook"
# What Phase holds, but for the entries of the tests: the apps of the recipes.
SEED: dict[str, Any] = {
    "organisations": [{"name": "acme", "plan": "enterprise"}],
    "apps": [
        {"name": app, "environments": [{"name": each} for each in ("Development", "Staging", "Production")]}
        for app in ("shop", "platform")
    ],
    "accounts": [{"name": "operator", "access": {"shop": ["*"], "platform": ["*"]}}],
}
_numbers = itertools.count(1)
_OURS = ("phasesecret", "phasedynamicsecret", "phasepushsecret")


@dataclass
class Kitchen(World):
    """A namespace in which recipes are applied."""

    def cook(self, folder: str, *, names_its_namespaces: bool = False) -> list[dict[str, Any]]:
        """Apply a recipe as it stands, lead its resources to the embedded Phase, and return all its objects."""
        where = () if names_its_namespaces else ("-n", self.namespace)
        done = self.plane.kubectl(*where, "apply", "-k", COOKBOOK / folder, "-o", "json")
        applied = json.loads(done.stdout)
        objects: list[dict[str, Any]] = applied["items"] if applied["kind"] == "List" else [applied]
        for found in objects:
            if found["apiVersion"].startswith(f"{names.GROUP}/"):
                self._lead_here(found)
        return objects

    def fill(self, path: str = "/", env: str = "Production", app: str = "shop", **entries: str) -> None:
        """Have Phase hold these entries."""
        for key, value in entries.items():
            self.phase.set(app, env, key, value, path=path)

    def until_served(self, kind: str, name: str) -> dict[str, Any]:
        """Wait until a resource of any kind of ours is ready for its present generation, and return it."""

        def look() -> dict[str, Any] | None:
            found = self.get(kind, name) or {}
            generation = found.get("metadata", {}).get("generation", 0)
            is_current = found.get("status", {}).get("observedGeneration") == generation
            return found if is_current and self._condition(found).get("status") == "True" else None

        return eventually(look, what=f"{kind} {name} is ready; last: {self._condition(self.get(kind, name) or {})}")

    def read_now(self, name: str) -> None:
        """Have a PhaseSecret read at once, as `kubectl phase sync` does, and wait until it was."""
        metadata = {"name": name, "annotations": {names.ANNOTATION_SYNC: (value := f"read {next(_numbers)}")}}
        self._patch("PhaseSecret", self.namespace, {"metadata": metadata}, "sync")
        self.until(
            lambda: (self.get("phasesecret", name) or {})["status"].get("lastForcedSync") == value,
            what=f"{name} is read",
        )

    def secret(self, name: str) -> dict[str, Any]:
        """Return a Secret's metadata and type, with its keys."""
        found = self.get("secret", name)
        assert found is not None, f"there is no Secret {name}"
        return {"type": found["type"], "keys": set(found.get("data") or {}), "labels": found["metadata"]["labels"]}

    def pod_of(self, deployment: str) -> dict[str, Any]:
        """Return the spec of the pods of a Deployment."""
        found = self.get("deployment", deployment)
        assert found is not None, f"there is no Deployment {deployment}"
        return dict(found["spec"]["template"]["spec"])

    def none_left(self) -> None:
        """Delete every resource of ours in the namespace, and wait until they are gone."""
        for kind in _OURS:
            if self.api.items(kind, self.namespace):
                self.api.delete(kind, namespace=self.namespace)
        eventually(
            lambda: not any(self.api.items(kind, self.namespace) for kind in _OURS), what="all resources of ours go"
        )

    def _lead_here(self, found: dict[str, Any]) -> None:
        spec = {"phaseHost": self.phase.url}
        named = {"metadata": {"name": found["metadata"]["name"]}}
        self._patch(found["kind"], found["metadata"]["namespace"], {**named, "spec": spec}, "tests")

    def _patch(self, kind: str, namespace: str, fields: dict[str, Any], manager: str) -> None:
        """Set fields; those that the manager set before and that are not among them go."""
        self.api.apply({"apiVersion": f"{names.GROUP}/{names.VERSION}", "kind": kind, **fields}, namespace, manager)


def values_of_grants() -> dict[str, Any]:
    """Return the values of the operator's chart that the recipe with one token for all teams has."""
    found: dict[str, Any] = yaml.safe_load((COOKBOOK / "one-token-for-all-teams/values.yaml").read_text())
    return found


def grants() -> str:
    """Return the grants of that recipe, as the operator's flag takes them."""
    found = values_of_grants()["grants"]
    return ";".join(f"from={each['from']},to={each['to']},what={'+'.join(each['what'])}" for each in found)
