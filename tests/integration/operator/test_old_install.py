"""An operator that was upgraded by its image alone: the CRDs and the rights of the newer kinds are missing.

PhaseSecrets are served as before, and each newer kind begins as soon as it can, in the same process.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from phase_dev.cluster import CommandFailed, ControlPlane
from phase_dev.server import EmbeddedPhase
from support.api import api_of
from support.bare_plane import bare_plane
from support.canary import Canary
from support.lease_stage import LeaseStage
from support.operator_process import REPOSITORY, eventually, install, running_operator
from support.push_stage import push_secret

NEWER = {"PhaseDynamicSecrets": "phasedynamicsecrets", "PhasePushSecrets": "phasepushsecrets"}
_ROLE = "phase-operator"


@pytest.fixture
def stage(canary: Canary, pytestconfig: pytest.Config) -> Iterator[LeaseStage]:
    with bare_plane(pytestconfig) as plane, EmbeddedPhase() as phase:
        install(plane)
        api_of(plane).create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        found = LeaseStage(plane, "shop", phase, canary)
        found.token()
        yield found


def forbid(plane: ControlPlane) -> None:
    """Bring the ClusterRole back to the version that knows PhaseSecrets alone."""
    role: dict[str, Any] = json.loads(plane.kubectl("get", "clusterrole", _ROLE, "-o", "json").stdout)
    for rule in role["rules"]:
        rule["resources"] = [each for each in rule["resources"] if each.partition("/")[0] not in NEWER.values()]
    role["rules"] = [each for each in role["rules"] if each["resources"]]
    plane.kubectl("replace", "-f", "-", stdin=json.dumps(role))


def allow(plane: ControlPlane) -> None:
    overlay = str(REPOSITORY / "deploy/overlays/cluster-wide")
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-k", overlay)
    plane.kubectl("-n", "phase-system", "scale", "deployment/phase-operator", "--replicas=0")


def is_served(plane: ControlPlane, plural: str) -> bool:
    try:
        api_of(plane).items(plural)
    except CommandFailed:
        return False
    return True


def _reason(stage: LeaseStage) -> str:
    conditions = ((stage.get("phasepushsecret", "to-phase") or {}).get("status") or {}).get("conditions") or [{}]
    return str(conditions[0].get("reason"))


def test_phase_secrets_are_served_until_the_newer_kinds_can_be_and_then_all(stage: LeaseStage, tmp_path: Path) -> None:
    plane = stage.plane
    forbid(plane)
    for each in NEWER.values():
        # The API server lists what goes with a CRD. Where that fails, because nobody has listed the kind before and its
        # storage begins, it now and then does not try again, and the CRD stays.
        eventually(partial(is_served, plane, each), what=f"{each} can be listed")
    plane.kubectl("delete", "crd", *(f"{each}.secrets.phase.dev" for each in NEWER.values()))
    with running_operator(plane, tmp_path) as operator:
        stage.operator = operator

        def noted(words: str) -> None:
            eventually(lambda: words in operator.get("/readyz").text, within=30, what=f"/readyz says {words!r}")
            assert operator.get("/readyz").text.startswith("ok")

        def served(value: str) -> None:
            stage.phase.set("shop", "Production", "LOG_LEVEL", value)
            eventually(lambda: (stage.data("shop") or {}).get("LOG_LEVEL") == value, within=20, what="a change arrives")

        stage.phase_secret()
        stage.until_ready()
        for each in NEWER:
            noted(f"{each} are not served: their CRD is not there; apply crds/")
        assert operator.scrape().sum("phase_operator_kinds_unserved") == 2
        assert operator.log.count("kind not served") == 2

        for each in NEWER.values():
            crd = REPOSITORY / f"crds/secrets.phase.dev_{each}.yaml"
            plane.kubectl("apply", "--server-side", "-f", str(crd))
        eventually(lambda: operator.get("/readyz").text.count("apply the RBAC of this version") == 2, within=30)
        served("without rights")

        allow(plane)
        stage.dynamic_secret()
        stage.until_serving(within=40)
        stage.apply(push_secret("to-phase", stage.phase.url, "/shop"))
        eventually(lambda: _reason(stage) == "NotEnabled", within=40, what="a push is told that it is off")
        eventually(lambda: "not served" not in operator.get("/readyz").text, what="all is served")
        assert operator.scrape().sum("phase_operator_kinds_unserved") == 0
        served("with all")

        stage.no_leases()
        assert stage.live() == []
        assert operator.log.count("operator starts") == 1
