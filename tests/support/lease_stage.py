"""What a test of leases says about the world, a line each: a PhaseDynamicSecret, its ledger, and Phase's leases."""

import sys
from dataclasses import dataclass
from typing import Any

from phase_dev.server.model import Lease
from support.followers import SETTLE
from support.operator_process import eventually
from support.own_operators import OwnOperators

NAME, RECORD = "uploads", "secrets.phase.dev/lease"
TARGET = "uploads-aws"
KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@dataclass
class LeaseStage(OwnOperators):
    """A namespace with PhaseDynamicSecrets."""

    kind, usual_name = "PhaseDynamicSecret", NAME

    @property
    def usual_flags(self) -> tuple[str, ...]:
        """Have workloads restarted soon."""
        return SETTLE

    def dynamic_secret(self, name: str = NAME, **spec: Any) -> None:
        """Apply a PhaseDynamicSecret of the shop's bucket, whose target is `uploads-aws`."""
        self.apply(dynamic_secret(name, self.phase.url, **spec))

    def ledger(self, name: str = NAME) -> list[dict[str, Any]]:
        """Return the rows of its ledger."""
        return list((self.resource(name).get("status") or {}).get("leases") or [])

    def until_serving(self, name: str = NAME, within: float = 30.0) -> dict[str, Any]:
        """Wait until it is ready for its present generation, and return it."""
        return self.until_current(name, within=within)

    def until_rows(self, *states: str, name: str = NAME, within: float = 30.0) -> list[dict[str, Any]]:
        """Wait until the ledger has leases in exactly these states, and return its rows."""

        def look() -> list[dict[str, Any]] | None:
            found = self.ledger(name)
            return found if [each["state"] for each in found] == list(states) else None

        return eventually(look, within=within, what=f"{name} has {states}; last: {self.ledger(name)}")

    def records(self) -> list[str]:
        """Return the names of the Secrets that keep credentials of leases."""
        found = self.api.items("secrets", self.namespace)
        return sorted(each["metadata"]["name"] for each in found if each.get("type") == RECORD)

    def live(self) -> list[Lease]:
        """Return the leases whose users at the cloud provider exist, without waiting for anything."""
        return self.phase.leases.live()

    def held(self, target: str = TARGET) -> str:
        """Return the id of the lease whose credentials a target holds; "" if they open nothing."""
        data = self.data(target) or {}
        user = self.phase.leases.opens(data.get("AWS_ACCESS_KEY_ID", ""), data.get("AWS_SECRET_ACCESS_KEY", ""))
        return next((each.id for each in self.live() if user is not None and each.user == user.name), "")

    def until_quiet(self, *names: str, within: float = 60.0) -> None:
        """Wait until the leases that live are those in ledgers, and each ledger has its record."""

        def look() -> bool:
            rows = [row for name in names or (NAME,) for row in self.ledger(name)]
            at_rest = all(row["state"] in ("Active", "Retiring") for row in rows)
            ids = sorted(row.get("id", "") for row in rows)
            return at_rest and ids == sorted(each.id for each in self.live()) and len(self.records()) == len(rows)

        eventually(look, within=within, what=f"what lives is in ledgers: {self.ledger()}, {self.live()}")

    def tell(self, when: str) -> None:
        """Print what is at Phase and what ledgers name: `pytest -rP` shows it."""
        leases, resources = self.phase.leases, self.api.items("phasedynamicsecrets", self.namespace)
        ledgers = [(each.get("status") or {}).get("leases") or [] for each in resources]
        named = {row["id"] for rows in ledgers for row in rows if "id" in row}
        live = {each.id for each in self.live()}
        counts = {
            "made": len(leases.all()),
            "alive": len(live),
            "of them in a ledger": len(live & named),
            "users": len(leases.users()),
            "records": len(self.records()),
        }
        sys.stdout.write(f"{when}: " + ", ".join(f"{number} {what}" for what, number in counts.items()) + "\n")

    def no_leases(self) -> None:
        """Delete every PhaseDynamicSecret of the namespace and wait until they are gone."""
        self.tell("at rest")
        self.none_left()


def dynamic_secret(name: str, url: str, **spec: Any) -> dict[str, Any]:
    """Return a PhaseDynamicSecret; `spec` adds to or replaces fields, None takes one out."""
    wanted = {
        "phaseHost": url,
        "phaseApp": "shop",
        "phaseAppEnv": "Production",
        "phaseAppEnvPath": "/aws",
        "dynamicSecret": "media-bucket",
        "managedSecretReferences": [{"secretName": f"{name}-aws"}],
    } | spec
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseDynamicSecret",
        "metadata": {"name": name},
        "spec": {key: value for key, value in wanted.items() if value is not None},
    }
