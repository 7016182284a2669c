"""`sync`, `suspend`, `resume`, `tree`, `trace` and `uninstall` on a real API server with an operator at work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.bare_plane import bare_plane
from support.canary import Canary
from support.cluster_fixture import new_namespace
from support.followers import SETTLE
from support.lease_stage import dynamic_secret
from support.operator_process import OperatorProcess, eventually, install, running_operator
from support.person import Person, administrator, person
from support.push_stage import push_secret
from support.world import World, deployment, secret

# Nothing is read for its interval while a test runs.
_NEVER = 3600


@pytest.fixture(scope="module")
def operator(
    installed: ControlPlane, phase: EmbeddedPhase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    flags = ("--push", "true", "--allow-phase-host", phase.url, *SETTLE)
    with running_operator(installed, tmp_path_factory.mktemp("operator"), *flags) as operator:
        yield operator


@pytest.fixture
def world(
    installed: ControlPlane, phase: EmbeddedPhase, namespace: str, canary: Canary, operator: OperatorProcess
) -> World:
    canary.token(phase.token("operator", form="hex"))
    world = World(installed, namespace, phase, canary)
    world.operator = operator
    world.token()
    for key in ("DB_URL", "API_KEY"):
        phase.set("shop", "production", key, canary.value(key), path=f"/{namespace}")
    return world


@pytest.fixture
def admin(world: World) -> Person:
    return administrator(world.plane, world.canary)


def make(world: World, name: str = "shop", **spec: object) -> None:
    """Apply a PhaseSecret of the test's own folder, and wait until it is in step."""
    fields = {"phaseAppEnvPath": f"/{world.namespace}", "pollingInterval": _NEVER} | spec
    world.phase_secret(name, **fields)
    world.until_ready(name)


@contextmanager
def frozen(operator: OperatorProcess) -> Iterator[None]:
    """Have an operator do nothing until the block ends, as if it did not run."""
    operator.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        operator.process.send_signal(signal.SIGCONT)


def test_a_sync_reads_now_and_names_the_keys_that_changed(world: World) -> None:
    make(world)
    editor = person(world.plane, world.namespace, world.canary, "edit")
    world.phase.set("shop", "production", "DB_URL", world.canary.value("new url"), path=f"/{world.namespace}")
    world.phase.set("shop", "production", "NEW", world.canary.value("new"), path=f"/{world.namespace}")

    told = editor.does("sync", "shop", code=0).stdout

    place = world.namespace
    assert told == f"PhaseSecret {place}/shop: ready\n  Secret {place}/shop: + NEW, ~ DB_URL\n"
    assert (world.data() or {})["DB_URL"] == world.canary.value("new url")


def test_a_sync_that_ends_not_ready_says_the_reason(world: World, admin: Person) -> None:
    world.phase_secret("lost", phaseAppEnv="nosuch", pollingInterval=_NEVER)
    world.until_reason("EnvironmentNotFound", "lost")

    told = admin.does("sync", "lost", "-n", world.namespace, code=1).stdout

    assert "not ready: EnvironmentNotFound" in told


def test_a_sync_without_an_operator_times_out_and_names_what_is_left(
    world: World, admin: Person, operator: OperatorProcess
) -> None:
    make(world)

    with frozen(operator):
        result = admin.does("sync", "shop", "-n", world.namespace, "--timeout", "2", code=5)

    assert f"PhaseSecret {world.namespace}/shop: nothing came of it in 2 s" in result.stdout
    assert "waiting for" in result.stderr


def test_a_viewer_is_told_which_role_a_sync_takes(world: World) -> None:
    make(world)
    viewer = person(world.plane, world.namespace, world.canary, "view")
    nobody = person(world.plane, world.namespace, world.canary, None)

    told = viewer.does("sync", "shop", code=1).stderr

    assert f"no right to patch phasesecrets.secrets.phase.dev/shop in namespace {world.namespace}" in told
    assert "kind: Role" in told
    assert "Traceback" not in told
    assert "get phasesecrets" in nobody.does("sync", "shop", code=1).stderr
    assert "get phasesecrets" in nobody.does("tree", "shop", code=1).stderr
    assert "get secrets" in nobody.does("trace", "secret/shop", code=1).stderr


