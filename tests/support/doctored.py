"""The smallest facts of an installation, as the API server has them, for tests of `doctor`."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from phase_operator import __version__
from phase_operator.cli.doctor.deployed import Operator, operator_of
from phase_operator.cli.doctor.others import Lease
from phase_operator.cli.doctor.running import Pod, pod_of
from support.operator_process import REPOSITORY

NOW = 1_800_000_000.0
_LABELS = {"app.kubernetes.io/name": "phase-operator"}


def shipped(kind: str = "deployment") -> dict[str, Any]:
    """Return the first object of a manifest that we ship."""
    loaded: dict[str, Any] = next(yaml.safe_load_all((REPOSITORY / f"deploy/base/{kind}.yaml").read_text()))
    return loaded


def deployment(
    namespace: str = "phase-system",
    *,
    env: Mapping[str, str] | None = None,
    args: Sequence[str] = ("run",),
    **spec: Any,
) -> dict[str, Any]:
    """Return our Deployment as it is stored, with more variables and other arguments."""
    made = copy.deepcopy(shipped())
    made["metadata"] |= {"namespace": namespace, "labels": _LABELS}
    made["spec"] |= spec
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["args"] = list(args)
    container["env"] += [{"name": name, "value": value} for name, value in (env or {}).items()]
    made["status"] = {"readyReplicas": made["spec"]["replicas"]}
    return made


def operator(namespace: str = "phase-system", **parts: Any) -> Operator:
    """Return our operator."""
    found = operator_of(deployment(namespace, **parts))
    assert found is not None
    return found


def official(replicas: int = 1, image: str = "phasehq/kubernetes-operator:1.4.1") -> dict[str, Any]:
    """Return the official operator's Deployment, as its chart makes it."""
    container = {"name": "phase-kubernetes-operator", "image": image}
    template = {"metadata": {"labels": {"app": "phase-kubernetes-operator"}}, "spec": {"containers": [container]}}
    metadata = {"namespace": "phase", "name": "phase-kubernetes-operator"}
    return {"metadata": metadata, "spec": {"replicas": replicas, "template": template}, "status": {}}


def pod(
    name: str = "phase-operator-0", *, ready: bool = True, image: str = f"phase-operator:{__version__}", **status: Any
) -> Pod:
    """Return a pod of ours; `status` is that of its container."""
    return pod_of(
        {
            "metadata": {"namespace": "phase-system", "name": name},
            "spec": {"containers": [{"name": "operator", "image": image}]},
            "status": {
                "conditions": [{"type": "Ready", "status": str(ready)}],
                "containerStatuses": [{"name": "operator", "restartCount": 0, **status}],
            },
        }
    )


def lease(holder: str = "phase-operator-0_0123456789abcdef", *, age: float = 1.0, **place: str) -> Lease:
    """Return a Lease that was renewed so many seconds ago."""
    where = {"namespace": "phase-system", "name": "phase-operator"} | place
    return Lease(**where, holder=holder, duration=15.0, renewed=NOW - age)
