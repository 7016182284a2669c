"""What the watch has shown of one kind of resource, and what lists have of it.

Rule: an object is kept once it was shown; one that no list has any more was missed, and is taken for gone.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from phase_operator.api.crd import Definition
from phase_operator.core.json_access import mapping, text
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.internal_errors import Faults
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.store import Resources, Version, life_of, version_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """The metadata of all resources of a kind, and the namespaces that could not be looked into."""

    found: list[Mapping[str, Any]]
    left_out: Set[str] = frozenset()


State = tuple[ObjectKey, Version]
ListAll = Callable[[], Awaitable[Listing]]


class Changes(Protocol):
    """Who learns what has become of resources."""

    def resource_changed(self, key: ObjectKey) -> None:
        """Learn of a resource that is new or was edited."""

    def resource_gone(self, key: ObjectKey) -> None:
        """Learn of a resource that was deleted."""


class ShownKind:
    """Takes the events of one kind, and compares what they have shown with lists."""

    def __init__(
        self,
        *,
        definition: Definition,
        resources: Resources,
        changes: Changes,
        not_understood: Callable[[ObjectKey, str], None],
        count: Callable[[], Awaitable[int]],
        list_all: ListAll,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self.plural = definition.plural
        self._named = f"{definition.kind}s"
        self._resources = resources
        self._changes = changes
        self._not_understood = not_understood
        self._count = count
        self._list_all = list_all
        self._clock = clock
        self._faults = faults
        # What lists have had, since when, and the watch has not shown: each object in a certain state.
        self._missing: dict[State, float] = {}
        # What cannot be taken, for a bug of ours; it was shown, so nothing stands still.
        self._not_taken: set[State] = set()
        # Those that are being deleted and wait for somebody else: listed, and not kept.
        self._leaving: set[ObjectKey] = set()
        # What the watch has not shown; None if nothing.
        self.missed: str | None = f"{self._named} not listed yet"

    def cannot_be_listed(self, why: str) -> None:
        """Learn that the API server is away: it shows nothing, and that is no standstill of ours."""
        self.missed = f"{self._named} cannot be listed: {why}"
        self._missing = {}

    async def first_seen(self) -> bool:
        """Say whether the watch has shown as many as there are: a list of thousands costs more than to count them."""
        missing = await self._count() - len(self._resources) - len(self._leaving)
        self.missed = f"{missing} {self._named} not seen by the watch yet" if missing > 0 else None
        return missing <= 0

    def blind(self) -> float:
        """Return for how many seconds the watch has not shown what lists have: it stands still."""
        return self._clock.monotonic() - min(self._missing.values(), default=self._clock.monotonic())

    async def all_seen(self) -> bool:
        """Say whether the watch has shown all that there is, and bury what is not there any more.

        An edit of this very moment is on its way, so what is missed is what two looks in a row find in the same state.
        """
        now, before = self._clock.monotonic(), self._missing
        listing = await self._list_all()
        listed = {key: metadata for metadata in listing.found if (key := self._resources.key_of(metadata)).name}
        self._leaving &= listed.keys()
        await self._bury(self._resources.keys() - listed.keys(), listing.left_out)
        self._missing = {
            state: before.get(state, now)
            for key, metadata in listed.items()
            if self._is_missing(key, metadata) and (state := (key, version_of(metadata))) not in self._not_taken
        }
        still = before.keys() & self._missing.keys()
        if still:
            self.missed = f"{len(still)} {self._named} not seen by the watch yet"
        is_done = not still if before else not self._missing
        if is_done:
            self._missing = {}
        return is_done

    def _is_missing(self, key: ObjectKey, metadata: Mapping[str, Any]) -> bool:
        return key not in self._leaving and life_of(metadata) is not None and self._resources.is_news(metadata)

    async def _bury(self, ghosts: Set[ObjectKey], left_out: Set[str]) -> None:
        ghosts = {key for key in ghosts if key.namespace not in left_out}
        if not ghosts:
            return
        # Made since the list was read? Then a second list has it.
        again = await self._list_all()
        there = {self._resources.key_of(metadata) for metadata in again.found}
        for key in sorted(ghosts - there):
            if key.namespace not in again.left_out:
                log.info("resource gone unseen", extra={"object": str(key)})
                self._changes.resource_gone(key)

    def is_news(self, change: str, body: Mapping[str, Any]) -> bool:
        """Say whether an event is worth to be taken: every status that we write comes back as one."""
        try:
            return _is_gone(change, body) or self._resources.is_news(mapping(body.get("metadata")))
        except Exception:  # noqa: BLE001 - the handler will meet it again, and tell
            return True

    def take(self, change: str, body: Mapping[str, Any]) -> None:
        """Take one event; an object that cannot be taken costs itself, and is told by an Event."""
        metadata = mapping(body.get("metadata"))
        key = self._resources.key_of(metadata)
        if not key.name:
            return
        step = partial(self._take, change, key, body)
        state = (key, version_of(metadata))
        if self._faults.attempt_now("object not understood", step, task=self.plural, subject=str(key)):
            self._not_taken.discard(state)
            return
        self._not_taken = {each for each in self._not_taken if each[0] != key} | {state}
        self._not_understood(key, text(metadata.get("uid")))

    def _take(self, change: str, key: ObjectKey, body: Mapping[str, Any]) -> None:
        """Keep the object and queue its key, if there is anything to do."""
        if _is_gone(change, body) and change != "DELETED":
            self._leaving.add(key)
        else:
            self._leaving.discard(key)
        if _is_gone(change, body):
            if key in self._resources:
                self._changes.resource_gone(key)
        elif self._resources.upsert(body):
            self._changes.resource_changed(key)


def _is_gone(change: str, body: Mapping[str, Any]) -> bool:
    return change == "DELETED" or life_of(mapping(body.get("metadata"))) is None
