"""A grant of the operator's user opens what it names, and no more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phase_operator.api import names
from support.cluster_fixture import new_namespace
from support.mallory import mallory_in
from support.operator_process import REPOSITORY, eventually, running_operator
from support.push_stage import PushStage
from support.world import World, phase_secret, secret


@pytest.fixture
def shared(stage: World) -> Iterator[World]:
    """Give a second namespace, with the only token."""
    found = World(stage.plane, f"{stage.namespace}-shared", stage.phase, stage.canary)
    with new_namespace(stage.plane, found.namespace):
        stage.delete("secret", names.DEFAULT_TOKEN_SECRET)
        found.token()
        yield found


def official(shared: World, *, target: str | None = None) -> dict[str, Any]:
    """Spell the references as the official operator's resources do, with their namespaces."""
    token = {"secretName": names.DEFAULT_TOKEN_SECRET, "secretNamespace": shared.namespace}
    references = [{"secretName": "shop", "secretNamespace": target}] if target else [{"secretName": "shop"}]
    return {
        "authentication": {"serviceToken": {"serviceTokenSecretReference": token}},
        "managedSecretReferences": references,
    }


def test_an_official_resource_across_namespaces_works_by_a_grant(stage: World, shared: World, tmp_path: Path) -> None:
    grant = f"from={stage.namespace},to={shared.namespace},what=token+target"
    flags = ("--grant", grant, "--allow-phase-host", stage.phase.url)
    with running_operator(stage.plane, tmp_path, *flags) as stage.operator:
        stage.phase_secret(**official(shared, target=shared.namespace))
        stage.until_ready()

        written = shared.get("secret", "shop") or {}
        assert written["metadata"]["annotations"][names.ANNOTATION_OWNER] == f"{stage.namespace}/shop"
        assert stage.data() is None

        good = shared.data()
        shared.delete("secret", "shop")
        eventually(lambda: shared.data() == good, what="the target is repaired")

        renewed = stage.canary.token(stage.phase.rotate_token("operator", form="hex"))
        stage.phase.set("shop", "Production", "LOG_LEVEL", "rotated")
        shared.apply(secret(names.DEFAULT_TOKEN_SECRET, {"token": renewed}))
        eventually(lambda: (shared.data() or {}).get("LOG_LEVEL") == "rotated", what="the new token is used")
        stage.until_ready()


def test_a_target_elsewhere_goes_with_its_resource(stage: World, shared: World, tmp_path: Path) -> None:
    grant = f"from={stage.namespace},to={shared.namespace},what=token+target"
    flags = ("--grant", grant, "--allow-phase-host", stage.phase.url)
    with running_operator(stage.plane, tmp_path, *flags) as stage.operator:
        spec = official(shared, target=shared.namespace)
        [reference] = spec["managedSecretReferences"]
        stage.phase_secret(**spec | {"managedSecretReferences": [reference | {"deletionPolicy": "Delete"}]})
        found = stage.until_ready()
        assert found["metadata"]["finalizers"] == [names.FINALIZER]

        stage.delete_phase_secret("shop")

        assert shared.get("secret", "shop") is None
        assert shared.get("secret", names.DEFAULT_TOKEN_SECRET) is not None


def test_a_grant_of_a_token_is_no_grant_of_a_target_or_of_a_host(stage: World, shared: World, tmp_path: Path) -> None:
    grant = f"from={stage.namespace},to={shared.namespace},what=token"
    with (
        mallory_in(stage.plane, stage.namespace) as mallory,
        running_operator(stage.plane, tmp_path, "--grant", grant) as stage.operator,
    ):
        mallory.create(phase_secret("theft", stage.phase.url, **official(shared, target=shared.namespace)))
        stage.until_reason("CrossNamespaceRefused", "theft")

        mallory.create(phase_secret("theft", mallory.url, **official(shared)))
        assert "--allow-phase-host" in stage.until_reason("HostRefused", "theft")["message"]

        assert mallory.heard == []
        assert stage.phase.calls() == 0


