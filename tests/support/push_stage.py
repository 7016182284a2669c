"""What a test of pushes says about the world, a line each: a PhasePushSecret, its sources, and the entries of Phase."""

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from support.operator_process import eventually
from support.world import World, secret

NAME = "to-phase"
APP, ENV = "shop", "production"
# A value of so many characters stands nowhere by chance.
_TELLING = 8


@dataclass
class PushStage(World):
    """A namespace with PhasePushSecrets, which push to a folder of its name."""

    @property
    def root(self) -> str:
        """The folder that its resources write."""
        return f"/{self.namespace}"

    def push_secret(self, name: str = NAME, **spec: Any) -> None:
        """Apply a PhasePushSecret to the production environment of the shop."""
        self.apply(push_secret(name, self.phase.url, self.root, **spec))

    def source(self, name: str, data: Mapping[str, str], labels: Mapping[str, str] | None = None) -> None:
        """Apply a Secret, or change it to hold exactly this."""
        found = secret(name, dict(data))
        found["metadata"]["labels"] = dict(labels or {})
        for value in data.values():
            if len(value) >= _TELLING:
                self.canary.token(value)
        self.apply(found)

    def resource(self, name: str = NAME) -> dict[str, Any]:
        """Return a PhasePushSecret, or {}."""
        return self.get("phasepushsecret", name) or {}

    def rows(self, name: str = NAME) -> list[dict[str, Any]]:
        """Return the rows of its ledger."""
        return list((self.resource(name).get("status") or {}).get("entries") or [])

    def said(self, name: str = NAME) -> dict[str, Any]:
        """Return its Ready condition, or {}."""
        return self._condition(self.resource(name))

    def until_in_step(self, entries: int | None = None, name: str = NAME, within: float = 30.0) -> dict[str, Any]:
        """Wait until it is ready for its present generation, with so many entries, and return it."""

        def look() -> dict[str, Any] | None:
            found = self.resource(name)
            status = found.get("status") or {}
            is_current = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
            is_ready = is_current and self._condition(found).get("status") == "True"
            return found if is_ready and entries in (None, status.get("entriesInStep")) else None

        return eventually(look, within=within, what=f"{name} is in step; last: {self.said(name)}")

    def until_pushed(self, wanted: Mapping[str, str], within: float = 30.0) -> None:
        """Wait until the stage's folder, with those below it, has exactly these values by key."""
        eventually(lambda: self.values() == dict(wanted), within=within, what=f"Phase has {sorted(wanted)}")

    def until_said(self, reason: str, name: str = NAME, within: float = 30.0) -> dict[str, Any]:
        """Wait until Ready has a reason, and return the condition."""

        def look() -> dict[str, Any] | None:
            found = self.said(name)
            return found if found.get("reason") == reason else None

        return eventually(look, within=within, what=f"{name} says {reason}; last: {self.said(name)}")

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the stage's folder and of those below it, as Phase answers with them."""
        query = {"app_id": self.phase.app_id(APP), "env": ENV}
        url = f"{self.phase.url}/service/public/v1/secrets/?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers=self.phase.headers("operator"))
        with urllib.request.urlopen(request, timeout=10) as answer:
            found = json.load(answer)
        return [each for each in found if each["path"] == self.root or each["path"].startswith(f"{self.root}/")]

    def values(self) -> dict[str, str]:
        """Return the values in the stage's folder and those below it, by key; no key comes twice in a folder."""
        found = {(each["path"], each["key"]): each["value"] for each in self.entries()}
        assert len(found) == len(self.entries()), "a twin"
        return {
            f"{path.removeprefix(self.root).lstrip('/')}/{key}".lstrip("/"): each for (path, key), each in found.items()
        }

    def events_of(self, name: str = NAME) -> list[dict[str, Any]]:
        """Return the Events about a PhasePushSecret."""
        found = self.api.items("events", self.namespace)
        subject = {"kind": "PhasePushSecret", "name": name}
        return [each for each in found if subject.items() <= each["involvedObject"].items()]

    def no_pushes(self) -> None:
        """Delete every PhasePushSecret of the namespace and wait until they are gone."""
        self.api.delete("phasepushsecrets", namespace=self.namespace)
        eventually(lambda: not self.api.items("phasepushsecrets", self.namespace), within=90, what="all of them go")


def push_secret(name: str, url: str, root: str, **spec: Any) -> dict[str, Any]:
    """Return a PhasePushSecret; `spec` adds to or replaces fields, None takes one out."""
    wanted = {
        "phaseHost": url,
        "phaseApp": APP,
        "phaseAppEnv": ENV,
        "phaseAppEnvPath": root,
        "pollingInterval": 5,
        "deletionPolicy": "Delete",
        "sources": [{"secretName": "db"}],
    } | spec
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhasePushSecret",
        "metadata": {"name": name},
        "spec": {key: value for key, value in wanted.items() if value is not None},
    }
