"""The mark of an entry: whose it is, in its comment, where a person reads it in Phase's Console.

Rule: an entry is ours only if its mark says so. The server stores the comment in the same row as the value, so no entry
of ours was ever there without its mark; and the mark outlives the status, the resource and the cluster. A person who
takes the mark off takes the entry.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from phase_operator.core.digests import framed, keyed
from phase_operator.core.values import ObjectKey

_WORDS = "managed by phase-operator: "
_NAME = r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?"
_MARK = re.compile(rf"{_WORDS}({_NAME})/({_NAME})/({_NAME})(?![-a-z0-9/])")
_DIGITS = 8
# Marks that are read of one comment: two are as good as many, and a few are told.
MOST_MARKS = 8


class Mark(NamedTuple):
    """Who keeps an entry: the operator of a cluster, and a resource there."""

    # The name of the cluster, or digits that stand for it.
    installation: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(self)

    @property
    def comment(self) -> str:
        """The text in the comment of an entry."""
        return f"{_WORDS}{self}"


def installation(cluster_name: str, digest_key: bytes) -> str:
    """Return what stands for a cluster in marks: its name, or digits that the operator's digest key gives.

    A cluster that is built anew has another digest key. So only one with a name finds its entries again.
    """
    digest = keyed(digest_key, b"phase-cluster", framed([b"installation"]), size=_DIGITS // 2)
    return cluster_name or digest.hex()


def mark_of(installed: str, key: ObjectKey) -> Mark:
    """Return the mark of the entries that a resource keeps."""
    return Mark(installed, key.namespace, key.name)


def marks_in(comment: str) -> tuple[Mark, ...]:
    """Return the first marks in a comment, each once, in their order."""
    found: dict[Mark, None] = {}
    for each in _MARK.finditer(comment):
        found[Mark(*each.groups())] = None
        if len(found) == MOST_MARKS:
            break
    return tuple(found)


def without_marks(comment: str) -> str:
    """Return what else a comment says."""
    return _MARK.sub("", comment).strip()


def with_mark(note: str, mark: Mark) -> str:
    """Return a comment with a mark after what else it says."""
    return f"{note}\n{mark.comment}" if note else mark.comment


def holder(marks: Sequence[Mark], ours: Mark) -> Mark | None:
    """Return who keeps an entry; None if nobody does. An entry with several marks is not ours."""
    return next((each for each in marks if each != ours), ours if marks else None)
