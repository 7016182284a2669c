"""The watch of our resources, by kopf, and its supervision.

Rule: kopf watches and nothing else: `on.event` puts keys into our queue. Where kopf would end the process (long 5xx,
RBAC taken away, the CRD deleted) the watch is started again in place; the loop and what it knows outlive it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import aiohttp
import kopf

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.flow.backoff import reopen_watch
from phase_operator.handlers.kind import ShownKind
from phase_operator.handlers.storage import NoDiffBase, NoProgress
from phase_operator.kube.listing import CHUNK
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.queue import wait_for

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


class Watcher:
    """Has kopf watch our kinds, and sees to it that each is known as a whole."""

    def __init__(
        self,
        *,
        kinds: Sequence[ShownKind],
        is_back: Callable[[], None],
        listed: asyncio.Event,
        session: Callable[[Callable[[], None]], aiohttp.ClientSession],
        server: str,
        is_served: Callable[[], Awaitable[bool]],
        clock: Clock,
        namespaces: Sequence[str],
        restarted: Callable[[str], None],
        sweep_every: float = SWEEP_EVERY,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kinds = kinds
        self._is_back = is_back
        # Set once the watch has shown all that the first list has.
        self._listed = listed
        self._session = session
        self._server = server
        self._is_served = is_served
        self._clock = clock
        # The last list could not be read.
        self._is_away = False
        self._interrupted = asyncio.Event()
        self._namespaces = namespaces
        self._restarted = restarted
        self._sweep_every = sweep_every
        self._sleep = sleep
        # What keeps the watch from being there.
        self._broken: str | None = None

    @property
    def problem(self) -> str | None:
        """What keeps us from knowing every resource."""
        return self._broken or next((kind.missed for kind in self._kinds if kind.missed), None)

    def blind(self) -> float:
        """Return for how many seconds the watch has not shown what lists have: it stands still."""
        return max(kind.blind() for kind in self._kinds)

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
        while not await self._try(ShownKind.first_seen):
            await self._sleep(_LOOK_EVERY)
        self._listed.set()
        while True:
            for kind in self._kinds:
                kind.missed = None
            self._interrupted.clear()
            await wait_for(self._interrupted, self._sweep_every)
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

    async def _try(self, look: Callable[[ShownKind], Awaitable[bool]]) -> bool:
        """Look at every kind, and say whether each is as it should be."""
        self._is_away = False
        done = True
        for kind in self._kinds:
            try:
                done &= await look(kind)
            except ExpectedError as error:
                self._is_away, done = True, False
                kind.cannot_be_listed(error.message)
        return done

    def listed_anew(self) -> None:
        """Look soon for what vanished: kopf tells nothing of what is not in its list any more."""
        self._interrupted.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(server=self._server, aiohttp_session=self._session(self.listed_anew))

        for kind in self._kinds:
            _register(registry, kind)
        return registry


def _register(registry: kopf.OperatorRegistry, kind: ShownKind) -> None:
    def is_news(event: Mapping[str, Any], **_: Any) -> bool:
        # What says nothing new is not worth a handler's call.
        return kind.is_news(str(event.get("type")), event["object"])

    @kopf.on.event(names.GROUP, names.VERSION, kind.plural, registry=registry, when=is_news)
    async def changed(event: Mapping[str, Any], **_: Any) -> None:
        kind.take(str(event.get("type")), event["object"])


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
