"""The watch of our resources, run by kopf, and its supervision.

Rule: kopf only watches; its event handlers put keys into our queue. What a list contains is taken on its way to kopf
(kube/kopf_requests.py), which would start tasks for each object; only those with kopf's finalizer are left to kopf,
which removes it. Where kopf would end the process (a long 5xx, lost RBAC, a deleted CRD) the watch is restarted in
place, and the loop keeps running with all that it knows.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any

import aiohttp
import kopf

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.flow.backoff import reopen_watch
from phase_operator.core.json_access import mapping
from phase_operator.handlers.kind import ShownKind
from phase_operator.handlers.storage import NoDiffBase, NoMemories, NoProgress
from phase_operator.reconcile.internal_errors import surviving
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.queue.work_queue import wait_for
from phase_operator.reconcile.store import has_finalizer

log = logging.getLogger(__name__)

# kopf never reports an object that was deleted while the watch was broken; a comparison with a list finds it.
SWEEP_EVERY = 600.0
_LOOK_EVERY = 0.5
# How often we look whether a kind that is not served can be by now.
_SERVED_AGAIN = 10.0
# How many objects a part of a list has.
_PART = 100
# kopf handles the events of each object in a task, which keeps the object while it waits for another event: for so many
# seconds.
_IDLE = 0.02
# How kopf names the tasks that watch.
_WATCH = "watcher for "
# Pauses after an interruption: while the API server cannot be reached, and then until the watch has shown what a list
# contains. They grow, because a list of thousands of objects is expensive.
_AWAY = 1.0
_LOOK_AGAIN = (0.5, 0.5, 1.0, 1.0, 2.0, 5.0, 10.0)
# A watch that lasted this long was healthy: its failure counts as the first.
_WENT_WELL = 30.0
# Makes kopf's session, given what to call when a list is read, whether an event shows nothing but a status write of
# ours, and what takes the objects in lists, by their plural, or leaves them to kopf by returning False.
Session = Callable[
    [Callable[[], None], Callable[[Mapping[str, Any]], bool], Mapping[str, Callable[[Mapping[str, Any]], bool]]],
    aiohttp.ClientSession,
]


class Watcher:
    """Runs kopf's watch of our kinds, and compares it with lists so that no resource is missed."""

    def __init__(
        self,
        *,
        kinds: Sequence[ShownKind],
        is_back: Callable[[], None],
        listed: asyncio.Event,
        is_own_version: Callable[[Mapping[str, Any]], bool],
        session: Session,
        server: str,
        served: Callable[[], Awaitable[Set[str]]],
        clock: Clock,
        has_lists: bool,
        restarted: Callable[[str], None],
        sweep_every: float = SWEEP_EVERY,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kinds = kinds
        self._is_back = is_back
        # Set once the watch has shown as many resources as exist.
        self._listed = listed
        self._is_own_version = is_own_version
        self._session = session
        self._server = server
        # Looks which plurals of our group the API server serves.
        self._served = served
        self._clock = clock
        # Whether the last comparison failed because the API server could not be read.
        self._is_away = False
        self._interrupted = asyncio.Event()
        # Otherwise a watch shows first what there is.
        self._has_lists = has_lists
        self._restarted = restarted
        self._sweep_every = sweep_every
        self._sleep = sleep
        # Why there is no watch at present, if there is none.
        self._broken: str | None = None
        # Ends the present watch, so that another one begins that has all kinds which are served by now.
        self._renewal = asyncio.Event()

    @property
    def problem(self) -> str | None:
        """Why some resources may be unknown; None if all are known."""
        if self._broken is not None:
            return f"PhaseSecrets are not watched: {self._broken}"
        return next((kind.missed for kind in self._kinds if kind.missed), None)

    def note(self) -> str | None:
        """Return which kinds are not served, why, and what to do; None if all are."""
        return "; ".join(kind.note for kind in self._kinds if kind.note is not None) or None

    def unserved(self) -> int:
        """Return how many kinds are not served."""
        return sum(kind.unserved is not None for kind in self._kinds)

    def is_complete(self) -> bool:
        """Return whether all resources of the kinds that are served were seen once."""
        return self._listed.is_set() and all(kind.was_seen or kind.unserved is not None for kind in self._kinds)

    def blind(self) -> float:
        """Return for how many seconds the watch has failed to show what lists contain."""
        return max(kind.blind() for kind in self._kinds)

    async def watch(self, own_signals: Callable[[], None]) -> None:
        """Watch until a signal stops it; start again after every fault."""
        failures = 0
        logged: str | None = None
        while True:
            began = self._clock.monotonic()
            # kopf raises any error of its tasks; each means: start again.
            with surviving(self._stopped):
                await self._watch_once(own_signals)
                if not self._renewal.is_set():
                    return
                continue
            # Judged by duration: a list may succeed even while every stream fails.
            failures = 1 if self._clock.monotonic() - began > _WENT_WELL else failures + 1
            if failures == 1 or self._broken != logged:
                # Logged once for each reason, not with every try.
                log.warning("watch interrupted", extra={"watch": "phasesecrets", "reason": self._broken})
            logged = self._broken
            await self._sleep(reopen_watch(failures=failures, identity="phasesecrets"))

    async def _watch_once(self, own_signals: Callable[[], None]) -> None:
        """Watch until a signal stops it; raise the first error."""
        # kopf discovers the served kinds once, and would wait for ever for a missing one.
        served = await self._served()
        if any(kind.plural not in served and not kind.may_be_missing for kind in self._kinds):
            raise Waiting(Reason.KUBERNETES_UNAVAILABLE, "their CRD is not there")
        self._renewal.clear()
        before = self.unserved()
        for kind in self._kinds:
            await kind.look_whether_served(served)
        if self.unserved() < before:
            self._interrupted.set()
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=_settings(has_lists=self._has_lists),
            # In a list of namespaces, too: kopf's one watch is made of theirs.
            clusterwide=True,
            standalone=True,
            memories=NoMemories(),
            stop_flag=self._renewal,
        )
        # kopf installs signal handlers of its own; put ours back.
        own_signals()
        self._broken = None
        try:
            await kopf.run_tasks(tasks, ignored=_Everything())
        finally:
            _end_watches()

    def _stopped(self, error: Exception) -> None:
        self._broken = error.message if isinstance(error, ExpectedError) else type(error).__name__
        self._restarted("phasesecrets")
        self._interrupted.set()

    async def sweep(self) -> None:
        """Wait until the watch has shown all resources, and report it; then compare with lists, for ever.

        A list is compared at a fixed interval and after each interruption; what no longer exists is dropped.
        """
        while not await self._try(ShownKind.first_seen):
            await self._sleep(_LOOK_EVERY)
        self._listed.set()
        while True:
            for kind in self._kinds:
                kind.missed = None
            self._interrupted.clear()
            await self._until_next()
            was_interrupted = self._interrupted.is_set()
            looks = 0
            while not await self._try(ShownKind.all_seen):
                if self._is_away:
                    looks = 0
                    await self._sleep(_AWAY)
                else:
                    await self._sleep(_LOOK_AGAIN[min(looks, len(_LOOK_AGAIN) - 1)])
                    looks += 1
            if was_interrupted:
                self._is_back()

    async def _until_next(self) -> None:
        """Wait until lists are to be compared; meanwhile have what can be served by now watched."""
        left = self._sweep_every
        while left > 0 and not self._interrupted.is_set():
            pause = min(left, _SERVED_AGAIN) if self.unserved() else left
            await wait_for(self._interrupted, pause)
            left -= pause
            if await self._can_serve_more():
                self._renewal.set()
                return

    async def _can_serve_more(self) -> bool:
        """Return whether a kind that was not served can be."""
        unserved = [kind for kind in self._kinds if kind.unserved is not None]
        return await self._is_any_served(unserved) if unserved else False

    async def _is_any_served(self, kinds: Sequence[ShownKind]) -> bool:
        """Return whether any of these kinds can be watched; of what cannot be told, whether it was so far."""
        try:
            served = await self._served()
            found = [await kind.look_whether_served(served) for kind in kinds]
        except ExpectedError:
            return any(kind.unserved is None for kind in kinds)
        return any(found)

    async def _try(self, look: Callable[[ShownKind], Awaitable[bool]]) -> bool:
        """Return whether `look` holds for every kind that is served; a kind that cannot be listed fails."""
        self._is_away = False
        done = True
        for kind in self._kinds:
            if kind.unserved is not None:
                continue
            try:
                done &= await look(kind)
            except ExpectedError as error:
                if kind.may_be_missing and not await self._is_any_served([kind]):
                    continue
                self._is_away, done = True, False
                kind.cannot_be_listed(error.message)
        return done

    def listed_anew(self) -> None:
        """Compare with a list soon: kopf does not report what is missing from a list that it reads again."""
        self._interrupted.set()

    def is_own(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event shows nothing but a status write of ours."""
        if not self._is_own_version(event):
            return False
        # A write that changed nothing is answered with the version of the last edit, which may be news to us. Only the
        # kind that has the object can find nothing new in it.
        return any(not kind.needs_reconcile(str(event["type"]), event["object"]) for kind in self._kinds)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            listed = {kind.plural: partial(_take_listed, kind) for kind in self._kinds}
            session = self._session(self.listed_anew, self.is_own, listed)
            return kopf.AiohttpSession(server=self._server, aiohttp_session=session)

        for kind in self._kinds:
            if kind.unserved is None:
                _register(registry, kind)
        return registry


def _take_listed(kind: ShownKind, body: Mapping[str, Any]) -> bool:
    """Take an object of a list; leave one with kopf's finalizer to kopf, which removes it."""
    if has_finalizer(mapping(body.get("metadata")), names.LEGACY_FINALIZER):
        return False
    kind.take("LISTED", body)
    return True


def _register(registry: kopf.OperatorRegistry, kind: ShownKind) -> None:
    def needs_reconcile(event: Mapping[str, Any], **_: Any) -> bool:
        # Filtered here, since each call of a handler costs time in kopf.
        return kind.needs_reconcile(str(event.get("type")), event["object"])

    @kopf.on.event(names.GROUP, names.VERSION, kind.plural, registry=registry, when=needs_reconcile)
    async def changed(event: Mapping[str, Any], **_: Any) -> None:
        kind.take(str(event.get("type")), event["object"])


def _settings(*, has_lists: bool) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.watching.initial_streaming = not has_lists
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = _PART
    settings.queueing.idle_timeout = _IDLE
    settings.networking.connect_timeout = 30.0
    # After these kopf gives up; `Watcher.watch` logs that and starts it again.
    settings.networking.error_backoffs = (0.5, 1.0, 1.0)
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.finalizer = names.LEGACY_FINALIZER
    settings.process.ultimate_exiting_timeout = None
    return settings


def _end_watches() -> None:
    """End the watches that kopf has left when one failed: they would go on beside the next ones, and outlive a signal.

    Nobody waits for them. What a watch waits with is left to it: if that were cancelled at the same time, as everything
    is when the process ends, the watch would take it for a pause, and go on.
    """
    for task in asyncio.all_tasks():
        if task.get_name().startswith(_WATCH):
            task.cancel()


class _Everything(Collection[Any]):
    """Claims to contain every task, so that kopf, when it ends, does not cancel tasks of ours that began meanwhile."""

    def __contains__(self, item: object) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0
