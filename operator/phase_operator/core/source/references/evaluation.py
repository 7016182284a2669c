"""Replace the references in one value by the values that they name, and those in these, as Phase's server does.

Rule: the server's steps, with the server's results. The forms of references are taken in turn, each over the whole
value. What cannot be replaced stays as it is written, and the rest goes on; text that came with a value is searched for
the forms whose turn is still to come. A chain that comes back to itself, or is too long, ends there.

What is not the server's: the order in which this is computed, and that it is bounded. Where a value is referred to
twice, it is resolved once.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping

from phase_operator.core.source.keyring import EnvironmentId
from phase_operator.core.source.references.grammar import SEPARATED, WRITTEN, Form, Reference, read
from phase_operator.core.source.references.limits import (
    LONGEST_CHAIN,
    LimitReached,
    ReferenceLimits,
    Work,
    answer_too_large,
)
from phase_operator.core.source.references.names import Names, NotFound, shown
from phase_operator.core.source.references.table import Node, Outcome, Problem, Table

# The work that it takes to find a reference, to read a character of it, and to follow it, in characters of plain text.
_MATCHED = 300
_READ = 8
_FOLLOWED = 1_000
# The most problems of one value that are reported.
_REPORTED = 3
# Takes the place of a reference that stays, in the text that is searched for references which replacing others made.
_BARRIER = "{"


class Evaluation:
    """What is known while the references of one answer are resolved."""

    def __init__(self, names: Names, home: Table, place: EnvironmentId, limits: ReferenceLimits) -> None:
        self.names = names
        self.tables = {place: home}
        # Environments that will not be read, and the rest of a sentence about a value that refers to one.
        self.unread: dict[EnvironmentId, str] = {}
        # No more environments are asked for.
        self.is_closed = False
        self.round = 0
        self.work = Work()
        self.limits = limits
        self.referenced: set[EnvironmentId] = set()
        self.is_incomplete = False
        self._home = place
        self._kept = limits.growth
        # Bytes of outcomes that are kept of other environments; those of this one are handed out.
        self.kept_elsewhere = 0
        self.room = 0

    def outcome(self, node: Node, units: int, room: int) -> Outcome:
        """Resolve the value of an entry with this much work, to at most `room` characters; raise LimitReached."""
        self.work.allow(units)
        self.room = min(room, self.limits.value)
        return self.resolve(node, 1, self.room)

    def too_large(self) -> LimitReached:
        """Return the error for a value that has no room."""
        if self.room < self.limits.value:
            return answer_too_large()
        return LimitReached("would be too large with its references resolved", is_final=True)

    def resolve(self, node: Node, depth: int, room: int) -> Outcome:
        """Resolve a value that is the `depth`th on its chain, to at most `room` characters."""
        if not node.may_refer:
            return Outcome(node.raw)
        if node.waiting is not None and node.waiting[0] == self.round:
            return node.waiting[1]
        if node.outcome is not None and depth + node.outcome.height - 1 <= LONGEST_CHAIN:
            return node.outcome
        node.is_on_chain = True
        try:
            found = _Value(self, node, depth, room).resolved()
        finally:
            node.is_on_chain = False
        self._keep(node, found)
        return found

    def _keep(self, node: Node, found: Outcome) -> None:
        if found.missing:
            node.waiting = (self.round, found)
            return
        size = sys.getsizeof(found.text)
        if found.is_everywhere and node.outcome is None and size <= self._kept:
            self._kept -= size
            self.kept_elsewhere += size if node.place != self._home else 0
            node.outcome = found

    def table(self, place: EnvironmentId, home: EnvironmentId) -> Table | None:
        """Return the entries of an environment, or None if they have to be read first; raise NotFound."""
        if (found := self.tables.get(place)) is not None:
            self.referenced.add(place)
            return found
        if place in self.unread:
            self.referenced.add(place)
            self.is_incomplete = True
            raise NotFound(f"refers to {self.names.of(place, home)}, {self.unread[place]}")
        if self.is_closed:
            raise NotFound(f"refers to one of more than {self.limits.environments} other environments")
        return None


class _Value:
    """One value on a chain, while its references are replaced."""

    def __init__(self, evaluation: Evaluation, node: Node, depth: int, room: int) -> None:
        self._evaluation = evaluation
        self._node = node
        self._depth = depth
        self._room = room
        # By reference as it is written: the text that takes its place, or None if it stays.
        self._found: dict[str, str | None] = {}
        self._problems: dict[Problem, None] = {}
        self._height = 1
        self._is_everywhere = True
        self._missing: set[EnvironmentId] = set()

    def resolved(self) -> Outcome:
        """Return what becomes of the value."""
        raw = text = self._node.raw
        written = list(self._references(raw))
        # All at once, so that all environments that are missing are known together.
        self._follow(written, is_own=True)
        for form in Form:
            if not self._missing:
                text = self._replaced(text, form, written if text is raw else list(self._references(text)))
        return Outcome(
            text, tuple(self._problems)[:_REPORTED], self._height, self._is_everywhere, frozenset(self._missing)
        )

    def _references(self, text: str) -> Iterator[Reference]:
        work = self._evaluation.work
        work.spend(len(text))
        for match in WRITTEN.finditer(text):
            work.spend(_MATCHED + _READ * (match.end() - match.start()))
            if (found := read(match)) is not None:
                yield found

    def _follow(self, references: list[Reference], *, is_own: bool) -> None:
        """Find what takes the place of each reference; one that is left is reported of this value, if it `is_own`."""
        for reference in references:
            if reference.written not in self._found:
                self._evaluation.work.spend(_FOLLOWED)
                try:
                    self._found[reference.written] = self._target(reference)
                except NotFound as left:
                    self._found[reference.written] = None
                    if is_own:
                        self._report(Problem(self._node, left.text))

    def _report(self, problem: Problem) -> None:
        if len(self._problems) < _REPORTED:
            self._problems[problem] = None

    def _target(self, reference: Reference) -> str | None:
        node = self._named(reference)
        if node is None:
            return None
        self._check_chain(node)
        found = self._evaluation.resolve(node, self._depth + 1, self._room)
        self._height = max(self._height, found.height + 1)
        self._is_everywhere &= found.is_everywhere
        if found.missing:
            self._wait_for(found.missing)
            return None
        for problem in found.problems:
            self._report(problem)
        self._take(len(found.text))
        return found.text

    def _check_chain(self, node: Node) -> None:
        """Raise NotFound if the chain may not go on with this value: it comes back to itself, or is too long."""
        if node.is_on_chain:
            self._is_everywhere = False
            raise NotFound("refers to itself" if node is self._node else f"refers back to {shown(node.entry.source)}")
        if self._depth >= LONGEST_CHAIN:
            self._is_everywhere = False
            raise NotFound(f"refers to one more at the end of a chain of {LONGEST_CHAIN}")

    def _named(self, reference: Reference) -> Node | None:
        """Return the entry that a reference names, or None if its environment has to be read; raise NotFound."""
        home = self._node.place
        try:
            place = self._evaluation.names.find(home, reference)
        except NotFound:
            self._evaluation.is_incomplete = True
            raise
        table = self._evaluation.table(place, home)
        if table is None:
            self._wait_for({place})
            return None
        node = table.find(reference.path, reference.key)
        if node is None:
            where = "" if place == home else f" in {self._evaluation.names.of(place, home)}"
            raise NotFound(f"refers to a key that does not exist{where}")
        if table.is_twin(node):
            raise NotFound(f"refers to {shown(node.entry.source)}, which exists twice")
        return node

    def _wait_for(self, places: set[EnvironmentId] | frozenset[EnvironmentId]) -> None:
        if len(self._missing) <= self._evaluation.limits.environments:
            self._missing |= places

    def _take(self, characters: int) -> None:
        # What is found becomes part of the value, and all values on the chain are held at once.
        self._room -= characters
        if self._room < 0:
            raise self._evaluation.too_large()

    def _replaced(self, text: str, form: Form, written: list[Reference]) -> str:
        """Return the text with the references of one form replaced."""
        here = [reference for reference in written if reference.form is form]
        self._follow(here, is_own=False)
        replaced = {} if self._missing else self._texts_of(here)
        if not replaced:
            return text
        # Text and references in turn; no part of the text looks like a reference.
        parts = SEPARATED.split(text)
        pieces = [replaced.get(part, part) for part in parts]
        length = sum(map(len, pieces))
        self._check(length)
        self._evaluation.work.spend(length)
        searched = dict.fromkeys(parts[1::2], _BARRIER) | replaced
        if WRITTEN.search("".join([searched.get(part, part) for part in parts])) is None:
            return "".join(pieces)
        order = [reference.written for reference in here if reference.written in replaced]
        return self._one_by_one(text, order, replaced)

    def _texts_of(self, references: Iterable[Reference]) -> dict[str, str]:
        """Return the texts that take the places of references, without those that stay."""
        found = ((reference.written, self._found[reference.written]) for reference in references)
        return {written: text for written, text in found if text is not None}

    def _one_by_one(self, text: str, order: Iterable[str], replaced: Mapping[str, str]) -> str:
        """Replace each reference wherever it is by now: replacing another, or an equal one, may have made it anew."""
        for written in order:
            found = replaced[written]
            self._evaluation.work.spend(len(text))
            self._check(len(text) + text.count(written) * (len(found) - len(written)))
            text = text.replace(written, found)
        return text

    def _check(self, length: int) -> None:
        if length > self._evaluation.room:
            raise self._evaluation.too_large()
