"""What a target holds outlives an outage, a killed operator, a suspension and an edit, on a real API server."""

import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from phase_dev.cluster import ControlPlane
from support.operator_process import OperatorProcess, eventually, meanwhile, running_operator
from support.world import World, deployment

MISSES_TIME = True
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


@dataclass(frozen=True, slots=True)
class Loss:
    """A wrong answer for an environment that no other asks, and what the PhaseSecret says that asks it."""

    app: str
    env: str
    fields: Mapping[str, Any]
    lie: Callable[[World, "Loss"], list[dict[str, Any]]]


def part(world: World, loss: Loss) -> list[dict[str, Any]]:
    return [each for each in answer(world, loss.app, loss.env) if each["key"] == KEYS[0]]


def nothing(_: World, __: Loss) -> list[dict[str, Any]]:
    return []


def of_another_app(world: World, _: Loss) -> list[dict[str, Any]]:
    return answer(world, "shared", "Development")


# By the name of the PhaseSecret and of its Secret: they go through the same at once. The other app has no key in common
# with those for which its answer is taken.
LOSSES = {
    "a-part-with-shrink": Loss("shop", "Development", {"shrink": 10}, part),
    "another-apps-with-shrink": Loss("shop", "Staging", {"shrink": 10}, of_another_app),
    "nothing-with-allow-empty": Loss("shared", "Development", {"allowEmpty": True}, nothing),
    "another-apps-with-allow-empty": Loss("shop", "Production", {"allowEmpty": True}, of_another_app),
}


def make_all(world: World) -> dict[str, set[str]]:
    """Make a PhaseSecret for each loss, and return the keys of its Secret when it is ready."""
    for name, loss in LOSSES.items():
        world.phase_secret(name, phaseApp=loss.app, phaseAppEnv=loss.env, **loss.fields)
    for name in LOSSES:
        world.until_ready(name)
    return keys(world)


def keys(world: World) -> dict[str, set[str]]:
    return {name: set(world.data(name) or {}) for name in LOSSES}


def lie_once(world: World, entries: Iterable[dict[str, Any]], app: str = "shop", env: str = "Production") -> None:
    """Let Phase answer the next read of an environment with these, once."""
    body = json.dumps(list(entries))
    world.phase.fail("status", status=200, body=body, route=SECRETS, app=app, env=env, times=1)


def lie_to_all(world: World) -> None:
    lies = {name: loss.lie(world, loss) for name, loss in LOSSES.items()}  # before Phase gives a wrong answer
    for name, loss in LOSSES.items():
        lie_once(world, lies[name], loss.app, loss.env)


def is_told(world: World) -> bool:
    """Say whether the wrong answer was given."""
    with world.phase.phase.state.lock:
        return not any(each["route"] == SECRETS for each in world.phase.phase.faults.rows())


@contextmanager
def nothing_leaves(world: World, *names: str) -> Iterator[None]:
    """Hold that Secrets have, all the time, at least the keys that they have now."""
    before = {name: set(world.data(name) or {}) for name in names}
    assert all(before.values())
    missing: dict[str, set[str]] = {}
    lock = threading.Lock()

    def look() -> None:
        gone = {name: had - set(world.data(name) or {}) for name, had in before.items()}
        with lock:
            missing.update({name: missing.get(name, set()) | lacks for name, lacks in gone.items() if lacks})

    with meanwhile(look, every=0.1):
        yield
    look()
    assert missing == {}


def after_an_outage_and_a_kill(world: World, first: OperatorProcess, *names: str) -> None:
    world.phase.fail("status", status=503)
    for name in names:
        world.until_reason("PhaseUnavailable", name)
    first.stop(signal.SIGKILL)
    world.phase.clear()


def after_a_suspension_and_an_edit(world: World, *names: str) -> None:
    for name in names:
        patch(world, name, suspend=True)
    for name in names:
        world.until_reason("Suspended", name)
        patch(world, name, pollingInterval=6)
    for name in names:

        def seen(name: str = name) -> bool:
            return current(world, name)

        eventually(seen, what=f"the edit of {name} is seen")


def current(world: World, name: str) -> bool:
    found = world.get("phasesecret", name) or {}
    return bool(found["status"].get("observedGeneration") == found["metadata"]["generation"])


