"""Which keys of an object changed between two looks, by their names alone.

Rule: only metadata is read. managedFields have the names of the keys, and the operator's annotations a keyed digest of
each value; so no value leaves the cluster.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.appliers import managed
from phase_operator.core.json_access import mapping, text, texts
from phase_operator.core.targets.fingerprint import KeyDigests, name_digest, recorded_digests
from phase_operator.core.targets.merge import read_mark
from phase_operator.core.targets.owned_fields import data_keys
from phase_operator.core.text import clean

# The most keys of one sign that are shown.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class KeyState:
    """The names of an object's keys, and the digests of those that the operator wrote."""

    keys: frozenset[str] = frozenset()
    # One for the whole object, and one for each share that was merged into it.
    digests: tuple[KeyDigests, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """What changed: names of keys, sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    # More values may have changed: there are no digests that can be compared.
    is_part: bool = field(default=False)

    def __bool__(self) -> bool:
        """Return whether there is anything to say."""
        return bool(self.added or self.removed or self.changed or self.is_part)

    def __str__(self) -> str:
        """Return it as `+ NEW, ~ CHANGED, - GONE`."""
        parts = [("+", self.added), ("~", self.changed), ("-", self.removed)]
        said = [f"{sign} {key}" for sign, keys in parts for key in _few(keys)]
        return ", ".join([*said, "values changed, of keys that cannot be told"] if self.is_part else said)


def _few(keys: tuple[str, ...]) -> list[str]:
    shown = [clean(key) for key in keys[:_SHOWN]]
    return shown if len(keys) <= _SHOWN else [*shown, f"({len(keys) - _SHOWN} more)"]


def key_state(metadata: Mapping[str, Any] | None) -> KeyState:
    """Return what an object's metadata shows of its keys; None: the object does not exist."""
    if metadata is None:
        return KeyState()
    entries = list(managed(metadata))
    annotations = texts(metadata.get("annotations"))
    recorded = [annotations.get(names.ANNOTATION_KEYS, ""), *_shares(entries, annotations)]
    found = (recorded_digests(each) for each in recorded)
    keys = frozenset[str]().union(*(data_keys(mapping(each.get("fieldsV1"))) for each in entries))
    return KeyState(keys, tuple(each for each in found if each is not None))


def _shares(entries: Iterable[Mapping[str, Any]], annotations: Mapping[str, str]) -> list[str]:
    managers = {text(each.get("manager")) for each in entries}
    merging = sorted(each for each in managers if each.startswith(names.MERGE_MANAGER_PREFIX))
    return [text(read_mark(annotations, each).get("content")) for each in merging]


def key_changes(before: KeyState, after: KeyState) -> KeyChanges:
    """Return what changed between two looks at one object, or at two versions of one target."""
    digests = _comparable(before, after)
    both = before.keys & after.keys
    changed = [] if digests is None else [key for key in both if _differs(key, *digests)]
    return KeyChanges(
        tuple(sorted(after.keys - before.keys)),
        tuple(sorted(before.keys - after.keys)),
        tuple(sorted(changed)),
        is_part=bool(both) and digests is None and _wholes(before) != _wholes(after),
    )


def _comparable(before: KeyState, after: KeyState) -> tuple[dict[bytes, bytes], dict[bytes, bytes]] | None:
    """Return the digests of the values before and after; None if they cannot be compared."""
    old, new = _by_name(before), _by_name(after)
    if old is None or new is None or _makers(before) != _makers(after):
        return None
    return old, new


def _differs(key: str, old: Mapping[bytes, bytes], new: Mapping[bytes, bytes]) -> bool:
    name = name_digest(key)
    return old.get(name) != new.get(name)


def _by_name(state: KeyState) -> dict[bytes, bytes] | None:
    """Return the digest of each value by that of its key's name; None if some keys have none of their own."""
    found: dict[bytes, bytes] = {}
    for each in state.digests:
        if each.entries is None:
            return None
        for name, value in each.entries.items():
            found[name] = found.get(name, b"") + value
    return found


def _makers(state: KeyState) -> set[bytes]:
    return {each.key_id for each in state.digests}


def _wholes(state: KeyState) -> list[bytes]:
    return sorted(each.whole for each in state.digests)
