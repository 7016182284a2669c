"""A cluster as a version of the operator leaves it: recorded once, and put back as often as a test likes.

Objects are copied as etcd holds them, so that uids, managedFields and statuses come back as they were. Run as a program
it records what the operator of this checkout leaves:

    cd tests && ../.venv/bin/python -m support.recorded recorded/NAME.json.gz
"""

import base64
import gzip
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phase_dev.cluster import ControlPlane, start_control_plane
from phase_dev.server import EmbeddedPhase
from phase_operator.api import names
from support import etcd
from support.followers import SETTLE, workload
from support.operator_process import eventually, install, running_operator
from support.world import phase_secret, secret

# Targets remember the address of Phase, so it is part of the recording.
HOST, PORT = "127.77.0.1", 8471
TEAM, OTHER = "team", "other"
FLAGS = ("--grant", f"from={TEAM},to={OTHER},what=target", *SETTLE)
_COLLECTIONS = (
    "namespaces",
    "secrets",
    "configmaps",
    "secrets.phase.dev/phasesecrets",
    "deployments",
    "statefulsets",
    "daemonsets",
)
_WORKLOADS = "deployments,statefulsets,daemonsets"
_OWN = (TEAM, OTHER, "phase-system")


@dataclass(frozen=True)
class Recording:
    """What etcd held, by key, and the file of the embedded Phase."""

    objects: dict[str, str]
    phase: bytes

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Read a recording from its file."""
        found = json.loads(gzip.decompress(path.read_bytes()))
        return cls(found["objects"], base64.b64decode(found["phase"]))

    def save(self, path: Path) -> None:
        """Write the recording to a file; equal recordings make equal files."""
        document = {"objects": self.objects, "phase": base64.b64encode(self.phase).decode()}
        path.write_bytes(gzip.compress(json.dumps(document, indent=0, sort_keys=True).encode(), mtime=0))

    def put_back(self, plane: ControlPlane) -> None:
        """Write the objects into a running cluster's etcd: namespaces first, as the API server wants it."""
        ordered = sorted(self.objects, key=lambda each: ("/namespaces/" not in each, each))
        etcd.change(plane, {key: self.objects[key] for key in ordered})


def record(plane: ControlPlane, phase: Path) -> Recording:
    """Copy what the operator and its users made."""
    objects: dict[str, str] = {}
    for collection in _COLLECTIONS:
        for key, value in etcd.contents(plane, f"/registry/{collection}/").items():
            name = key.removeprefix(f"/registry/{collection}/")
            if name.split("/")[0] in _OWN and not name.startswith("phase-system/phase-operator-leader"):
                objects[key] = value
    # The Deployment of the operator itself comes with the installation.
    objects = {key: value for key, value in objects.items() if "/deployments/phase-system/" not in key}
    return Recording(objects, phase.read_bytes())


def scene(url: str) -> list[dict[str, Any]]:
    """Return PhaseSecrets of every kind of target and of most states, and workloads that follow them."""

    def one(name: str, **spec: Any) -> dict[str, Any]:
        return phase_secret(name, url, **spec)

    def to(name: str, **fields: Any) -> dict[str, Any]:
        return one(name, managedSecretReferences=[{"secretName": name, **fields}])

    template = {
        "data": {"url": "postgres://{{ DATABASE_HOST }}/shop"},
        "metadata": {"labels": {"team": "shop"}, "annotations": {"contact": "shop"}},
    }
    forced = one("forced")
    forced["metadata"]["annotations"] = {"secrets.phase.dev/sync": "1"}
    return [
        # First, so that they are noted before their Secret is written.
        workload(replicas=1),
        workload("StatefulSet", replicas=1),
        workload("DaemonSet"),
        one("shop", managedConfigMapReferences=[{"configMapName": "shop-config"}]),
        to("owned", deletionPolicy="Delete"),
        to("orphan", creationPolicy="Orphan"),
        to("merged", creationPolicy="Merge"),
        to("versioned", versioned={"keep": 2}),
        to("templated", template=template),
        to("file", format="dotenv"),
        to("lower", nameTransformer="lower-kebab"),
        one("folders", phaseAppEnv="Development", phaseAppEnvPath="/payments"),
        one("tagged", phaseAppEnvTags=["db"]),
        one("references", phaseAppEnv="Development"),
        one("abroad", managedSecretReferences=[{"secretName": "abroad", "secretNamespace": OTHER}]),
        one("suspended", suspend=True),
        forced,
        one("no-app", phaseApp="nothing-of-that-name"),
        one("no-environment", phaseAppEnv="Nowhere"),
        one("no-token", authentication={"serviceToken": {"serviceTokenSecretReference": {"secretName": "missing"}}}),
        one("no-entries", phaseAppEnvPath="/nothing-is-here"),
        to("foreign"),
        one("refused", managedSecretReferences=[{"secretName": "refused", "secretNamespace": "kube-public"}]),
    ]


