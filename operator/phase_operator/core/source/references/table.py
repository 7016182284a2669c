"""The entries of one environment, as references find them: by folder and key.

Rule: a key that is there twice is found by no reference, as on the server.
"""

from collections.abc import Sequence
from typing import NamedTuple

from phase_operator.core.source.keyring import EnvironmentId
from phase_operator.core.values import Entry

# Bytes that an entry takes in a table, with what is known about it.
NODE = 250


class Problem(NamedTuple):
    """Why a reference is left: the entry that holds it, and the rest of a sentence about that entry."""

    holder: "Node"
    text: str


class Outcome(NamedTuple):
    """What became of a value: its text with what could be replaced, and why the rest is left."""

    text: str
    problems: tuple[Problem, ...] = ()
    # The number of secrets on its longest chain of references, itself included.
    height: int = 1
    # Whether it is the same wherever the value is referred to: no chain came back to its own, or was too long.
    is_everywhere: bool = True
    # Environments that have to be read first, or some of them if there are many.
    missing: frozenset[EnvironmentId] = frozenset()


class Node:
    """An entry, and what is known about its value so far."""

    __slots__ = ("entry", "is_on_chain", "may_refer", "outcome", "place", "raw", "waiting")

    def __init__(self, place: EnvironmentId, entry: Entry) -> None:
        self.place = place
        self.entry = entry
        self.raw = entry.value.reveal()
        self.may_refer = "${" in self.raw
        # It is being resolved: a reference to it is a cycle.
        self.is_on_chain = False
        # The outcome that is the same everywhere, if it was found and kept.
        self.outcome: Outcome | None = None
        # The outcome of this round, if an environment is missing.
        self.waiting: tuple[int, Outcome] | None = None


class Table:
    """The entries of one environment."""

    def __init__(self, place: EnvironmentId, entries: Sequence[Entry]) -> None:
        self.nodes = [Node(place, entry) for entry in entries]
        self._found: dict[tuple[str, str], Node] = {}
        self._twins: set[tuple[str, str]] = set()
        for node in self.nodes:
            where = (node.entry.path, node.entry.key)
            first = self._found.setdefault(where, node)
            if first is not node and first.entry != node.entry:
                self._twins.add(where)

    def find(self, path: str, key: str) -> Node | None:
        """Return the entry in this folder with this key, or one of them if there are several."""
        return self._found.get((path, key))

    def is_twin(self, node: Node) -> bool:
        """Return whether another entry has the same folder and key."""
        return bool(self._twins) and (node.entry.path, node.entry.key) in self._twins
