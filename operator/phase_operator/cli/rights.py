"""Rights that a person lacks, as the Role that an administrator can apply."""

from typing import Any

from phase_operator.api.crd import as_yaml
from phase_operator.kube.user_cluster import Request

_NAME = "phase-command-line"
_GROUP = "rbac.authorization.k8s.io"


def role_for(request: Request) -> str:
    """Return YAML that gives the right to a request; the person's name is left to be filled in."""
    is_namespaced = bool(request.namespace)
    kind = "Role" if is_namespaced else "ClusterRole"
    metadata: dict[str, Any] = {"name": _NAME}
    if is_namespaced:
        metadata["namespace"] = request.namespace
    part = f"/{request.subresource}" if request.subresource else ""
    rule = {
        "apiGroups": [request.resource.group],
        "resources": [f"{request.resource.plural}{part}"],
        "verbs": [request.verb],
    }
    role = {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, "rules": [rule]}
    binding = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": _NAME},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": "YOUR-NAME"}],
    }
    return "---\n".join(map(as_yaml, (role, binding)))
