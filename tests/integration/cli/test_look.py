"""`get`, `explain`, `events` and `logs` on a real API server, with an operator that leads by its Lease."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.accounts import role_binding
from support.api import api_of
from support.canary import Canary
from support.cluster_fixture import new_namespace
from support.kubelet import Kubelet, own_address, pod_outside
from support.operator_process import REPOSITORY, OperatorProcess, eventually, running_operator
from support.person import Person, administrator, person
from support.shown import HOSTILE
from support.world import World, phase_secret

HOME = "phase-system"
POD = socket.gethostname()
# A name that cannot be in a log by chance.
_MISSING = "no-such-token"


@pytest.fixture(scope="module")
def operator(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    folder = tmp_path_factory.mktemp("operator")
    with running_operator(installed, folder, "--host", "", elects=True, patience=40) as operator:
        yield operator


@pytest.fixture(scope="module")
def kubelet(installed: ControlPlane, operator: OperatorProcess) -> Iterator[Kubelet]:
    """Give the operator's process a pod; its identity in the Lease begins with the name of this machine."""
    address = own_address()
    if address is None:
        pytest.skip("the API server's proxy asks no pod on loopback, and this machine has no other address")
    with pod_outside(installed, HOME, POD, address, operator.log_file) as kubelet:
        yield kubelet


@pytest.fixture
def world(
    installed: ControlPlane, phase: EmbeddedPhase, namespace: str, canary: Canary, operator: OperatorProcess
) -> Iterator[World]:
    canary.token(phase.token("operator", form="hex"))
    world = World(installed, namespace, phase, canary)
    world.operator = operator
    world.token()
    phase.set("shop", "production", "DB_URL", canary.value("value"), path=f"/{namespace}")
    world.apply(
        phase_secret("shop", phase.url, phaseAppEnvPath=f"/{namespace}"),
        phase_secret(
            "broken",
            phase.url,
            authentication={"serviceToken": {"serviceTokenSecretReference": {"secretName": _MISSING}}},
        ),
    )
    world.until_ready("shop")
    world.until_reason("TokenSecretNotFound", "broken")
    yield world
    world.no_phase_secrets()


@pytest.fixture
def admin(world: World, operator: OperatorProcess) -> "Asker":
    return Asker(administrator(world.plane, world.canary), operator)


class Asker:
    """A person who says where the operator's health port is, since it is not the usual one here."""

    def __init__(self, who: Person, operator: OperatorProcess) -> None:
        self._who = who
        self.port = ("--operator-port", str(operator.health_port))

    def gets(self, *arguments: str, code: int = 0) -> Any:
        return self._who.does("get", *arguments, *self.port, code=code)


def cells(output: str) -> list[list[str]]:
    """Return the words of the lines below the head."""
    return [line.split() for line in output.splitlines()[1:]]


@pytest.mark.usefixtures("kubelet")
def test_get_tells_what_is_in_step_and_when_that_was_confirmed(world: World, admin: Asker) -> None:
    found = admin.gets("-n", world.namespace)

    broken, shop = cells(found.stdout)
    assert broken[:4] == ["broken", "shop/Production:/", "False", "TokenSecretNotFound"]
    assert shop[:6] == ["shop", f"shop/production:/{world.namespace}", "True", "Synced", "1/1", "1"]
    assert (broken[-1], shop[-1].endswith("s")) == ("-", True)
    assert int(shop[-1].removesuffix("s")) < 60
    assert found.stderr == "1 ready, 1 not\n"


def test_get_filters_and_has_formats_for_programs(world: World, admin: Asker) -> None:
    here = ("-n", world.namespace)

    assert [line[0] for line in cells(admin.gets(*here, "--not-ready").stdout)] == ["broken"]
    assert [line[0] for line in cells(admin.gets(*here, "--reason", "synced").stdout)] == ["shop"]
    assert admin.gets(*here, "-o", "name").stdout.split() == [
        "phasesecret.secrets.phase.dev/broken",
        "phasesecret.secrets.phase.dev/shop",
    ]
    assert [each["metadata"]["name"] for each in json.loads(admin.gets(*here, "-o", "json").stdout)["items"]] == [
        "broken",
        "shop",
    ]
    assert json.loads(admin.gets("phs/shop", *here, "-o", "json").stdout)["kind"] == "PhaseSecret"
    assert world.namespace in [line[0] for line in cells(admin.gets("-A").stdout)]
    admin.gets(*here, "--fail", code=1)
    admin.gets("shop", *here, "--fail", code=0)
    assert "there is no PhasePushSecret" in admin.gets("pps/shop", *here, code=1).stderr
    assert "no resources found" in admin.gets("-n", world.namespace, "-l", "a=b").stderr


