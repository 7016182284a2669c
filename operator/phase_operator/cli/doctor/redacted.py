"""Objects of a cluster without anything that may be a value of a secret, for a bundle that leaves the company.

Rule: what is kept is named here, field by field; everything else is left out, since a value may stand wherever somebody
can write: in labels, annotations, messages of Events, variables, texts of a template. Names stay as people gave them.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS, structural
from phase_operator.cli.doctor.deployed import PROXIES, setting_of_flag, setting_of_variable
from phase_operator.core.json_access import at, filled, mapping, mappings, only, strings, text, texts
from phase_operator.core.targets.ownership import OFFICIAL_MANAGERS
from phase_operator.core.text import without_tokens

MASKED = "<masked>"
_UNKNOWN = "<not known to this version>"
# A text of a spec that may be longer than this is no name.
_LONGEST_NAME = 2048
_LONGEST = 4096
_HOSTS = re.compile(r"[-\w.:,/*\[\]]{1,4096}", re.ASCII)
_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
_FINALIZERS = frozenset({*names.FINALIZERS, names.LEGACY_FINALIZER, "foregroundDeletion", "orphan"})
_IDENTITY = (
    *("name", "namespace", "uid", "resourceVersion", "generation"),
    *("creationTimestamp", "deletionTimestamp"),
)
_CONDITION = ("type", "status", "reason", "lastTransitionTime", "observedGeneration")
_CONTAINER = ("name", "image", "ports", "resources", "imagePullPolicy")
_CONTAINER_STATUS = ("name", "ready", "restartCount", "started", "image")
_EVENT = ("type", "reason", "count", "firstTimestamp", "lastTimestamp", "eventTime", "reportingComponent")
_ENDED = ("reason", "exitCode", "signal", "startedAt", "finishedAt")


def resource(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of our resources: its spec without texts of templates, and its status."""
    schema = _schema(text(body.get("kind")))
    parts = {
        "spec": _kept(schema["spec"], body.get("spec"), is_written_by_people=True),
        "status": _kept(schema["status"], body.get("status"), is_written_by_people=False),
    }
    return {**only(body, "apiVersion", "kind"), "metadata": metadata(body), **parts}


