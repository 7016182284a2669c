"""What tests of the CRDs do on a real API server."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path

from manifests.objects import Object
from phase_dev import documents
from phase_dev.cluster import ControlPlane
from support.cluster_fixture import Kubectl
from support.dry_run import judged


def established(kubectl: Kubectl, file: Path) -> Object:
    """Apply a CRD, wait until it is served, and return what its file says."""
    found: Object = documents.load(file.read_text())
    kubectl("apply", "--server-side", "--force-conflicts", "-f", file)
    kubectl("wait", "--for=condition=Established", f"crd/{found['metadata']['name']}", "--timeout=30s")
    return found


def apply(kubectl: Kubectl, namespace: str, body: Object) -> Object:
    """Apply an object, and return what the API server keeps."""
    done = kubectl("-n", namespace, "apply", "--server-side", "-o", "json", "-f", "-", stdin=json.dumps(body))
    stored: Object = json.loads(done.stdout)
    return stored


def with_status(kubectl: Kubectl, namespace: str, resource: str, status: Object) -> Object:
    """Write a status as the operator does, as a whole; return what the API server keeps. `resource` is `pds/one`."""
    patch = json.dumps([{"op": "add", "path": "/status", "value": status}], ensure_ascii=False)
    arguments = ("--subresource=status", "--type=json", "--patch-file=/dev/stdin")
    kubectl("-n", namespace, "patch", resource, *arguments, stdin=patch)
    stored: Object = json.loads(kubectl("-n", namespace, "get", resource, "-o", "json").stdout)["status"]
    return stored


def refusal_of_larger(kubectl: Kubectl, crd: Object, times: int, *fields: str) -> str:
    """Return why a CRD is refused if these lists of its spec may be so many times as long; "" if it is taken."""
    larger = copy.deepcopy(crd)
    spec = larger["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    for name in fields:
        spec[name]["maxItems"] *= times
    done = kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=json.dumps(larger), check=False)
    return "" if done.returncode == 0 else f"refused: {done.stderr}"


def wrongly_judged(plane: ControlPlane, path: str, bad: Mapping[str, tuple[Object, str]]) -> str:
    """Return which of these objects are taken, or refused without this part of the message, a line each."""
    answers = judged(plane, path, {what: body for what, (body, _) in bad.items()})
    told = {what: answer.json().get("message", "taken") for what, answer in answers.items()}
    return "\n".join(f"{what}, {part}: {told[what]}" for what, (_, part) in bad.items() if part not in told[what])


def changed(plane: ControlPlane, path: str, objects: dict[str, Object]) -> str:
    """Return which specs the API server refuses or would store in another form, a line each."""
    for body in objects.values():
        body["metadata"].pop("namespace", None)  # the path says which
    answers = judged(plane, path, objects)
    assert answers.keys() == objects.keys() != set()
    return "\n".join(
        f"{what}: {answer.text}"
        for what, answer in answers.items()
        if answer.is_error or answer.json()["spec"] != objects[what]["spec"]
    )
