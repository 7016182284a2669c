"""What the API server does to the operator: it goes on in the same process, and catches up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from phase_dev.cluster import ControlPlane, start_control_plane
from phase_dev.server import EmbeddedPhase
from support.canary import Canary
from support.operator_process import REPOSITORY, OperatorProcess, eventually, install, running_operator
from support.world import World

# Access comes and goes, and with it every watch: the catching up is bounded by the longest backoff.
CAUGHT_UP = 25.0


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    with start_control_plane() as plane:
        install(plane)
        yield plane


@pytest.fixture(scope="module")
def sturdy(own_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    with running_operator(own_plane, tmp_path_factory.mktemp("operator")) as process:
        yield process


@pytest.fixture
def harmed(
    own_plane: ControlPlane, sturdy: OperatorProcess, canary: Canary, request: pytest.FixtureRequest
) -> Iterator[World]:
    name = f"fault-{abs(hash(request.node.name)) % 10**8}"
    own_plane.kubectl("create", "namespace", name)
    with EmbeddedPhase() as phase:
        world = World(own_plane, name, phase, canary)
        world.operator = sturdy
        world.token()
        world.phase_secret()
        world.until_ready()
        yield world
        assert sturdy.process.poll() is None
        own_plane.kubectl("-n", name, "delete", "phasesecrets", "--all", check=False)


def catches_up(world: World) -> None:
    """Say that a new resource is taken up, a change in Phase arrives and a hand edit is repaired."""
    world.phase_secret("fresh")
    eventually(lambda: world.data("fresh"), within=CAUGHT_UP, what="a new resource is taken up")
    world.phase.set("shop", "Production", "LOG_LEVEL", "after")
    eventually(lambda: (world.data() or {}).get("LOG_LEVEL") == "after", within=CAUGHT_UP, what="a change arrives")
    world.plane.kubectl("-n", world.namespace, "delete", "secret", "shop")
    eventually(lambda: world.data(), within=CAUGHT_UP, what="a hand edit is repaired")
    eventually(lambda: world.operator.get("/readyz").status_code == 200, within=CAUGHT_UP, what="it is ready again")


def test_the_api_server_is_killed_and_comes_back(harmed: World) -> None:
    server = harmed.plane.program("kube-apiserver")
    server.kill()
    eventually(lambda: harmed.operator.get("/readyz").status_code == 503, what="it says that it is not ready")
    server.start()
    harmed.plane.ready()

    catches_up(harmed)


def test_its_rights_are_taken_away_and_given_back(harmed: World) -> None:
    harmed.plane.kubectl("delete", "clusterrolebinding", "phase-operator")
    harmed.plane.program("kube-apiserver").restart()
    harmed.plane.ready()
    eventually(lambda: harmed.operator.get("/readyz").status_code == 503, what="it says that it is not ready")

    overlay = str(REPOSITORY / "deploy/overlays/cluster-wide")
    harmed.plane.kubectl("apply", "--server-side", "--force-conflicts", "-k", overlay)

    catches_up(harmed)


def test_the_crd_is_deleted_and_made_again(harmed: World) -> None:
    target = harmed.data()
    harmed.plane.kubectl("delete", "crd", "phasesecrets.secrets.phase.dev")
    assert harmed.data() == target

    crd = Path(REPOSITORY / "crds/secrets.phase.dev_phasesecrets.yaml")
    harmed.plane.kubectl("apply", "--server-side", "-f", str(crd))
    harmed.plane.kubectl("wait", "--for=condition=Established", "crd/phasesecrets.secrets.phase.dev", "--timeout=20s")
    harmed.phase_secret()

    catches_up(harmed)
