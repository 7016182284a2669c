"""The resources of one kind: as the watch shows them, compared with lists of the API server.

Rule: a resource is stored when the watch shows it, and dropped when the watch or two lists in a row show it gone.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from phase_operator.api.crd import Definition
from phase_operator.core.json_access import mapping, text
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.internal_errors import InternalErrors, surviving
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.store import PhaseSecretStore, Version, lifecycle_of, version_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """The metadata of all resources of a kind, and the namespaces that could not be listed."""

    found: list[Mapping[str, Any]]
    left_out: Set[str] = frozenset()


State = tuple[ObjectKey, Version]
ListAll = Callable[[], Awaitable[Listing]]
# What is missing of a kind, and what to do, given the plurals that the API server serves; None if nothing is.
WhyUnserved = Callable[[Set[str]], Awaitable[str | None]]


class Changes(Protocol):
    """Receives the changes of resources."""

    def resource_changed(self, key: ObjectKey, *, is_first: bool) -> None:
        """Handle a resource that was edited, or that `is_first` seen."""

    def resource_gone(self, key: ObjectKey) -> None:
        """Handle a resource that was deleted."""


class ShownKind:
    """Takes the events of one kind, and compares lists with what the events have shown."""

    def __init__(
        self,
        *,
        definition: Definition,
        resources: PhaseSecretStore,
        changes: Changes,
        not_understood: Callable[[ObjectKey, str], None],
        count: Callable[[], Awaitable[int]],
        list_all: ListAll,
        clock: Clock,
        internal_errors: InternalErrors,
        why_unserved: WhyUnserved | None = None,
    ) -> None:
        self.plural = definition.plural
        self._named = f"{definition.kind}s"
        self._resources = resources
        self._changes = changes
        self._not_understood = not_understood
        self._count = count
        self._list_all = list_all
        self._clock = clock
        # Says what is missing of a kind that may be missing: an older installation does not have it.
        self._why_unserved = why_unserved
        # Why the kind cannot be watched, with what to do; None while it is watched, or while that is not known.
        self.unserved: str | None = None
        # Whether all that exists of it was seen once since it is watched.
        self.was_seen = False
        self._internal_errors = internal_errors
        # Objects, each at one version, that lists contain and the watch has not shown, and since when.
        self._missing: dict[State, float] = {}
        # Versions of objects that we failed to take in, by a bug of ours. The watch showed them, so it is not stuck.
        self._not_taken: set[State] = set()
        # Objects in deletion that wait for a finalizer of others: lists contain them, and we do not store them.
        self._leaving: set[ObjectKey] = set()
        # What the watch has not shown, in words for readiness; None if it has shown everything.
        self.missed: str | None = f"{self._named} not listed yet"

    def cannot_be_listed(self, why: str) -> None:
        """Record that the API server cannot be reached: a watch that shows nothing then is not stuck."""
        self.missed = f"{self._named} cannot be listed: {why}"
        self._missing = {}

    @property
    def may_be_missing(self) -> bool:
        """Whether the others are watched without it."""
        return self._why_unserved is not None

    async def look_whether_served(self, served: Set[str]) -> bool:
        """Return whether the kind can be watched, given what is served; raise ExpectedError if that cannot be told."""
        why = await self._why_unserved(served) if self._why_unserved is not None else None
        if why is not None and why != self.unserved:
            log.warning("kind not served", extra={"watch": self.plural, "detail": why})
            self.was_seen, self.missed, self._missing = False, None, {}
        elif why is None and self.unserved is not None:
            log.info("kind served now", extra={"watch": self.plural})
        self.unserved = why
        return why is None

    @property
    def note(self) -> str | None:
        """Why the kind is not served, in words for readiness; None if it is."""
        return f"{self._named} are not served: {self.unserved}" if self.unserved is not None else None

    async def first_seen(self) -> bool:
        """Return whether the watch has shown as many resources as exist; a count is cheaper than a list."""
        missing = await self._count() - len(self._resources) - len(self._leaving)
        self.missed = f"{missing} {self._named} not seen by the watch yet" if missing > 0 else None
        self.was_seen |= missing <= 0
        return missing <= 0

    def blind(self) -> float:
        """Return for how many seconds the watch has failed to show what lists contain."""
        return self._clock.monotonic() - min(self._missing.values(), default=self._clock.monotonic())

    async def all_seen(self) -> bool:
        """Return whether the watch has shown every listed resource; drop the resources that no longer exist.

        The watch may be about to show a recent edit, so an object counts as missed only if two calls in a row find it
        missing at the same version.
        """
        now, before = self._clock.monotonic(), self._missing
        listing = await self._list_all()
        listed = {key: metadata for metadata in listing.found if (key := self._resources.key_of(metadata)).name}
        self._leaving &= listed.keys()
        await self._forget_deleted(self._resources.keys() - listed.keys(), listing.left_out)
        self._missing = {state: before.get(state, now) for state in self._not_shown(listed)}
        still = before.keys() & self._missing.keys()
        if still:
            self.missed = f"{len(still)} {self._named} not seen by the watch yet"
        is_done = not still if before else not self._missing
        if is_done:
            self._missing = {}
            self.was_seen = True
        return is_done

    def _not_shown(self, listed: Mapping[ObjectKey, Mapping[str, Any]]) -> Set[State]:
        """Return the listed objects, each at its version, that the watch should have shown and has not."""
        missing = {(key, version_of(each)) for key, each in listed.items() if self._is_missing(key, each)}
        return missing - self._not_taken

    def _is_missing(self, key: ObjectKey, metadata: Mapping[str, Any]) -> bool:
        return (
            key not in self._leaving
            and lifecycle_of(metadata) is not None
            and self._resources.needs_reconcile(metadata)
        )

    async def _forget_deleted(self, ghosts: Set[ObjectKey], left_out: Set[str]) -> None:
        ghosts = {key for key in ghosts if key.namespace not in left_out}
        if not ghosts:
            return
        # A resource created after the list was read is no ghost: a second list contains it.
        again = await self._list_all()
        there = {self._resources.key_of(metadata) for metadata in again.found}
        for key in sorted(ghosts - there):
            if key.namespace not in again.left_out:
                log.info("resource gone unseen", extra={"object": str(key)})
                self._changes.resource_gone(key)

    def needs_reconcile(self, change: str, body: Mapping[str, Any]) -> bool:
        """Return whether an event needs handling; our own status writes come back as events and do not."""
        # The handler meets the same error and reports it.
        with surviving():
            return _is_gone(change, body) or self._resources.needs_reconcile(mapping(body.get("metadata")))
        return True

    def take(self, change: str, body: Mapping[str, Any]) -> None:
        """Handle one event; an object that we fail to handle gets an Event and does not disturb others."""
        metadata = mapping(body.get("metadata"))
        key = self._resources.key_of(metadata)
        if not key.name:
            return
        step = partial(self._take, change, key, body)
        state = (key, version_of(metadata))
        if self._internal_errors.attempt_now("object not understood", step, task=self.plural, subject=str(key)):
            self._not_taken.discard(state)
            return
        self._not_taken = {each for each in self._not_taken if each[0] != key} | {state}
        self._not_understood(key, text(metadata.get("uid")))

    def _take(self, change: str, key: ObjectKey, body: Mapping[str, Any]) -> None:
        """Store the object, or drop it, and queue its key if a run has something to do."""
        if _is_gone(change, body) and change != "DELETED":
            self._leaving.add(key)
        else:
            self._leaving.discard(key)
        is_known = key in self._resources
        if _is_gone(change, body):
            if is_known:
                self._changes.resource_gone(key)
        elif self._resources.upsert(body):
            self._changes.resource_changed(key, is_first=not is_known)


def _is_gone(change: str, body: Mapping[str, Any]) -> bool:
    return change == "DELETED" or lifecycle_of(mapping(body.get("metadata"))) is None
