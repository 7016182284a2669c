"""The stamp on a target: a keyed digest that proves from which spec and which revision of Phase it was made.

Rule: without the operator's key a stamp reveals nothing and cannot be forged. It covers the digests of the content and
of the owned fields, so any edit breaks it. An outdated stamp costs one read of Phase. A stamp that is missing, or was
made from a wrong date, is replaced by one write; one made from a date that cannot be confirmed is removed.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from phase_operator.api import names
from phase_operator.core.digests import framed, keyed
from phase_operator.core.json_access import at, canonical, mapping, mappings
from phase_operator.core.source.query import Revision, SourceQuery
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import merge_annotation, read_mark, spelled
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.reserved import is_reserved

# Increase it when this version makes another object from the same spec and entries than the version before.
_RENDERING = 2
# Once, targets left out all labels and annotations with these prefixes. Specs that have some count as increased by one.
_ONCE_LEFT_OUT = (
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "helm.sh/",
)


def inputs_digest(spec: Mapping[str, Any], query: SourceQuery, revision: Revision) -> bytes:
    """Return a digest of what an object is made from: the spec, the query and the revision of the environment."""
    parts = [
        _RENDERING + _has_once_left_out(spec),
        spec,
        [query.account.base_url, query.environment, query.path, query.tags],
        [revision.app_id, revision.moved_at],
    ]
    return hashlib.blake2b(canonical(parts).encode(), digest_size=16).digest()


def _has_once_left_out(spec: Mapping[str, Any]) -> bool:
    return any(key.startswith(_ONCE_LEFT_OUT) and not is_reserved(key) for key in _metadata_keys(spec))


def _metadata_keys(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield the labels and annotations that a spec wants on its targets."""
    for target in chain.from_iterable(mappings(spec.get(field)) for field in names.TARGET_FIELDS):
        metadata = at(target, ("template", "metadata"))
        yield from mapping(metadata.get("labels"))
        yield from mapping(metadata.get("annotations"))


def stamped(desired: Desired, inputs: bytes | None, key: bytes, misdated: bytes | None = None) -> Desired:
    """Return the object, or our share of it, with its stamp; without one if it is not known what it was made from.

    A stamp made from `misdated` is to be replaced, or removed.
    """
    metadata = desired.manifest["metadata"]
    wrong = _stamp(key, desired.digest, desired.owned_fields, misdated) if misdated is not None else ""
    if inputs is None:
        return replace(desired, misdated=wrong)
    stamp = _stamp(key, desired.digest, desired.owned_fields, inputs)
    manifest = desired.manifest | {
        "metadata": metadata | {"annotations": metadata["annotations"] | _annotation(desired, stamp)}
    }
    return replace(desired, manifest=manifest, stamp=stamp, misdated=wrong)


def _annotation(desired: Desired, stamp: str) -> dict[str, str]:
    if not desired.policy.merges:
        return {names.ANNOTATION_SEAL: stamp}
    marked = read_mark(desired.manifest["metadata"]["annotations"], desired.manager) | {"seal": stamp}
    return {merge_annotation(desired.manager): spelled(marked)}


def stamp_matches(observed: Observed | None, inputs: bytes, key: bytes) -> bool:
    """Return whether an object is as we applied it, and was made from exactly this."""
    if observed is None or not observed.is_applied or observed.foreign_keys or observed.terminating:
        return False
    return observed.stamp == _stamp(key, observed.digest, observed.owned_fields, inputs)


def share_stamp_matches(observed: Observed | None, manager: str, inputs: bytes, key: bytes) -> bool:
    """Return whether a PhaseSecret's share of an object is as we applied it, and was made from exactly this."""
    part = observed.part(manager) if observed is not None and not observed.terminating else None
    if part is None or not part.is_marked:
        return False
    return part.stamp == _stamp(key, part.digest, part.owned_fields, inputs)


def _stamp(key: bytes, digest: str, owned_fields: bytes, inputs: bytes) -> str:
    return keyed(key, b"phase-seal", framed((digest.encode(), owned_fields, inputs), width=4), size=16).hex()
