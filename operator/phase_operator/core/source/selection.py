"""Choose the entries of an answer that a PhaseSecret selects.

Rule: folder and tags are checked again here, with the server's own semantics (exact folder, ANY of the tags,
case-sensitive). So a shared or wider answer and an exact one select the same entries.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import LeftOutWhy
from phase_operator.core.errors import Waiting
from phase_operator.core.globs import Patterns, effort, matcher
from phase_operator.core.outcome import LeftOut
from phase_operator.core.source.folders import Folders
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.text import clean, close_tags, did_you_mean, listing
from phase_operator.core.values import ConfigEntry, DynamicKey, Entry

# Characters of patterns times characters of keys: 128 patterns on 20,000 usual keys, or seconds in the worst case.
_MOST_TRIED = 1_000_000_000
AnyKey = TypeVar("AnyKey", bound=Entry | DynamicKey)
_NAMED = 10
# Kubernetes accepts no longer key either.
_LONGEST_KEY = 253


def answers_to(query: SourceQuery) -> Callable[[Entry], bool]:
    """Return a function that reports whether an entry answers the query: exact folder, ANY of the tags, as the server.

    For many entries, call it once.
    """
    path, tags = query.path, frozenset(query.tags)
    return lambda entry: path in (None, entry.path) and not (tags and tags.isdisjoint(entry.tags))


def answering(entries: Iterable[Entry], query: SourceQuery) -> Iterator[Entry]:
    """Yield the entries that answer the query."""
    return filter(answers_to(query), entries)


def select(
    entries: Iterable[Entry], query: SourceQuery, keys: Patterns, folders: Folders | None = None
) -> tuple[Entry, ...]:
    """Return the entries that answer the query, lie in the folders and whose keys are wanted, in the order given.

    Raises Waiting(INVALID_SPEC) if trying the patterns would take too long.
    """
    entries = list(entries)
    check_effort(keys, entries)
    wanted = matcher(keys)
    return tuple(entry for entry in within(folders, answering(entries, query)) if wanted(entry.key))


def within(folders: Folders | None, entries: Iterable[Entry]) -> Iterable[Entry]:
    """Return the entries in some folders; all of them for None."""
    return entries if folders is None else (entry for entry in entries if folders.holds(entry.path))


def select_without_patterns(
    entries: Iterable[Entry], query: SourceQuery, keys: Patterns, folders: Folders
) -> tuple[tuple[Entry, ...], bool]:
    """Return all entries in the folders, for an answer that has too many keys to try the patterns on.

    The patterns still filter the entries of type config if these alone are few enough; the flag is then True.
    """
    inside = tuple(within(folders, answering(entries, query)))
    if not is_feasible(keys, config_entries(inside)):
        return inside, False
    wanted = matcher(keys)
    return tuple(entry for entry in inside if not isinstance(entry, ConfigEntry) or wanted(entry.key)), True


def is_feasible(keys: Patterns, entries: Iterable[Entry | DynamicKey], most: int = _MOST_TRIED) -> bool:
    """Return whether the patterns can be tried on this many keys in acceptable time, in the worst case.

    `most` bounds the characters of patterns times the characters of keys; the default takes seconds.
    """
    letters = effort(keys)
    return not letters or letters * sum(len(entry.key) for entry in entries) <= most


def matching_if_feasible(keys: Patterns, entries: Sequence[AnyKey], most: int) -> Sequence[AnyKey]:
    """Return the entries whose keys pass the patterns; all of them if the patterns are too costly to try."""
    if not is_feasible(keys, entries, most):
        return entries
    wanted = matcher(keys)
    return [entry for entry in entries if wanted(entry.key)]


def check_effort(keys: Patterns, entries: Iterable[Entry]) -> None:
    """Raise Waiting(INVALID_SPEC) if it would take seconds to try the patterns on these keys."""
    if not is_feasible(keys, entries):
        raise Waiting(
            Reason.INVALID_SPEC,
            "keys: the patterns with a sign elsewhere than at their end or in front, such as A*B, are too many for so "
            "many keys; use fewer or shorter ones",
        )


def nothing_selected(query: SourceQuery, answer: Iterable[Entry], folders: Folders, tags: Iterable[str]) -> str:
    """Return the message for an answer without a selected entry; `tags` are those in the folder if none matched."""
    if any(folders.holds(entry.path) for entry in answer):
        return "spec.keys leaves out every entry that Phase answers; targets stay as they are"
    where = f"folder {listing(folders.roots)}" + (" or below" if folders.recursive else "")
    tagged = f" with tag {listing(query.tags)}" if query.tags else ""
    there = f'environment "{query.environment}" of app {query.app} has no entries in {where}{tagged}'
    return f"{there}; targets stay as they are{did_you_mean(close_tags(query.tags, tags))}"


def wants(key: str, keys: Patterns) -> bool:
    """Return whether a key passes the patterns; exclude wins. For many keys, call `matcher` once."""
    return matcher(keys)(key)


def left_out(before: Iterable[Entry], after: Iterable[Entry], why: LeftOutWhy) -> tuple[LeftOut, ...]:
    """Return what one step of a target's selection left out: one LeftOut, or none if it took everything.

    A target that selects in several steps calls this for each step and joins the results.
    """
    # By identity: a step keeps the same objects, and a server may give two entries the same id.
    kept = set(map(id, after))
    lost = [entry.key for entry in before if id(entry) not in kept]
    if not lost:
        return ()
    # Only the first few are cleaned for display: there may be thousands.
    names = sorted({clean(key)[:_LONGEST_KEY] for key in heapq.nsmallest(_NAMED, set(lost))})
    return (LeftOut(why, len(lost), tuple(names)),)


def config_entries(entries: Iterable[Entry]) -> tuple[ConfigEntry, ...]:
    """Return the entries that a ConfigMap may hold. Its renderer accepts no other class than ConfigEntry."""
    return tuple(entry for entry in entries if isinstance(entry, ConfigEntry))


def of_types(entries: Iterable[Entry], types: Collection[str]) -> tuple[Entry, ...]:
    """Return the entries of these types."""
    return tuple(entry for entry in entries if entry.type in types)


def secret_entries(entries: Iterable[Entry], *, with_config: bool) -> tuple[Entry, ...]:
    """Return the entries for a Secret: all, or all but those of type config when a ConfigMap target takes these."""
    return tuple(entry for entry in entries if with_config or not isinstance(entry, ConfigEntry))
