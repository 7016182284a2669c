"""Whether an operator that is to be replaced still runs, by the images of the cluster's Deployments."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from phase_operator.cli.common.resources import place_of
from phase_operator.core.json_access import at, mapping, mappings, text
from phase_operator.core.text import clean

# Operator -> the repository of its image, whatever the registry.
_IMAGES = {
    "official-v1": re.compile(r"(^|/)phasehq/kubernetes-(secrets-)?operator([:@]|$)"),
    "official-v2": re.compile(r"(^|/)phasehq/kubernetes-(secrets-)?operator([:@]|$)"),
    "eso": re.compile(r"(^|/)external-secrets/external-secrets([:@]|$)"),
    "doppler": re.compile(r"(^|/)dopplerhq/kubernetes-operator([:@]|$)"),
    "infisical": re.compile(r"(^|/)infisical/kubernetes-operator([:@]|$)"),
}


def running(deployments: Iterable[Mapping[str, Any]], operator: str) -> list[str]:
    """Return the Deployments of an operator that are not at 0 replicas, as namespace/name."""
    return sorted(_name(each) for each in deployments if _replicas(each) and _is_of(each, operator))


def _is_of(deployment: Mapping[str, Any], operator: str) -> bool:
    containers = at(deployment, ("spec", "template", "spec")).get("containers")
    return any(_IMAGES[operator].search(text(each.get("image")).lower()) for each in mappings(containers))


def _replicas(deployment: Mapping[str, Any]) -> bool:
    wanted = mapping(deployment.get("spec")).get("replicas", 1)
    present = mapping(deployment.get("status")).get("replicas", 0)
    return bool(wanted) or bool(present)


def _name(deployment: Mapping[str, Any]) -> str:
    return clean(str(place_of(deployment)))