def test_a_suspended_resource_is_left_alone_until_it_is_resumed(world: World, admin: Person) -> None:
    make(world)
    place = ("-n", world.namespace)

    first = admin.does("suspend", "shop", "--reason", "a migration", "--wait", *place, code=0).stdout
    again = admin.does("suspend", "shop", *place, code=0).stdout
    refused = admin.does("sync", "shop", *place, code=1).stdout
    passed_over = admin.does("sync", "--all", *place, code=0).stdout
    world.phase.set("shop", "production", "DB_URL", world.canary.value("later"), path=f"/{world.namespace}")
    tree = admin.does("tree", "shop", *place, code=0).stdout
    resumed = admin.does("resume", "shop", "--wait", *place, code=0).stdout

    name = f"PhaseSecret {world.namespace}/shop"
    assert first == f"{name}: suspended\n{name}: suspended\n"
    assert again == f"{name}: already suspended\n"
    assert f"{name}: suspended, so it is not read" in refused
    assert passed_over == refused
    assert "because: a migration" in tree
    assert resumed == f"{name}: resumed\n{name}: ready\n"
    assert (world.data() or {})["DB_URL"] == world.canary.value("later")
    found = world.get("phasesecret", "shop") or {}
    assert "suspend" not in found["spec"]
    assert "secrets.phase.dev/suspended-because" not in found["metadata"]["annotations"]


def test_a_change_that_a_gitops_tool_would_undo_is_told(world: World, admin: Person) -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    for name, spec in {"says": {"suspend": False}, "silent": {}}.items():
        document = {
            "apiVersion": "secrets.phase.dev/v1alpha1",
            "kind": "PhaseSecret",
            "metadata": {"name": name, "labels": labels},
            "spec": {"phaseApp": "shop", "managedSecretReferences": [{"secretName": name}], **spec},
        }
        world.api.apply(document, world.namespace, "kustomize-controller")

    told = admin.does("suspend", "--all", "-n", world.namespace, code=0).stderr

    lines = dict(line.split(": ", 1) for line in told.splitlines())
    assert "will undo this" in lines[f"PhaseSecret {world.namespace}/says"]
    assert "this stays" in lines[f"PhaseSecret {world.namespace}/silent"]


def test_a_tree_leads_from_phase_to_the_workloads(world: World, admin: Person) -> None:
    make(world, managedSecretReferences=[{"secretName": "shop", "restart": {"workloads": "All"}}])
    world.apply(deployment("web", "shop"), deployment("other", "elsewhere"))

    told = admin.does("tree", "shop", "--workloads", "-n", world.namespace, code=0).stdout
    by_object = admin.does("tree", "secret/shop", "--workloads", "-n", world.namespace, code=0).stdout
    tree = admin.reads("tree", "shop", "-n", world.namespace)

    assert told == (
        f"Phase shop/Production:/{world.namespace}: at {world.phase.url}, 2 entries\n"
        f"└─ PhaseSecret {world.namespace}/shop: ready\n"
        "   └─ Secret shop: in step, 2 keys\n"
        "      └─ Deployment web: reads all keys, follows it\n"
    )
    assert by_object == told
    [resource] = tree["children"]
    assert (resource["kind"], resource["ready"], resource["children"][0]["keys"]) == ("PhaseSecret", True, 2)


def test_the_tree_of_a_push_leads_from_its_sources_to_phase(world: World, admin: Person) -> None:
    world.apply(secret("db", {"URL": world.canary.value("url")}))
    world.apply(push_secret("to-phase", world.phase.url, f"/{world.namespace}-pushed"))
    eventually(lambda: world._condition(world.get("phasepushsecret", "to-phase") or {}).get("status") == "True")

    told = admin.does("tree", "pps/to-phase", "-n", world.namespace, code=0).stdout
    synced = admin.does("sync", "pps/to-phase", "-n", world.namespace, code=0).stdout

    assert told == (
        "┌─ Secret db: 1 entry\n"
        f"PhasePushSecret {world.namespace}/to-phase: ready\n"
        f"└─ Phase shop/production:/{world.namespace}-pushed: at {world.phase.url}, 1 of 1 in step\n"
        f"   └─ /{world.namespace}-pushed/URL: of Secret/db, version 1\n"
    )
    assert synced == f"PhasePushSecret {world.namespace}/to-phase: ready; no key changed\n"
    assert admin.does("tree", "secret/db", "-n", world.namespace, code=0).stdout == told


