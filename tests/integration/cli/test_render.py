"""`render` asks an embedded Phase, with a token of a file or of the cluster, and needs nothing else of a cluster."""

from pathlib import Path

import pytest
from click.testing import Result

from phase_dev import documents
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from phase_operator.api import names
from support.canary import Canary
from support.cli_files import resource, written
from support.person import Person, administrator, person
from support.world import World, secret


@pytest.fixture
def world(installed: ControlPlane, phase: EmbeddedPhase, namespace: str, canary: Canary) -> World:
    for form in ("hex", "pss"):
        canary.token(phase.token("operator", form=form))
    world = World(installed, namespace, phase, canary)
    phase.set("shop", "production", "DB_URL", canary.value("value"), path=f"/{namespace}")
    return world


@pytest.fixture
def nowhere(tmp_path: Path, canary: Canary) -> Person:
    """Somebody without a cluster."""
    return Person(tmp_path / "no-such-kubeconfig", canary)


def file_of(world: World, folder: Path, **fields: object) -> str:
    spec = {
        "phaseHost": world.phase.url,
        "phaseApp": "shop",
        "phaseAppEnv": "production",
        "phaseAppEnvPath": f"/{world.namespace}",
        "managedSecretReferences": [{"secretName": "shop"}],
    }
    return written(folder, resource(spec | fields, namespace=world.namespace))


def token_of(world: World, folder: Path) -> str:
    path = folder / "token"
    path.write_text(world.phase.token("operator", form="pss"))
    return str(path)


def keys_of(result: Result) -> dict[str, list[str]]:
    return {each["metadata"]["name"]: list(each["data"]) for each in documents.load_all(result.stdout)}


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_phase_is_asked_without_a_cluster(world: World, nowhere: Person, tmp_path: Path, is_encrypted: bool) -> None:
    world.phase.turn_sse("shop", on=not is_encrypted)

    result = nowhere.does(
        *("render", "-f", file_of(world, tmp_path), "--token-file", token_of(world, tmp_path)),
        *("--host", world.phase.url),
        code=0,
    )

    world.phase.turn_sse("shop", on=True)
    assert keys_of(result) == {"shop": ["DB_URL"]}


def test_a_token_comes_by_the_standard_input(world: World, nowhere: Person, tmp_path: Path) -> None:
    token = world.phase.token("operator", form="pss")
    arguments = ("render", "-f", file_of(world, tmp_path), "--token-stdin", "--host", world.phase.url)

    assert keys_of(nowhere.does(*arguments, stdin=token, code=0)) == {"shop": ["DB_URL"]}


def test_a_person_who_may_read_the_tokens_secret_needs_no_token(world: World, canary: Canary, tmp_path: Path) -> None:
    world.token()
    arguments = ("render", "-f", file_of(world, tmp_path), "--token-from-cluster", "--host", world.phase.url)

    found = person(world.plane, world.namespace, canary, "edit").does(*arguments, code=0)

    assert keys_of(found) == {"shop": ["DB_URL"]}
    for role in ("view", None):
        refused = person(world.plane, world.namespace, canary, role).does(*arguments, code=1)
        assert f"you have no right to get secrets/{names.DEFAULT_TOKEN_SECRET}" in refused.stderr
        assert "kind: Role\n" in refused.stderr


def test_no_cluster_is_an_exit_code_of_its_own(world: World, nowhere: Person, tmp_path: Path) -> None:
    found = nowhere.does("render", "-f", file_of(world, tmp_path), "--token-from-cluster", code=3)

    assert "kubeconfig" in found.stderr


def test_a_token_goes_nowhere_that_the_person_or_its_secret_did_not_allow(
    world: World, canary: Canary, nowhere: Person, tmp_path: Path
) -> None:
    bound = secret(names.DEFAULT_TOKEN_SECRET, {"token": world.phase.token("operator", form="pss")})
    bound["metadata"]["annotations"] = {names.ANNOTATION_ALLOWED_HOSTS: "https://other.example"}
    world.apply(bound)
    file, admin = file_of(world, tmp_path), administrator(world.plane, canary)
    before = world.phase.calls()

    own = nowhere.does("render", "-f", file, "--token-file", token_of(world, tmp_path), code=2)
    of_cluster = admin.does("render", "-f", file, "--token-from-cluster", "--host", world.phase.url, code=4)

    assert f"only with --host {world.phase.url}" in own.stderr
    assert "HostRefused" in of_cluster.stderr
    assert world.phase.calls() == before


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"phaseApp": "no-such-app"}, "AppNotFound"),
        ({"phaseAppEnv": "no-such-environment"}, "EnvironmentNotFound"),
    ],
)
def test_a_refusal_of_phase_has_an_exit_code_of_its_own(
    world: World, nowhere: Person, tmp_path: Path, fields: dict[str, str], reason: str
) -> None:
    found = nowhere.does(
        *("render", "-f", file_of(world, tmp_path, **fields), "--token-file", token_of(world, tmp_path)),
        *("--host", world.phase.url),
        code=4,
    )

    assert reason in found.stderr
    assert found.stdout == ""


def test_a_phase_that_does_not_answer_is_an_exit_code_of_its_own(world: World, nowhere: Person, tmp_path: Path) -> None:
    url = "https://127.0.0.1:1"
    file = file_of(world, tmp_path, phaseHost=url)

    found = nowhere.does("render", "-f", file, "--token-file", token_of(world, tmp_path), "--host", url, code=4)

    assert "PhaseUnavailable" in found.stderr
