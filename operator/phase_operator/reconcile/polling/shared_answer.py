"""One answer of Phase, divided among the queries that it was read for.

Rule: what several queries share is computed once, because there may be many queries and many entries.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.damage import Damage
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.source.selection import answering
from phase_operator.core.source.shrink_guard import Moved, kept
from phase_operator.core.values import DynamicKey, Entry, Snapshot

# Bytes that an entry takes in each answer that refers to it.
_REFERENCE = 8
# What an entry takes to be put into an answer, in microseconds; and answers' entries that are weighed in one.
_ANSWERED, _WEIGHED = 5, 4
# The most entries that are divided at once.
_LARGE = 500


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an answer to one query differs from an earlier one, and whether that is doubted."""

    # The earlier answer, if there is one, and what of that left on purpose.
    before: Snapshot | None = None
    left: Sequence[Moved] = ()
    # What the shrink guards say.
    doubt: ExpectedError | None = None
    # The answer completed by what it lacks of earlier ones, each with the earlier one; as far as that was done already.
    completed: Sequence[tuple[Snapshot, Snapshot]] = ()


class SharedAnswer:
    """The entries of one read; `place` is their memory, which is held as long as any of the answers.

    `damage` is what of the read could not be decrypted: it is not among the entries.
    """

    def __init__(
        self,
        app_id: str,
        found: Sequence[Entry | DynamicKey],
        place: Reservation | None = None,
        damage: Damage | None = None,
    ) -> None:
        self._app_id = app_id
        self._damage = damage
        self._entries = [each for each in found if isinstance(each, Entry)]
        self._dynamic = [each for each in found if isinstance(each, DynamicKey)]
        self._place = place
        self._answers: dict[SourceQuery, Snapshot] = {}
        self._tags: dict[str | None, tuple[str, ...]] = {}
        # Those that were made in advance: it takes long if there is much, or many queries.
        self.judgements: dict[SourceQuery, Judgement] = {}

    @property
    def is_large(self) -> bool:
        """Whether it takes milliseconds to answer one query."""
        return len(self._entries) + len(self._dynamic) > _LARGE

    @property
    def units(self) -> int:
        """About how many microseconds it takes to answer one query."""
        return _ANSWERED * (len(self._entries) + len(self._dynamic))

    @property
    def units_to_weigh(self) -> int:
        """About how many microseconds it takes to weigh all answers."""
        return sum(len(each.entries) + len(each.dynamic) for each in self._answers.values()) // _WEIGHED

    def prepare(self, query: SourceQuery) -> None:
        """Find out what `error` and `answer` are for a query."""
        if self.error(query) is None:
            self.answer(query)

    def error(self, query: SourceQuery) -> Waiting | None:
        """Return why the read does not answer a query, or None if it does."""
        return self._damage.error(query) if self._damage is not None else None

    def answer(self, query: SourceQuery) -> Snapshot:
        """Return the snapshot that answers a query; it is whole only if there is no `error` for the query."""
        if query not in self._answers:
            chosen = answering(self._in(query.path), query)
            self._answers[query] = Snapshot.of(self._app_id, chosen, self._place, self._dynamic_for(query))
        return self._answers[query]

    def completed(self, query: SourceQuery, before: Snapshot, left: Collection[Moved]) -> Snapshot:
        """Return the answer to a query, completed by what it lacks of an earlier one and has not `left` on purpose."""
        judgement = self.judgements.get(query, Judgement())
        done = (completed for earlier, completed in judgement.completed if earlier is before)
        return next(done, None) or kept(before, self.answer(query), left)

    def tags(self, path: str | None) -> tuple[str, ...]:
        """Return the tags of the entries in a folder, or in any if it is None, sorted."""
        if path not in self._tags:
            self._tags[path] = tuple(sorted(frozenset[str]().union(*{entry.tags for entry in self._in(path)})))
        return self._tags[path]

    @cached_property
    def by_id(self) -> dict[str, Entry]:
        """All entries of the read by id."""
        return {entry.id: entry for entry in self._entries}

    def settle(self) -> None:
        """Release the memory of entries that no answer needs; raise Waiting if all answers together are too large."""
        if self._place is not None:
            self._place.resize(self.weight)

    @cached_property
    def weight(self) -> int:
        """The bytes of all answers, once all are made. Answers may refer to the same entries thousands of times."""
        answers = self._answers.values()
        held = {id(each): each for answer in answers for each in _all_of(answer)}
        references = sum(len(answer.entries) + len(answer.dynamic) for answer in answers)
        return sum(each.weight for each in held.values()) + _REFERENCE * references

    def _dynamic_for(self, query: SourceQuery) -> list[DynamicKey]:
        """Return the keys of dynamic secrets that a query selects; none if it names tags, since these have none."""
        return [each for each in self._dynamic if not query.tags and query.path in (None, each.path)]

    def _in(self, path: str | None) -> Sequence[Entry]:
        return self._entries if path is None else self._folders.get(path, ())

    @cached_property
    def _folders(self) -> dict[str, list[Entry]]:
        folders: dict[str, list[Entry]] = {}
        for entry in self._entries:
            folders.setdefault(entry.path, []).append(entry)
        return folders


def _all_of(answer: Snapshot) -> Iterable[Entry | DynamicKey]:
    return chain[Entry | DynamicKey](answer.entries, answer.dynamic)
