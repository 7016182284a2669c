"""Many namespaces by Roles, and some that are not there: each costs itself alone."""

import dataclasses
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from phase_dev.cluster import ControlPlane
from support.api import api_of
from support.cut_tunnel import tunnel_to
from support.lease_stage import dynamic_secret
from support.namespaces import remove_namespaces
from support.operator_process import OperatorProcess, eventually, running_operator
from support.push_stage import push_secret
from support.roles import Roles, namespaces, roles_in
from support.world import World


@pytest.fixture(scope="module")
def roles(installed: ControlPlane) -> Roles:
    return roles_in(installed, "phase-roles")


@pytest.fixture(scope="module")
def crowd(installed: ControlPlane, roles: Roles) -> Iterator[list[str]]:
    """Give three hundred namespaces that the operator is let into; a test has it watch as many as it is about."""
    with namespaces(installed, f"crowd-{os.getpid()}", 300) as names:
        roles.let_into(names)
        yield names


def flags(names: list[str]) -> list[str]:
    return [part for name in names for part in ("--namespace", name)]


def in_namespace(stage: World, namespace: str) -> World:
    """Return the same stage in another namespace, with a token there."""
    other = dataclasses.replace(stage, namespace=namespace)
    other.token()
    return other


@pytest.mark.parametrize("count", [14, 50])
def test_many_namespaces_are_all_served(
    stage: World, crowd: list[str], roles: Roles, tmp_path: Path, count: int
) -> None:
    names = crowd[:count]
    with running_operator(stage.plane, tmp_path, *flags(names), home=roles.home, elects=True) as operator:
        for name in (names[0], names[-1]):
            world = in_namespace(stage, name)
            world.phase_secret()
            world.until_ready()
            world.no_phase_secrets()

        assert operator.get("/readyz").text == "ok\n"
        assert "lease not known" not in operator.log


def test_three_hundred_namespaces_take_little_memory(
    stage: World, crowd: list[str], roles: Roles, tmp_path: Path
) -> None:
    with running_operator(stage.plane, tmp_path, *flags(crowd), home=roles.home, patience=60) as operator:
        world = in_namespace(stage, crowd[-1])
        world.phase_secret()
        world.until_ready()

        assert operator.get("/readyz").text == "ok\n"
        resident = operator.metric("process_resident_memory_bytes") / 2**20
        # With a connection for each watch it is 151, with a watch of kopf for each 113.
        assert resident < 108, f"{resident:.0f} MiB"


def test_watches_that_lose_their_shared_connections_go_on(stage: World, tmp_path: Path) -> None:
    watched = flags([stage.namespace, *(f"nobody-made-{number}" for number in range(19))])
    with (
        tunnel_to(urlsplit(stage.plane.url).port or 0) as tunnel,
        running_operator(stage.plane, tmp_path, *watched, port=tunnel.port) as operator,
    ):
        stage.phase_secret()
        stage.until_ready()
        restarts = operator.metric("phase_operator_watch_restarts_total")

        assert 0 < tunnel.cut() < 60
        eventually(
            lambda: operator.metric("phase_operator_watch_restarts_total") >= restarts + 40, what="the watches are cut"
        )

        stage.delete("secret", "shop")
        eventually(stage.data, within=20, what="the target is repaired")
        eventually(lambda: operator.get("/readyz").text == "ok\n", what="all watches are back")


@pytest.fixture
def beside(stage: World, roles: Roles, tmp_path: Path) -> Iterator[tuple[OperatorProcess, str, str]]:
    """Run an operator for the stage's namespace, one without a Role and one that does not exist."""
    absent, closed = f"{stage.namespace}-absent", f"{stage.namespace}-closed"
    roles.let_into([stage.namespace])
    api_of(stage.plane).create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": closed}})
    watched = flags([stage.namespace, absent, closed])
    with running_operator(stage.plane, tmp_path, *watched, home=roles.home) as operator:
        yield operator, absent, closed
    remove_namespaces(stage.plane, absent, closed)