def test_a_key_is_traced_to_its_entry(world: World, admin: Person) -> None:
    make(world, managedSecretReferences=[{"secretName": "shop", "nameTransformer": "lower-kebab"}])
    world.apply(secret("own", {"KEY": world.canary.value("own")}))
    place = ("-n", world.namespace)

    found = dict(line.split("   ", 1) for line in admin.does("trace", "secret/shop#db-url", *place).stdout.splitlines())
    lines = {label.strip(): said.strip() for label, said in found.items()}

    assert lines["written by"] == f"PhaseSecret {world.namespace}/shop: ready"
    assert lines["entry"] == f"DB_URL, spelt lower-kebab in /{world.namespace}"
    assert lines["held by"].startswith("phase-operator (Apply, ")
    assert "kubectl-client-side-apply" in lines["spec written by"]
    assert "has no key" in admin.does("trace", "secret/shop#NONE", *place, code=1).stdout
    assert "nobody of ours" in admin.does("trace", "secret/own", *place, code=1).stdout
    assert 'no Secret "none"' in admin.does("trace", "secret/none", *place, code=1).stderr


def leaving(world: World) -> None:
    """Apply a resource of each sort that takes something along when it is deleted."""
    world.apply(secret("shared", {"THEIRS": world.canary.value("theirs")}))
    make(
        world,
        managedSecretReferences=[
            {"secretName": "whole", "deletionPolicy": "Delete"},
            {"secretName": "shared", "creationPolicy": "Merge", "adopt": True},
            {"secretName": "kept"},
        ],
    )
    world.phase_secret("idle", phaseAppEnvPath=f"/{world.namespace}", pollingInterval=_NEVER, managedSecretReferences=[
        {"secretName": "idle", "deletionPolicy": "Delete"}])  # fmt: skip
    world.until_ready("idle")
    target = [{"secretName": "uploads-aws", "deletionPolicy": "Delete"}]
    world.apply(dynamic_secret("uploads", world.phase.url, managedSecretReferences=target))
    eventually(lambda: world._condition(world.get("phasedynamicsecret", "uploads") or {}).get("status") == "True")
    world.api.apply(
        {
            "apiVersion": "secrets.phase.dev/v1alpha1",
            "kind": "PhaseSecret",
            "metadata": {"name": "idle"},
            "spec": {"suspend": True},
        },
        world.namespace,
        "tests",
    )


def held(world: World) -> dict[str, dict[str, str] | None]:
    return {name: world.data(name) for name in ("whole", "shared", "kept", "idle", "uploads-aws")}


def none_left(world: World) -> bool:
    kinds = ("phasesecrets", "phasedynamicsecrets", "phasepushsecrets")
    return not any(world.api.items(kind, world.namespace) for kind in kinds)


def collector_knows(world: World) -> None:
    """Wait for the garbage collector, which ends each deletion that leaves what a resource owns.

    It looks for new kinds every 30 s, and those of a cluster that has just begun are new.
    """
    world.phase_secret("known", suspend=True)
    world.plane.kubectl("-n", world.namespace, "delete", "phasesecret", "known", "--cascade=orphan", "--timeout=40s")


def test_an_uninstall_keeps_every_target(world: World, admin: Person) -> None:
    collector_knows(world)
    leaving(world)
    before = held(world)
    flags = ("uninstall", "--keep-secrets", "--yes", "-n", world.namespace, "--timeout", "20")

    shown = admin.does(*flags, "--dry-run", code=0).stdout
    untouched = world.api.items("phasesecrets", world.namespace)
    done = admin.does(*flags, code=0).stdout

    assert [len(untouched), none_left(world)] == [2, True]
    assert '"shared", "whole"' in shown
    assert "5 Secrets and ConfigMaps are there" in done
    assert_kept(world, before)


def assert_kept(world: World, before: dict[str, dict[str, str] | None]) -> None:
    """Check that every target is as it was, and that nothing will collect it."""
    assert held(world) == before
    assert all(before.values())
    secrets = world.api.items("secrets", world.namespace)
    assert [each["metadata"]["name"] for each in secrets if each["metadata"].get("ownerReferences")] == []


