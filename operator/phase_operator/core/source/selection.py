"""Choose the entries that a PhaseSecret wants out of what Phase answered.

Rule: what Phase was asked for is checked again here with the server's own semantics (exact folder, ANY of the tags,
case-sensitive), so that a shared or wider answer and an exact one select the same entries.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import LeftOutWhy
from phase_operator.core.errors import Waiting
from phase_operator.core.globs import Patterns, effort, matcher
from phase_operator.core.outcome import LeftOut
from phase_operator.core.source.folders import Folders
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.text import clean, close_tags, did_you_mean, listing
from phase_operator.core.values import ConfigEntry, DynamicKey, Entry

# Letters of patterns times letters of keys: 128 patterns on 20,000 keys of the usual length, or seconds of the worst.
_MOST_TRIED = 1_000_000_000
_NAMED = 10
# Kubernetes takes no longer key either.
_LONGEST_KEY = 253


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
    """Return the entries that answer the query, lie in the folders and whose keys are wanted, in the order given.

    Raises Waiting(INVALID_SPEC) if trying the patterns would take too long.
    """
    entries = list(entries)
    check_effort(keys, entries)
    wanted = matcher(keys)
    return tuple(
        entry
        for entry in answering(entries, query)
        if (folders is None or folders.holds(entry.path)) and wanted(entry.key)
    )


def select_without_patterns(
    entries: Iterable[Entry], query: SourceQuery, keys: Patterns, folders: Folders
) -> tuple[tuple[Entry, ...], bool]:
    """Return what can be told of an answer whose keys are too many for the patterns: all that lies in the folders.

    Entries of type config are chosen by the patterns nevertheless, if they alone are few enough; True says so.
    """
    inside = [entry for entry in answering(entries, query) if folders.holds(entry.path)]
    if not is_feasible(keys, config_entries(inside)):
        return tuple(inside), False
    wanted = matcher(keys)
    return tuple(entry for entry in inside if not isinstance(entry, ConfigEntry) or wanted(entry.key)), True


def is_feasible(keys: Patterns, entries: Iterable[Entry | DynamicKey], most: int = _MOST_TRIED) -> bool:
    """Say whether patterns can be tried on keys of that number and length, whatever they are.

    `most`: letters of patterns times letters of keys; as many as are not said take seconds.
    """
    letters = effort(keys)
    return not letters or letters * sum(len(entry.key) for entry in entries) <= most


def check_effort(keys: Patterns, entries: Iterable[Entry]) -> None:
    """Raise Waiting(INVALID_SPEC) if it would take seconds to try patterns on keys of that number and length."""
    if not is_feasible(keys, entries):
        raise Waiting(
            Reason.INVALID_SPEC,
            "keys: the patterns with a sign elsewhere than at their end or in front, such as A*B, are too many for so "
            "many keys; use fewer or shorter ones",
        )


def nothing_selected(query: SourceQuery, answer: Iterable[Entry], folders: Folders, tags: Iterable[str]) -> str:
    """Say that an answer has nothing to select; `tags` are those that stand there, if none of those asked for does."""
    if any(folders.holds(entry.path) for entry in answer):
        return "spec.keys leaves out every entry that Phase answers; targets stay as they are"
    where = f"folder {listing(folders.roots)}" + (" or below" if folders.recursive else "")
    tagged = f" with tag {listing(query.tags)}" if query.tags else ""
    there = f'environment "{query.environment}" of app {query.app} has no entries in {where}{tagged}'
    return f"{there}; targets stay as they are{did_you_mean(close_tags(query.tags, tags))}"


def wants(key: str, keys: Patterns) -> bool:
    """Say whether a key passes the patterns; exclude wins. For many keys ask `matcher` once."""
    return matcher(keys)(key)


def left_out(before: Iterable[Entry], after: Iterable[Entry], why: LeftOutWhy) -> tuple[LeftOut, ...]:
    """Say what one step of a target's choice left out: one LeftOut, or none if it took everything.

    A target that chooses in several steps calls this for each and adds the answers up.
    """
    # By identity: what a step keeps are the very same, and a server may give two entries one id.
    kept = set(map(id, after))
    lost = [entry.key for entry in before if id(entry) not in kept]
    if not lost:
        return ()
    # The first few are made fit to be shown, not all: there may be thousands.
    names = sorted({clean(key)[:_LONGEST_KEY] for key in heapq.nsmallest(_NAMED, set(lost))})
    return (LeftOut(why, len(lost), tuple(names)),)


def config_entries(entries: Iterable[Entry]) -> tuple[ConfigEntry, ...]:
    """Return the entries that a ConfigMap may hold. The class is the guard: a ConfigMap's renderer takes no other."""
    return tuple(entry for entry in entries if isinstance(entry, ConfigEntry))


def of_types(entries: Iterable[Entry], types: Collection[str]) -> tuple[Entry, ...]:
    """Return the entries of these types."""
    return tuple(entry for entry in entries if entry.type in types)


def secret_entries(entries: Iterable[Entry], *, with_config: bool) -> tuple[Entry, ...]:
    """Return the entries for a Secret: all, or all but those of type config when a ConfigMap target takes these."""
    return tuple(entry for entry in entries if with_config or not isinstance(entry, ConfigEntry))
