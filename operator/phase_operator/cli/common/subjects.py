"""The objects that a resource is about: itself, and its targets as its status names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import mapping, mappings, text

# The kinds of target; a status may hold anything.
_KINDS = frozenset({"Secret", "ConfigMap"})
# As many as the CRD allows.
_MOST = 256


@dataclass(frozen=True, slots=True)
class Subject:
    """One object."""

    kind: str
    namespace: str
    name: str
    # "" where it is not known.
    uid: str = ""

    @property
    def in_logs(self) -> str:
        """How the operator's log names it."""
        place = f"{self.namespace}/{self.name}"
        if self.kind == names.KIND_PHASE_SECRET:
            return place
        return f"{self.kind} {place}" if self.kind in _KINDS else f"{self.kind}:{place}"


def subjects_of(body: Mapping[str, Any]) -> list[Subject]:
    """Return a resource and the targets that its status names, each once; a version of a target is one too."""
    metadata = mapping(body.get("metadata"))
    own = Subject(
        text(body.get("kind")), text(metadata.get("namespace")), text(metadata.get("name")), text(metadata.get("uid"))
    )
    found = [own]
    for target in list(mappings(mapping(body.get("status")).get("targets")))[:_MOST]:
        kind, namespace = text(target.get("kind")), text(target.get("namespace"))
        if kind in _KINDS and namespace:
            objects = filter(None, (text(target.get("name")), text(target.get("version"))))
            found += [Subject(kind, namespace, name) for name in objects]
    return list(dict.fromkeys(found))