@pytest.mark.usefixtures("kubelet")
def test_a_person_who_may_not_ask_the_operator_sees_all_else(world: World, operator: OperatorProcess) -> None:
    viewer = person(world.plane, world.namespace, world.canary, "view")
    asker = Asker(viewer, operator)
    found = asker.gets("-n", world.namespace)

    assert [(line[0], line[-1]) for line in cells(found.stdout)] == [("broken", "-"), ("shop", "-")]
    why, _ = found.stderr.splitlines()
    assert why.startswith("CONFIRMED is not known: you have no right to get leases.coordination.k8s.io/phase-operator")

    _allow(world, ("coordination.k8s.io", "leases"), ("", "pods/proxy"))
    eventually(lambda: cells(asker.gets("shop", "-n", world.namespace).stdout)[0][-1] != "-", what="it is told")

    refused = asker.gets("-A", code=1).stderr
    assert "kind: ClusterRole" in refused
    assert "phasesecrets" in refused


def _allow(world: World, *resources: tuple[str, str]) -> None:
    """Give the person with the role view rights in the operator's namespace, as an administrator does."""
    api, name = api_of(world.plane), f"look-{world.namespace}"
    rules = [{"apiGroups": [group], "resources": [plural], "verbs": ["get"]} for group, plural in resources]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}
    api.create(role, HOME)
    api.create(role_binding(name, name, "view", world.namespace, kind="Role"), HOME)


@pytest.mark.parametrize("command", ["get", "events", "explain", "logs"])
def test_a_person_without_rights_is_told_which_role_gives_them(world: World, command: str) -> None:
    nobody = person(world.plane, world.namespace, world.canary, None)

    said = nobody.does(command, "shop", "-n", world.namespace, code=1).stderr

    assert "you have no right to get phasesecrets.secrets.phase.dev/shop" in said
    assert "kind: Role\n" in said


def test_the_port_tells_nobody_of_a_resource_whose_uid_he_does_not_know(
    world: World, operator: OperatorProcess
) -> None:
    uid = (world.get("phasesecret", "shop") or {})["metadata"]["uid"]
    name = f"{world.namespace}/shop"

    assert operator.get(f"/debug/sources?of={name}/{uid}").json()["confirmed"][uid] < 60
    for asked in ("", f"?of={name}", f"?of={name}/", f"?of={name}/{uid[:-1]}0", f"?of=other/shop/{uid}"):
        told = operator.get(f"/debug/sources{asked}")
        if not asked.endswith(f"{name}/{uid}"):
            assert told.json() == {"confirmed": {}}


def test_explain_names_the_cause_and_the_commands_with_the_resources_own_names(world: World, admin: Asker) -> None:
    viewer = person(world.plane, world.namespace, world.canary, "view")
    text = viewer.does("explain", "broken", "-n", world.namespace, code=0).stdout

    assert text.startswith(f"PhaseSecret {world.namespace}/broken is not ready: TokenSecretNotFound\n")
    assert f"kubectl phase auth create {_MISSING} -n {world.namespace}" in text
    assert "did you mean" in viewer.does("explain", "TokenInvalit", code=2).stderr


def test_a_hostile_neighbour_spoils_no_row_but_its_own(world: World, admin: Asker) -> None:
    with new_namespace(world.plane) as other:
        hostile = phase_secret("mallory", world.phase.url, phaseApp=HOSTILE[:200], phaseAppEnvPath=None)
        api_of(world.plane).create(hostile, other)
        found = eventually(lambda: _if_judged(admin.gets("-A", "-o", "wide").stdout), what="it is judged")
        api_of(world.plane).delete("phasesecret", "mallory", other)

    rows = [line.split() for line in found.splitlines()]
    assert all(line.isprintable() for line in found.splitlines())
    [good] = (row for row in rows if row[0] == world.namespace and "shop" in row[:3])
    assert {"True", "Synced", "1/1"} <= set(good)