@pytest.mark.parametrize(
    "command",
    [
        ("tree", "shop"),
        ("trace", "secret/shop"),
        ("sync", "shop"),
        ("suspend", "--all"),
        ("resume", "shop"),
        ("uninstall", "--keep-secrets"),
    ],
    ids=lambda each: each[0],
)
def test_a_cluster_that_does_not_answer_is_one_line_and_exit_code_3(
    command: tuple[str, ...], installed: ControlPlane, canary: Canary, tmp_path: Path
) -> None:
    lost = tmp_path / "kubeconfig"
    lost.write_text(installed.kubeconfig.read_text().replace(installed.url, "https://127.0.0.1:1"))

    told = Person(lost, canary).does(*command, code=3)

    [line] = told.output.splitlines()
    assert line.startswith("kubectl phase: the API server at https://127.0.0.1:1 does not answer")


def test_a_resource_that_is_not_there_is_one_line_and_exit_code_1(world: World, admin: Person) -> None:
    for command in (("tree", "none"), ("sync", "pps/none"), ("suspend", "none"), ("resume", "pds/none")):
        [line] = admin.does(*command, "-n", world.namespace, code=1).output.splitlines()
        assert '"none" in namespace' in line


def test_an_uninstall_asks_first(world: World, admin: Person) -> None:
    make(world)

    result = admin.does("uninstall", "--keep-secrets", "-n", world.namespace, code=1, stdin="")
    usage = admin.does("uninstall", "-n", world.namespace, code=2)

    assert "nothing was done" in result.stderr
    assert "--keep-secrets" in usage.stderr
    assert world.get("phasesecret", "shop") is not None
    assert (world.data() or {}).keys() == {"DB_URL", "API_KEY"}


def test_an_uninstall_with_the_crds_leaves_the_targets_and_nothing_of_the_operator(
    canary: Canary, phase: EmbeddedPhase, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    # Without controllers: it is the API server that deletes, and nobody has to be waited for.
    with bare_plane(pytestconfig) as plane, new_namespace(plane) as namespace:
        install(plane)
        world, admin = World(plane, namespace, phase, canary), administrator(plane, canary)
        world.token()
        phase.set("shop", "production", "DB_URL", canary.value("url"), path=f"/{namespace}")
        with running_operator(plane, tmp_path) as operator:
            world.operator = operator
            make(world)
            world.no_phase_secrets()
            shown = admin.does("uninstall", "--keep-secrets", "--crds", "--dry-run", code=0).stdout
            done = admin.does("uninstall", "--keep-secrets", "--crds", "--yes", code=0).stdout
        again = admin.does("uninstall", "--keep-secrets", "--crds", "--yes", code=0).stdout
        missing = admin.does("sync", "--all", "-n", namespace, code=1).stderr
        left = plane.kubectl(
            *("get", "crd,clusterrole,clusterrolebinding,deployment,role,rolebinding,lease,service,serviceaccount"),
            *("-A", "-l", "app.kubernetes.io/name=phase-operator", "-o", "name"),
        )

        assert world.data() == {"DB_URL": canary.value("url")}
        assert "Deployment phase-system/phase-operator" in shown
        assert "Secret phase-system/phase-operator-digest-key" in shown
        assert "1 Secrets and ConfigMaps are there" in done
        assert "0 resources go" in again
        assert "install the CRDs" in missing
        assert left.stdout == ""
        assert world.api.items("secrets", "phase-system") == []


# The last one: it ends the module's operator.
def test_an_uninstall_without_an_operator_keeps_every_target(
    world: World, admin: Person, operator: OperatorProcess
) -> None:
    leaving(world)
    before = held(world)
    operator.stop()
    flags = ("uninstall", "--keep-secrets", "--yes", "-n", world.namespace)

    late = admin.does(*flags, "--timeout", "1", code=5).stderr
    is_there = not none_left(world)
    admin.does(*flags, "--timeout", "20", "--operator-gone", code=0)

    assert "--operator-gone" in late
    assert [is_there, none_left(world)] == [True, True]
    assert_kept(world, before)
