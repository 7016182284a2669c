"""Rights that a person lacks, as the Roles that an administrator can apply."""

from collections.abc import Iterable, Sequence
from typing import Any

from phase_operator.api.crd import as_yaml
from phase_operator.kube.user_cluster import Request

_NAME = "phase-command-line"
_GROUP = "rbac.authorization.k8s.io"


def role_for(request: Request) -> str:
    """Return YAML that gives the right to a request; the person's name is left to be filled in."""
    return roles_for([request])


def roles_for(requests: Iterable[Request]) -> str:
    """Return YAML that gives the rights to requests: one Role for each namespace, a ClusterRole for all of them."""
    by_namespace: dict[str, list[Request]] = {}
    for request in dict.fromkeys(requests):
        by_namespace.setdefault(request.namespace, []).append(request)
    documents = [each for namespace in sorted(by_namespace) for each in _role(namespace, by_namespace[namespace])]
    return "---\n".join(map(as_yaml, documents))


def _role(namespace: str, requests: Sequence[Request]) -> tuple[dict[str, Any], dict[str, Any]]:
    kind = "Role" if namespace else "ClusterRole"
    metadata: dict[str, Any] = {"name": _NAME}
    if namespace:
        metadata["namespace"] = namespace
    role = {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, "rules": _rules(requests)}
    binding = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": _NAME},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": "YOUR-NAME"}],
    }
    return role, binding


def _rules(requests: Sequence[Request]) -> list[dict[str, Any]]:
    """Return a rule for each resource, with all its verbs."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for request in requests:
        part = f"/{request.subresource}" if request.subresource else ""
        verbs.setdefault((request.resource.group, f"{request.resource.plural}{part}"), []).append(request.verb)
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": list(dict.fromkeys(each))}
        for (group, resource), each in verbs.items()
    ]
