"""A watch of a collection: list once in chunks, then follow for ever.

Rule: values of Secrets are never transferred: of Secrets and ConfigMaps, metadata alone. Their list contains only
objects with our label. The watch may cover more (all Secrets), so that it also shows a removed label, a rotated token
and the deletion of a foreign object; objects that do not change cost nothing. An object that cannot be read is dropped
from what we know, and the watch goes on.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from phase_operator.core.flow.backoff import after_bug, look_again, reopen_watch
from phase_operator.core.json_access import mapping, number, text
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import METADATA, METADATA_LIST, KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.listing import CHUNK, read_page
from phase_operator.kube.part_size import PartSize
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.ports import Clock

log = logging.getLogger(__name__)

_SERVER_TIMEOUT = "300"
# A watch that ends sooner than this counts as a failure; reopening it at once would spin.
_SHORT = 1.0
# Seconds in which objects of a list are taken in before the event loop has its turn.
_TURN = 0.01
_FORBIDDEN, _NOT_FOUND = 403, 404

Metadata = Mapping[str, Any]
Shown = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """In which form objects come, by the media types that are asked for, and what of each the sink takes."""

    list_type: str
    event_type: str
    shown: Callable[[Shown], Shown]
    # The answers for a namespace that does not exist or denies access.
    refused: tuple[int, ...]


METADATA_ALONE = Form(METADATA_LIST, METADATA, lambda found: mapping(found.get("metadata")), (_FORBIDDEN, _NOT_FOUND))
# Of a custom resource. Its collection is not found if its CRD is not there; that is no matter of a namespace.
WHOLE = Form("application/json", "application/json", lambda found: found, (_FORBIDDEN,))


class Sink(Protocol):
    """Receives what a watch shows of each object: its metadata, or all of it."""

    def seen(self, found: Shown) -> None:
        """Take one object that was listed, added or changed."""

    def gone(self, found: Shown) -> None:
        """Take one object that was deleted or is no longer selected."""

    def listed(self, scope: str, present: Set[ObjectKey]) -> None:
        """Take a whole list of a scope (a namespace, or "" for all); objects that are not in it are gone."""

    def unreadable(self, key: ObjectKey) -> None:
        """Forget an object, because what the watch showed of it could not be read."""


class BothSinks:
    """One sink after another; the second one is told even if the first one fails."""

    def __init__(self, first: Sink, second: Sink) -> None:
        self._sinks = (first, second)

    def seen(self, found: Shown) -> None:
        """Take one object that was listed, added or changed."""
        self._tell(lambda sink: sink.seen(found))

    def gone(self, found: Shown) -> None:
        """Take one object that was deleted or is no longer selected."""
        self._tell(lambda sink: sink.gone(found))

    def listed(self, scope: str, present: Set[ObjectKey]) -> None:
        """Take a whole list of a scope."""
        self._tell(lambda sink: sink.listed(scope, present))

    def unreadable(self, key: ObjectKey) -> None:
        """Forget an object that could not be read."""
        self._tell(lambda sink: sink.unreadable(key))

    def _tell(self, told: Callable[[Sink], None]) -> None:
        first, second = self._sinks
        try:
            told(first)
        finally:
            told(second)


def key_of(metadata: Metadata) -> ObjectKey:
    """Return the key of an object; the namespace is "" for a cluster-wide one."""
    return ObjectKey(text(metadata.get("namespace")), text(metadata.get("name")))


def _nothing() -> None:
    """Do nothing."""


async def _at_once(_: str) -> None:
    """Wait for nothing."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What is watched: `path` at the API server, in a namespace as its `scope`, or everywhere for ""."""

    name: str
    path: str
    scope: str = ""
    # The watch may cover more than the list.
    list_selector: str = ""
    follow_selector: str = ""
    form: Form = METADATA_ALONE


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What a watch calls."""

    sink: Sink
    # With its name, when it breaks.
    restarted: Callable[[str], None]
    # When it was broken and is open again.
    is_back: Callable[[], None]
    # When there is no such collection.
    not_found: Callable[[], None] = _nothing
    # Awaited, with its scope, before more is read.
    may_read: Callable[[str], Awaitable[None]] = _at_once


class CollectionWatch:
    """List and follow one collection in one scope."""

    # There may be more than a thousand of them.
    __slots__ = (
        *("_calls", "_client", "_clock", "_collection", "_failures", "_internal_errors", "_logged", "_part_size"),
        *("_seen", "_sleep", "_version", "answered", "listed", "problem", "refusal"),
    )

    def __init__(
        self,
        client: KubeClient,
        collection: Collection,
        calls: Callbacks,
        clock: Clock,
        internal_errors: InternalErrors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._collection, self._calls = client, collection, calls
        self._clock, self._internal_errors, self._sleep = clock, internal_errors, sleep
        self._seen = clock.monotonic()
        # Done, and None from then on, once the collection was listed. To be shielded, as others wait for it, too.
        self.listed: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        # The same, once it was listed or its namespace denied access: the start need not wait any longer.
        self.answered: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        # Why the namespace refuses the watch; None if it does not.
        self.refusal: str | None = None
        self.problem: str | None = f"{self.name}: not listed yet"
        # Failures in a row. A watch that opens and shows only an error has not recovered.
        self._failures = 0
        # Where to follow from; None means that the collection is listed first.
        self._version: str | None = None
        self._part_size = PartSize(CHUNK)
        # The problem that was logged last.
        self._logged: str | None = None

    @property
    def name(self) -> str:
        """What is watched, in words."""
        return self._collection.name

    @property
    def scope(self) -> str:
        """The namespace that is watched; "" for all."""
        return self._collection.scope

    def silent(self) -> float:
        """Return the seconds since the last event or attempt; far more than a watch lasts means that it hangs."""
        return max(0.0, self._clock.monotonic() - self._seen)

    async def run(self) -> None:
        """List and follow until cancelled; neither faults of the API server nor bugs of ours end it."""
        self._version = None
        while True:
            self._seen = self._clock.monotonic()
            pause = await self._internal_errors.attempt("task failed", self._look(), task=self.name)
            if pause is None:
                self._version = None
                self._broke("internal error; the log has the trace")
                # Everything is listed again, and probably meets the same bug.
                pause = after_bug(self._failures)
            if pause:
                await self._sleep(pause)

    async def _look(self) -> float:
        """List if necessary and follow to the end of the stream; return seconds until the next try, 0 for at once."""
        try:
            if self._version is None:
                self._version = await self._list()
                self._reached(is_listed=True)
            self._version = await self._follow(self._version)
        except ApiError as error:
            if error.gone:
                self._version = None
            is_refused = bool(self.scope) and error.status in self._collection.form.refused
            self.refusal = str(error) if is_refused else None
            self._broke(str(error))
            if is_refused:
                self._reached(is_listed=False)
                return look_again(failures=self._failures, identity=self.name)
            if error.status == _NOT_FOUND:
                self._calls.not_found()
            return reopen_watch(failures=self._failures, identity=self.name, asked=error.after)
        return 0.0

    def _reached(self, *, is_listed: bool) -> None:
        if self.listed is not None and is_listed:
            self.listed.set_result(None)
            self.listed = None
        if self.answered is not None:
            self.answered.set_result(None)
            self.answered = None

    def _broke(self, why: str) -> None:
        self.problem = f"{self.name}: {why}"
        is_news = self.problem != self._logged
        if is_news or self.refusal is None:
            self._calls.restarted(self.name)
        if is_news:
            # Logged once for each problem, not with every try.
            log.warning("watch interrupted", extra={"watch": self.name, "reason": why})
        self._logged = self.problem
        self._failures += 1

    async def _list(self) -> str:
        # Few at a time: each has a connection of its own, and hundreds of watches may have to list. To wait for those
        # before us is no silence of ours: their requests end or time out, however slow the API server is.
        self._seen = math.inf
        await self._calls.may_read(self.scope)
        async with self._client.listing:
            return await self._list_all()

    async def _list_all(self) -> str:
        present: set[ObjectKey] = set()
        token = ""
        what, size = self._collection, self._part_size
        query = [("labelSelector", what.list_selector)] if what.list_selector else []
        while True:
            self._seen = self._clock.monotonic()
            found = await read_page(self._client, what.path, token, size, accept=what.form.list_type, query=query)
            self._seen = self._clock.monotonic()
            for item in found.items:
                present.add(key_of(mapping(item.get("metadata"))))
                self._take(self._calls.sink.seen, item)
                if self._clock.monotonic() - self._seen > _TURN:
                    # Others decide how large an object is, and so how long it takes to judge it.
                    await self._sleep(0)
                    self._seen = self._clock.monotonic()
            token = found.token
            if not token:
                self._calls.sink.listed(self.scope, present)
                return found.version
            await self._calls.may_read(self.scope)

    async def _follow(self, version: str) -> str:
        opened, what = self._clock.monotonic(), self._collection
        async with self._client.watch(what.path, self._following(version), what.form.event_type) as events:
            self.problem = self.refusal = None
            if self._failures:
                self._calls.is_back()
            async for event in events:
                self._seen = self._clock.monotonic()
                version = self._event(event) or version
                await self._calls.may_read(self.scope)
        if self._clock.monotonic() - opened < _SHORT:
            raise ApiError(0, "the watch ended as soon as it was opened", "")
        self._recovered()
        return version

    def _following(self, version: str) -> list[tuple[str, str]]:
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", _SERVER_TIMEOUT),
            ("resourceVersion", version),
        ]
        return query + (
            [("labelSelector", self._collection.follow_selector)] if self._collection.follow_selector else []
        )

    def _event(self, event: Mapping[str, Any]) -> str:
        """Take one event; return its resource version, or "" if it has none. Raises ApiError for an error event."""
        found = mapping(event.get("object"))
        metadata = mapping(found.get("metadata"))
        if event.get("type") == "ERROR":
            raise ApiError(number(found.get("code")) or 500, text(found.get("reason")), "")
        self._recovered()
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                self._take(self._calls.sink.seen, found)
            case "DELETED":
                self._take(self._calls.sink.gone, found)
        return text(metadata.get("resourceVersion"))

    def _take(self, sink: Callable[[Shown], None], found: Shown) -> None:
        """Pass one object to the sink; its content may be anything that the API server accepts."""
        metadata = mapping(found.get("metadata"))
        if not metadata.get("name"):
            return
        key = key_of(metadata)
        subject = str(key) if key.namespace else key.name
        take, forget = partial(sink, self._collection.form.shown(found)), partial(self._calls.sink.unreadable, key)
        if not self._internal_errors.attempt_now("object not understood", take, task=self.name, subject=subject):
            self._internal_errors.attempt_now("object not understood", forget, task=self.name, subject=subject)

    def _recovered(self) -> None:
        if self._failures:
            log.info("watch works again", extra={"watch": self.name})
        self._failures, self._logged = 0, None
