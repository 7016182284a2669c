"""Text for people: foreign words made fit to be shown, and names that come close to one that was not found."""

import difflib
import re
from collections.abc import Iterable

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


def hint(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean ...?`, or nothing if nothing comes close."""
    found = close(name, names)
    return f"; did you mean {listing(found)}?" if found else ""
