"""kubectl, pointed at one cluster.

Rule: the demo does nothing to a cluster that a person could not do with kubectl.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phase_dev.cluster.access import Completed, run_client
from phase_dev.shell.errors import ToolError


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

    def phase(self, *arguments: str, stdin: str | None = None) -> Completed:
        """Run `kubectl phase` of this checkout; return what it said, also if the answer is no."""
        # Phase is on this machine: no proxy leads there.
        here = ",".join(filter(None, [self.env.get("NO_PROXY"), "127.0.0.1"]))
        env = {**self.env, "NO_PROXY": here, "no_proxy": here}
        program = Path(sys.executable)
        done = run_client(program, "-m", "phase_operator", *arguments, env=env, stdin=stdin, check=False, timeout=60.0)
        if done.returncode not in (0, 1):
            raise ToolError(f"kubectl phase {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def find(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any] | None:
        """Return an object, or None if there is none."""
        said = self("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json").stdout
        return json.loads(said) if said.strip() else None

    def apply(self, *documents: Mapping[str, Any]) -> None:
        """Apply documents."""
        self("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
