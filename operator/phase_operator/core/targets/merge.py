"""Who else is at work on an object, and what PhaseSecrets merged into it.

Rule: a part is known by its field manager, one for each PhaseSecret, and says in an annotation of its own which keys it
wrote; so a key that was edited by hand is told from one that was never ours.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import mapping, parsed, text
from phase_operator.core.values import ObjectKey

# Kubernetes takes no longer name for a field manager.
_LONGEST_MANAGER = 128
_MARK_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """What one PhaseSecret merged into an object."""

    manager: str
    # namespace/name of the PhaseSecret.
    of: str
    # Data keys that its apply owns now, and those that it says it wrote.
    keys: frozenset[str]
    recorded: frozenset[str]
    digest: str
    seal: str
    # Comparable with Desired.shape.
    shape: bytes
    # The type that the object was made with; "" if others made it, or if it is the usual one.
    type: str = ""
    deletes: bool = False
    # See desired.origin_mark; "" if it says none.
    origin: str = ""
    # False: what it says of itself was edited by hand.
    is_marked: bool = True

    @property
    def claimed(self) -> frozenset[str]:
        """The keys that are this part's, edited by hand or not."""
        return self.keys | self.recorded


@dataclass(frozen=True, slots=True)
class Holder:
    """A field manager besides ours, with the data keys that it owns."""

    manager: str
    operation: str
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Others:
    """Everybody else on an object: kept only where there is somebody."""

    holders: tuple[Holder, ...] = ()
    parts: tuple[Part, ...] = ()
    # Kind and name of the controller that the object's ownerReferences name; "" if none.
    controller: str = ""


def merge_manager(key: ObjectKey) -> str:
    """Return the field manager under which a PhaseSecret merges."""
    manager = f"{names.MERGE_MANAGER_PREFIX}{key}"
    return manager if len(manager) <= _LONGEST_MANAGER else f"{names.MERGE_MANAGER_PREFIX}#{_fingerprint(str(key))}"


def merge_annotation(manager: str) -> str:
    """Return the annotation in which a part says what it is."""
    name = manager.removeprefix(names.MERGE_MANAGER_PREFIX)
    digits = name[1:] if name.startswith("#") else _fingerprint(name)
    return f"{names.MERGE_ANNOTATION_PREFIX}{digits[:_MARK_DIGITS]}"


def _fingerprint(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def mark(of: ObjectKey, digest: str, keys: Iterable[str], content: str, origin: str) -> dict[str, Any]:
    """Return what a part says of itself, as JSON; one that has an origin goes when it is wanted no more."""
    found: dict[str, Any] = {"of": str(of), "digest": digest, "keys": sorted(keys), "content": content}
    return found | ({"onRemoval": "Delete", "origin": origin} if origin else {})


def spelled(marked: Mapping[str, Any]) -> str:
    """Spell a mark as an annotation's value."""
    return json.dumps(marked, separators=(",", ":"), sort_keys=True)


def read_mark(annotations: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """Return what a part says of itself, which is flat; what a hand edit broke says nothing."""
    said = mapping(parsed(annotations.get(merge_annotation(manager))))
    return {name: value for name, value in said.items() if _is_flat(value)}


def _is_flat(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str | bool)


def part(
    manager: str, keys: frozenset[str], shape: bytes, annotations: Mapping[str, Any], owned: Mapping[str, Any]
) -> Part:
    """Put together what managedFields and the annotation say of a part; `owned` are the fields of annotations."""
    said = read_mark(annotations, manager)
    recorded = said.get("keys")
    return Part(
        manager=manager,
        of=_of(manager, text(said.get("of"))),
        keys=keys,
        recorded=frozenset(recorded) if isinstance(recorded, list) else frozenset(),
        digest=text(said.get("digest")),
        seal=text(said.get("seal")),
        shape=shape,
        type=text(said.get("type")),
        deletes=said.get("onRemoval") == "Delete",
        origin=str(said.get("origin") or ""),
        is_marked=f"f:{merge_annotation(manager)}" in owned,
    )


def _of(manager: str, said: str) -> str:
    """Return whose part it is: the manager's name tells, unless it was too long. A mark can be edited."""
    name = manager.removeprefix(names.MERGE_MANAGER_PREFIX)
    return said if name.startswith("#") and merge_manager(ObjectKey.read(said)) == manager else name
