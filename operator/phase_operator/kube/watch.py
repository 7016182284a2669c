"""A watch of metadata: list once in chunks, then follow, for ever.

Rule: values of Secrets are never transferred. What is listed is chosen by our label; what is followed may be wider
(all Secrets of the namespaces, as metadata), so that a label taken off, a rotated token or a foreign object that goes
away is seen at once, at a cost that does not grow with the objects that nobody touches. An object that cannot be
understood costs what is known of it, and not the watch.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Set
from functools import partial
from typing import Any, Protocol

from phase_operator.core.flow.backoff import doubled, look_again, reopen_watch
from phase_operator.core.json_access import mapping, number, text
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import METADATA, METADATA_LIST, KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.listing import CHUNK, page
from phase_operator.reconcile.internal_errors import Faults
from phase_operator.reconcile.ports import Clock

log = logging.getLogger(__name__)

_SERVER_TIMEOUT = "300"
# A watch that ends sooner than this was not served: it is not opened again at once, for it would spin.
_SHORT = 1.0
# What a namespace answers that does not exist, or in which we have no rights.
_REFUSED = (403, 404)
# After a bug of ours all is listed anew, and the bug may well be met again.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0

Metadata = Mapping[str, Any]


class Sink(Protocol):
    """Where a watch puts what it sees."""

    def seen(self, metadata: Metadata) -> None:
        """Take one object that was listed, added or changed."""

    def gone(self, metadata: Metadata) -> None:
        """Take one object that was deleted or left the selection."""

    def listed(self, scope: str, present: Set[ObjectKey]) -> None:
        """Learn what a whole list of a scope (a namespace, or "" for all) had; what is not in it is gone."""

    def unreadable(self, key: ObjectKey) -> None:
        """Know nothing any more about an object: what was shown of it could not be understood."""


def key_of(metadata: Metadata) -> ObjectKey:
    """Return where an object stands; its namespace is "" for one that is in none."""
    return ObjectKey(text(metadata.get("namespace")), text(metadata.get("name")))


class MetadataWatch:
    """List and follow one collection in one scope."""

    def __init__(
        self,
        client: KubeClient,
        *,
        name: str,
        path: str,
        scope: str,
        list_selector: str,
        follow_selector: str,
        sink: Sink,
        restarted: Callable[[str], None],
        is_back: Callable[[], None],
        clock: Clock,
        faults: Faults,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._seen = clock.monotonic()
        self.name = name
        self._client = client
        self._path = path
        self.scope = scope
        self._list_selector = list_selector
        self._follow_selector = follow_selector
        self._sink = sink
        self._restarted = restarted
        # Called when a watch that was broken is open again.
        self._is_back = is_back
        self._sleep = sleep
        self.listed = asyncio.Event()
        # It was listed, or its namespace refuses us: there is nothing to wait for.
        self.answered = asyncio.Event()
        self.is_refused = False
        self.problem: str | None = f"{name}: not listed yet"
        # In a row; a watch that only opens, and shows an error, has not recovered.
        self._failures = 0
        # What the log says of them.
        self._told: str | None = None

    def silent(self) -> float:
        """Return for how many seconds nothing was seen, nor tried: far more than a watch lasts means that it hangs."""
        return self._clock.monotonic() - self._seen

    async def run(self) -> None:
        """Follow until cancelled; no fault of the API server ends it, and none of ours."""
        version: str | None = None
        while True:
            self._seen = self._clock.monotonic()
            try:
                if version is None:
                    version = await self._list()
                    self.listed.set()
                    self.answered.set()
                version = await self._follow(version)
            except ApiError as error:
                if error.gone:
                    version = None
                self.is_refused = bool(self.scope) and error.status in _REFUSED
                self._broke(str(error))
                if self.is_refused:
                    self.answered.set()
                    await self._sleep(look_again(failures=self._failures, identity=self.name))
                else:
                    await self._sleep(reopen_watch(failures=self._failures, identity=self.name, asked=error.after))
            except Exception as error:  # noqa: BLE001 - a watch that ended would take the process with it
                version = None
                self._faults.caught("task failed", error, task=self.name)
                self._broke("internal error; the log has the trace")
                await self._sleep(doubled(_FIRST_PAUSE, _LONGEST_PAUSE, self._failures - 1))

    def _broke(self, why: str) -> None:
        self.problem = f"{self.name}: {why}"
        is_news = self.problem != self._told
        if is_news or not self.is_refused:
            self._restarted(self.name)
        if is_news:
            # Once, and not with every try.
            log.warning("watch interrupted", extra={"watch": self.name, "reason": why})
        self._told = self.problem
        self._failures += 1

    async def _list(self) -> str:
        present: set[ObjectKey] = set()
        token = ""
        while True:
            query = [("limit", str(CHUNK)), ("labelSelector", self._list_selector)]
            query += [("continue", token)] if token else []
            found = page(await self._client.request("GET", self._path, query=query, accept=METADATA_LIST))
            for item in found.items:
                metadata = mapping(item.get("metadata"))
                present.add(key_of(metadata))
                self._take(self._sink.seen, metadata)
            token = found.token
            if not token:
                self._sink.listed(self.scope, present)
                return found.version

    async def _follow(self, version: str) -> str:
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", _SERVER_TIMEOUT),
            ("resourceVersion", version),
        ]
        query += [("labelSelector", self._follow_selector)] if self._follow_selector else []
        opened = self._clock.monotonic()
        async with self._client.watch(self._path, query, METADATA) as events:
            self.problem, self.is_refused = None, False
            if self._failures:
                self._is_back()
            async for event in events:
                self._seen = self._clock.monotonic()
                kind, found = event.get("type"), mapping(event.get("object"))
                if kind == "ERROR":
                    raise ApiError(number(found.get("code")) or 500, text(found.get("reason")), "")
                self._recovered()
                metadata = mapping(found.get("metadata"))
                if kind in ("ADDED", "MODIFIED"):
                    self._take(self._sink.seen, metadata)
                elif kind == "DELETED":
                    self._take(self._sink.gone, metadata)
                version = text(metadata.get("resourceVersion")) or version
        if self._clock.monotonic() - opened < _SHORT:
            raise ApiError(0, "the watch ended as soon as it was opened", "")
        self._recovered()
        return version

    def _take(self, sink: Callable[[Metadata], None], metadata: Metadata) -> None:
        """Give one object to the sink; whoever wrote it may have written anything."""
        try:
            if metadata.get("name"):
                sink(metadata)
        except Exception as error:  # noqa: BLE001 - an object that is not understood costs itself
            self._not_understood(key_of(metadata), error)

    def _not_understood(self, key: ObjectKey, error: Exception) -> None:
        subject = str(key) if key.namespace else key.name
        self._faults.caught("object not understood", error, task=self.name, subject=subject)
        forget = partial(self._sink.unreadable, key)
        self._faults.attempt_now("object not understood", forget, task=self.name, subject=subject)

    def _recovered(self) -> None:
        if self._failures:
            log.info("watch works again", extra={"watch": self.name})
        self._failures, self._told = 0, None
