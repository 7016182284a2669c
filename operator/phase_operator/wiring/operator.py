"""The life of one replica: wait for the Lease, prepare, work, drain, give the Lease back."""

import asyncio
import logging
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from phase_operator.core.errors import ExpectedError
from phase_operator.kube.digest_key import load_digest_key
from phase_operator.kube.elector import Elector
from phase_operator.kube.version import check_version
from phase_operator.wiring.files import most_calls
from phase_operator.wiring.loop import Loop, Startup
from phase_operator.wiring.probes import Patience, leader_probes, standby_probes, track
from phase_operator.wiring.shared import KEY_BYTES, Edges
from phase_operator.wiring.watches import Watches

log = logging.getLogger(__name__)


class Operator:
    """One replica: its parts are connected at once, and `run` starts them."""

    def __init__(self, edges: Edges, patience: Patience) -> None:
        settings, client, metrics, clock = edges.settings, edges.client, edges.metrics, edges.clock
        self._settings = settings
        self._client = client
        self._internal_errors = metrics.internal_errors
        self._clock = clock
        self._startup = Startup()
        self._loop = Loop(edges, self._startup)
        self._watches = Watches(edges, self._loop, self._startup, patience.sweep)
        self._stop = asyncio.Event()
        self._elector = self._make_elector()
        if self._elector is not None:
            client.fence = self._elector.left
        metrics.track_leader(self._is_leading)
        track(settings, self._loop, self._watches, metrics, clock)
        self._starting: str | None = "the operator's own key is not read yet"
        self.probes = standby_probes(self._elector, patience)
        self.leaders_probes = leader_probes(self._loop, self._watches, lambda: self._starting, patience, clock)

    def _make_elector(self) -> Elector | None:
        settings = self._settings
        if not settings.leader_elect:
            return None
        return Elector(
            # A client of its own: renewing the Lease must not wait for other requests.
            self._client.apart(),
            self._clock,
            namespace=settings.pod_namespace,
            name=settings.lease_name,
            identity=f"{socket.gethostname()}_{secrets.token_hex(8)}",
            duration=settings.lease_seconds,
            internal_errors=self._internal_errors,
        )

    def _is_leading(self) -> bool:
        return self._elector is None or self._elector.is_leading()

    async def run(self) -> bool:
        """Wait for the Lease, work, drain, give the Lease back; return False if another process leads now."""
        self._own_signals()
        stopping = asyncio.create_task(self._stop.wait())
        elector = self._elector
        if elector is None:
            await self._work(stopping)
            return True
        electing = asyncio.create_task(elector.run())
        leading, losing = asyncio.create_task(elector.leading.wait()), asyncio.create_task(elector.lost.wait())
        try:
            await asyncio.wait({leading, stopping, electing}, return_when=asyncio.FIRST_COMPLETED)
            if leading.done():
                await self._work(stopping, losing, electing)
        finally:
            for task in (electing, leading, losing, stopping):
                task.cancel()
        if electing.done() and not electing.cancelled():
            # A bug in the election ends the process, which is better than to work or to wait for ever.
            electing.result()
        if elector.lost.is_set():
            return False
        await elector.release()
        return True

    async def _work(self, *ends: asyncio.Task[Any]) -> None:
        """Prepare and work until any of `ends` ends, then stop; drain if the first one, a stop signal, ended it."""
        self.probes.live.update(self.leaders_probes.live)
        self.probes.ready.update(self.leaders_probes.ready)
        self.probes.notes.update(self.leaders_probes.notes)
        self.probes.ages.extend(self.leaders_probes.ages)

        def kept(task: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
            return group.create_task(self._internal_errors.keep(task, work, self._clock))

        async with asyncio.TaskGroup() as group:
            # These go on whatever happens.
            background = [group.create_task(watch.run()) for watch in self._watches.metadata]
            background.append(kept("events", self._loop.recorder.run))
            preparing = kept("start", self._prepare)
            await asyncio.wait({preparing, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if not any(each.done() for each in ends):
                settings = self._settings
                work = self._loop.workers.run(settings.workers, most_calls(settings.phase_workers))
                working = group.create_task(work)
                background += [kept("phasesecrets", self._watch), kept("sweep", self._watches.resources.sweep)]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if ends[0].done():
                    await self._let_errands_end(*ends[1:])
                log.info("operator stops")
                self._loop.workers.stop()
                if ends[0].done():
                    await asyncio.wait({working}, timeout=self._settings.drain_seconds)
                working.cancel()
            preparing.cancel()
            for task in background:
                task.cancel()
        if ends[0].done():
            await self._flush_events()

    async def _let_errands_end(self, *ends: asyncio.Task[Any]) -> None:
        """Let calls that change something in Phase end while all else goes on.

        An answer that is lost is a lease that nobody has, or an entry of which nobody knows for minutes whether it is
        there. It goes on until any of `ends` ends: who does not lead any more can record nothing.
        """
        settling = asyncio.create_task(self._loop.settle())
        waits = asyncio.wait({settling, *ends}, return_when=asyncio.FIRST_COMPLETED)
        try:
            async with asyncio.timeout(self._settings.lease_drain_seconds):
                await waits
        except TimeoutError:
            log.warning("calls to Phase not recorded at the end")
        finally:
            settling.cancel()

    async def _prepare(self) -> None:
        """Read the digest key and the lists that decisions need; retry until the API server answers."""
        while self._startup.key is None:
            what = "the API server"
            try:
                await check_version(self._client)
                what = "the operator's own key"
                self._startup.key = await load_digest_key(
                    self._client, self._settings.pod_namespace, lambda: secrets.token_bytes(KEY_BYTES)
                )
            except ExpectedError as error:
                waits_for = f"{what}: {error.message}"
                if waits_for != self._starting:
                    # Logged once for each reason, not with every try.
                    log.warning("start waits", extra={"detail": waits_for})
                self._starting = waits_for
                await asyncio.sleep(2.0)
        self._starting = None
        for watch in self._watches.metadata:
            if watch.answered is not None:
                await asyncio.shield(watch.answered)

    async def _watch(self) -> None:
        await self._watches.resources.watch(self._own_signals)
        # The watch ends only by a signal that came while kopf's own handlers were installed.
        self._stop.set()

    async def _flush_events(self) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._loop.recorder.flush()
        except TimeoutError:
            log.warning("events not posted at the end")

    def _own_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
