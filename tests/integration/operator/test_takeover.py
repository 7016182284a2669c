"""A cluster that an older version ran is taken over as it is: nothing is written, read or restarted for it."""

from pathlib import Path

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.bare_plane import bare_plane
from support.operator_process import eventually, install, running_operator
from support.recorded import FLAGS, HOST, PORT, Recording, record

RECORDINGS = sorted((Path(__file__).parents[2] / "recorded").glob("*.json.gz"))
SECRETS = "/v1/secrets/"
ENVIRONMENTS = "/v1/environments/"
# `no-entries` and `foreign` are not ready: a new process reads once what each of them asks for.
ASKED_AGAIN = 2


@pytest.mark.controlplane
@pytest.mark.parametrize("file", [pytest.param(each, id=each.name.split(".")[0]) for each in RECORDINGS])
def test_a_version_leaves_nothing_to_do_for_this_one(file: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    recording = Recording.load(file)
    state = tmp_path / "phase.sqlite"
    state.write_bytes(recording.phase)
    with bare_plane(pytestconfig) as plane, EmbeddedPhase(host=HOST, port=PORT, state=state) as phase:
        install(plane)
        recording.put_back(plane)
        assert _changed(recording, plane, state) == []

        with running_operator(plane, tmp_path, *FLAGS) as operator:
            eventually(lambda: phase.calls(route=ENVIRONMENTS) >= 4, within=60, what="Phase is probed twice an app")

            reads = {env: phase.calls(route=SECRETS, env=env) for env in ("Development", "Production")}
            assert "Traceback" not in operator.log
        assert _changed(recording, plane, state) == []
        assert reads["Development"] == 0
        assert reads["Production"] <= ASKED_AGAIN


def _changed(recording: Recording, plane: ControlPlane, state: Path) -> list[str]:
    """Return the keys of the objects that are not, to the byte, what was recorded."""
    now = record(plane, state).objects
    own = {key for key in recording.objects | now if "phase-system" not in key}
    return sorted(key for key in own if recording.objects.get(key) != now.get(key))
