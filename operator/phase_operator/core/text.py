"""Text for people: foreign text made safe for display, lists of names, and similar names."""

import difflib
import heapq
import re
from collections.abc import Iterable, Sequence
from itertools import chain
from string import hexdigits

_LONGEST = 300
# The most characters of a foreign text that are examined: enough to find tokens before the part that is shown.
_LOOKED_AT = 2000
# Limits: characters of a name, names that are examined, and names that difflib compares.
_COMPARED = 64
_MANY = 2000
_NEAREST = 20
_TOKENS = re.compile(r"pss_\S+|[0-9a-fA-F]{64,}")


def clean(text: str, longest: int = _LONGEST) -> str:
    """Return foreign text made safe for display: one bounded line, without anything that looks like a token.

    More than two thousand characters are never examined, nor shown.
    """
    if len(text) > _LOOKED_AT:
        # A token that is cut in two would not look like a token any more.
        text = text[:_LOOKED_AT].rstrip(hexdigits)
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _TOKENS.sub("***", line)[:longest]


def without_tokens(text: str) -> str:
    """Return a text of any length and any lines, without anything that looks like a token."""
    return _TOKENS.sub("***", text)


def close(name: str, names: Iterable[str]) -> list[str]:
    """Return at most five names that are spelt alike or contain one another, sorted.

    If there are very many names, or very long ones, only some are examined: it is a hint, and must not take long.
    """
    wanted = name[:_COMPARED].casefold()
    folded = {each[:_COMPARED].casefold(): each for each in _likely(name, names)}
    # difflib takes milliseconds for a pair of long names, so it compares only the names that share most letters.
    shared = _pairs(wanted)
    nearest = heapq.nsmallest(_NEAREST, folded, key=lambda fold: (-len(shared & _pairs(fold)), len(fold), fold))
    alike = difflib.get_close_matches(wanted, nearest, n=SHOWN, cutoff=0.6)
    holding = [fold for fold in sorted(folded) if fold not in alike and _is_alike(wanted, [fold])]
    return sorted(clean(folded[fold]) for fold in [*alike, *holding][:SHOWN])


def _likely(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that may be similar, the last first: all of them, unless there are very many."""
    every = [each for each in names if each]
    if len(every) > _MANY:
        every = [each for each in every if _begins_alike(each, name)]
    return heapq.nlargest(_MANY, every)


def _begins_alike(one: str, other: str) -> bool:
    """Return whether two names begin with the same two letters, and are about as long."""
    begins = other[:2].casefold()
    return one[:2].casefold() == begins and abs(len(one) - len(other)) <= len(begins)


def _pairs(fold: str) -> set[str]:
    return {fold[at : at + 2] for at in range(len(fold) - 1)}


def close_tags(wanted: Iterable[str], tags: Iterable[str]) -> list[str]:
    """Return at most five tags that are similar to one of those wanted, sorted.

    The first are those that the official operator treats as equal: one contains the other, in any case, with `_` for a
    space.
    """
    every = set(map(clean, heapq.nsmallest(_MANY, tags))) - {""}
    asked = list(wanted)
    spelt = [_spelt(each) for each in asked]
    matched = sorted(tag for tag in every if _is_alike(_spelt(tag), spelt))
    if len(matched) < SHOWN:
        near = set(chain.from_iterable(close(each, every) for each in asked[:SHOWN]))
        matched += sorted(near.difference(matched))
    return sorted(matched[:SHOWN])


def _is_alike(fold: str, others: Iterable[str]) -> bool:
    """Return whether a text contains one of the others, or the reverse."""
    return any(fold in each or each in fold for each in others)


def _spelt(tag: str) -> str:
    return tag.casefold().replace("_", " ")


def hint(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean ...?`, or an empty text if no name is similar."""
    return did_you_mean(close(name, names))


def did_you_mean(found: Sequence[str]) -> str:
    """Return the question whether one of these names was meant; an empty text if there are none."""
    return f"; did you mean {listing(found)}?" if found else ""


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 pod`, `2 pods`; `many` is a plural that has more than an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


# The most names that a message shows.
SHOWN = 5


def listing(names: Iterable[str]) -> str:
    """Return the first names in quotes, and how many more there are."""
    every = list(names)
    shown = ", ".join(f'"{name}"' for name in every[:SHOWN])
    return shown if len(every) <= SHOWN else f"{shown} and {len(every) - SHOWN} more"


def clean_listing(texts: Iterable[str]) -> str:
    """Return a listing of foreign texts, sorted and made safe for display; of many, only those shown are examined."""
    every = sorted(texts)
    every[:SHOWN] = map(clean, every[:SHOWN])
    return listing(every)
