"""The last act of the show: a dynamic secret is leased, rolled over, and the first lease is given back.

Rule: a key counts as valid only if the cloud of the embedded Phase says so; no key is ever printed.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from phase_dev.demo.kubectl import Kubectl
from phase_dev.demo.stage import NAMESPACE
from phase_dev.shell.errors import ToolError
from phase_dev.shell.loopback import ask

NAME = "uploads"
# The shortest life that Phase accepts, and a roll-over that leaves its target alone for longer than the ten seconds
# after which the restarter looks whether a lease may be given back: a show has to be short.
_LIFE, _ROLL_OVER = 60, 25
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Leases:
    """The act; `until` waits for a look and returns the seconds that it took, `line` says a sentence."""

    phase_url: str
    kubectl: Kubectl
    until: Callable[[str, Callable[[], bool], float], float]
    line: Callable[[str], None]

    def run(self) -> None:
        """Show a lease that is rolled over; raise ToolError when something does not come about."""
        self._control("POST", "dynamic", {"app": "shop", "env": "Production", "settings": {"name": NAME}})
        self.kubectl.apply(phase_dynamic_secret(self.phase_url))
        took = self.until("the dynamic secret is leased", lambda: self._opens(self._key()), _PATIENCE)
        first = self._key()
        self.line(f"leased, and its AWS key is in the Secret {NAME}, after {took:.2f} s; the key is valid: yes")
        self.line(f"leaseTTL is {_LIFE}, rolloverPercent {_ROLL_OVER}")
        took = self.until("the lease is rolled over", lambda: self._key() not in (first, ("", "")), _PATIENCE)
        second = self._key()
        self._expect(self._opens(second), "the second key is not valid")
        self.line(f"another key is in the Secret after {took:.2f} s; it is valid: yes")
        took = self.until("the first lease is given back", lambda: not self._opens(first), _PATIENCE)
        self.line(f"the first lease was given back {took:.2f} s later; its key is valid: no")
        # One that serves; its successor lives already, if the machine is slow.
        self.until("the ledger names the leases that live", lambda: self._living() == self._named(), _PATIENCE)
        self.line("leases that live at Phase are those that the PhaseDynamicSecret names: yes")

    def _living(self) -> int:
        found: int = self._control("GET", "leases")["live"]
        return found

    def _named(self) -> int:
        found = self.kubectl.find("phasedynamicsecret", NAME, NAMESPACE) or {}
        return len((found.get("status") or {}).get("leases") or [])

    def _key(self) -> tuple[str, str]:
        data = (self.kubectl.find("secret", NAME, NAMESPACE) or {}).get("data") or {}
        key_id, secret = (
            base64.b64decode(data.get(each, "")).decode() for each in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        )
        return key_id, secret

    def _opens(self, key: tuple[str, str]) -> bool:
        """Return whether the cloud takes a key."""
        body = {"access_key_id": key[0], "secret_access_key": key[1]}
        return bool(key[0]) and self._control("POST", "cloud/check", body)["user"] is not None

    def _control(self, method: str, place: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = ask(method, f"{self.phase_url}/_control/{place}", body=body)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            raise ToolError(otherwise)


def phase_dynamic_secret(url: str) -> Mapping[str, Any]:
    """Return the PhaseDynamicSecret of the show."""
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseDynamicSecret",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "phaseHost": url,
            "phaseApp": "shop",
            "phaseAppEnv": "production",
            "dynamicSecret": NAME,
            "leaseTTL": _LIFE,
            "rolloverPercent": _ROLL_OVER,
            "overlap": 0,
            "managedSecretReferences": [{"secretName": NAME}],
        },
    }
