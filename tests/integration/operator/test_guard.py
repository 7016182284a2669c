"""What a target holds outlives an outage, a killed operator, a suspension and an edit, on a real API server."""

import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import pytest

from phase_dev.cluster import ControlPlane
from support.operator_process import OperatorProcess, eventually, meanwhile, running_operator
from support.world import World, deployment

SECRETS = "/v1/secrets/"
KEYS = ("DATABASE_HOST", "DATABASE_PASSWORD", "LOG_LEVEL")
CONFIG_MAP: dict[str, Any] = {"managedConfigMapReferences": [{"configMapName": "shop"}]}
Start = Callable[[], AbstractContextManager[OperatorProcess]]


@pytest.fixture
def start(installed: ControlPlane, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Give a way to start an operator for the test's namespace alone."""
    folder = tmp_path_factory.mktemp("operator")
    return lambda: running_operator(installed, folder, "--namespace", namespace)


def answer(world: World, app: str = "shop", env: str = "Production") -> list[dict[str, Any]]:
    """Return what Phase says truly."""
    url, query = f"{world.phase.url}{SECRETS}", {"app_id": world.phase.app_id(app), "env": env}
    found = httpx.get(url, params=query, headers=world.phase.headers("operator"))
    assert found.status_code == 200, found.text
    return list(found.json())


def part(world: World) -> list[dict[str, Any]]:
    return [each for each in answer(world) if each["key"] == KEYS[0]]


def nothing(_: World) -> list[dict[str, Any]]:
    return []


def of_another_app(world: World) -> list[dict[str, Any]]:
    return answer(world, "shared", "Development")


def lie_once(world: World, entries: Iterable[dict[str, Any]]) -> None:
    """Let Phase answer the next read with these, once."""
    world.phase.fail("status", status=200, body=json.dumps(list(entries)), route=SECRETS, times=1)


def is_told(world: World) -> bool:
    """Say whether the lie was told."""
    with world.phase.phase.state.lock:
        return not any(each["route"] == SECRETS for each in world.phase.phase.faults.rows())


@contextmanager
def nothing_leaves(world: World, name: str = "shop") -> Iterator[None]:
    """Hold that a Secret has, all the time, at least the keys that it has now."""
    before = set(world.data(name) or {})
    assert before
    missing: set[str] = set()
    lock = threading.Lock()

    def look() -> None:
        gone = before - set(world.data(name) or {})
        with lock:
            missing.update(gone)

    with meanwhile(look, every=0.1):
        yield
    look()
    assert missing == set()


def after_an_outage_and_a_kill(world: World, start: Start, first: OperatorProcess) -> None:
    world.phase.fail("status", status=503)
    world.until_reason("PhaseUnavailable")
    first.stop(signal.SIGKILL)
    world.phase.clear()


def after_a_suspension_and_an_edit(world: World, start: Start, first: OperatorProcess) -> None:
    patch(world, suspend=True)
    world.until_reason("Suspended")
    patch(world, pollingInterval=6)
    eventually(lambda: current(world), what="the edit is seen")


def current(world: World) -> bool:
    found = world.get("phasesecret", "shop") or {}
    return bool(found["status"].get("observedGeneration") == found["metadata"]["generation"])


def patch(world: World, **spec: Any) -> None:
    world.plane.kubectl("-n", world.namespace, "patch", "phs", "shop", "--type=merge", "-p", json.dumps({"spec": spec}))


LOSSES = [
    pytest.param({"shrink": 10}, part, id="a part, with shrink"),
    pytest.param({"shrink": 10}, of_another_app, id="another app's, with shrink"),
    pytest.param({"allowEmpty": True}, nothing, id="nothing, with allowEmpty"),
    pytest.param({"allowEmpty": True}, of_another_app, id="another app's, with allowEmpty"),
]


@pytest.mark.parametrize(("fields", "lie"), LOSSES)
def test_one_wrong_answer_after_a_failover_takes_nothing(
    stage: World, start: Start, fields: dict[str, Any], lie: Callable[[World], list[dict[str, Any]]]
) -> None:
    with start() as first:
        stage.operator = first
        stage.phase_secret(**fields)
        stage.until_ready()
        after_an_outage_and_a_kill(stage, start, first)
    lie_once(stage, lie(stage))

    with nothing_leaves(stage), start() as second:
        stage.operator = second
        eventually(lambda: is_told(stage), what="Phase lies")
        stage.until_ready()

    assert set(stage.data() or {}) == set(KEYS)


@pytest.mark.parametrize(("fields", "lie"), LOSSES)
def test_one_wrong_answer_after_a_suspension_and_an_edit_takes_nothing(
    world: World, start: Start, fields: dict[str, Any], lie: Callable[[World], list[dict[str, Any]]]
) -> None:
    world.phase_secret(**fields)
    world.until_ready()
    after_a_suspension_and_an_edit(world, start, world.operator)
    wrong = lie(world)
    lie_once(world, wrong)

    with nothing_leaves(world):
        patch(world, suspend=False)
        eventually(lambda: is_told(world), what="Phase lies")
        world.until_ready()

    assert set(world.data() or {}) == set(KEYS)


def test_each_target_is_guarded_by_itself_after_a_failover(stage: World, start: Start) -> None:
    split = [{"secretName": "shop"}, {"secretName": "rest", "keys": {"include": ["LOG_*"]}}]
    with start() as first:
        stage.operator = first
        stage.phase_secret(allowEmpty=True, managedSecretReferences=split)
        stage.until_ready()
        after_an_outage_and_a_kill(stage, start, first)
    lie_once(stage, [each for each in answer(stage) if each["key"] != "LOG_LEVEL"])

    with nothing_leaves(stage, "rest"), start() as second:
        stage.operator = second
        eventually(lambda: is_told(stage), what="Phase lies")
        stage.until_ready()

    assert set(stage.data("rest") or {}) == {"LOG_LEVEL"}


def config(world: World) -> set[str] | None:
    found = world.get("configmap", "shop")
    return None if found is None else set(found.get("data") or {})


def declare_secret(world: World, *keys: str) -> None:
    for key in keys:
        world.phase.set("shop", "Production", key, world.canary.value(key), type="secret")


def test_what_is_declared_secret_leaves_the_config_map_also_as_the_last_one(world: World) -> None:
    world.phase_secret(**CONFIG_MAP)
    world.until_ready()
    assert config(world) == {"DATABASE_HOST", "LOG_LEVEL"}

    declare_secret(world, "LOG_LEVEL")
    eventually(lambda: config(world) == {"DATABASE_HOST"}, within=8, what="it leaves")
    declare_secret(world, "DATABASE_HOST")
    eventually(lambda: config(world) == set(), within=8, what="the last one leaves")

    world.until_ready()
    assert set(world.data() or {}) == set(KEYS)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        pytest.param("LICENCE", "${nowhere.LICENCE}", "UnresolvedReferences", id="references that Phase left"),
        pytest.param("NO KEY", "text", "KeyInvalid", id="another key of its own"),
    ],
)
def test_what_is_declared_secret_leaves_the_config_map_whatever_else_is_wrong(
    world: World, key: str, value: str, reason: str
) -> None:
    world.phase_secret(**CONFIG_MAP)
    world.until_ready()
    world.phase.set("shop", "Production", key, value, type="config")
    world.until_reason(reason)
    assert config(world) == {"DATABASE_HOST", "LOG_LEVEL"}

    declare_secret(world, "LOG_LEVEL")

    eventually(lambda: config(world) == {"DATABASE_HOST"}, within=8, what="it leaves")