def patch(world: World, name: str, **spec: Any) -> None:
    world.plane.kubectl("-n", world.namespace, "patch", "phs", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def test_one_wrong_answer_after_a_failover_takes_nothing(stage: World, start: Start) -> None:
    with start() as first:
        stage.operator = first
        before = make_all(stage)
        after_an_outage_and_a_kill(stage, first, *LOSSES)
    lie_to_all(stage)

    with nothing_leaves(stage, *LOSSES), start() as second:
        stage.operator = second
        eventually(lambda: is_told(stage), what="Phase lies")
        for name in LOSSES:
            stage.until_ready(name)

    assert keys(stage) == before


def test_one_wrong_answer_after_a_suspension_and_an_edit_takes_nothing(world: World) -> None:
    before = make_all(world)
    after_a_suspension_and_an_edit(world, *LOSSES)
    lie_to_all(world)

    with nothing_leaves(world, *LOSSES):
        for name in LOSSES:
            patch(world, name, suspend=False)
        eventually(lambda: is_told(world), what="Phase lies")
        for name in LOSSES:
            world.until_ready(name)

    assert keys(world) == before


def test_each_target_is_guarded_by_itself_after_a_failover(stage: World, start: Start) -> None:
    split = [{"secretName": "shop"}, {"secretName": "rest", "keys": {"include": ["LOG_*"]}}]
    with start() as first:
        stage.operator = first
        stage.phase_secret(allowEmpty=True, managedSecretReferences=split)
        stage.until_ready()
        after_an_outage_and_a_kill(stage, first, "shop")
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


def test_an_entry_that_is_declared_secret_leaves_the_config_map_also_as_the_last_one(world: World) -> None:
    world.phase_secret(**CONFIG_MAP)
    world.until_ready()
    assert config(world) == {"DATABASE_HOST", "LOG_LEVEL"}

    declare_secret(world, "LOG_LEVEL")
    world.until(lambda: config(world) == {"DATABASE_HOST"}, within=8, what="it leaves")
    declare_secret(world, "DATABASE_HOST")
    world.until(lambda: config(world) == set(), within=8, what="the last one leaves")

    world.until_ready()
    assert set(world.data() or {}) == set(KEYS)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        pytest.param("LICENCE", "${nowhere.LICENCE}", "UnresolvedReferences", id="references that Phase left"),
        pytest.param("NO KEY", "text", "KeyInvalid", id="another key of its own"),
    ],
)
def test_an_entry_that_is_declared_secret_leaves_the_config_map_whatever_else_is_wrong(
    world: World, key: str, value: str, reason: str
) -> None:
    world.phase_secret(**CONFIG_MAP)
    world.until_ready()
    world.phase.set("shop", "Production", key, value, type="config")
    world.until_reason(reason)
    assert config(world) == {"DATABASE_HOST", "LOG_LEVEL"}

    declare_secret(world, "LOG_LEVEL")

    world.until(lambda: config(world) == {"DATABASE_HOST"}, within=8, what="it leaves")


@pytest.mark.parametrize("where", ["whole", "config map"])
def test_an_entry_that_is_declared_secret_leaves_the_config_map_though_patterns_are_refused(
    world: World, where: str
) -> None:
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

    world.until(lambda: config(world) == {"DATABASE_HOST"}, within=8, what="it leaves")


def test_versions_that_hold_what_was_declared_secret_go_but_for_those_that_pods_name(world: World) -> None:
    world.phase_secret(managedConfigMapReferences=[{"configMapName": "shop", "versioned": {"keep": 5}}])
    named = version_of(world.until_ready())
    reader = deployment("reader", named, replicas=0)
    [container] = reader["spec"]["template"]["spec"]["containers"]
    container["envFrom"] = [{"configMapRef": {"name": named}}]
    world.apply(reader)
    world.phase.set("shop", "Production", "LOG_LEVEL", world.canary.value("level"))
    unnamed = world.until(lambda: another_version(world, named), what="a second version")

    declare_secret(world, "LOG_LEVEL")

    world.until(lambda: world.get("configmap", unnamed) is None, within=8, what="what nobody names goes")

    def is_named() -> bool:
        # The status is written after what it tells was done.
        [told] = [each for each in world.until_ready()["status"]["targets"] if each["kind"] == "ConfigMap"]
        return f'"{named}"' in told.get("message", "")

    world.until(is_named, what="the status names the version that a pod reads")
    assert world.get("configmap", named) is not None

    world.plane.kubectl("-n", world.namespace, "delete", "deployment", "reader", "--cascade=foreground")
    world.phase.set("shop", "Production", "DATABASE_HOST", world.canary.value("host"))
    world.until(lambda: world.get("configmap", named) is None, what="the last one that holds it goes")


def version_of(found: dict[str, Any]) -> str:
    [told] = [each for each in found["status"]["targets"] if each["kind"] == "ConfigMap"]
    return str(told["version"])


def another_version(world: World, than: str) -> str | None:
    found = version_of(world.get("phasesecret", "shop") or {})
    return found if found != than else None
