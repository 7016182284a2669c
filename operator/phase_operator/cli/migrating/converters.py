"""Which converter a resource of another operator needs, and which kinds are looked for in a cluster."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from phase_operator.cli.migrating import doppler, eso, infisical
from phase_operator.cli.migrating.draft import Converted, Named
from phase_operator.cli.migrating.foreign import Foreign
from phase_operator.core.json_access import text
from phase_operator.core.text import clean


class Other(StrEnum):
    """The operators whose resources are converted."""

    ESO = "eso"
    DOPPLER = "doppler"
    INFISICAL = "infisical"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind to look for in a cluster; of its versions, the first that is served."""

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    # Known to be converted; the others are read for what they say about these.
    is_converted: bool = True
    is_namespaced: bool = True


KINDS: Mapping[Other, tuple[Kind, ...]] = {
    Other.ESO: (
        Kind(eso.GROUP, ("v1", "v1beta1"), "externalsecrets", eso.KIND),
        Kind(eso.GROUP, ("v1", "v1beta1"), "secretstores", eso.STORES[0], is_converted=False),
        Kind(
            eso.GROUP, ("v1", "v1beta1"), "clustersecretstores", eso.STORES[1], is_converted=False, is_namespaced=False
        ),
    ),
    Other.DOPPLER: (Kind(doppler.GROUP, ("v1alpha1",), "dopplersecrets", doppler.KIND),),
    Other.INFISICAL: (
        Kind(infisical.GROUP, ("v1alpha1",), "infisicalsecrets", infisical.SECRET),
        Kind(infisical.GROUP, ("v1beta1",), "infisicalstaticsecrets", infisical.STATIC_SECRET),
    ),
}


@dataclass(frozen=True, slots=True)
class Conversions:
    """What was converted, and the kinds that were left out, with how many there were."""

    made: tuple[Converted, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def convert(bodies: Iterable[Mapping[str, Any]], other: Other, options: Named, namespace: str = "") -> Conversions:
    """Convert the resources of an operator, in their order; objects of other kinds are counted."""
    kinds = {(each.group, each.kind): each for each in KINDS[other]}
    stores: dict[Any, Mapping[str, Any]] = {}
    originals: list[Foreign] = []
    left_out: dict[str, int] = {}
    for body in bodies:
        group, _, _ = text(body.get("apiVersion")).partition("/")
        known = kinds.get((group, text(body.get("kind"))))
        if known is None:
            name = clean(text(body.get("kind"))) or "no kind"
            left_out[name] = left_out.get(name, 0) + 1
        elif known.is_converted:
            originals.append(Foreign(body, namespace))
        else:
            stores[eso.store_key(body, namespace)] = body
    return Conversions(tuple(_converted(each, stores, options) for each in originals), left_out)


def _converted(original: Foreign, stores: eso.Stores, options: Named) -> Converted:
    match original.kind:
        case eso.KIND:
            return eso.external_secret(original, stores, options)
        case doppler.KIND:
            return doppler.doppler_secret(original, options)
        case infisical.SECRET:
            return infisical.infisical_secret(original, options)
        case _:
            return infisical.infisical_static_secret(original, options)
