"""What namespaces cost in memory when Roles let the operator into each of them: `python -m bench.namespaces`.

Starts a control plane and, one after another, an operator that watches the whole cluster and operators that watch so
many of its namespaces; each has nothing to do.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.__main__ import rss
from phase_dev.cluster import ControlPlane, start_control_plane
from support.operator_process import install, running_operator
from support.roles import namespaces, roles_in

HOME = "phase-roles"


def measured(plane: ControlPlane, folder: Path, python: Path, names: list[str], wait: float) -> tuple[float, int]:
    """Return the MiB that an operator takes, and its connections to the API server; no names mean the whole cluster."""
    flags = [part for name in names for part in ("--namespace", name)]
    home = HOME if names else "phase-system"
    with running_operator(plane, folder, *flags, home=home, python=python, patience=120) as operator:
        time.sleep(wait)
        return rss(operator), _connections(operator.process.pid)


def _connections(pid: int) -> int:
    return sum(1 for each in Path(f"/proc/{pid}/fd").iterdir() if "socket:" in str(each.readlink()))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--python", type=Path, default=Path(sys.executable))
    arguments.add_argument("--sizes", type=int, nargs="*", default=[0, 1, 50, 300])
    arguments.add_argument("--wait", type=float, default=8.0, help="seconds after the operator is ready")
    options = arguments.parse_args()
    with start_control_plane(controllers=False, nodes=0) as plane, tempfile.TemporaryDirectory() as folder:
        install(plane)
        roles = roles_in(plane, HOME)
        with namespaces(plane, "many", max(options.sizes)) as names:
            roles.let_into(names)
            for size in options.sizes:
                memory, sockets = measured(plane, Path(folder), options.python, names[:size], options.wait)
                print(f"{size or 'all'} namespaces: {memory:.1f} MiB, {sockets} sockets", flush=True)


if __name__ == "__main__":
    main()
