"""Who applied a resource: Argo CD, Flux or Helm, by the marks that they leave, and other clients by their names.

Rule: the marks are labels and annotations, which anybody who may edit the resource can write. They are a hint for
people, and decide nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import at, mapping, mappings, parsed, text, texts
from phase_operator.core.text import clean

_ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
_ARGO_INSTANCE = "argocd.argoproj.io/instance"
_FLUX = (("kustomize.toolkit.fluxcd.io", "Kustomization"), ("helm.toolkit.fluxcd.io", "HelmRelease"))
_HELM = "meta.helm.sh"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# The field manager of this command line, and that of the operator, which writes no spec.
OWN_MANAGER = "kubectl-phase"
_MOST = 20


@dataclass(frozen=True, slots=True)
class Applier:
    """A tool that keeps a resource as it stands elsewhere, and the thing of that tool that names it."""

    tool: str
    thing: str

    def __str__(self) -> str:
        return f"{self.tool} ({self.thing})"


def applier(resource: Mapping[str, Any]) -> Applier | None:
    """Return the tool whose marks a resource has; None if it has none."""
    metadata = mapping(resource.get("metadata"))
    labels, annotations = texts(metadata.get("labels")), texts(metadata.get("annotations"))
    return _argo(resource, labels, annotations) or _flux(labels) or _helm(annotations)


def _argo(resource: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]) -> Applier | None:
    metadata = mapping(resource.get("metadata"))
    app, _, place = annotations.get(_ARGO_TRACKING, "").partition(":")
    own = f"{names.GROUP}/{text(resource.get('kind'))}:{text(metadata.get('namespace'))}/{text(metadata.get('name'))}"
    # A copy of an object has the mark of the object that it was copied from.
    name = app if place == own else labels.get(_ARGO_INSTANCE, "")
    return Applier("Argo CD", f'Application "{clean(name)}"') if name else None


def _flux(labels: Mapping[str, str]) -> Applier | None:
    for prefix, kind in _FLUX:
        if name := labels.get(f"{prefix}/name"):
            return Applier("Flux", f'{kind} "{clean(labels.get(f"{prefix}/namespace", ""))}/{clean(name)}"')
    return None


def _helm(annotations: Mapping[str, str]) -> Applier | None:
    name = annotations.get(f"{_HELM}/release-name")
    if not name:
        return None
    return Applier("Helm", f'release "{clean(annotations.get(f"{_HELM}/release-namespace", ""))}/{clean(name)}"')


def writers(resource: Mapping[str, Any]) -> list[str]:
    """Return the field managers that wrote its spec, each with its time, the last first; of many, the last twenty."""
    found = [
        (text(entry.get("time")), text(entry.get("manager")))
        for entry in _managed(resource)
        if "f:spec" in mapping(entry.get("fieldsV1"))
    ]
    return [f"{clean(manager)}, {clean(time)}" for time, manager in sorted(found, reverse=True)[:_MOST]]


def sets_suspend(resource: Mapping[str, Any]) -> bool:
    """Return whether somebody else's manifest says something of spec.suspend, as far as the object shows."""
    others = (entry for entry in _managed(resource) if entry.get("manager") != OWN_MANAGER)
    if any("f:suspend" in at(entry.get("fieldsV1"), ("f:spec",)) for entry in others):
        return True
    annotations = texts(mapping(resource.get("metadata")).get("annotations"))
    return "suspend" in at(parsed(annotations.get(_LAST_APPLIED)), ("spec",))


def undoing(resource: Mapping[str, Any]) -> str:
    """Return a sentence on the tool that keeps a resource, and on what it does to spec.suspend; "" without a tool."""
    found = applier(resource)
    if found is None:
        return ""
    if sets_suspend(resource):
        return f"{found} applies it with a spec.suspend of its own, and will undo this: change it there"
    return f"{found} applies it, without spec.suspend: this stays as long as that is so"


def managed(metadata: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what field managers have of an object; what they have of its status is left out."""
    return (entry for entry in mappings(metadata.get("managedFields")) if not entry.get("subresource"))


def _managed(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return managed(mapping(resource.get("metadata")))
