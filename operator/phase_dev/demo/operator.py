"""The operator as a process of its own, under its ServiceAccount."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from phase_dev.shell.processes import Process

HOME = "phase-system"
ACCOUNT = "phase-operator"


def operator_process(
    name: str, kubeconfig: Path, folder: Path, group: int, ports: Sequence[int], env: Mapping[str, str], *flags: str
) -> Process:
    """Return an operator that is not started yet; `ports` are those of its health and its metrics."""
    command = [sys.executable, "-m", "phase_operator", "run", f"--kubeconfig={kubeconfig}", f"--pod-namespace={HOME}"]
    command += ["--host=127.0.0.1", f"--health-port={ports[0]}", f"--metrics-port={ports[1]}", "--log-format=text"]
    # Phase is on this machine: no proxy leads there. A cluster of the user's may need one.
    own_env = {key: value for key, value in env.items() if not key.startswith("PHASE_OPERATOR_")}
    own_env["NO_PROXY"] = own_env["no_proxy"] = ",".join(filter(None, [env.get("NO_PROXY"), "127.0.0.1"]))
    return Process(name, [*command, *flags], log=folder / f"{name}.log", group=group, env=own_env)
