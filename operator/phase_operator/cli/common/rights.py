"""Rights that a person lacks, as the Roles that an administrator can apply.

Rule: Roles add up. The name of each says what it gives, so that one that is applied later takes no other's place.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from phase_operator.api.crd import as_yaml
from phase_operator.kube.user_resources import CONFIG_MAPS, LEASES, SECRETS, Request

_NAME = "phase-command-line"
_GROUP = "rbac.authorization.k8s.io"
# A right to one of these is not one to all of them, where RBAC can tell the difference.
_NAMED = frozenset({SECRETS, CONFIG_MAPS, LEASES})
_BY_NAME = frozenset({"get", "patch", "update", "delete"})


def roles_for(requests: Iterable[Request]) -> str:
    """Return YAML that gives the rights to requests: one Role for each namespace, a ClusterRole for all of them.

    The person's name is left to be filled in.
    """
    by_namespace: dict[str, list[Request]] = {}
    for request in dict.fromkeys(requests):
        by_namespace.setdefault(request.namespace, []).append(request)
    documents = [each for namespace in sorted(by_namespace) for each in _role(namespace, by_namespace[namespace])]
    return "---\n".join(map(as_yaml, documents))


def _role(namespace: str, requests: Sequence[Request]) -> tuple[dict[str, Any], dict[str, Any]]:
    kind = "Role" if namespace else "ClusterRole"
    rules = _rules(requests)
    digest = hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:10]
    metadata: dict[str, Any] = {"name": f"{_NAME}-{digest}"}
    if namespace:
        metadata["namespace"] = namespace
    role = {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, "rules": rules}
    binding = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": metadata["name"]},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": "YOUR-NAME"}],
    }
    return role, binding


def _rules(requests: Sequence[Request]) -> list[dict[str, Any]]:
    """Return a rule for each resource, with all its verbs; one that is named has a rule of its own."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for request in requests:
        part = f"/{request.subresource}" if request.subresource else ""
        name = request.name if request.resource in _NAMED and request.verb in _BY_NAME else ""
        verbs.setdefault((request.resource.group, f"{request.resource.plural}{part}", name), []).append(request.verb)
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": list(dict.fromkeys(each))}
        | ({"resourceNames": [name]} if name else {})
        for (group, resource, name), each in verbs.items()
    ]
