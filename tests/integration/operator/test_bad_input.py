"""Bad input: a reason, the server's own words, and a last good target that stays as it is."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from phase_dev.server import EmbeddedPhase
from support.operator_process import eventually
from support.world import World, secret


@pytest.mark.parametrize(
    ("spec", "reason", "told"),
    [
        pytest.param({"phaseApp": "shpo"}, "AppNotFound", "shop", id="app misspelt"),
        pytest.param({"phaseApp": None, "phaseAppId": "nope"}, "AppNotFound", "nope", id="app id unknown"),
        pytest.param({"phaseAppEnv": "prod"}, "EnvironmentNotFound", "Production", id="environment misspelt"),
        pytest.param({"phaseAppEnvPath": "/nowhere"}, "NoEntries", "/nowhere", id="folder unknown"),
        pytest.param({"phaseAppEnvTag": "dbs"}, "NoEntries", 'did you mean "db"?', id="tag unknown"),
        pytest.param({"keys": {"include": ["NOPE_*"]}}, "NoEntries", "spec.keys", id="no key matches"),
        pytest.param(
            {"authentication": {"serviceToken": {"serviceTokenSecretReference": {"secretName": "nope"}}}},
            "TokenSecretNotFound",
            "nope",
            id="token Secret missing",
        ),
        pytest.param(
            {"managedSecretReferences": [{"secretName": "shop", "secretNamespace": "kube-system"}]},
            "CrossNamespaceRefused",
            "kube-system",
            id="target in another namespace",
        ),
        pytest.param(
            {"managedSecretReferences": [{"secretName": "shop", "secretType": "kubernetes.io/service-account-token"}]},
            "TypeNotSupported",
            "service-account-token",
            id="a type that impersonates",
        ),
    ],
)
def test_bad_input_gets_a_reason_and_leaves_the_target(
    world: World, spec: dict[str, Any], reason: str, told: str
) -> None:
    world.phase_secret()
    world.until_ready()
    good = world.data()

    world.phase_secret(**spec)

    condition = world.until_reason(reason)
    assert condition["status"] == "False"
    assert told in condition["message"]
    assert world.data() == good

    world.phase_secret()
    world.until_ready()


MISSES_TIME = True
# What Phase does, by the name of the PhaseSecret that meets it, and the reason that is given.
BREAKS: dict[str, tuple[Callable[[EmbeddedPhase], object], str]] = {
    "status-500": (lambda phase: phase.fail("status", status=500), "PhaseUnavailable"),
    "html-with-status-200": (lambda phase: phase.fail("html"), "UnexpectedAnswer"),
    "body-cut": (lambda phase: phase.fail("cut"), "UnexpectedAnswer"),
    "connection-reset": (lambda phase: phase.fail("reset"), "PhaseUnavailable"),
    "redirect-to-a-login-page": (lambda phase: phase.fail("redirect"), "UnexpectedAnswer"),
    "quota": (lambda phase: phase.fail("quota", retry_after=1), "RateLimited"),
    "access-withdrawn": (lambda phase: phase.withdraw("operator", "shop", "Production"), "AccessDenied"),
    "an-empty-answer-where-there-were-entries": (lambda phase: empty(phase), "NoEntries"),
}


@contextmanager
def with_a_phase_of_its_own(world: World, name: str) -> Iterator[World]:
    """Make a PhaseSecret that asks a Phase which no other asks, with a token of its own."""
    with EmbeddedPhase() as phase:
        for form in ("hex", "pss"):
            world.canary.token(phase.token("operator", form=form))
        own = World(world.plane, world.namespace, phase, world.canary)
        own.token(f"token-of-{name}")
        reference = {"serviceTokenSecretReference": {"secretName": f"token-of-{name}"}}
        own.phase_secret(name, authentication={"serviceToken": reference})
        yield own


def test_the_last_good_target_outlives_what_phase_does(world: World) -> None:
    with ExitStack() as stack:
        every = {name: stack.enter_context(with_a_phase_of_its_own(world, name)) for name in BREAKS}
        for name in every:
            world.until_ready(name)
        good = {name: world.data(name) for name in every}
        assert all(good.values())

        for name, (break_it, _) in BREAKS.items():
            break_it(every[name].phase)
        for name, (_, reason) in BREAKS.items():
            world.until_reason(reason, name)

        assert {name: world.data(name) for name in every} == good

        for own in every.values():
            own.phase.clear()
            own.phase.grant("operator", "shop", "Production")
            own.phase.set("shop", "Production", "LOG_LEVEL", "healed")
        for name in every:

            def is_healed(name: str = name) -> bool:
                return (world.data(name) or {}).get("LOG_LEVEL") == "healed"

            world.until(is_healed, within=60, what=f"{name} heals by itself")
            world.until_ready(name)


def test_a_target_is_repaired_while_phase_is_down(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    good = world.data()
    world.phase.fail("status", status=503)
    world.until_reason("PhaseUnavailable")

    world.plane.kubectl("-n", world.namespace, "delete", "secret", "shop")

    eventually(lambda: world.data() == good, within=5, what="the repair from memory")


@pytest.mark.parametrize("kind", ["secret", "configmap"])
def test_a_foreign_object_is_never_written_and_its_manager_is_named(world: World, kind: str) -> None:
    make = ["create", *(["secret", "generic"] if kind == "secret" else ["configmap"]), "theirs", "--from-literal=a=b"]
    world.plane.kubectl("-n", world.namespace, *make)
    before = world.get(kind, "theirs")

    target: dict[str, Any] = {"managedSecretReferences": [{"secretName": "theirs"}]}
    if kind == "configmap":
        target = {"managedConfigMapReferences": [{"configMapName": "theirs"}], "managedSecretReferences": None}
    world.phase_secret(**target)

    condition = world.until_reason("TargetConflict")
    assert "kubectl-create" in condition["message"]
    assert world.get(kind, "theirs") == before


def test_two_resources_do_not_share_a_target(world: World) -> None:
    world.phase_secret()
    world.until_ready()

    world.phase_secret("other", phaseAppEnv="Staging", managedSecretReferences=[{"secretName": "shop"}])

    condition = world.until_reason("TargetConflict", "other")
    assert f"{world.namespace}/shop" in condition["message"]
    assert "CDN_HOST" not in (world.data() or {})


def test_a_token_that_is_none_is_told_without_being_shown(world: World) -> None:
    world.apply(secret("phase-service-token", {"token": world.canary.value("not a token")}))

    world.phase_secret()

    assert world.until_reason("TokenInvalid")["status"] == "False"


def test_a_token_secret_that_comes_later_is_used_at_once(world: World) -> None:
    reference = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "late"}}}
    world.phase_secret(authentication=reference)
    world.until_reason("TokenSecretNotFound")
    assert world.condition(kind="Reconciling")["status"] == "True"

    world.token("late", form="hex")

    world.until_ready()


def test_equal_keys_are_an_error_that_names_both_sources(world: World) -> None:
    processors = {"LOG_LEVEL": {"asName": "DATABASE_HOST"}}
    world.phase_secret(managedSecretReferences=[{"secretName": "shop", "processors": processors}])

    message = world.until_reason("KeyCollision")["message"]

    assert "/LOG_LEVEL" in message
    assert "/DATABASE_HOST" in message
    assert world.data() is None


def test_unresolved_references_follow_the_policy(world: World) -> None:
    world.phase.set("shop", "Production", "BROKEN", "x-${NOPE}")
    world.phase_secret()
    assert "/BROKEN" in world.until_reason("UnresolvedReferences")["message"]
    assert world.data() is None

    world.phase_secret(onSecretReferenceError="Warn")
    world.until_ready()
    assert (world.data() or {})["BROKEN"] == "x-${NOPE}"


def empty(phase: EmbeddedPhase) -> None:
    """Delete every entry of the production environment."""
    for key in ("DATABASE_HOST", "DATABASE_PASSWORD", "LOG_LEVEL"):
        phase.delete("shop", "Production", key)