def metadata(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies an object, and of labels and annotations the names of ours alone."""
    found = mapping(body.get("metadata"))
    marks = [*texts(found.get("labels")), *texts(found.get("annotations"))]
    ours = sorted(name for name in marks if name in _OUR_MARKS)
    finalizers = [each if each in _FINALIZERS else MASKED for each in strings(found.get("finalizers"))]
    extra = {"marks": ours, "finalizers": finalizers, "managers": _managers(found)}
    return {**only(found, *_IDENTITY), **filled(extra)}


def deployment(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Deployment: its size, its containers, and what they are set to."""
    spec = mapping(body.get("spec"))
    pod = at(spec, ("template", "spec"))
    kept = {
        **only(spec, "replicas", "strategy", "paused", "minReadySeconds", "progressDeadlineSeconds"),
        "serviceAccountName": pod.get("serviceAccountName"),
        "terminationGracePeriodSeconds": pod.get("terminationGracePeriodSeconds"),
        "containers": [_container(each) for each in mappings(pod.get("containers"))],
    }
    status = mapping(body.get("status"))
    return {"metadata": metadata(body), "spec": kept, "status": {**_numbers(status), "conditions": _conditions(status)}}


def pod(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod: where it is, and how its containers do."""
    spec, status = mapping(body.get("spec")), mapping(body.get("status"))
    kept = {
        **only(status, "phase", "reason", "startTime", "qosClass"),
        "conditions": _conditions(status),
        "containerStatuses": [_container_status(each) for each in mappings(status.get("containerStatuses"))],
    }
    containers = [_container(each) for each in mappings(spec.get("containers"))]
    return {"metadata": metadata(body), "spec": {**only(spec, "nodeName"), "containers": containers}, "status": kept}


def event(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an Event without its message, which anybody may have written."""
    about = only(mapping(body.get("involvedObject")), "kind", "namespace", "name")
    return {**only(body, *_EVENT), "involvedObject": about, "message": f"<{len(text(body.get('message')))} characters>"}


def network_policy(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a NetworkPolicy: the ports and addresses that it opens, and by what sort of selector."""
    spec = mapping(body.get("spec"))
    rules = [
        {
            "ports": [only(each, "port", "endPort", "protocol") for each in mappings(rule.get("ports"))],
            **filled({"to": [_peer(each) for each in mappings(rule.get("to"))]}),
        }
        for rule in mappings(spec.get("egress"))
    ]
    kept = {**only(spec, "policyTypes"), "selectsAll": not spec.get("podSelector"), "egress": rules}
    return {"metadata": metadata(body), "spec": kept}


def budget(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a PodDisruptionBudget: what it keeps, and what it counts."""
    kept = only(mapping(body.get("spec")), "minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy")
    return {"metadata": metadata(body), "spec": kept, "status": _numbers(mapping(body.get("status")))}


def definition(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CRD without its schema."""
    versions = [only(each, "name", "served", "storage") for each in mappings(at(body, ("spec",)).get("versions"))]
    return {"metadata": metadata(body), "versions": versions, "conditions": _conditions(mapping(body.get("status")))}


def variable(name: str, value: str) -> str:
    """Return a variable's value if it is a setting of ours or a proxy's address; a mask otherwise."""
    if name.upper() in PROXIES:
        return _without_password(value)
    return without_tokens(value)[:_LONGEST] if setting_of_variable(name) else MASKED


def arguments(given: Iterable[object]) -> list[str]:
    """Return arguments that are our flags and commands with what follows them; a mask for any other."""
    kept: list[str] = []
    is_known = False
    for word in map(str, given):
        is_flag = word.startswith("-")
        is_ours = bool(setting_of_flag(word.partition("=")[0]))
        is_shown = is_ours if is_flag else is_known or word == "run"
        kept.append(without_tokens(word)[:_LONGEST] if is_shown else MASKED)
        is_known = is_flag and is_ours and "=" not in word
    return kept


def _peer(peer: Mapping[str, Any]) -> object:
    """Return where a rule leads: an address, or the sorts of selectors."""
    block = mapping(peer.get("ipBlock"))
    return only(block, "cidr", "except") if block else "+".join(sorted(peer))


def _numbers(status: Mapping[str, Any]) -> dict[str, int]:
    return {name: each for name, each in status.items() if isinstance(each, int)}


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    env = [_variable(each) for each in mappings(container.get("env"))]
    words = {field: arguments(container.get(field) or []) for field in ("command", "args") if container.get(field)}
    return {**only(container, *_CONTAINER), **words, "env": env, "envFrom": len(container.get("envFrom") or [])}


def _variable(found: Mapping[str, Any]) -> dict[str, Any]:
    name = text(found.get("name"))
    if "valueFrom" in found:
        return {"name": name, "valueFrom": sorted(mapping(found.get("valueFrom")))}
    return {"name": name, "value": variable(name, text(found.get("value")))}


def _container_status(status: Mapping[str, Any]) -> dict[str, Any]:
    states = {
        f"{field}.{state}": only(mapping(each), *_ENDED)
        for field in ("state", "lastState")
        for state, each in mapping(status.get(field)).items()
    }
    return {**only(status, *_CONTAINER_STATUS), **states}


def _conditions(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [only(each, *_CONDITION) for each in mappings(status.get("conditions"))]


def _managers(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return who wrote an object, by names that are known; anybody may call himself anything."""
    managers = mappings(found.get("managedFields"))
    return [
        {
            **only(each, "operation", "subresource", "time"),
            "manager": by if (by := text(each.get("manager"))) in _MANAGERS else MASKED,
        }
        for each in managers
    ]


def _without_password(address: str) -> str:
    """Return the addresses of a proxy, or those that need none, without what stands before an `@`."""
    scheme, _, rest = address.rpartition("://")
    # A password may contain anything, a slash too, so what counts is the last sign.
    hosts = rest.rpartition("@")[2].rstrip("/")
    if not _HOSTS.fullmatch(hosts) or (scheme and scheme not in _SCHEMES):
        return MASKED
    return f"{scheme}://{hosts}" if scheme else hosts


@cache
def _schema(kind: str) -> Mapping[str, Mapping[str, Any]]:
    for each in DEFINITIONS:
        if each.kind == kind:
            properties = structural(each.model)["properties"]
            return {"spec": properties["spec"], "status": properties["status"]}
    return {"spec": {}, "status": {}}


def _kept(schema: object, value: object, *, is_written_by_people: bool) -> object:
    """Return what a schema knows of a value; in what people write, texts that are no names are masked."""
    known = mapping(schema)
    if isinstance(value, dict):
        return _members(known, value, is_written_by_people=is_written_by_people)
    if isinstance(value, list):
        return [_kept(known.get("items"), each, is_written_by_people=is_written_by_people) for each in value]
    if not isinstance(value, str):
        return value
    is_name = len(value) <= _LONGEST_NAME and known.get("maxLength", 0) <= _LONGEST_NAME
    return without_tokens(value)[:_LONGEST] if is_name or not is_written_by_people else _size(value)


def _members(schema: Mapping[str, Any], value: dict[str, Any], *, is_written_by_people: bool) -> dict[str, object]:
    """Return what a schema knows of an object: by the names of its fields, or of all its keys alike."""
    part = partial(_kept, is_written_by_people=is_written_by_people)
    child = mapping(schema.get("additionalProperties"))
    if not child:
        known = mapping(schema.get("properties"))
        return {key: part(known[key], each) if key in known else _UNKNOWN for key, each in value.items()}
    is_masked = is_written_by_people and child.get("type") == "string"
    return {without_tokens(key): _size(each) if is_masked else part(child, each) for key, each in value.items()}


def _size(value: object) -> str:
    return f"<{len(str(value))} characters>"


_OUR_MARKS = frozenset(
    each for word, each in vars(names).items() if word.startswith(("LABEL_", "ANNOTATION_")) and "/" in str(each)
)
_MANAGERS = OFFICIAL_MANAGERS | {
    *(names.FIELD_MANAGER, "kubectl", "kubectl-client-side-apply", "kubectl-phase", "helm", "argocd-controller"),
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"),
}