def test_the_hosts_that_are_set_bind_every_token(stage: World, tmp_path: Path) -> None:
    flags = ("--namespace", stage.namespace, "--allow-phase-host", stage.phase.url)
    with (
        mallory_in(stage.plane, stage.namespace) as mallory,
        running_operator(stage.plane, tmp_path, *flags) as stage.operator,
    ):
        mallory.create(phase_secret("theft", mallory.url))
        assert stage.phase.url in stage.until_reason("HostRefused", "theft")["message"]

        stage.phase_secret()
        stage.until_ready()

        assert mallory.heard == []


def test_a_grant_by_label_comes_and_goes_with_the_label(stage: World, shared: World, tmp_path: Path) -> None:
    rights = REPOSITORY / "deploy/namespace-labels/rbac.yaml"
    stage.plane.kubectl("apply", "--server-side", "-f", rights)
    grant = f"fromLabel=tenant=shop,to={shared.namespace},what=token+push"
    flags = ("--grant", grant, "--allow-phase-host", stage.phase.url, "--push", "true")
    pushes = PushStage(stage.plane, stage.namespace, stage.phase, stage.canary)
    pushes.source("db", {"password": "pushed-password"})

    def label(tenant: str | None) -> None:
        stage.api.patch("namespace", stage.namespace, "", {"metadata": {"labels": {"tenant": tenant}}})

    try:
        with running_operator(stage.plane, tmp_path, *flags) as stage.operator:
            stage.phase_secret(**official(shared))
            pushes.push_secret(authentication=official(shared)["authentication"])
            stage.until_reason("CrossNamespaceRefused")
            assert "what=push" in pushes.until_said("CrossNamespaceRefused")["message"]

            label("shop")
            stage.until_ready()
            pushes.until_in_step(1)

            label(None)
            eventually(lambda: stage.condition()["reason"] == "CrossNamespaceRefused", within=5, what="the grant goes")
            assert stage.data() is not None
            pushes.until_said("CrossNamespaceRefused", within=5)
            assert pushes.values() == {"PASSWORD": "pushed-password"}

            label("shop")
            pushes.none_left()
            assert pushes.values() == {}
    finally:
        stage.plane.kubectl("delete", "-f", rights)


def test_without_the_right_to_see_namespaces_a_grant_by_label_is_not_ready(stage: World, tmp_path: Path) -> None:
    flags = ("--grant", "fromLabel=tenant=shop,to=shared,what=token")

    with (
        pytest.raises(AssertionError, match="becomes ready"),
        running_operator(stage.plane, tmp_path, *flags, patience=5) as stage.operator,
    ):
        pytest.fail("it is ready")


def test_a_namespace_that_is_not_watched_is_told(stage: World, shared: World, tmp_path: Path) -> None:
    flags = ("--namespace", stage.namespace, "--grant", "from=*,to=*,what=token")
    with running_operator(stage.plane, tmp_path, *flags) as stage.operator:
        stage.phase_secret(**official(shared))

        assert "--namespace" in stage.until_reason("CrossNamespaceRefused")["message"]


def test_a_service_accounts_token_is_minted_if_allowed_and_then_left_alone(stage: World, tmp_path: Path) -> None:
    stage.plane.kubectl("-n", stage.namespace, "create", "serviceaccount", "robot")
    template = {"metadata": {"annotations": {"kubernetes.io/service-account.name": "robot"}}}
    kind = "kubernetes.io/service-account-token"
    flags = ("--namespace", stage.namespace, "--allow-impersonation-types")
    with running_operator(stage.plane, tmp_path, *flags) as stage.operator:
        stage.phase_secret(managedSecretReferences=[{"secretName": "shop", "secretType": kind, "template": template}])
        stage.until_ready()

        def filled_in() -> dict[str, Any] | None:
            found = stage.get("secret", "shop") or {}
            return found if (found.get("data") or {}).keys() >= {"token", "namespace", "LOG_LEVEL"} else None

        before = eventually(filled_in, what="Kubernetes fills in the token")
        stage.phase.set("shop", "Production", "LOG_LEVEL", "changed")
        eventually(lambda: (stage.data() or {})["LOG_LEVEL"] == "changed", what="the target follows Phase")

        after = filled_in() or {}
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["data"]["token"] == before["data"]["token"]
        assert stage.operator.metric("phase_operator_targets_written_total", kind="Secret") <= 3
