"""Sources -> the entries that Phase should have.

Rule: what cannot be pushed is a problem that names source and key, and holds what is in Phase: a bad value deletes no
entry. A value in which Phase would see a reference is refused: Phase cannot hold such a text, and would resolve it with
the rights of the account.
"""

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import EntryType
from phase_operator.core.errors import Waiting
from phase_operator.core.globs import effort, matcher
from phase_operator.core.push.limits import LARGEST_VALUE, MOST_ENTRIES, size_in_json
from phase_operator.core.push.places import EntryPlace, entry_key, place_problem
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.room import is_too_much
from phase_operator.core.push.sources import Source, SourceState
from phase_operator.core.source.references.grammar import WRITTEN
from phase_operator.core.text import clean, listing
from phase_operator.core.values import SecretValue

# Characters of patterns times characters of keys, of all sources: less than a second in the worst case.
_MOST_TRIED = 200_000_000
# What wants a place: a source, and its key there; "" if the source was not read.
_Claimant = tuple[Source, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry that Phase should have."""

    place: EntryPlace
    type: EntryType
    source: SourceState
    # None if its source was not read; it is read if the value is needed.
    value: SecretValue | None = None
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Desired:
    """All entries that Phase should have."""

    entries: Mapping[EntryPlace, Wanted] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    # What stays as it is in Phase, since what it should be cannot be said: places, and sources by name.
    held: frozenset[EntryPlace] = frozenset()
    held_sources: frozenset[str] = frozenset()

    def holds(self, place: EntryPlace, source: str) -> bool:
        """Return whether an entry stays as it is; `source` is "" if it is not known where it came from."""
        return place in self.held or (source in self.held_sources if source else bool(self.held_sources))

    def at(self, places: Iterable[EntryPlace]) -> dict[EntryPlace, Wanted]:
        """Return the entries of some places, as far as they are wanted."""
        return {place: self.entries[place] for place in places if place in self.entries}


def desired(
    sources: Iterable[Source],
    tags: frozenset[str] = frozenset(),
    pushed: Mapping[EntryPlace, SourceState] | None = None,
    refused: Mapping[str, str] | None = None,
) -> Desired:
    """Return what Phase should have.

    `pushed` says which entries were made of what: it stands for sources that were not read. `refused` are sources by
    name that may not be pushed, and why. Raises Waiting(TOO_LARGE) for more entries than a resource may have, and
    Waiting(INVALID_SPEC) for patterns that would take long.
    """
    sources = list(sources)
    _check_effort(sources)
    claims: dict[EntryPlace, list[_Claimant]] = defaultdict(list)
    for source in sources:
        for place, key in _claimed(source, pushed or {}):
            claims[place].append((source, key))
    _check_size(claims)
    entries: dict[EntryPlace, Wanted] = {}
    problems = [Problem(Reason.INVALID_SPEC, f"{name} is not pushed: {why}") for name, why in (refused or {}).items()]
    for place, claimants in claims.items():
        found = _entry(place, claimants, tags)
        if isinstance(found, Wanted):
            entries[place] = found
        else:
            problems.append(found)
    return Desired(entries, tuple(problems), frozenset(claims.keys() - entries.keys()), frozenset(refused or ()))


def _check_effort(sources: Iterable[Source]) -> None:
    if sum(effort(each.rule.keys) * sum(map(len, each.data or ())) for each in sources) > _MOST_TRIED:
        raise Waiting(
            Reason.INVALID_SPEC,
            "keys: the patterns with a sign elsewhere than at their end or in front, such as A*B, are too many for so "
            "many keys; use fewer or shorter ones",
        )


def _check_size(claims: Mapping[EntryPlace, list[_Claimant]]) -> None:
    if len(claims) > MOST_ENTRIES:
        most = f"{len(claims):,} entries are more than the {MOST_ENTRIES:,} that one resource pushes"
        raise Waiting(Reason.TOO_LARGE, f"{most}; narrow keys, or make another resource")
    if is_too_much((place, claimants[0][0].state.name) for place, claimants in claims.items()):
        names = "the names of all entries, with their folders and sources, are longer than a status holds"
        raise Waiting(Reason.TOO_LARGE, f"{names}; shorten them, narrow keys, or make another resource")


def _claimed(source: Source, pushed: Mapping[EntryPlace, SourceState]) -> Iterator[tuple[EntryPlace, str]]:
    """Yield the places that a source wants, each with the key of the source; "" if it was not read."""
    if source.data is None:
        yield from ((place, "") for place, state in pushed.items() if state.name == source.state.name)
        return
    rule = source.rule
    wanted = matcher(rule.keys)
    for key in sorted(filter(wanted, source.data)):
        yield EntryPlace(rule.path, entry_key(key, rule.prefix, rule.as_names.get(key, ""))), key


def _entry(place: EntryPlace, claimants: list[_Claimant], tags: frozenset[str]) -> Wanted | Problem:
    source, key = claimants[0]
    if len(claimants) > 1:
        both = listing(sorted(_named(*each) for each in claimants))
        return Problem(Reason.KEY_COLLISION, f'"{clean(str(place))}" has several sources: {both}; rename all but one')
    if why := place_problem(place):
        return Problem(Reason.KEY_INVALID, f"{_named(source, key)}: {why}")
    if source.data is None:
        return Wanted(place, source.rule.type, source.state, None, tags)
    value = _text(source.data[key], is_encoded=key in source.rule.base64_keys)
    if value is None:
        advice = f"processors.{key}.type: base64 pushes its bytes as text"
        return Problem(Reason.VALUE_INVALID, f"{_named(source, key)}: its value is no UTF-8 text; {advice}")
    if why := _value_problem(value):
        return Problem(Reason.VALUE_INVALID, f"{_named(source, key)}: {why}")
    return Wanted(place, source.rule.type, source.state, value, tags)


def _named(source: Source, key: str) -> str:
    return f"{source.state.name}[{clean(key)}]" if key else source.state.name


def _text(value: bytes, *, is_encoded: bool) -> SecretValue | None:
    if is_encoded:
        return SecretValue(base64.b64encode(value).decode())
    try:
        return SecretValue(value.decode())
    except UnicodeDecodeError:
        return None


def _value_problem(value: SecretValue) -> str:
    """Return why Phase cannot hold a value, without a word of it."""
    if WRITTEN.search(value.reveal()):
        return "Phase would take a part of its value for a reference, ${...}, and resolve it"
    if (size := size_in_json(value)) > LARGEST_VALUE:
        return f"its value takes {size:,} bytes in a request, more than {LARGEST_VALUE:,}"
    return ""