@pytest.mark.parametrize("where", ["whole", "config map"])
def test_what_is_declared_secret_leaves_the_config_map_though_patterns_are_refused(world: World, where: str) -> None:
    for number in range(300):
        world.phase.set("shop", "Production", f"{number:03}{'L' * 240}", "text", type="config")
    costly = {"exclude": ["[0-9]*", *(f"{number:02}*{'X' * 250}" for number in range(63))]}
    plain = {"exclude": ["[0-9]*"]}
    world.phase_secret(keys=plain, **CONFIG_MAP)
    world.until_ready()
    if where == "whole":
        world.phase_secret(keys=costly, **CONFIG_MAP)
    else:
        world.phase_secret(keys={}, managedConfigMapReferences=[{"configMapName": "shop", "keys": costly}])
    world.until_reason("InvalidSpec")
    assert config(world) == {"DATABASE_HOST", "LOG_LEVEL"}

    declare_secret(world, "LOG_LEVEL")

    eventually(lambda: config(world) == {"DATABASE_HOST"}, within=8, what="it leaves")


def test_versions_that_hold_what_was_declared_secret_go_but_for_those_that_pods_name(world: World) -> None:
    world.phase_secret(managedConfigMapReferences=[{"configMapName": "shop", "versioned": {"keep": 5}}])
    named = version_of(world.until_ready())
    reader = deployment("reader", named, replicas=0)
    [container] = reader["spec"]["template"]["spec"]["containers"]
    container["envFrom"] = [{"configMapRef": {"name": named}}]
    world.apply(reader)
    world.phase.set("shop", "Production", "LOG_LEVEL", world.canary.value("level"))
    unnamed = eventually(lambda: another_version(world, named), what="a second version")

    declare_secret(world, "LOG_LEVEL")

    eventually(lambda: world.get("configmap", unnamed) is None, within=8, what="what nobody names goes")
    [told] = [each for each in world.until_ready()["status"]["targets"] if each["kind"] == "ConfigMap"]
    assert f'"{named}"' in told["message"]
    assert world.get("configmap", named) is not None

    world.plane.kubectl("-n", world.namespace, "delete", "deployment", "reader", "--cascade=foreground")
    world.phase.set("shop", "Production", "DATABASE_HOST", world.canary.value("host"))
    eventually(lambda: world.get("configmap", named) is None, what="the last one that holds it goes")


def version_of(found: dict[str, Any]) -> str:
    [told] = [each for each in found["status"]["targets"] if each["kind"] == "ConfigMap"]
    return str(told["version"])


def another_version(world: World, than: str) -> str | None:
    found = version_of(world.get("phasesecret", "shop") or {})
    return found if found != than else None
