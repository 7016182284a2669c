"""What a test of pushes says about the world, a line each: a PhasePushSecret, its sources, and the entries of Phase."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phase_dev.server.model import Secret
from support.operator_process import eventually
from support.own_operators import OwnOperators

NAME = "to-phase"
APP, ENV = "shop", "production"
# A value of so many characters stands nowhere by chance.
_TELLING = 8


@dataclass
class PushStage(OwnOperators):
    """A namespace with PhasePushSecrets, which push to a folder of its name."""

    kind, usual_name = "PhasePushSecret", NAME

    @property
    def root(self) -> str:
        """The folder that its resources write."""
        return f"/{self.namespace}"

    @property
    def usual_flags(self) -> tuple[str, ...]:
        """Have its operators push to the stage's Phase."""
        return ("--push", "true", "--allow-phase-host", self.phase.url)

    def push_secret(self, name: str = NAME, **spec: Any) -> None:
        """Apply a PhasePushSecret to the production environment of the shop."""
        self.apply(push_secret(name, self.phase.url, self.root, **spec))

    def source(self, name: str, data: Mapping[str, str | bytes], labels: Mapping[str, str] | None = None) -> None:
        """Apply a Secret, or change it to hold exactly this."""
        made = {key: each if isinstance(each, bytes) else each.encode() for key, each in data.items()}
        for value in data.values():
            if isinstance(value, str) and len(value) >= _TELLING:
                self.canary.token(value)
        self.source_of({"metadata": {"name": name, "labels": dict(labels or {})}}, made)

    def source_of(self, fields: Mapping[str, Any], data: Mapping[str, bytes]) -> None:
        """Apply a Secret with these fields and exactly this data."""
        encoded = {key: base64.b64encode(each).decode() for key, each in data.items()}
        self.api.apply({"apiVersion": "v1", "kind": "Secret", **fields, "data": encoded}, self.namespace, "tests")

    def rows(self, name: str = NAME) -> list[dict[str, Any]]:
        """Return the rows of its ledger."""
        return list((self.resource(name).get("status") or {}).get("entries") or [])

    def until_in_step(self, entries: int | None = None, name: str = NAME, within: float = 30.0) -> dict[str, Any]:
        """Wait until it is ready for its present generation, with so many entries, and return it."""
        return self.until_current(
            name, within=within, also=lambda status: entries in (None, status.get("entriesInStep"))
        )

    def until_taken(self, *sources: str, name: str = NAME, within: float = 30.0) -> None:
        """Wait until it is in step with these Secrets as they are now."""
        kept = (self.get("secret", each) or {} for each in sources)
        versions = {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in kept}

        def is_taken(status: dict[str, Any]) -> bool:
            return versions.items() <= {each["name"]: each["resourceVersion"] for each in status["sources"]}.items()

        self.until_current(name, within=within, also=is_taken)

    def until_pushed(self, wanted: Mapping[str, str], within: float = 30.0) -> None:
        """Wait until the stage's folder, with those below it, has exactly these values by key."""
        eventually(lambda: self.values() == dict(wanted), within=within, what=f"Phase has {sorted(wanted)}")

    def entries(self, env: str = ENV) -> list[Secret]:
        """Return the entries of the stage's folder and of those below it, as a person sees them; no call is counted."""
        state = self.phase.phase.state
        with state.lock:
            found = list(state.secrets_of(self.phase.environment_id(APP, env)))
        return [each for each in found if each.path == self.root or each.path.startswith(f"{self.root}/")]

    def values(self, env: str = ENV) -> dict[str, str]:
        """Return the values in the stage's folder and those below it, by key; no key comes twice in a folder."""
        entries = self.entries(env)
        found = {f"{each.path}/{each.key}".removeprefix(f"{self.root}/"): each.value for each in entries}
        assert len(found) == len(entries), "a twin"
        return found

    def entry(self, key: str) -> Secret:
        """Return the one entry with this key."""
        [found] = (each for each in self.entries() if each.key == key)
        return found

    def person_sets(self, key: str, value: str, **fields: Any) -> None:
        """Make or change an entry of the stage's folder as a person in the Console does."""
        self.phase.set(APP, ENV, key, value, path=self.root, **fields)

    def until_event(self, reason: str, words: str = "", name: str = NAME) -> None:
        """Wait until an Event about a PhasePushSecret has a reason and says some words."""

        def look() -> bool:
            return any(each["reason"] == reason and words in each["message"] for each in self.events_of(name))

        eventually(look, what=f"{name} has an Event {reason} with {words!r}")

    def until_gone(self, name: str = NAME, within: float = 30.0) -> None:
        """Wait until a PhasePushSecret is gone."""
        eventually(lambda: not self.resource(name), within=within, what=f"{name} is gone")

    def remove(self, name: str = NAME) -> None:
        """Delete a PhasePushSecret, and wait for nothing."""
        self.api.delete("phasepushsecret", name, self.namespace)


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
