"""Write what is pasted into Argo CD's configuration: health checks and actions, from the scripts in contrib/argocd.

Rule: the scripts are the source, laid out as Argo CD's own repository lays out those that it ships.
"""

import textwrap
from collections.abc import Callable
from pathlib import Path

from phase_operator.api import crd, names

SCRIPTS = "contrib/argocd/resource_customizations"
ACTIONS = ("sync", "suspend", "resume")
CONFIG_MAP = "deploy/gitops/argocd/argocd-cm.yaml"
VALUES = "contrib/argocd/helm-values.yaml"
OPERATOR = "contrib/argocd/argocd-operator.yaml"

_CONFIG_MAP = """\
# Argo CD shows the health of our resources, and has actions for them. Adds keys to the ConfigMap that it has:
#   kubectl apply --server-side --field-manager=phase-operator-health -f argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
data:
"""
_VALUES = """\
# Values of Argo CD's own Helm chart, argo-cd: health and actions of our resources.
configs:
  cm:
"""
_OPERATOR = """\
# A patch of the resource ArgoCD of argocd-operator and OpenShift GitOps: health and actions of our resources.
#   kubectl -n argocd patch argocd argocd --type merge --patch-file argocd-operator.yaml
# Lists of a merge patch replace those that are there: have yours in it, too.
spec:
"""


def generated(note: Callable[[str], str], root: Path) -> dict[str, str]:
    """Return each file, as path and content; `note` makes the sentence that names the source."""
    first = f"# {note(SCRIPTS)}\n"
    return {
        CONFIG_MAP: first + _CONFIG_MAP + textwrap.indent(_settings(root), "  "),
        VALUES: first + _VALUES + textwrap.indent(_settings(root), "    "),
        OPERATOR: first + _OPERATOR + textwrap.indent(_of_operator(root), "  "),
    }


def scripts_of(kind: str) -> str:
    """Return the folder with the scripts of a kind."""
    return f"{SCRIPTS}/{names.GROUP}/{kind}"


def _settings(root: Path) -> str:
    """Return the keys of Argo CD's ConfigMap."""
    lines = []
    for kind in _kinds():
        lines.append(f"resource.customizations.health.{names.GROUP}_{kind}: |\n{_block(_health(kind, root))}")
        lines.append(f"resource.customizations.actions.{names.GROUP}_{kind}: |\n{_block(_actions(kind, root))}")
    return "".join(lines)


def _of_operator(root: Path) -> str:
    """Return the fields of an ArgoCD."""
    checks = "".join(_item(kind, "check", _health(kind, root)) for kind in _kinds())
    actions = "".join(_item(kind, "action", _actions(kind, root)) for kind in _kinds())
    return f"resourceHealthChecks:\n{checks}resourceActions:\n{actions}"


def _item(kind: str, field: str, text: str) -> str:
    return f"  - group: {names.GROUP}\n    kind: {kind}\n    {field}: |\n{textwrap.indent(text, ' ' * 6)}"


def _kinds() -> list[str]:
    return [each.kind for each in crd.DEFINITIONS]


def _health(kind: str, root: Path) -> str:
    return (root / scripts_of(kind) / "health.lua").read_text()


def _actions(kind: str, root: Path) -> str:
    """Return the YAML text that Argo CD reads actions from."""
    folder = root / scripts_of(kind) / "actions"
    parts = [f"discovery.lua: |\n{_block((folder / 'discovery.lua').read_text())}definitions:\n"]
    for name in ACTIONS:
        script = textwrap.indent((folder / name / "action.lua").read_text(), " " * 6)
        parts.append(f"  - name: {name}\n    action.lua: |\n{script}")
    return "".join(parts)


def _block(text: str) -> str:
    return textwrap.indent(text, "  ")
