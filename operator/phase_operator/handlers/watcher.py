"""The watch of PhaseSecrets, by kopf, and its supervision.

Rule: kopf watches and nothing else: `on.event` puts keys into our queue. Where kopf would end the process (long 5xx,
RBAC taken away, the CRD deleted) the watch is started again in place; the loop and what it knows outlive it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import kopf

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.flow.backoff import reopen_watch
from phase_operator.core.json_access import mapping, text
from phase_operator.core.values import ObjectKey
from phase_operator.handlers.storage import NoDiffBase, NoProgress
from phase_operator.kube.listing import CHUNK
from phase_operator.kube.watch import key_of
from phase_operator.reconcile.internal_errors import Faults
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.queue import wait_for
from phase_operator.reconcile.store import Resources, Version, life_of, version_of
from phase_operator.reconcile.triggers import Triggers

log = logging.getLogger(__name__)

# Objects that vanish while the watch is broken are never reported by kopf; a list of keys finds them.
SWEEP_EVERY = 600.0
_LOOK_EVERY = 0.5
# After an interruption: while the API server is away, and then until the watch has shown what a list has; a list of
# thousands is not read every second for ever.
_AWAY = 1.0
_LOOK_AGAIN = (0.5, 0.5, 1.0, 1.0, 2.0, 5.0, 10.0)
# So long a list of a namespace may wait for that namespace, before kopf begins anew.
_HELD_BACK = 3600.0
# A watch that lasted so long failed for the first time.
_WENT_WELL = 30.0


@dataclass(frozen=True, slots=True)
class Listing:
    """The metadata of all PhaseSecrets, and the namespaces that could not be looked into."""

    found: list[Mapping[str, Any]]
    left_out: Set[str] = frozenset()


State = tuple[ObjectKey, Version]
ListAll = Callable[[], Awaitable[Listing]]


class Watcher:
    """Feeds the store of PhaseSecrets and the triggers."""

    def __init__(
        self,
        *,
        resources: Resources,
        triggers: Triggers,
        not_understood: Callable[[ObjectKey, str], None],
        is_back: Callable[[], None],
        listed: asyncio.Event,
        session: Callable[[Callable[[], None]], aiohttp.ClientSession],
        server: str,
        is_served: Callable[[], Awaitable[bool]],
        count: Callable[[], Awaitable[int]],
        list_all: ListAll,
        clock: Clock,
        namespaces: Sequence[str],
        restarted: Callable[[str], None],
        faults: Faults,
        sweep_every: float = SWEEP_EVERY,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._faults = faults
        self._resources = resources
        self._triggers = triggers
        self._not_understood = not_understood
        self._is_back = is_back
        # Set once the watch has shown all that the first list has.
        self._listed = listed
        self._session = session
        self._server = server
        self._is_served = is_served
        self._count = count
        self._list_all = list_all
        self._clock = clock
        # What lists have had, since when, and the watch has not shown: each object in a certain state.
        self._missing: dict[State, float] = {}
        # What cannot be taken, for a bug of ours; it was shown, so nothing stands still.
        self._not_taken: set[State] = set()
        # The last list could not be read.
        self._is_away = False
        self._interrupted = asyncio.Event()
        self._namespaces = namespaces
        self._restarted = restarted
        self._sweep_every = sweep_every
        self._sleep = sleep
        # Those that are being deleted and wait for somebody else: listed, and not kept.
        self._leaving: set[ObjectKey] = set()
        # What keeps the watch from being there, and what it has not shown.
        self._broken: str | None = None
        self._missed: str | None = "PhaseSecrets not listed yet"

    @property
    def problem(self) -> str | None:
        """What keeps us from knowing every PhaseSecret."""
        return self._broken or self._missed

    async def watch(self, own_signals: Callable[[], None]) -> None:
        """Watch until told to stop by a signal; start again after every fault."""
        failures = 0
        told: str | None = None
        while True:
            began = self._clock.monotonic()
            try:
                # kopf looks once what is served, and would wait for ever for what is not.
                if not await self._is_served():
                    raise Waiting(Reason.KUBERNETES_UNAVAILABLE, "their CRD is not there")
                tasks = await kopf.spawn_tasks(
                    registry=self._registry(),
                    settings=_settings(),
                    clusterwide=not self._namespaces,
                    namespaces=self._namespaces,
                    standalone=True,
                )
                # kopf takes the signals for itself; they are ours.
                own_signals()
                self._broken = None
                await kopf.run_tasks(tasks, ignored=_Everything())
                return
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - kopf ends with whatever its tasks raised; all of it means: again
                why = error.message if isinstance(error, ExpectedError) else type(error).__name__
                self._broken = f"PhaseSecrets are not watched: {why}"
                self._restarted("phasesecrets")
                self._interrupted.set()
                # By how long it went well: what fails in a stream may be listed well meanwhile.
                failures = 1 if self._clock.monotonic() - began > _WENT_WELL else failures + 1
                if failures == 1 or why != told:
                    # Once, and not with every try.
                    log.warning("watch interrupted", extra={"watch": "phasesecrets", "reason": why})
                told = why
                await self._sleep(reopen_watch(failures=failures, identity="phasesecrets"))

    async def sweep(self) -> None:
        """Tell when the first list is complete, and from then on find ghosts: in time, and after every interruption."""
        while not await self._try(self._first_seen):
            await self._sleep(_LOOK_EVERY)
        self._listed.set()
        while True:
            self._missed = None
            self._interrupted.clear()
            await wait_for(self._interrupted, self._sweep_every)
            was_interrupted = self._interrupted.is_set()
            looks = 0
            while not await self._try(self._all_seen):
                if self._is_away:
                    looks = 0
                    await self._sleep(_AWAY)
                else:
                    await self._sleep(_LOOK_AGAIN[min(looks, len(_LOOK_AGAIN) - 1)])
                    looks += 1
            if was_interrupted:
                self._is_back()

    async def _try(self, look: Callable[[], Awaitable[bool]]) -> bool:
        try:
            self._is_away = False
            return await look()
        except ExpectedError as error:
            self._is_away = True
            self._missed = f"PhaseSecrets cannot be listed: {error.message}"
            # An API server that is away shows nothing, and that is no standstill of ours.
            self._missing = {}
            return False

    async def _first_seen(self) -> bool:
        """Say whether the watch has shown as many as there are: a list of thousands costs more than to count them."""
        missing = await self._count() - len(self._resources) - len(self._leaving)
        self._missed = f"{missing} PhaseSecrets not seen by the watch yet"
        return missing <= 0

    def blind(self) -> float:
        """Return for how many seconds the watch has not shown what lists have: it stands still."""
        return self._clock.monotonic() - min(self._missing.values(), default=self._clock.monotonic())

    async def _all_seen(self) -> bool:
        """Say whether the watch has shown all that there is, and bury what is not there any more.

        An edit of this very moment is on its way, so what is missed is what two looks in a row find in the same state.
        """
        now, before = self._clock.monotonic(), self._missing
        listing = await self._list_all()
        listed = {key: metadata for metadata in listing.found if (key := key_of(metadata)).name}
        self._leaving &= listed.keys()
        await self._bury(self._resources.keys() - listed.keys(), listing.left_out)
        self._missing = {
            state: before.get(state, now)
            for key, metadata in listed.items()
            if self._is_missing(key, metadata) and (state := (key, version_of(metadata))) not in self._not_taken
        }
        still = before.keys() & self._missing.keys()
        if still:
            self._missed = f"{len(still)} PhaseSecrets not seen by the watch yet"
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
        there = {key_of(metadata) for metadata in again.found}
        for key in sorted(ghosts - there):
            if key.namespace not in again.left_out:
                log.info("resource gone unseen", extra={"object": str(key)})
                self._triggers.resource_gone(key)

    def listed_anew(self) -> None:
        """Look soon for what vanished: kopf tells nothing of what is not in its list any more."""
        self._interrupted.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(server=self._server, aiohttp_session=self._session(self.listed_anew))

        def is_news(event: Mapping[str, Any], **_: Any) -> bool:
            # Every status that we write comes back as an event; what says nothing new is not worth a handler's call.
            return self._is_news(str(event.get("type")), event["object"])

        @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL_PHASE_SECRETS, registry=registry, when=is_news)
        async def changed(event: Mapping[str, Any], **_: Any) -> None:
            self.take(str(event.get("type")), event["object"])

        return registry

    def _is_news(self, kind: str, body: Mapping[str, Any]) -> bool:
        try:
            return _is_gone(kind, body) or self._resources.is_news(mapping(body.get("metadata")))
        except Exception:  # noqa: BLE001 - the handler will meet it again, and tell
            return True

    def take(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take one event; an object that cannot be taken costs itself, and is told by an Event."""
        metadata = mapping(body.get("metadata"))
        key = key_of(metadata)
        if not key.name:
            return
        step = partial(self._take, kind, key, body)
        state = (key, version_of(metadata))
        if self._faults.attempt_now("object not understood", step, task="phasesecrets", subject=str(key)):
            self._not_taken.discard(state)
            return
        self._not_taken = {each for each in self._not_taken if each[0] != key} | {state}
        self._not_understood(key, text(metadata.get("uid")))

    def _take(self, kind: str, key: ObjectKey, body: Mapping[str, Any]) -> None:
        """Keep the object and queue its key, if there is anything to do."""
        if _is_gone(kind, body) and kind != "DELETED":
            self._leaving.add(key)
        else:
            self._leaving.discard(key)
        if _is_gone(kind, body):
            if key in self._resources:
                self._triggers.resource_gone(key)
        elif self._resources.upsert(body):
            self._triggers.resource_changed(key)


def _is_gone(kind: str, body: Mapping[str, Any]) -> bool:
    return kind == "DELETED" or life_of(mapping(body.get("metadata"))) is None


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = CHUNK
    settings.queueing.idle_timeout = 0.1
    # Our session ends what takes too long; what it holds back waits for a namespace that refuses us.
    settings.networking.request_timeout = _HELD_BACK
    settings.networking.connect_timeout = 30.0
    # Then it ends, and is started again by us, who say so.
    settings.networking.error_backoffs = (0.5, 1.0, 1.0)
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.finalizer = names.LEGACY_FINALIZER
    settings.process.ultimate_exiting_timeout = None
    return settings


class _Everything(Collection[Any]):
    """Every task: kopf cancels what started while it ran, except for these; our loop must not die with the watch."""

    def __contains__(self, item: object) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0
