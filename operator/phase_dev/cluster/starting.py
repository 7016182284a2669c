"""Go from a wish to a running control plane: find or build the programs, then start them."""

import os
import sys
from collections.abc import Mapping

from phase_dev.cluster.catalog import needed
from phase_dev.cluster.folders import Folders
from phase_dev.cluster.plane import ControlPlane
from phase_dev.cluster.programs import obtain
from phase_dev.cluster.progress import Progress
from phase_dev.cluster.waiting import Patience


def start_control_plane(
    *,
    controllers: bool = False,
    nodes: int = 0,
    env: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> ControlPlane:
    """Return a control plane that is ready; close it, or use it as a context manager.

    Nodes bring the controllers along: without them no pod is made or scheduled. `progress.check` is asked on the way,
    so that a wait or a build can be given up.
    """
    own_env = os.environ if env is None else env
    own_progress = progress or Progress(sys.stderr)
    found = obtain(needed(controllers=controllers or nodes > 0, nodes=nodes), own_env, own_progress)
    return ControlPlane.start(
        {name: program.path for name, program in found.items()},
        nodes=nodes,
        env=own_env,
        ports=Folders.of(own_env).ports,
        patience=Patience(check=own_progress.check),
    )
