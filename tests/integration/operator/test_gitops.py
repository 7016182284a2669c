"""Beside tools that apply from Git: no drift, no status churn, no defaults in spec, and health that is true."""

import json

import pytest
import yaml

from phase_operator.api.crd import PHASE_SECRET, document
from phase_operator.api.names import FINALIZER
from support.argocd import health
from support.gitops import MANAGERS, RESOURCES, apply_and_compare, by_server, prepared, spec_paths, standing
from support.kstatus import KStatus, kstatus
from support.operator_process import REPOSITORY, eventually
from support.world import World

pytestmark = pytest.mark.controlplane


def test_every_field_of_the_spec_occurs_in_what_is_applied() -> None:
    [version] = document(PHASE_SECRET)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]

    used = {path for found in RESOURCES.values() for path in spec_paths(schema, found["spec"])}

    # These two are set by every test.
    assert used | {".phaseHost", ".pollingInterval"} == set(spec_paths(schema))


def test_applied_again_and_again_nothing_differs_and_nothing_is_written(world: World) -> None:
    manifests = {each: prepared(world, wanted) for each, wanted in RESOURCES.items()}
    # Two samples have a target of the same name, and two a name.
    manifests["secret-only shop-secrets"]["spec"]["managedSecretReferences"] = [{"secretName": "shop-secrets-alone"}]
    names = {each: each.replace(" ", "-") for each in manifests}
    for each, name in names.items():
        manifests[each]["metadata"]["name"] = name
    together = {"apiVersion": "v1", "kind": "List", "items": list(manifests.values())}
    for manager in MANAGERS:
        assert by_server(world, manager, "apply", together) == 0
    for name in names.values():
        world.until_ready(name)
    before = {each: standing(world, "phasesecret", name) for each, name in names.items()}
    looks = world.phase.calls(route="/v1/environments/")

    def applied_again() -> bool:
        apply_and_compare(world, together)
        return world.phase.calls(route="/v1/environments/") >= looks + 4

    # Each round is four processes; five or more of them fall between two looks at Phase.
    eventually(applied_again, within=40, pause=1, what="four more looks at Phase")

    assert {each: standing(world, "phasesecret", name) for each, name in names.items()} == before
    for each, found in before.items():
        assert found["spec"] == manifests[each]["spec"], each
        assert found["metadata"]["generation"] == 1, each
        assert not found["metadata"].keys() & {"labels", "annotations"}, each


def test_the_operators_writes_are_no_difference(world: World) -> None:
    """A change in Phase, a repair and a finalizer; the same with a client-side apply, which is Argo CD's usual one."""
    manifest = prepared(world, RESOURCES["full full"])
    client_side = prepared(world, RESOURCES["secret-only shop-secrets"])
    apply, diff = (("-n", world.namespace, verb, "-f", "-") for verb in ("apply", "diff"))
    by_server(world, MANAGERS[0], "apply", manifest)
    world.plane.kubectl(*apply, stdin=json.dumps(client_side))
    before = {name: world.until_ready(name)["status"]["lastSyncedTime"] for name in ("full", "shop-secrets")}

    world.phase.set("shop", "Production", "DATABASE_PASSWORD", value := world.canary.value("new"))
    world.until_data(["full-merge", "shop-secrets"], DATABASE_PASSWORD=value)
    world.delete("secret", "full-file")
    eventually(lambda: world.get("secret", "full-file"), what="what was deleted is made again")
    for name, since in before.items():

        def moved(name: str = name, since: str = since) -> bool:
            return bool(world.until_ready(name)["status"]["lastSyncedTime"] != since)

        eventually(moved, what=f"the status of {name} is written")

    assert standing(world, "phasesecret", "full")["metadata"]["finalizers"] == [FINALIZER]
    assert by_server(world, MANAGERS[0], "diff", manifest) == 0
    assert world.plane.kubectl(*diff, stdin=json.dumps(client_side), check=False).returncode == 0
    assert "unchanged" in world.plane.kubectl(*apply, stdin=json.dumps(client_side)).stdout
    assert {standing(world, "phasesecret", name)["metadata"]["generation"] for name in before} == {1}


