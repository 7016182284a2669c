"""The other field managers of an object, and the shares that PhaseSecrets merged into it.

Rule: each PhaseSecret merges under a field manager of its own, and records the keys it wrote in an annotation of its
own. So a key of ours that was edited by hand differs from a key that was never ours.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import canonical, mapping, parsed, text
from phase_operator.core.values import ObjectKey

# The longest name of a field manager that Kubernetes accepts.
_LONGEST_MANAGER = 128
_MARK_DIGITS = 10
# Bytes in memory of a key beside its letters, with its places in sets and lists; and of a manager or a share.
_KEY, _HOLDER = 150, 500


@dataclass(frozen=True, slots=True)
class MergedShare:
    """The share of one PhaseSecret in an object that it merged into."""

    manager: str
    # namespace/name of the PhaseSecret.
    of: str
    # The data keys that its apply owns now, and those that its annotation records.
    keys: frozenset[str]
    recorded: frozenset[str]
    digest: str
    stamp: str
    # Comparable with Desired.shape.
    owned_fields: bytes
    # The type that the share gave the object; "" if others created the object, or if the type is the usual one.
    type: str = ""
    deletes: bool = False
    # See desired.origin_mark; "" if the annotation has none.
    origin: str = ""
    # False: others have edited its annotation.
    is_marked: bool = True

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory, beside the keys that its field manager owns."""
        return _weight(self.recorded) + sum(map(len, (self.of, self.digest, self.stamp, self.type, self.origin)))

    @property
    def claimed(self) -> frozenset[str]:
        """The keys of this share, edited by hand or not."""
        return self.keys | self.recorded


@dataclass(frozen=True, slots=True)
class FieldManager:
    """A field manager that is not ours, with the data keys that it owns."""

    manager: str
    operation: str
    keys: frozenset[str] = frozenset()

    @property
    def merges(self) -> bool:
        """Whether it is the field manager under which a PhaseSecret merges."""
        return self.operation == "Apply" and self.manager.startswith(names.MERGE_MANAGER_PREFIX)


@dataclass(frozen=True, slots=True)
class CoManagers:
    """All that is known of the other field managers of an object; kept only if there is anything to know."""

    field_managers: tuple[FieldManager, ...] = ()
    parts: tuple[MergedShare, ...] = ()
    # Kind and name of the controller in the object's ownerReferences; "" if there is none.
    controller: str = ""

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory."""
        return sum(_weight(each.keys) for each in self.field_managers) + sum(each.weight for each in self.parts)


def _weight(keys: Iterable[str]) -> int:
    return _HOLDER + sum(_KEY + len(key) for key in keys)


def merge_manager(key: ObjectKey) -> str:
    """Return the field manager under which a PhaseSecret merges."""
    manager = f"{names.MERGE_MANAGER_PREFIX}{key}"
    return manager if len(manager) <= _LONGEST_MANAGER else f"{names.MERGE_MANAGER_PREFIX}#{_fingerprint(str(key))}"


def merge_annotation(manager: str) -> str:
    """Return the name of the annotation for the share of a field manager."""
    name = manager.removeprefix(names.MERGE_MANAGER_PREFIX)
    digits = name[1:] if name.startswith("#") else _fingerprint(name)
    return f"{names.MERGE_ANNOTATION_PREFIX}{digits[:_MARK_DIGITS]}"


def _fingerprint(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def mark(of: ObjectKey, digest: str, keys: Iterable[str], content: str, origin: str) -> dict[str, Any]:
    """Return the content of a share's annotation. A share with an origin is removed when no spec names it any more."""
    found: dict[str, Any] = {"of": str(of), "digest": digest, "keys": sorted(keys), "content": content}
    return found | ({"onRemoval": "Delete", "origin": origin} if origin else {})


def spelled(marked: Mapping[str, Any]) -> str:
    """Return a mark as the value of an annotation."""
    return canonical(marked)


def read_mark(annotations: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """Return the content of a share's annotation, without what a hand edit broke: values that are not flat."""
    said = mapping(parsed(annotations.get(merge_annotation(manager))))
    return {name: value for name, value in said.items() if _is_flat(value)}


def _is_flat(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str | bool)


def part(
    manager: str, keys: frozenset[str], owned_fields: bytes, annotations: Mapping[str, Any], owned: Mapping[str, Any]
) -> MergedShare:
    """Return a share from managedFields and its annotation; `owned` are the annotations that its manager owns."""
    said = read_mark(annotations, manager)
    recorded = said.get("keys")
    return MergedShare(
        manager=manager,
        of=_of(manager, text(said.get("of"))),
        keys=keys,
        recorded=frozenset(recorded) if isinstance(recorded, list) else frozenset(),
        digest=text(said.get("digest")),
        stamp=text(said.get("seal")),
        owned_fields=owned_fields,
        type=text(said.get("type")),
        deletes=said.get("onRemoval") == "Delete",
        origin=str(said.get("origin") or ""),
        is_marked=f"f:{merge_annotation(manager)}" in owned,
    )


def _of(manager: str, said: str) -> str:
    """Return the PhaseSecret of a share: from the manager's name, or from the mark if the name was too long.

    The mark can be edited, so it counts only if it leads to the same manager.
    """
    name = manager.removeprefix(names.MERGE_MANAGER_PREFIX)
    return said if name.startswith("#") and merge_manager(ObjectKey.read(said)) == manager else name
