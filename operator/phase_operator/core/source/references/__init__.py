"""Resolve the references `${...}` of an app that is end-to-end encrypted, as Phase's server does for other apps.

Rule: an app means the same before and after server-side encryption is turned on. A reference that stays is reported
with its reason, and never by its text: that is part of a secret value. What one entry needs beyond a limit is left in
that entry alone; all others are resolved.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from phase_operator.core.errors import ExpectedError, shortened
from phase_operator.core.source.keyring import Decrypted, EnvironmentId, Keyring
from phase_operator.core.source.references.evaluation import Evaluation
from phase_operator.core.source.references.limits import LimitReached, ReferenceLimits, answer_too_large
from phase_operator.core.source.references.names import Names, shown
from phase_operator.core.source.references.table import NODE, Node, Outcome, Problem, Table
from phase_operator.core.source.unresolved import holds_reference
from phase_operator.core.text import clean
from phase_operator.core.values import Entry, SecretValue

__all__ = ("ReferenceLimits", "References")

# What an entry may use, in units of work: first a little, so that those who need little have it whatever others need.
_ALLOWED = (20_000, 400_000, 6_000_000)
# Each character of its own may be read a few times.
_OWN = 4
# In so many rounds the first allowance does not count: chains through more environments share what there is.
_FREE_ROUNDS = 2
# The units of work after which `steps` pauses: a few milliseconds. No step takes more than the largest allowance.
_PAUSE = 1_000_000
# What it takes to try an entry, to make one of an outcome, and to search a character of its text for references.
_TRIED = 1_000
_MADE = 2_000
_SEARCHED = 10
_LONGEST_PROBLEM = 300
# Additional bytes of an entry that may hold references.
_TASK = 700


class _Task:
    """An entry whose value may hold references."""

    __slots__ = ("entry", "missing", "node", "outcome", "problem")

    def __init__(self, node: Node) -> None:
        self.node = node
        # The entry as it is handed out.
        self.entry: Entry | None = None
        self.outcome: Outcome | None = None
        # Why the whole value is left as it is.
        self.problem = ""
        self.missing: frozenset[EnvironmentId] = frozenset()

    @property
    def is_open(self) -> bool:
        return self.outcome is None and not self.problem


class References:
    """The references in all entries of one environment.

    Give what is `wanted`, until nothing is wanted; then take what is `resolved`. Both work for as long as it takes:
    iterate over `steps` before to pause every few milliseconds.
    """

    def __init__(
        self, keyring: Keyring, home: EnvironmentId, entries: Sequence[Entry], limits: ReferenceLimits | None = None
    ) -> None:
        self._home = home
        self._limits = limits or ReferenceLimits()
        self._names = Names(keyring)
        self._table = Table(home, entries)
        self._evaluation = Evaluation(self._names, self._table, home, self._limits)
        holding = [node for node in self._table.nodes if node.may_refer]
        # Sorted, so that the outcome does not depend on the order of an answer, which Phase does not define.
        holding.sort(key=lambda node: (node.entry.path, node.entry.key, node.entry.id))
        self._tasks = [_Task(node) for node in holding]
        self._wanted: list[EnvironmentId] = []
        self._asked: set[EnvironmentId] = set()
        self._is_current = False
        self._work = self._limits.work
        self._growth = self._limits.growth
        # What each value may take more in any case, and how many have not taken it yet.
        self._share = self._growth // max(1, len(self._tasks))
        self._waiting = 0
        # The texts of outcomes, in bytes.
        self._made_bytes = 0

    def wanted(self) -> list[EnvironmentId]:
        """Return the other environments whose entries are needed next, sorted; none if all are resolved."""
        for _ in self.steps():
            pass
        return list(self._wanted)

    def give(self, place: EnvironmentId, entries: Sequence[Entry]) -> None:
        """Take all entries of an environment that is wanted."""
        if place != self._home:
            self._evaluation.tables[place] = Table(place, entries)
            self._is_current = False

    def give_up(self, place: EnvironmentId, error: ExpectedError) -> None:
        """Leave all references to an environment that is wanted and cannot be read."""
        self._leave(place, f"which cannot be read: {clean(error.message)}")

    def resolved(self) -> Decrypted:
        """Return the entries in the order given, with references resolved as far as they can be."""
        while unread := self.wanted():
            for place in unread:
                self._leave(place, "which was not read")
        done = {id(task.node): task.entry for task in self._tasks}
        return Decrypted(
            tuple(done.get(id(node)) or node.entry for node in self._table.nodes),
            frozenset(self._evaluation.referenced - {self._home}),
            self._evaluation.is_incomplete,
        )

    @property
    def referring(self) -> tuple[Entry, ...]:
        """The entries, as they were given, whose values hold what may be a reference."""
        return tuple(task.node.entry for task in self._tasks)

    @property
    def weight(self) -> int:
        """The bytes that it takes in memory by now, without the entries that it was given."""
        nodes = sum(len(table.nodes) for table in self._evaluation.tables.values())
        return NODE * nodes + _TASK * len(self._tasks) + self._made_bytes + self._evaluation.kept_elsewhere

    def steps(self) -> Iterator[None]:
        """Do all work that can be done by now, and yield every few milliseconds."""
        while not self._is_current:
            yield from self._round()
            self._choose()
        used = 0
        for task in self._tasks:
            if not task.is_open and task.entry is None:
                task.entry = self._made(task)
                used += _MADE + _SEARCHED * len(task.node.raw if task.outcome is None else task.outcome.text)
                if used > _PAUSE:
                    used = 0
                    yield

    def _leave(self, place: EnvironmentId, why: str) -> None:
        self._evaluation.unread[place] = why
        self._is_current = False

    def _round(self) -> Iterator[None]:
        """Try every open entry: with little work, then those that need more with more."""
        evaluation, used = self._evaluation, 0
        evaluation.round += 1
        rest = [task for task in self._tasks if task.is_open]
        for units in _ALLOWED:
            again = []
            for task in rest:
                if self._needs_more(task, units):
                    again.append(task)
                used += evaluation.work.used + _TRIED
                if used > _PAUSE:
                    used = 0
                    yield
            rest = again
            self._waiting = sum(1 for task in self._tasks if task.missing)

    def _needs_more(self, task: _Task, units: int) -> bool:
        """Try an entry; return True if it may be tried again with more work."""
        work = self._evaluation.work
        is_free = units == _ALLOWED[0] and self._evaluation.round <= _FREE_ROUNDS
        own = len(task.node.raw)
        allowed = units + _OWN * own
        room = self._room(is_first=units == _ALLOWED[0])
        task.missing = frozenset()
        try:
            found = self._evaluation.outcome(task.node, allowed if is_free else min(allowed, self._work), own + room)
            task.missing = found.missing
            if not found.missing:
                self._grow(task, found, room)
                task.outcome = found
        except LimitReached as reached:
            if not reached.is_final and units != _ALLOWED[-1]:
                return True
            task.problem = reached.text
        finally:
            if not is_free:
                self._work -= work.used
        return False

    def _room(self, *, is_first: bool) -> int:
        """Return by how much one value may grow: its share at first, then what is left beside the shares of others."""
        return min(self._share, self._growth) if is_first else max(0, self._growth - self._waiting * self._share)

    def _grow(self, task: _Task, found: Outcome, room: int) -> None:
        """Count what a value takes more by now, in bytes; raise LimitReached if that is more than there is."""
        size = sys.getsizeof(found.text)
        grown = max(0, size - sys.getsizeof(task.node.raw))
        if grown > room:
            raise answer_too_large()
        self._growth -= grown
        self._made_bytes += size if found.text is not task.node.raw else 0

    def _choose(self) -> None:
        """Choose what to ask for: whatever the entries need that need the fewest, until there are enough."""
        missing = sorted((task for task in self._tasks if task.is_open), key=lambda task: len(task.missing))
        wanted: set[EnvironmentId] = set()
        for task in missing:
            for place in sorted(task.missing):
                if self._may_ask(place):
                    self._asked.add(place)
                    wanted.add(place)
        self._wanted = sorted(wanted)
        # If nothing may be asked for any more, the entries that need more are tried once again without.
        self._is_current = not missing or bool(wanted)
        self._evaluation.is_closed |= not self._is_current

    def _may_ask(self, place: EnvironmentId) -> bool:
        return place in self._asked or len(self._asked) < self._limits.environments

    def _made(self, task: _Task) -> Entry:
        entry = task.node.entry
        if task.outcome is None:
            return replace(entry, problem=f"it {task.problem}")
        text = task.outcome.text
        problem = self._described(task.node, task.outcome.problems) if holds_reference(text) else ""
        if text == task.node.raw and not problem:
            return entry
        return replace(entry, value=SecretValue(text), problem=problem)

    def _described(self, root: Node, problems: Sequence[Problem]) -> str:
        found = [self._sentence(root, problem) for problem in problems]
        text = "; ".join(dict.fromkeys(found)) or "its references make up a text that looks like one more"
        return shortened(text, _LONGEST_PROBLEM)

    def _sentence(self, root: Node, problem: Problem) -> str:
        holder = problem.holder
        if holder is root:
            return f"it {problem.text}"
        where = "" if holder.place == root.place else f" of {self._names.of(holder.place, root.place)}"
        return f"it refers to {shown(holder.entry.source)}{where}, which {problem.text}"
