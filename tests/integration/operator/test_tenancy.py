"""A user who may only create PhaseSecrets in one namespace gets nothing that he could not have got without them."""

from collections.abc import Iterator
from typing import Any

import pytest

from phase_operator.api import names
from support.cluster_fixture import new_namespace
from support.mallory import Mallory, mallory_in
from support.operator_process import eventually
from support.world import World, phase_secret, secret

VICTIM = "phase-system"
DIGEST_KEY = names.DIGEST_KEY_SECRET
SERVICE_ACCOUNT = {"metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}}}


@pytest.fixture
def mallory(world: World) -> Iterator[Mallory]:
    """Let him into the test's namespace. The token there is not his: he cannot read it."""
    with mallory_in(world.plane, world.namespace) as found:
        yield found


@pytest.fixture
def neighbour(world: World) -> Iterator[World]:
    """Give a namespace beside it, with a token and a Secret."""
    found = World(world.plane, f"{world.namespace}-neighbour", world.phase, world.canary)
    with new_namespace(world.plane, found.namespace):
        found.token()
        found.apply(secret("precious", {"A": world.canary.value("precious")}))
        yield found


def token_in(namespace: str, name: str = names.DEFAULT_TOKEN_SECRET) -> dict[str, Any]:
    reference = {"secretNamespace": namespace, "secretName": name}
    return {"authentication": {"serviceToken": {"serviceTokenSecretReference": reference}}}


def to(name: str, namespace: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": name, "secretNamespace": namespace or "", **fields}]}


def untouched(world: World, mallory: Mallory) -> bool:
    """Say whether neither Phase nor his host was asked anything."""
    return world.phase.calls() == 0 and mallory.heard == []


def test_the_tenant_has_none_of_these_rights_himself(world: World, mallory: Mallory, neighbour: World) -> None:
    assert mallory.may("create", "phasesecrets", world.namespace)
    for namespace in (world.namespace, neighbour.namespace, VICTIM):
        assert not mallory.may("get", "secrets", namespace)
        assert not mallory.may("create", "secrets", namespace)
        assert not mallory.may("create", "serviceaccounts", namespace, subresource="token")
    assert not mallory.may("create", "phasesecrets", neighbour.namespace)


@pytest.mark.parametrize("host", ["his", "Phase's"])
def test_the_tenant_reads_no_token_of_another_namespace(
    world: World, mallory: Mallory, neighbour: World, host: str
) -> None:
    url = mallory.url if host == "his" else world.phase.url

    mallory.create(phase_secret("theft", url, **token_in(neighbour.namespace)))

    message = world.until_reason("CrossNamespaceRefused", "theft")["message"]
    assert f"--grant from={world.namespace},to={neighbour.namespace},what=token" in message
    assert untouched(world, mallory)
    assert world.data("theft") is None


@pytest.mark.parametrize("name", ["precious", "new"])
def test_the_tenant_writes_no_secret_of_another_namespace(
    world: World, mallory: Mallory, neighbour: World, name: str
) -> None:
    before = neighbour.get("secret", name)

    mallory.create(phase_secret("theft", world.phase.url, **to(name, neighbour.namespace)))

    message = world.until_reason("CrossNamespaceRefused", "theft")["message"]
    assert f"--grant from={world.namespace},to={neighbour.namespace},what=target" in message
    assert untouched(world, mallory)
    assert neighbour.get("secret", name) == before


@pytest.mark.parametrize("place", ["kube-system", VICTIM])
def test_the_tenant_writes_nothing_into_the_namespaces_of_the_system(
    world: World, mallory: Mallory, place: str
) -> None:
    mallory.create(phase_secret("theft", world.phase.url, **to("bootstrap-token-abcdef", place)))

    world.until_reason("CrossNamespaceRefused", "theft")
    assert untouched(world, mallory)


def test_the_tenant_overwrites_no_secret_of_others(world: World, mallory: Mallory) -> None:
    world.apply(secret("precious", {"A": world.canary.value("precious")}))
    before = world.get("secret", "precious")

    mallory.create(phase_secret("theft", world.phase.url, **to("precious")))

    world.until_reason("TargetConflict", "theft")
    assert world.get("secret", "precious") == before


def test_the_tenant_overwrites_no_target_of_others(world: World, mallory: Mallory) -> None:
    world.phase_secret()
    before = world.until_ready() and world.get("secret", "shop")

    mallory.create(phase_secret("theft", world.phase.url, phaseAppEnv="Staging", **to("shop")))

    world.until_reason("TargetConflict", "theft")
    assert world.get("secret", "shop") == before


def test_the_tenant_makes_no_token_of_others(world: World, mallory: Mallory) -> None:
    world.phase_secret(**token_in(world.namespace, "awaited"))
    world.until_reason("TokenSecretNotFound")

    mallory.create(phase_secret("theft", world.phase.url, **to("awaited")))

    assert f"{world.namespace}/shop" in world.until_reason("TargetIsToken", "theft")["message"]
    assert world.data("awaited") is None


def test_the_tenant_stops_no_target_by_naming_it_as_his_token(world: World, mallory: Mallory) -> None:
    world.phase_secret()
    world.until_ready()
    mallory.create(phase_secret("theft", mallory.url, **token_in(world.namespace, "shop")))
    world.until_reason("TokenSecretNotFound", "theft")

    world.phase.set("shop", "Production", "LOG_LEVEL", "changed")
    eventually(lambda: (world.data() or {}).get("LOG_LEVEL") == "changed", what="the target follows Phase")
    world.delete("secret", "shop")

    eventually(lambda: (world.data() or {}).get("LOG_LEVEL") == "changed", what="the target is repaired")
    world.until_ready()
    assert mallory.heard == []


def test_the_tenant_sends_a_token_that_is_bound_to_a_host_to_no_other(world: World, mallory: Mallory) -> None:
    world.annotate("secret", names.DEFAULT_TOKEN_SECRET, names.ANNOTATION_ALLOWED_HOSTS, world.phase.url)

    mallory.create(phase_secret("theft", mallory.url))

    assert names.ANNOTATION_ALLOWED_HOSTS in world.until_reason("HostRefused", "theft")["message"]
    assert world.condition("theft", "Stalled")["status"] == "True"
    assert untouched(world, mallory)
    world.phase_secret()
    world.until_ready()


def test_a_token_that_is_bound_later_is_not_sent_elsewhere_any_more(world: World, mallory: Mallory) -> None:
    mallory.create(phase_secret("theft", mallory.url))
    # The hole that docs/security.md names: without the annotation he is asked.
    eventually(lambda: mallory.heard, what="his host is asked")
    world.annotate("secret", names.DEFAULT_TOKEN_SECRET, names.ANNOTATION_ALLOWED_HOSTS, world.phase.url)
    world.until_reason("HostRefused", "theft")
    heard = len(mallory.heard)

    forced = phase_secret("theft", mallory.url)
    forced["metadata"]["annotations"] = {names.ANNOTATION_SYNC: "now"}
    mallory.create(forced)
    world.phase_secret()
    world.until_ready()

    assert len(mallory.heard) == heard


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param(token_in(VICTIM, DIGEST_KEY), "InvalidSpec", id="as a token"),
        pytest.param(token_in(VICTIM, "phase-operator-token"), "CrossNamespaceRefused", id="another Secret of its own"),
        pytest.param(to(DIGEST_KEY, VICTIM), "CrossNamespaceRefused", id="as a target"),
        pytest.param(to(DIGEST_KEY), "InvalidSpec", id="one of that name here"),
    ],
)
def test_the_tenant_does_not_get_at_the_operators_own_secret(
    world: World, mallory: Mallory, fields: dict[str, Any], reason: str
) -> None:
    before = world.api.get("secret", DIGEST_KEY, VICTIM)
    assert before is not None

    mallory.create(phase_secret("theft", mallory.url, **fields))

    world.until_reason(reason, "theft")
    assert untouched(world, mallory)
    assert world.api.get("secret", DIGEST_KEY, VICTIM) == before
    assert world.get("secret", DIGEST_KEY) is None


@pytest.mark.parametrize("kind", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"])
def test_the_tenant_mints_no_token_of_kubernetes(world: World, mallory: Mallory, kind: str) -> None:
    mallory.create(phase_secret("theft", world.phase.url, **to("minted", secretType=kind, template=SERVICE_ACCOUNT)))

    world.until_reason("TypeNotSupported", "theft")
    assert world.data("minted") is None
