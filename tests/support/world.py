"""What a test of the operator says about the world, in one line each."""

import base64
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support import suspended
from support.api import Api, api_of
from support.canary import Canary
from support.operator_process import Found, OperatorProcess, eventually

# Of the PhaseSecrets that tests make, in seconds.
_INTERVAL = 5
# What needs no interval is done in so many seconds, mostly.
_AT_ONCE = 0.5
# How long a test waits for something of which it does not say how long it may take, in seconds.
_PATIENCE = 20.0


@dataclass
class World:
    """A namespace, a Phase and what a test says about them in one line each."""

    plane: ControlPlane
    namespace: str
    phase: EmbeddedPhase
    canary: Canary
    operator: OperatorProcess = field(init=False)

    @cached_property
    def api(self) -> Api:
        """The API server, as its admin."""
        return api_of(self.plane)

    def later(self, seconds: float, *operators: OperatorProcess) -> None:
        """Let time pass at once, for Phase and for operators that run as `suspended.PROGRAM`: these, or the world's."""
        self.phase.advance(seconds)
        for operator in operators or (self.operator,):
            suspended.miss(operator.log_file.parent, operator.process.pid, seconds)

    def in_time(self, look: Callable[[], Found | None], *, within: float, what: str, own: float = 0.0) -> Found:
        """Let intervals of 5 s pass at once until something is seen, within seconds by the operator's clock.

        So many seconds of the machine's `own` come on top: a call that is under way while time is missed may have to be
        made again, and a machine that has much else to do is slow at both.
        """
        began = time.monotonic()
        # A quarter of the time is the machine's own: it needs some, however much else it has to do.
        missed, most, next_one = 0.0, within * 3 / 4, began + _AT_ONCE

        def look_again() -> Found | None:
            nonlocal missed, next_one
            found, now = look(), time.monotonic()
            if not found and now - began + missed > within + own:
                raise AssertionError(f"{what} did not happen within {within:g} s, {missed:g} s of which were missed")
            if not found and missed + _INTERVAL <= most and now >= next_one:
                self.later(_INTERVAL)
                missed, next_one = missed + _INTERVAL, now + _AT_ONCE
            return found

        return eventually(look_again, within=within + own, what=what)

    def intervals_pass(self, count: int = 2) -> None:
        """Let intervals pass at once: in each, Phase is asked, and what it says has come through."""
        for _ in range(count):
            self.in_time(partial(self._is_asked_after, self.phase.calls()), within=20, what="Phase is asked")
            time.sleep(_AT_ONCE)

    def _is_asked_after(self, calls: int) -> bool:
        return self.phase.calls() > calls

    def until(self, look: Callable[[], Found | None], *, within: float | None = None, what: str) -> Found:
        """Wait until something is seen; intervals that the world's operator can miss are not waited for."""
        if not (hasattr(self, "operator") and self.operator.can_miss):
            return eventually(look, within=within or _PATIENCE, what=what)
        if within is None:
            # What is missed costs no patience.
            return self.in_time(look, within=_PATIENCE, what=what, own=_PATIENCE * 3 / 4)
        return self.in_time(look, within=within, what=what)

    def apply(self, *documents: dict[str, Any]) -> None:
        """Apply documents in the test's namespace, one after the other."""
        for number, document in enumerate(documents):
            if not (self.api.make(document, self.namespace) or self.api.remake(document, self.namespace)):
                # It is there: kubectl knows how to bring it from what was applied last to what is applied now.
                body = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents[number:]})
                self.plane.kubectl("-n", self.namespace, "apply", "-f", "-", stdin=body)
                return

    def token(self, name: str = "phase-service-token", account: str = "operator", form: str = "pss") -> None:
        """Put an account's token into a Secret."""
        text = self.phase.token(account, form=form)  # type: ignore[arg-type]  # the table of tests passes text
        self.apply(secret(name, {"token": text + "\n"}))

    def phase_secret(self, name: str = "shop", **spec: Any) -> None:
        """Apply a PhaseSecret of the shop's production environment, every 5 s, to the Secret `shop`."""
        self.apply(phase_secret(name, self.phase.url, **spec))

    def patch(self, kind: str, name: str, change: dict[str, Any]) -> None:
        """Change an object by a JSON merge patch."""
        self.api.patch(kind, name, self.namespace, change)

    def annotate(self, kind: str, name: str, key: str, text: str | None) -> None:
        """Put an annotation on an object, or take it off with None."""
        self.patch(kind, name, {"metadata": {"annotations": {key: text}}})

    def label(self, kind: str, name: str, key: str, text: str | None) -> None:
        """Put a label on an object, or take it off with None."""
        self.patch(kind, name, {"metadata": {"labels": {key: text}}})

    def delete(self, kind: str, name: str) -> None:
        """Delete an object, and wait for nothing."""
        self.api.delete(kind, name, self.namespace)

    def delete_phase_secret(self, name: str = "shop") -> None:
        """Delete a PhaseSecret, and wait until it is gone."""
        self.delete("phasesecret", name)
        eventually(lambda: self.get("phasesecret", name) is None, what=f"{name} is gone")

    def many(self, count: int = 10, **spec: Any) -> list[str]:
        """Apply PhaseSecrets that ask the same, and return their names when all are ready."""
        names = [f"shop-{number}" for number in range(count)]
        self.apply(*(phase_secret(name, self.phase.url, **spec) for name in names))
        for name in names:
            self.until_ready(name)
        return names

    def until_data(self, names: Iterable[str], **wanted: str) -> None:
        """Wait until the Secrets of these names hold these entries."""
        for name in names:

            def look(name: str = name) -> bool:
                return wanted.items() <= (self.data(name) or {}).items()

            self.until(look, what=f"Secret {name} holds {sorted(wanted)}")

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None."""
        return self.api.get(kind, name, self.namespace)

    def data(self, name: str = "shop") -> dict[str, str] | None:
        """Return a Secret's data decoded, or None."""
        found = self.get("secret", name)
        if found is None:
            return None
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def condition(self, name: str = "shop", kind: str = "Ready") -> dict[str, Any]:
        """Return a condition of a PhaseSecret, or {}."""
        return self._condition(self.get("phasesecret", name) or {}, kind)

    def _condition(self, found: dict[str, Any], kind: str = "Ready") -> dict[str, Any]:
        self.canary.watch(json.dumps(found.get("status") or {}))
        for condition in (found.get("status") or {}).get("conditions") or []:
            if condition["type"] == kind:
                return dict(condition)
        return {}

    def until_ready(self, name: str = "shop") -> dict[str, Any]:
        """Wait until a PhaseSecret is ready for its present generation and return it."""

        def look() -> dict[str, Any] | None:
            found = self.get("phasesecret", name) or {}
            status = found.get("status") or {}
            current = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
            return found if current and self._condition(found).get("status") == "True" else None

        return self.until(look, what=f"{name} becomes ready; last: {self.condition(name)}")

    def until_reason(self, reason: str, name: str = "shop") -> dict[str, Any]:
        """Wait until Ready has a reason and return the condition."""

        def look() -> dict[str, Any] | None:
            found = self.condition(name)
            return found if found.get("reason") == reason else None

        return self.until(look, within=30, what=f"{name} has reason {reason}; last: {self.condition(name)}")

    def no_phase_secrets(self) -> None:
        """Delete every PhaseSecret of the namespace and wait until they are gone."""
        self.api.delete("phasesecrets", namespace=self.namespace)
        eventually(lambda: not self.api.items("phasesecrets", self.namespace), within=60, what="all PhaseSecrets go")

    def events(self) -> list[dict[str, Any]]:
        """Return the namespace's Events about PhaseSecrets."""
        found = self.api.items("events", self.namespace)
        return [each for each in found if each["involvedObject"]["kind"] == "PhaseSecret"]


def deployment(name: str, reads: str, *, replicas: int = 1) -> dict[str, Any]:
    """Return a Deployment whose pods read a Secret."""
    labels = {"app": name}
    container = {"name": "main", "image": "none", "envFrom": [{"secretRef": {"name": reads}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def secret(name: str, data: dict[str, str]) -> dict[str, Any]:
    """Return a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def phase_secret(name: str, url: str, **spec: Any) -> dict[str, Any]:
    """Return a PhaseSecret; `spec` adds to or replaces fields, None takes one out."""
    wanted = {
        "phaseHost": url,
        "phaseApp": "shop",
        "phaseAppEnv": "Production",
        "pollingInterval": _INTERVAL,
        "managedSecretReferences": [{"secretName": name}],
    } | spec
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseSecret",
        "metadata": {"name": name},
        "spec": {key: value for key, value in wanted.items() if value is not None},
    }