FAILING = {
    "no-app": "AppNotFound",
    "no-environment": "EnvironmentNotFound",
    "no-token": "TokenSecretNotFound",
    "no-entries": "NoEntries",
    "foreign": "TargetConflict",
    "refused": "CrossNamespaceRefused",
}


def furnish(plane: ControlPlane, phase: EmbeddedPhase) -> None:
    """Apply the scene, let a value change so that workloads are restarted, and wait until all is said."""
    for name in (TEAM, OTHER):
        plane.kubectl("create", "namespace", name)
    foreign = [secret("foreign", {"theirs": "1"}), secret("merged", {"theirs": "1"})]
    token = secret("phase-service-token", {"token": phase.token("operator", form="pss")})
    _apply(plane, [token, *foreign])
    _apply(plane, scene(phase.url))
    eventually(lambda: _all_said(plane), within=60, what="every PhaseSecret says how it stands")
    eventually(lambda: _all_roll_out_and_are_noted(plane), within=60, what="the workloads run")
    before = _generations(plane)
    phase.set("shop", "Production", "DATABASE_PASSWORD", "a-changed-password")
    eventually(lambda: all(now > before[name] for name, now in _generations(plane).items()), within=60, what="restarts")
    eventually(lambda: _all_roll_out_and_are_noted(plane), within=60, what="the workloads run again")
    # A status shows the restarts after they are done.
    eventually(lambda: _restarts_said(plane), within=60, what="the status says what was restarted")


def _apply(plane: ControlPlane, documents: list[dict[str, Any]]) -> None:
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    plane.kubectl("-n", TEAM, "apply", "-f", "-", stdin=body)


def _items(plane: ControlPlane, kinds: str) -> list[dict[str, Any]]:
    return list(json.loads(plane.kubectl("-n", TEAM, "get", kinds, "-o", "json").stdout)["items"])


def _all_said(plane: ControlPlane) -> bool:
    reasons: dict[str, str] = {}
    for each in _items(plane, "phasesecrets"):
        ready = [c for c in (each.get("status") or {}).get("conditions") or [] if c["type"] == "Ready"]
        reasons[each["metadata"]["name"]] = ready[0]["reason"] if ready else ""
    wanted = dict.fromkeys(reasons, "Synced") | {"suspended": "Suspended"} | FAILING
    return reasons == {name: wanted[name] for name in reasons}


def _generations(plane: ControlPlane) -> dict[str, int]:
    found = _items(plane, _WORKLOADS)
    return {f"{each['kind']} {each['metadata']['name']}": each["metadata"]["generation"] for each in found}


def _all_roll_out_and_are_noted(plane: ControlPlane) -> bool:
    for each in _items(plane, _WORKLOADS):
        status = each.get("status") or {}
        pods = status.get("desiredNumberScheduled", each["spec"].get("replicas"))
        updated = status.get("updatedNumberScheduled", status.get("updatedReplicas"))
        ready = status.get("numberReady", status.get("readyReplicas"))
        if status.get("observedGeneration") != each["metadata"]["generation"] or not pods == updated == ready:
            return False
        if f"{names.LABEL_RUNNING_PREFIX}0" not in each["metadata"]["labels"]:
            return False
    return True


def _restarts_said(plane: ControlPlane) -> bool:
    shop = json.loads(plane.kubectl("-n", TEAM, "get", "phasesecret", "shop", "-o", "json").stdout)
    targets = shop["status"]["targets"]
    return any(len(each.get("restarted") or []) == len(_items(plane, _WORKLOADS)) for each in targets)


def main(path: Path) -> None:
    """Record what the operator of this checkout leaves."""
    with tempfile.TemporaryDirectory() as folder, start_control_plane(controllers=True, nodes=1) as plane:
        state = Path(folder) / "phase.sqlite"
        install(plane)
        with EmbeddedPhase(host=HOST, port=PORT, state=state) as phase, running_operator(plane, Path(folder), *FLAGS):
            furnish(plane, phase)
        record(plane, state).save(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
