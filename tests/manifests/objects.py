"""Kubernetes objects as the tests see them: plain dicts, found by kind and name."""

import pickle
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types; kubernetes-validate brings it
import kubernetes_validate  # type: ignore[import-untyped]  # it ships no types

from phase_dev import documents
from phase_operator.api.names import OLDEST_KUBERNETES

ROOT = Path(__file__).parents[2]
CRD_FILE = ROOT / "crds/secrets.phase.dev_phasesecrets.yaml"
CRD_FILE_DYNAMIC = ROOT / "crds/secrets.phase.dev_phasedynamicsecrets.yaml"
CRD_FILE_PUSH = ROOT / "crds/secrets.phase.dev_phasepushsecrets.yaml"
CRD_FILES = (CRD_FILE, CRD_FILE_DYNAMIC, CRD_FILE_PUSH)
_ALL_SAMPLES = sorted((ROOT / "deploy/samples").glob("*.yaml"))
DYNAMIC_SAMPLES = [file for file in _ALL_SAMPLES if "\nkind: PhaseDynamicSecret\n" in file.read_text()]
PUSH_SAMPLES = [file for file in _ALL_SAMPLES if "\nkind: PhasePushSecret\n" in file.read_text()]
SAMPLES = [file for file in _ALL_SAMPLES if file not in (*DYNAMIC_SAMPLES, *PUSH_SAMPLES)]
CHART = ROOT / "helm/phase-operator"
# The Prometheus operator's own definitions.
MONITORING = ROOT / "tests/manifests/monitoring.coreos.com"
# The oldest that we promise, and the newest whose schema the validator has.
OLDEST = ".".join(map(str, OLDEST_KUBERNETES))
KUBERNETES = (OLDEST, "1.37")

Object = dict[str, Any]
# (API group, resource, names it is narrowed to) -> verbs
Permissions = dict[tuple[str, str, tuple[str, ...]], frozenset[str]]


def load(text: str) -> list[Object]:
    """Return the objects of a YAML stream."""
    return [document for document in documents.load_all(text) if document]


def pickled(text: str) -> list[bytes]:
    """Return the objects of a YAML stream, pickled, so that each that asks gets its own.

    A document is read once: most of a rendering, the CRDs, is in every other rendering too.
    """
    found = (_pickled(document) for document in re.split(r"^---$", text, flags=re.MULTILINE))
    return [each for each in found if each]


def load_rendered(text: str) -> list[Object]:
    """Return the objects of what a program has rendered, sooner than `load` when parts of it were read before."""
    return [pickle.loads(each) for each in pickled(text)]


@cache
def _pickled(document: str) -> bytes:
    read = documents.load(document)
    return pickle.dumps(read) if read else b""


def in_pages(kind: str) -> Iterator[tuple[str, Object]]:
    """Yield the resources of a kind that our pages show, each with its page and its place on it."""
    for page in sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")]):
        blocks = re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
        # Pages also show the files of other tools, which may be lists.
        found: list[Any] = [each for block in blocks for each in load(textwrap.dedent(block))]
        shown = [each for each in found if isinstance(each, dict) and each.get("kind") == kind]
        yield from ((f"{page.relative_to(ROOT)}, {place}", each) for place, each in enumerate(shown, 1))


def one(objects: Iterable[Object], kind: str, name: str | None = None, namespace: str | None = None) -> Object:
    """Return the only object of that kind, name and namespace."""
    found = [
        each
        for each in objects
        if each["kind"] == kind
        and name in (None, each["metadata"]["name"])
        and namespace in (None, each["metadata"].get("namespace"))
    ]
    assert len(found) == 1, f"{len(found)} objects are {kind} {name} in {namespace}"
    return found[0]


def kinds(objects: Iterable[Object]) -> set[str]:
    """Return the kinds that occur."""
    return {each["kind"] for each in objects}


def permissions(role: Mapping[str, Any]) -> Permissions:
    """Return what a role allows, each permission on its own; the same permission twice is an error."""
    found: Permissions = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                key = (group, resource, tuple(rule.get("resourceNames", ())))
                assert key not in found
                found[key] = frozenset(rule["verbs"])
    return found


def validate(objects: Iterable[Object], version: str) -> None:
    """Check objects against the published schema of one Kubernetes version; unknown fields are errors."""
    for each in objects:
        if each["apiVersion"] == "monitoring.coreos.com/v1":
            jsonschema.validate(each, _custom(each["kind"]))
            continue
        _validate(pickle.dumps(each), version)


@cache  # most objects of one rendering are in others too; what is refused is judged again
def _validate(pickled_object: bytes, version: str) -> None:
    kubernetes_validate.validate(pickle.loads(pickled_object), version, strict=True)


@cache
def _custom(kind: str) -> Object:
    """Return the schema of a kind of the Prometheus operator; unknown fields are errors."""
    definition = documents.load((MONITORING / f"{kind.lower()}s.yaml").read_text())
    version = next(each for each in definition["spec"]["versions"] if each["name"] == "v1")
    schema: Object = _closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("pattern"), str):
        closed["pattern"] = schema["pattern"].replace("^(?i)", "(?i)^")  # Go takes flags anywhere
    if isinstance(schema.get("properties"), dict) and "x-kubernetes-preserve-unknown-fields" not in schema:
        closed.setdefault("additionalProperties", False)
    return closed


def not_restricted(pod: Mapping[str, Any]) -> list[str]:
    """Return what keeps a pod spec from the Pod Security Standard `restricted`."""
    of_pod = pod.get("securityContext", {})
    faults = [word for word in ("hostNetwork", "hostPID", "hostIPC") if pod.get(word)]
    faults += [
        f"volume {volume['name']}"
        for volume in pod.get("volumes", ())
        if volume.keys() - {"name", "configMap", "secret", "emptyDir", "projected", "downwardAPI"}
    ]
    for container in [*pod["containers"], *pod.get("initContainers", ())]:
        own = of_pod | container.get("securityContext", {})
        checks = {
            "runAsNonRoot": own.get("runAsNonRoot") is True,
            "runAsUser": own.get("runAsUser") != 0,
            "seccompProfile": own.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "privileged": not own.get("privileged"),
            "capabilities": own.get("capabilities", {}).get("drop") == ["ALL"]
            and set(own.get("capabilities", {}).get("add", ())) <= {"NET_BIND_SERVICE"},
            "hostPort": not any("hostPort" in port for port in container.get("ports", ())),
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
        }
        faults += [f"{container['name']}: {word}" for word, good in checks.items() if not good]
    return faults
