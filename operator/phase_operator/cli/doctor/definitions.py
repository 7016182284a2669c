"""Whether the CRDs of a cluster are there, established, and the ones of this program."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS, document
from phase_operator.cli.common.standing import conditions, is_true
from phase_operator.cli.doctor.findings import Finding, Unread, Verdict, shown
from phase_operator.core.json_access import at, mapping, mappings, text
from phase_operator.core.text import clean

NAME = "CRDs"
CRD_NAMES = tuple(each.name for each in DEFINITIONS)
APPLY = "kubectl phase crds | kubectl apply --server-side -f -"
# Keywords that do not say what is accepted, and those that hold other fields.
_BESIDE = frozenset({"description", "properties", "items", "additionalProperties", "default"})

Crds = Mapping[str, Mapping[str, Any] | Unread | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """How the fields of a CRD differ from those of this program, by their paths."""

    lacking: tuple[str, ...]
    more: tuple[str, ...]
    other: tuple[str, ...]

    def __str__(self) -> str:
        parts = (("lacks", self.lacking), ("has", self.more), ("differs in", self.other))
        age = {(True, False): "is older: ", (False, True): "is newer: "}.get((bool(self.lacking), bool(self.more)), "")
        return age + ", ".join(f"{verb} {shown(paths)}" for verb, paths in parts if paths)


def check_definitions(found: Crds) -> Finding:
    """Return whether all CRDs are there, established, and as this program has them."""
    bodies = _there(found)
    if isinstance(bodies, Unread):
        return bodies.finding(NAME)
    differing = _differing(bodies)
    if problems := [*_unusable_ones(bodies), *(f"{name} {each}" for name, each in differing.items() if each.lacking)]:
        return Finding(NAME, Verdict.BAD, "; ".join(problems), f"Apply the CRDs of this version: {APPLY}")
    if differing:
        said = "; ".join(f"{name} {each}" for name, each in differing.items())
        return Finding(NAME, Verdict.NOTE, said, f"If the operator is of this version, apply its CRDs: {APPLY}")
    return Finding(NAME, Verdict.OK, f"all {len(CRD_NAMES)} are established, with the fields of this version")


def check_nobodys(found: Crds) -> Finding:
    """Return whether the CRDs are free for an installation; one that is there already is replaced, and said."""
    there = _there(found)
    if isinstance(there, Unread):
        return there.finding(NAME)
    if not there:
        return Finding(NAME, Verdict.OK, "none of this group is there yet")
    differing = [f"{name} {each}" for name, each in _differing(there).items()]
    if not differing:
        return Finding(NAME, Verdict.OK, f"{len(there)} of {len(CRD_NAMES)} are there, with the fields of this version")
    cure = "An installation replaces them; with kubectl give --force-conflicts, with Helm --take-ownership."
    return Finding(NAME, Verdict.NOTE, "; ".join(differing), cure)


def _there(found: Crds) -> dict[str, dict[str, Any]] | Unread:
    """Return the CRDs that are there; what could not be read stands for all."""
    unread = next((each for each in found.values() if isinstance(each, Unread)), None)
    return unread or {name: each for name, each in found.items() if isinstance(each, dict)}


def _differing(bodies: Mapping[str, Mapping[str, Any]]) -> dict[str, Difference]:
    return {name: each for name, body in bodies.items() if (each := difference(name, body)) is not None}


def _unusable_ones(bodies: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with CRDs that are missing, or that cannot be used."""
    yield from (f"{name} is missing" for name in CRD_NAMES if name not in bodies)
    yield from (f"{name} {problem}" for name, body in bodies.items() if (problem := _unusable(body)))


def difference(name: str, body: Mapping[str, Any]) -> Difference | None:
    """Return how the served fields of a CRD differ from this program's; None if they do not."""
    definition = DEFINITIONS[CRD_NAMES.index(name)]
    ours = dict(_fields(_schema(document(definition)), ""))
    theirs = dict(_fields(_schema(body), ""))
    both = ours.keys() & theirs.keys()
    other = (path for path in sorted(both) if not _agree(ours[path], theirs[path]))
    found = Difference(_outermost(ours, theirs), _outermost(theirs, ours), tuple(other))
    return found if found.lacking or found.more or found.other else None


def _unusable(body: Mapping[str, Any]) -> str:
    """Return why a CRD cannot be used; "" if it can."""
    if at(body, ("metadata",)).get("deletionTimestamp"):
        return "is being deleted, and its resources with it"
    found = conditions(body)
    if not is_true(found.get("Established", {})):
        said = text(found.get("NamesAccepted", {}).get("message"))
        return f"is not established{f' ({clean(said)})' if said else ''}"
    return "" if _schema(body) else f"does not serve {names.VERSION}"


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any]:
    versions = mappings(at(body, ("spec",)).get("versions"))
    served = (each for each in versions if each.get("name") == names.VERSION and each.get("served") is True)
    return at(next(served, {}), ("schema", "openAPIV3Schema"))


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each field by its path, with the keywords that say what it accepts."""
    yield path, {word: each for word, each in schema.items() if word not in _BESIDE}
    for name, child in mapping(schema.get("properties")).items():
        if path or name in ("spec", "status"):
            yield from _fields(mapping(child), f"{path}.{name}".lstrip("."))
    for word, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if child := mapping(schema.get(word)):
            yield from _fields(child, f"{path}{mark}")


def _agree(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Return whether a field accepts the same; what the API server adds by itself does not count."""
    return all(theirs.get(word) == each for word, each in ours.items())


def _outermost(these: Mapping[str, Any], those: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths that others lack, without those below another that they lack."""
    missing = sorted(these.keys() - those.keys())
    kept: list[str] = []
    for path in missing:
        if not kept or not path.startswith((f"{kept[-1]}.", f"{kept[-1]}[")):
            kept.append(path)
    return tuple(kept)
