"""kubectl, pointed at one cluster.

Rule: the demo does nothing to a cluster that a person could not do with kubectl.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phase_dev.cluster.access import Completed, run_client


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A kubectl with the environment that leads it to its cluster."""

    program: Path
    env: Mapping[str, str]

    def __call__(
        self, *arguments: str | Path, stdin: str | None = None, check: bool = True, timeout: float = 60.0
    ) -> Completed:
        """Run it and return what it said; raise CommandFailed."""
        return run_client(self.program, *arguments, env=self.env, stdin=stdin, check=check, timeout=timeout)

    def find(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any] | None:
        """Return an object, or None if there is none."""
        said = self("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json").stdout
        return json.loads(said) if said.strip() else None

    def apply(self, *documents: Mapping[str, Any]) -> None:
        """Apply documents."""
        self("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