def _if_judged(output: str) -> str:
    """Return a table if the neighbour is judged in it, else nothing."""
    found = [line for line in output.splitlines() if "mallory" in line]
    return output if found and "Unknown" not in found[0] else ""


def test_events_are_those_of_the_resource_and_its_targets(world: World) -> None:
    viewer = person(world.plane, world.namespace, world.canary, "view")
    eventually(lambda: len(world.events()) >= 2, what="both have Events")
    api_of(world.plane).create(_foreign(world.namespace), world.namespace)

    found = viewer.does("events", "shop", "-n", world.namespace, code=0)

    objects = [line.split()[3] for line in found.stdout.splitlines()[1:]]
    assert set(objects) == {"phasesecret/shop", "secret/shop"}
    assert found.stdout.isprintable() or "\x1b" not in found.stdout
    assert "broken" not in found.stdout


def _foreign(namespace: str) -> dict[str, Any]:
    """Return an Event that somebody else makes about the target."""
    about = {"kind": "Secret", "name": "shop", "namespace": namespace, "apiVersion": "v1"}
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "e-"}, "involvedObject": about}
    return event | {"type": "Normal", "reason": "\x1b[2J", "message": "\x1b[31mred", "count": 1}


@pytest.mark.usefixtures("kubelet")
def test_logs_are_the_lines_about_one_resource(world: World, admin: Asker) -> None:
    who = administrator(world.plane, world.canary)
    text = who.does("logs", "shop", "-n", world.namespace, "--since", "1h", code=0).stdout

    assert "INFO    resource changed" in text
    assert "reason=Synced" in text
    assert "broken" not in text
    assert _MISSING not in text


def test_a_person_who_may_not_read_the_log_is_told_which_role_gives_that(world: World) -> None:
    viewer = person(world.plane, world.namespace, world.canary, "view")

    said = viewer.does("logs", "shop", "-n", world.namespace, code=1).stderr

    assert "- pods/log" in said
    assert "- leases" in said
    assert f"namespace: {HOME}" in said


@pytest.mark.usefixtures("kubelet")
def test_a_change_is_printed_until_ctrl_c(world: World, operator: OperatorProcess) -> None:
    here = ("-n", world.namespace)
    with (
        _running(world, "get", *here, "-w", "--operator-port", str(operator.health_port)) as rows,
        _running(world, "events", "shop", *here, "-w") as events,
        _running(world, "logs", "shop", *here, "-f") as log,
    ):
        eventually(lambda: rows.has("broken ") and events.has("Synced") and log.has("reason=Synced"), what="they begin")

        world.phase_secret("shop", phaseAppEnvPath=f"/{world.namespace}", phaseAppEnv="nowhere")

        eventually(lambda: rows.has("shop/nowhere:", "False"), what="the row is printed again")
        eventually(lambda: events.has("EnvironmentNotFound"), what="the Event is printed")
        eventually(lambda: log.has("reason=EnvironmentNotFound"), what="the line is printed")
    assert [each.code for each in (rows, events, log)] == [130, 130, 130]


class _Program:
    """A command that runs until it is interrupted."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.code: int | None = None
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def has(self, *words: str) -> bool:
        """Return whether a line has all these words."""
        return any(all(word in line for word in words) for line in list(self.lines))

    def interrupt(self) -> None:
        """Press Ctrl-C; a program that does not end by it is killed."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.code = self.process.wait(10)
        finally:
            self.process.kill()
            self._reader.join()


@contextmanager
def _running(world: World, *arguments: str) -> Iterator[_Program]:
    environment = os.environ | {"KUBECONFIG": str(world.plane.kubeconfig), "PYTHONPATH": str(REPOSITORY / "operator")}
    command = [sys.executable, "-m", "phase_operator", *arguments]
    # Tests that a shell runs in the background, as in `make test &`, are started to ignore Ctrl-C, and so is what they
    # start: a command that a person runs is not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=Path("/")
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        program = _Program(process)
        world.canary.watch(lambda: "".join(program.lines))
        try:
            yield program
        finally:
            program.interrupt()
