"""One answer of Phase, divided among the queries that it was read for.

Rule: what several queries share is computed once, because there may be many queries and many entries.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import chain

from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.damage import Damage
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.source.selection import answering
from phase_operator.core.values import DynamicKey, Entry, Snapshot

# Bytes that an entry takes in each answer that refers to it.
_REFERENCE = 8


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
        # Verdicts of the shrink guards, with the earlier answer that each compared, where computed in advance.
        self.verdicts: dict[SourceQuery, tuple[Snapshot, ExpectedError | None]] = {}

    def error(self, query: SourceQuery) -> Waiting | None:
        """Return why the read does not answer a query, or None if it does."""
        return self._damage.error(query) if self._damage is not None else None

    def answer(self, query: SourceQuery) -> Snapshot:
        """Return the snapshot that answers a query; it is whole only if there is no `error` for the query."""
        if query not in self._answers:
            chosen = answering(self._in(query.path), query)
            self._answers[query] = Snapshot.of(self._app_id, chosen, self._place, self._dynamic_for(query))
        return self._answers[query]

    def tags(self, path: str | None) -> tuple[str, ...]:
        """Return the tags of the entries in a folder, or in any if it is None, sorted."""
        if path not in self._tags:
            self._tags[path] = tuple(sorted({tag for entry in self._in(path) for tag in entry.tags}))
        return self._tags[path]

    @cached_property
    def by_id(self) -> dict[str, Entry]:
        """All entries of the read by id."""
        return {entry.id: entry for entry in self._entries}

    def settle(self) -> None:
        """Release the memory of entries that no answer needs; raise Waiting if all answers together are too large."""
        if self._place is None:
            return
        references = [
            each
            for answer in self._answers.values()
            for each in chain[Entry | DynamicKey](answer.entries, answer.dynamic)
        ]
        held = {id(each): each.weight for each in references}
        self._place.resize(sum(held.values()) + _REFERENCE * len(references))

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
