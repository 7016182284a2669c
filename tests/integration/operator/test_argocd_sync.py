"""A fresh Argo CD application of the samples is in sync, judged by Argo CD's own comparison."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import yaml

from phase_dev.cluster.catalog import ARGODIFF
from phase_dev.cluster.programs import obtain
from phase_dev.shell.terminal import Progress
from support.gitops import MANAGERS, RESOURCES, prepared
from support.operator_process import REPOSITORY
from support.world import World

pytestmark = pytest.mark.controlplane

Object = dict[str, Any]
Compare = Callable[[Iterable[Object]], list[Object | None]]


@pytest.fixture(scope="module")
def compare() -> Compare:
    """Give Argo CD's comparison: pairs of what Git and the cluster have, and for each the difference or None."""
    program = obtain([ARGODIFF], os.environ, Progress(sys.stderr))[ARGODIFF.name].path

    def compared(pairs: Iterable[Object]) -> list[Object | None]:
        done = subprocess.run(
            [program], input=json.dumps(list(pairs)), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        found: list[Object | None] = json.loads(done.stdout)
        return found

    return compared


def application(world: World) -> list[Object]:
    """Return what Git has: every sample, and the recipe with the token and a Deployment; tracked by Argo CD."""
    manifests = [prepared(world, wanted) | {"kind": "PhaseSecret"} for wanted in RESOURCES.values()]
    for name, each in zip(RESOURCES, manifests, strict=True):
        each["metadata"]["name"] = name.replace(" ", "-")
        if name == "secret-only shop-secrets":
            # Two samples have a target of the same name.
            each["spec"]["managedSecretReferences"] = [{"secretName": "shop-secrets-alone"}]
    text = world.plane.kubectl("kustomize", REPOSITORY / "deploy/gitops/shop").stdout
    recipe = {each["kind"]: each for each in yaml.safe_load_all(text) if each["kind"] != "Namespace"}
    recipe["Secret"]["stringData"] = {"token": world.phase.token("operator", form="pss")}
    recipe["PhaseSecret"]["spec"]["phaseHost"] = world.phase.url
    recipe["Deployment"]["spec"]["template"]["metadata"]["annotations"] = {"example.com/of-git": "1"}
    for each in (found := [*recipe.values(), *manifests]):
        group = each["apiVersion"].rpartition("/")[0]
        each["metadata"]["namespace"] = world.namespace
        mark = f"shop:{group}/{each['kind']}:{world.namespace}/{each['metadata']['name']}"
        each["metadata"].setdefault("annotations", {})["argocd.argoproj.io/tracking-id"] = mark
    return found


def pairs(world: World, wanted: Iterable[Object], *, server_side: bool) -> list[Object]:
    """Return what Git has beside what the cluster has; for a server-side comparison with a dry run's answer."""
    found = []
    for each in wanted:
        place = ("-n", world.namespace, "--show-managed-fields", "-o", "json")
        live = json.loads(world.plane.kubectl("get", each["kind"], each["metadata"]["name"], *place).stdout)
        pair = {"config": each, "live": live}
        if server_side:
            tried = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-")
            done = world.plane.kubectl(*tried, f"--field-manager={MANAGERS[0]}", *place, stdin=json.dumps(each))
            pair["predicted"] = json.loads(done.stdout)
        found.append(pair)
    return found


@pytest.mark.parametrize("server_side", [False, True], ids=["its usual apply", "a server-side apply"])
def test_a_fresh_application_of_the_samples_is_in_sync(world: World, compare: Compare, server_side: bool) -> None:
    """Also after a change in Phase, which restarts the Deployment; and an edit by hand is seen."""
    wanted = application(world)
    way = ("--server-side", "--force-conflicts", f"--field-manager={MANAGERS[0]}") if server_side else ()
    together = {"apiVersion": "v1", "kind": "List", "items": wanted}
    world.plane.kubectl("-n", world.namespace, "apply", *way, "-f", "-", stdin=json.dumps(together))
    names = [each["metadata"]["name"] for each in wanted if each["kind"] == "PhaseSecret"]
    for name in names:
        world.until_ready(name)

    assert compare(pairs(world, wanted, server_side=server_side)) == [None] * len(wanted)

    before = (world.get("deployment", "shop") or {})["spec"]["template"]
    world.phase.set("shop", "Production", "DATABASE_PASSWORD", world.canary.value("new"))
    world.until(
        lambda: (world.get("deployment", "shop") or {})["spec"]["template"] != before,
        within=60,
        what="the Deployment is restarted",
    )
    assert compare(pairs(world, wanted, server_side=server_side)) == [None] * len(wanted)

    edit = ("patch", "phasesecret", names[-1], "--type=merge", "-p", '{"spec":{"pollingInterval":6}}')
    world.plane.kubectl("-n", world.namespace, *edit)
    [edited] = [each for each in wanted if each["metadata"]["name"] == names[-1] and each["kind"] == "PhaseSecret"]
    [difference] = compare(pairs(world, [edited], server_side=server_side))
    assert difference is not None
    assert difference["live"] != difference["predicted"]
