"""Text for people: foreign text made fit to be shown, lists of names, and names close to one that was not found."""

import difflib
import heapq
import re
from collections.abc import Iterable, Sequence
from string import hexdigits

_LONGEST = 300
# Letters of a foreign text that are looked at: enough for tokens in front of what is shown.
_LOOKED_AT = 2000
# Letters of a name that are compared, names that are looked at, and those of them that difflib compares.
_COMPARED = 64
_MANY = 2000
_NEAREST = 20
_TOKENS = re.compile(r"pss_\S+|[0-9a-fA-F]{64,}")


def clean(text: str) -> str:
    """Make foreign text fit to be shown: one bounded line, nothing that looks like a token."""
    if len(text) > _LOOKED_AT:
        # What is cut in two would not look like a token any more.
        text = text[:_LOOKED_AT].rstrip(hexdigits)
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _TOKENS.sub("***", line)[:_LONGEST]


def close(name: str, names: Iterable[str]) -> list[str]:
    """Return at most five names that are spelt alike or hold one another, sorted.

    Of very many names, or very long ones, not all are looked at: it is a help, and others wait for it.
    """
    wanted = name[:_COMPARED].casefold()
    folded = {each[:_COMPARED].casefold(): each for each in _likely(name, names)}
    # difflib takes milliseconds for a pair of long names, so that it is asked about those that share most.
    shared = _pairs(wanted)
    nearest = heapq.nsmallest(_NEAREST, folded, key=lambda fold: (-len(shared & _pairs(fold)), len(fold), fold))
    alike = difflib.get_close_matches(wanted, nearest, n=SHOWN, cutoff=0.6)
    holding = [fold for fold in sorted(folded) if fold not in alike and (wanted in fold or fold in wanted)]
    return sorted(clean(folded[fold]) for fold in [*alike, *holding][:SHOWN])


def _likely(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that may come close, the last first: all of them, unless there are very many."""
    every = [each for each in names if each]
    if len(every) > _MANY:
        begins = name[:2].casefold()
        every = [each for each in every if each[:2].casefold() == begins and abs(len(each) - len(name)) <= len(begins)]
    return heapq.nlargest(_MANY, every)


def _pairs(fold: str) -> set[str]:
    return {fold[at : at + 2] for at in range(len(fold) - 1)}


def close_tags(wanted: Iterable[str], tags: Iterable[str]) -> list[str]:
    """Return at most five tags that come close to any of those wanted, sorted.

    Those come first that the official operator takes for the same: parts of one another, in any case, `_` for a space.
    """
    every = {clean(tag): None for tag in heapq.nsmallest(_MANY, tags)}.keys() - {""}
    asked = list(wanted)
    spelt = [_spelt(each) for each in asked]
    alike = {tag: _spelt(tag) for tag in every}
    matched = sorted(tag for tag, fold in alike.items() if any(fold in each or each in fold for each in spelt))
    if len(matched) < SHOWN:
        matched += sorted({near for each in asked[:SHOWN] for near in close(each, every)} - set(matched))
    return sorted(matched[:SHOWN])


def _spelt(tag: str) -> str:
    return tag.casefold().replace("_", " ")


def hint(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean ...?`, or nothing if nothing comes close."""
    return did_you_mean(close(name, names))


def did_you_mean(found: Sequence[str]) -> str:
    """Ask whether one of these names was meant, or say nothing if there is none."""
    return f"; did you mean {listing(found)}?" if found else ""


# So many names a message shows.
SHOWN = 5


def listing(names: Iterable[str]) -> str:
    """Show a few names in quotes and say how many more there are."""
    every = list(names)
    shown = ", ".join(f'"{name}"' for name in every[:SHOWN])
    return shown if len(every) <= SHOWN else f"{shown} and {len(every) - SHOWN} more"
