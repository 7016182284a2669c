"""Glob patterns, compiled once for thousands of keys.

Rule: the result is that of `fnmatchcase`. Users write both patterns and keys, so the cost of many patterns is bounded:
exact texts are looked up, prefixes and suffixes are compared, and only the rest are tried one after another.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Protocol

# Where a pattern has its only wildcard, a star. No other pattern has one of these forms.
_FORMS = {
    "nowhere": re.compile(r"[^*?\[]*"),
    "end": re.compile(r"[^*?\[]*\*"),
    "front": re.compile(r"\*[^*?\[]*"),
}


class Patterns(Protocol):
    """The patterns that select keys."""

    @property
    def include(self) -> Sequence[str]:
        """Glob patterns, one of which has to match; without a pattern, every key is included."""

    @property
    def exclude(self) -> Sequence[str]:
        """Glob patterns, none of which may match."""


def effort(keys: Patterns) -> int:
    """Return how many characters of patterns have to be tried at every character of a key."""
    return sum(len(pattern) for pattern in (*keys.include, *keys.exclude) if _kind(pattern) is None)


def matcher(keys: Patterns) -> Callable[[str], bool]:
    """Return a function that reports whether a key passes the patterns; exclude wins."""
    return _matcher(tuple(keys.include), tuple(keys.exclude))


@lru_cache(maxsize=1024)
def _matcher(include: tuple[str, ...], exclude: tuple[str, ...]) -> Callable[[str], bool]:
    if not include and not exclude:
        return lambda _: True
    refused = _Globs(exclude)
    if not include:
        return lambda key: not refused.match(key)
    taken = _Globs(include)
    return lambda key: taken.match(key) and not refused.match(key)


def _kind(pattern: str) -> str | None:
    """Return where a pattern has its only wildcard, a star: at its end, in front, nowhere. None for other patterns."""
    return next((kind for kind, form in _FORMS.items() if form.fullmatch(pattern)), None)


class _Globs:
    def __init__(self, patterns: Iterable[str]) -> None:
        kinds: dict[str | None, list[str]] = {}
        for pattern in patterns:
            kinds.setdefault(_kind(pattern), []).append(pattern)
        self._texts = frozenset(kinds.get("nowhere", ()))
        self._beginnings = tuple(pattern[:-1] for pattern in kinds.get("end", ()))
        self._ends = tuple(pattern[1:] for pattern in kinds.get("front", ()))
        self._others = [re.compile(translate(pattern)).match for pattern in kinds.get(None, ())]

    def match(self, key: str) -> bool:
        return (
            key in self._texts
            or key.startswith(self._beginnings)
            or key.endswith(self._ends)
            or any(match(key) for match in self._others)
        )