def test_a_namespace_that_is_not_there_costs_the_others_nothing(
    stage: World, roles: Roles, beside: tuple[OperatorProcess, str, str]
) -> None:
    operator, absent, closed = beside

    # Those that can be served are, and their targets are repaired.
    stage.phase_secret()
    stage.until_ready()
    # In a list of namespaces, the watch of each kind begins when the start is over, and readiness then waits for it.
    eventually(lambda: operator.get("/readyz").status_code == 200, what="all kinds are listed")
    answer = operator.get("/readyz")
    assert answer.status_code == 200
    assert f"{absent} is not served" in answer.text
    assert f"{closed} is not served" in answer.text
    assert operator.metric("phase_operator_namespaces_unserved") == 2
    stage.delete("secret", "shop")
    eventually(stage.data, within=10, what="the target is repaired")
    assert {line["watch"] for line in operator.lines() if line["message"] == "watch interrupted"} >= {
        f"secrets in {absent}",
        f"configmaps in {closed}",
    }

    # What appears is taken up.
    api_of(stage.plane).create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": absent}})
    roles.let_into([absent, closed])
    for name in (absent, closed):
        world = in_namespace(stage, name)
        world.phase_secret()
        eventually(world.data, within=40, what=f"{world.namespace} is served")
    # A resource may be served before the next comparison with a list finds that the watch has shown it.
    eventually(lambda: operator.get("/readyz").text == "ok\n", what="/readyz has nothing to note any more")
    assert operator.metric("phase_operator_namespaces_unserved") == 0
    assert operator.get("/healthz").status_code == 200


def test_rights_that_are_taken_away_in_one_namespace_cost_the_others_nothing(
    stage: World, roles: Roles, beside: tuple[OperatorProcess, str, str]
) -> None:
    operator, _, closed = beside
    roles.let_into([closed])
    world = in_namespace(stage, closed)
    world.phase_secret()
    eventually(world.data, within=40, what="it is served")
    restarts = operator.metric("phase_operator_watch_restarts_total", watch="phasesecrets")

    roles.keep_out_of(closed)
    world.plane.kubectl("-n", closed, "delete", "phasesecret", "shop", "--wait=false")
    began = time.monotonic()
    stage.phase_secret()
    stage.until_ready()

    assert time.monotonic() - began < 10
    assert operator.metric("phase_operator_watch_restarts_total", watch="phasesecrets") == restarts


def test_a_role_of_an_older_version_serves_phase_secrets_and_the_newer_kinds_when_it_is_brought_up_to_date(
    stage: World, roles: Roles, tmp_path: Path
) -> None:
    newer = ("phasedynamicsecrets", "phasepushsecrets")
    roles.let_into([stage.namespace])
    (now,) = (each for each in roles.watched if each["kind"] == "Role")
    name = ("-n", stage.namespace, "role", now["metadata"]["name"])
    rules = [rule for rule in now["rules"] if not rule["resources"][0].startswith(newer)]
    older = [
        rule | {"resources": [each for each in rule["resources"] if each.partition("/")[0] not in newer]}
        for rule in rules
    ]

    def put(wanted: list[dict[str, object]]) -> None:
        stage.plane.kubectl("patch", *name, "--type=merge", "-p", json.dumps({"rules": wanted}))

    put(older)
    watched = flags([stage.namespace])
    with running_operator(stage.plane, tmp_path, *watched, home=roles.home) as operator:
        stage.phase_secret()
        stage.until_ready()
        advice = f"in {stage.namespace} are not served (403 Forbidden); apply the Role of this version there"
        noted = [f"{each} {advice}" for each in newer]
        eventually(lambda: all(each in operator.get("/readyz").text for each in noted), what=f"/readyz says {noted}")
        assert operator.get("/readyz").text.startswith("ok\n")

        put(now["rules"])
        stage.apply(dynamic_secret("uploads", stage.phase.url), push_secret("to-phase", stage.phase.url, "/"))
        api = api_of(stage.plane)

        def there() -> list[dict[str, Any]]:
            return [found for each in newer for found in api.items(each, stage.namespace)]

        eventually(lambda: all("conditions" in each["status"] for each in there()), within=40, what="both are served")
        # As above.
        eventually(lambda: operator.get("/readyz").text == "ok\n", what="/readyz has nothing to note any more")
        for each in newer:
            api.delete(each, namespace=stage.namespace)
        eventually(lambda: not there(), within=60, what="they go")
