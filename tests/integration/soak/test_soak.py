"""A minute in which edges fail and the leader is killed: no update is missed, no status wrong, no restart doubled."""

import pytest

from bench import fleet
from phase_dev.cluster import ControlPlane
from soak.__main__ import main
from support.namespaces import no_namespace_stays
from support.operator_process import install_once

# One for each environment.
SIZE = fleet.APPS * len(fleet.ENVIRONMENTS)
# Seconds between changes.
PAUSE = 0.8


@pytest.mark.controlplane
@pytest.mark.timeout(420)
def test_nothing_goes_wrong_in_a_minute(control_plane: ControlPlane) -> None:
    install_once(control_plane)
    words = ["--minutes", "1", "--resources", f"{SIZE}", "--kill-every", "25", "--pause", f"{PAUSE}"]

    with no_namespace_stays(control_plane):
        assert main(words, control_plane) == 0
