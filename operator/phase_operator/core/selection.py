"""Choose the entries that a PhaseSecret wants out of what Phase answered.

Rule: what Phase was asked for is checked again here with the server's own semantics (exact folder, ANY of the tags,
case-sensitive), so that a shared or wider answer and an exact one select the same entries.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from phase_operator.core.folders import Folders
from phase_operator.core.query import SourceQuery
from phase_operator.core.values import ConfigEntry, Entry


class Patterns(Protocol):
    """Which keys are wanted."""

    @property
    def include(self) -> Sequence[str]:
        """Glob patterns, one of which has to match; none means any."""

    @property
    def exclude(self) -> Sequence[str]:
        """Glob patterns, none of which may match."""


def answering(entries: Iterable[Entry], query: SourceQuery) -> Iterator[Entry]:
    """Yield the entries that answer the query: exact folder, ANY of the tags, as the server would."""
    wanted_tags = frozenset(query.tags)
    return (
        entry
        for entry in entries
        if (query.path is None or entry.path == query.path) and (not wanted_tags or wanted_tags & entry.tags)
    )


def select(
    entries: Iterable[Entry], query: SourceQuery, keys: Patterns, folders: Folders | None = None
) -> tuple[Entry, ...]:
    """Return the entries that answer the query, lie in the folders and whose keys are wanted, in the order given."""
    return tuple(
        entry
        for entry in answering(entries, query)
        if (folders is None or folders.holds(entry.path)) and wants(entry.key, keys)
    )


def wants(key: str, keys: Patterns) -> bool:
    """Say whether a key passes the patterns; exclude wins."""
    if any(fnmatchcase(key, pattern) for pattern in keys.exclude):
        return False
    return not keys.include or any(fnmatchcase(key, pattern) for pattern in keys.include)


def config_entries(entries: Iterable[Entry]) -> tuple[ConfigEntry, ...]:
    """Return the entries that a ConfigMap may hold. The class is the guard: a ConfigMap's renderer takes no other."""
    return tuple(entry for entry in entries if isinstance(entry, ConfigEntry))


def of_types(entries: Iterable[Entry], types: Collection[str]) -> tuple[Entry, ...]:
    """Return the entries of these types."""
    return tuple(entry for entry in entries if entry.type in types)


def secret_entries(entries: Iterable[Entry], *, with_config: bool) -> tuple[Entry, ...]:
    """Return the entries for a Secret: all, or all but those of type config when a ConfigMap target takes these."""
    return tuple(entry for entry in entries if with_config or not isinstance(entry, ConfigEntry))
