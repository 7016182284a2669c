"""Text for people: foreign words made fit to be shown, and names that come close to one that was not found."""

import difflib
import re
from collections.abc import Iterable, Sequence

from phase_operator.core.keys import listing

_LONGEST = 300
_SHOWN = 5
_TOKENS = re.compile(r"pss_\S+|[0-9a-fA-F]{64,}")


def clean(text: str) -> str:
    """Make foreign text fit to be shown: one bounded line, nothing that looks like a token."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _TOKENS.sub("***", line)[:_LONGEST]


def close(name: str, names: Iterable[str]) -> list[str]:
    """Return at most five names that are spelt alike or hold one another, sorted."""
    wanted = name.casefold()
    folded = {each.casefold(): each for each in sorted(names, reverse=True) if each}
    alike = difflib.get_close_matches(wanted, folded, n=_SHOWN, cutoff=0.6)
    holding = [fold for fold in sorted(folded) if fold not in alike and (wanted in fold or fold in wanted)]
    return sorted(clean(folded[fold]) for fold in [*alike, *holding][:_SHOWN])


def close_tags(wanted: Iterable[str], tags: Iterable[str]) -> list[str]:
    """Return at most five tags that come close to any of those wanted, sorted.

    Those come first that the official operator takes for the same: parts of one another, in any case, `_` for a space.
    """
    every = {clean(tag) for tag in tags} - {""}
    asked = list(wanted)
    matched = sorted(tag for tag in every if any(_alike(tag, each) for each in asked))
    others = sorted({near for each in asked for near in close(each, every)} - set(matched))
    return sorted([*matched, *others][:_SHOWN])


def _alike(one: str, other: str) -> bool:
    first, second = (tag.casefold().replace("_", " ") for tag in (one, other))
    return first in second or second in first


def hint(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean ...?`, or nothing if nothing comes close."""
    return did_you_mean(close(name, names))


def did_you_mean(found: Sequence[str]) -> str:
    """Ask whether one of these names was meant, or say nothing if there is none."""
    return f"; did you mean {listing(found)}?" if found else ""
