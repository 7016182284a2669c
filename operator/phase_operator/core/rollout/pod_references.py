"""What the pods of a pod spec read: which Secrets and ConfigMaps, and which of their keys.

Rule: a spec is foreign JSON. A part that Kubernetes would not accept is passed over, and nothing here raises.
`references` is exact. `mentioned` finds too much rather than too little, since it protects objects from deletion.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.core.json_access import mapping, mappings, text, without
from phase_operator.core.refs import Kind

# In a pod template. Ephemeral containers are added to running pods and are in no template.
_CONTAINERS = ("initContainers", "containers")
# Kind; its fields in env, in envFrom and in a projected volume; its volume; and the volume's field with the name.
_SPELLINGS = (
    (Kind.SECRET, "secretKeyRef", "secretRef", "secret", "secretName"),
    (Kind.CONFIG_MAP, "configMapKeyRef", "configMapRef", "configMap", "name"),
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What pods read of one object in their namespace."""

    kind: Kind
    name: str
    # None: all keys.
    keys: frozenset[str] | None = None
    # Pods do not start before the object exists, nor before these keys do.
    required: bool = False
    required_keys: frozenset[str] = field(default=frozenset())

    @classmethod
    def together(cls, parts: Sequence["Reference"]) -> "Reference":
        """Return what references to one object read together; there may be tens of thousands."""
        first, keys = parts[0], [each.keys for each in parts if each.keys is not None]
        return cls(
            first.kind,
            first.name,
            frozenset[str]().union(*keys) if len(keys) == len(parts) else None,
            any(each.required for each in parts),
            frozenset[str]().union(*(each.required_keys for each in parts)),
        )


def references(spec: object) -> tuple[Reference, ...]:
    """Return what the pods read, one reference for each object, sorted.

    It leaves out `imagePullSecrets` and what volume drivers read: the kubelet reads those again by itself.
    """
    parts: dict[tuple[Kind, str], list[Reference]] = {}
    for found in _found(mapping(spec)):
        parts.setdefault((found.kind, found.name), []).append(found)
    return tuple(Reference.together(parts[each]) for each in sorted(parts))


def mentioned(holder: object, names: Iterable[str]) -> frozenset[str]:
    """Return those names that occur anywhere in a pod, in a pod template or in an object that has one.

    Generous on purpose: it counts pull secrets, drivers, arguments and parts of a longer text. It leaves metadata and
    status out.
    """
    looked_for = frozenset(names)
    if not looked_for:
        return looked_for
    everything = "\n".join(_texts(without(mapping(holder), "metadata", "status")))
    return frozenset(name for name in looked_for if name in everything)


def _found(spec: Mapping[str, Any]) -> Iterator[Reference]:
    for containers in _CONTAINERS:
        for container in mappings(spec.get(containers)):
            yield from _of_container(container)
    for volume in mappings(spec.get("volumes")):
        yield from _of_volume(volume)


def _of_container(container: Mapping[str, Any]) -> Iterator[Reference]:
    for variable in mappings(container.get("env")):
        yield from _of_variable(mapping(variable.get("valueFrom")))
    for source in mappings(container.get("envFrom")):
        yield from _of_all(source)


def _of_volume(volume: Mapping[str, Any]) -> Iterator[Reference]:
    for kind, _, _, field_name, name in _SPELLINGS:
        yield from _of_files(kind, volume.get(field_name), name)
    for source in mappings(mapping(volume.get("projected")).get("sources")):
        for kind, _, _, field_name, _ in _SPELLINGS:
            yield from _of_files(kind, source.get(field_name), "name")


def _of_variable(source: Mapping[str, Any]) -> Iterator[Reference]:
    for kind, field_name, *_ in _SPELLINGS:
        selected = mapping(source.get(field_name))
        name, key = text(selected.get("name")), text(selected.get("key"))
        if name and key:
            yield _reference(kind, name, frozenset({key}), selected)


def _of_all(source: Mapping[str, Any]) -> Iterator[Reference]:
    for kind, _, field_name, *_ in _SPELLINGS:
        selected = mapping(source.get(field_name))
        if name := text(selected.get("name")):
            yield _reference(kind, name, None, selected)


def _of_files(kind: Kind, source: object, name_field: str) -> Iterator[Reference]:
    selected = mapping(source)
    if name := text(selected.get(name_field)):
        keys = frozenset(filter(None, (text(item.get("key")) for item in mappings(selected.get("items")))))
        yield _reference(kind, name, keys or None, selected)


def _reference(kind: Kind, name: str, keys: frozenset[str] | None, selected: Mapping[str, Any]) -> Reference:
    if selected.get("optional") is True:
        return Reference(kind, name, keys)
    return Reference(kind, name, keys, required=True, required_keys=keys or frozenset())


def _texts(value: object) -> Iterator[str]:
    # A stack, since foreign JSON may be too deep for recursion.
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            left.extend(each)
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
