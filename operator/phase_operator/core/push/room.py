"""How much a ledger holds: as many rows as the status takes, and no more bytes than an object of Kubernetes may have.

Rule: a write that the API server refuses would end all pushing of the resource. So rows are made only as long as there
is room, and what is in the way is taken away first.
"""

import json
import re
from collections.abc import Iterable
from itertools import accumulate

from phase_operator.core.push.limits import MOST_ENTRIES
from phase_operator.core.push.places import EntryPlace

# A row for each entry, and as many that are on their way out.
MOST_ROWS = 2 * MOST_ENTRIES
# Bytes of JSON. etcd takes 1.5 MiB of an object, and a spec and conditions have their part of it.
MOST_BYTES = 1_000_000
# The most that one spec may need, so that as much again may be on its way out.
MOST_WANTED = MOST_BYTES // 2
# A row without its place and its source.
_FRAME = 400
_PLAIN = re.compile(r"[-._/a-zA-Z0-9]*").fullmatch
# The API server stores these in six bytes each.
_ESCAPED = str.maketrans(dict.fromkeys("<>&", "\u2028"))


def weight(place: EntryPlace, source: str) -> int:
    """Return how many bytes the row of an entry takes at most."""
    return _FRAME + sum(map(_size, (*place, source)))


def _size(text: str) -> int:
    # Nearly all names are plain, and each step weighs all rows.
    return len(text) if _PLAIN(text) else len(json.dumps(text.translate(_ESCAPED)))


class Room:
    """What is left of a ledger's room."""

    def __init__(self) -> None:
        self._rows, self._bytes = MOST_ROWS, MOST_BYTES

    def takes(self, place: EntryPlace, source: str) -> bool:
        """Return whether there is room for one more row; if so, it is taken."""
        size = weight(place, source)
        if self._rows < 1 or self._bytes < size:
            return False
        self._rows, self._bytes = self._rows - 1, self._bytes - size
        return True


def is_too_much(entries: Iterable[tuple[EntryPlace, str]]) -> bool:
    """Return whether the rows of these entries, each with its source, are more than one spec may need."""
    return any(total > MOST_WANTED for total in accumulate(weight(*each) for each in entries))