def test_a_difference_would_be_seen(world: World) -> None:
    manifest = prepared(world, RESOURCES["secret-only shop-secrets"])
    by_server(world, MANAGERS[0], "apply", manifest)

    edit = ("patch", "phasesecret", "shop-secrets", "--type=merge", "-p", '{"spec":{"pollingInterval":6}}')
    world.plane.kubectl("-n", world.namespace, *edit)

    assert by_server(world, MANAGERS[0], "diff", manifest) == 1


def test_a_target_carries_no_mark_of_the_tool_and_loses_none(world: World) -> None:
    """Copied marks would have Argo CD and Flux prune the targets."""
    manifest = prepared(world, RESOURCES["secret-only shop-secrets"])
    marks = {
        "labels": {"app.kubernetes.io/instance": "shop", "kustomize.toolkit.fluxcd.io/name": "shop"},
        "annotations": {"argocd.argoproj.io/tracking-id": "shop:secrets.phase.dev/PhaseSecret:shop/shop"},
    }
    manifest["metadata"] |= marks
    by_server(world, MANAGERS[0], "apply", manifest)

    found = world.until_ready("shop-secrets")["metadata"]

    target = (world.get("secret", "shop-secrets") or {})["metadata"]
    assert found["labels"] | found["annotations"] == marks["labels"] | marks["annotations"]
    assert not (target["labels"] | target["annotations"]).keys() & (marks["labels"] | marks["annotations"]).keys()


def judged(world: World, name: str = "shop") -> tuple[str, KStatus]:
    found = standing(world, "phasesecret", name)
    return health(found)[0], kstatus(found)


def test_argo_cd_and_flux_see_what_is_so(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    assert judged(world) == ("Healthy", KStatus.CURRENT)

    world.phase_secret(suspend=True)
    world.until_reason("Suspended")
    assert judged(world) == ("Suspended", KStatus.CURRENT)

    world.phase_secret(phaseApp="shpo")
    assert judged(world) in {("Progressing", KStatus.IN_PROGRESS), ("Degraded", KStatus.FAILED)}
    world.until_reason("AppNotFound")
    assert judged(world) == ("Degraded", KStatus.FAILED)

    token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "later"}}}
    world.phase_secret(authentication=token)
    world.until_reason("TokenSecretNotFound")
    assert judged(world) == ("Progressing", KStatus.IN_PROGRESS)
    assert health(standing(world, "phasesecret", "shop"))[1].startswith("TokenSecretNotFound: ")

    world.patch("phasesecret", "shop", {"metadata": {"finalizers": ["example.com/held"]}})
    world.delete("phasesecret", "shop")
    assert judged(world) == ("Progressing", KStatus.TERMINATING)
    world.patch("phasesecret", "shop", {"metadata": {"finalizers": None}})


def test_a_wave_that_waits_for_the_phasesecret_goes_on_when_the_secret_is_there(world: World) -> None:
    """The recipe of both tools, deploy/gitops/shop: the token, then the PhaseSecret, then what reads it."""
    rendered = yaml.safe_load_all(world.plane.kubectl("kustomize", REPOSITORY / "deploy/gitops/shop").stdout)
    found = {each["kind"]: each for each in rendered}
    for each in found.values():
        each["metadata"].pop("namespace", None)
    found["PhaseSecret"]["spec"]["phaseHost"] = world.phase.url
    found["Secret"]["stringData"] = {"token": world.phase.token("operator", form="pss")}
    world.delete("secret", "phase-service-token")

    world.apply(found["PhaseSecret"])
    world.until_reason("TokenSecretNotFound")
    assert judged(world)[0] == "Progressing"
    world.apply(found["Secret"])
    eventually(lambda: judged(world)[0] == "Healthy", what="the wave goes on")

    [container] = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    [reads] = container["envFrom"]
    assert world.data(reads["secretRef"]["name"])
