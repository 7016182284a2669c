"""The composition root: Settings -> connected objects, started and stopped in the right order.

Rule: the only module that knows every room. It decides nothing but order.
"""

import asyncio
import gc
import logging
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from phase_operator import __version__
from phase_operator.api import names
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.flow.concurrency import calls_at_once
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.answer_memory import MIB, Room
from phase_operator.core.timestamps import timestamp
from phase_operator.core.values import ObjectKey
from phase_operator.handlers.watcher import SWEEP_EVERY, Listing, Watcher
from phase_operator.kube.client import CONNECTIONS as KUBE_CONNECTIONS
from phase_operator.kube.client import KubeClient, KubeconfigError, load_configuration
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.digest_key import load_digest_key
from phase_operator.kube.elector import Elector
from phase_operator.kube.events import Recorder
from phase_operator.kube.namespaces import NamespaceLabels
from phase_operator.kube.paths import COLLECTIONS, CORE, object_path
from phase_operator.kube.scopes import Scopes
from phase_operator.kube.target_cache import KnownTargets, TargetSink
from phase_operator.kube.version import check_version
from phase_operator.kube.watch import MetadataWatch
from phase_operator.kube.workloads import KubeWorkloads
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.lookups import Unawaited
from phase_operator.phase.rows import Limits
from phase_operator.phase.session import KEPT_CONNECTIONS, Session
from phase_operator.reconcile.admissions import Admissions
from phase_operator.reconcile.background import Beside
from phase_operator.reconcile.controller import Controller
from phase_operator.reconcile.index import Users
from phase_operator.reconcile.polling.calls import Policy
from phase_operator.reconcile.polling.poller import Sources
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Clock, Restarts
from phase_operator.reconcile.queue import WorkQueue
from phase_operator.reconcile.restarts.disabled import NoRestarts
from phase_operator.reconcile.restarts.restarter import Restarter
from phase_operator.reconcile.run.reconciler import Reconciler
from phase_operator.reconcile.store import Resources
from phase_operator.settings import Settings, platform_proxies
from phase_operator.telemetry import logs
from phase_operator.telemetry.http import CONNECTIONS, Check, PortInUseError, Probes, serve
from phase_operator.telemetry.metrics import Metrics
from phase_operator.telemetry.named import Named

log = logging.getLogger(__name__)

_KEY_BYTES = 32
# A Lease runs out while a virtual machine is suspended; Linux's other clock stands still meanwhile.
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# Lookups of names for each call to Phase that there may be: one for itself, and one that outlived the call before it.
_LOOKUPS_EACH = 2
# A lookup has a socket for the name server, and for a moment a file that says where that is.
_FILES_OF_LOOKUP = 2
# Sessions that share the API server with the watches: requests, the Lease, and the lists of the watch of PhaseSecrets.
_SESSIONS = 3
# Ways to Phase, each with connections that are kept: directly, or by the proxies for http and https.
_WAYS = 3
# What has been due, or silent, for this long does not move any more by itself. A watch that nobody disturbs is opened
# anew by the API server every 5 minutes.
_STUCK = 420.0
# A watch of PhaseSecrets, one of Secrets, one of ConfigMaps.
_WATCHES_EACH = 3
# Those who probe and scrape, and what Python and the system have open.
_OTHER_FILES = 2 * CONNECTIONS + 100
# The watches of more namespaces share connections: what that takes by itself is less than they save.
_NAMESPACES_APART = 16
# So many times as long a step may wait for others that wait for an API server that hangs.
_HUNG = 4


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds; shorter ones are for tests, which make things stand still."""

    # After this a standstill fails liveness.
    stuck: float = _STUCK
    # So often what the watch of PhaseSecrets has shown is compared with a list.
    sweep: float = SWEEP_EVERY


class StartError(Exception):
    """The operator cannot start; the message is one sentence for the person who started it."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards, and go on while the machine is suspended."""
        return time.clock_gettime(_CLOCK)

    def now(self) -> str:
        """Return the wall clock as RFC 3339 in UTC with seconds."""
        return timestamp(time.time())


async def run(settings: Settings, patience: Patience | None = None) -> int:
    """Run the operator until SIGTERM or SIGINT; return the exit code."""
    logs.configure(settings.log_format, settings.log_level, sys.stderr)
    logs.watch_loop(asyncio.get_running_loop())
    _open_files(settings)
    proxies = platform_proxies()
    try:
        configuration = await load_configuration(settings.kubeconfig, proxies)
    except KubeconfigError as error:
        raise StartError(str(error)) from error
    metrics = Metrics()
    client = KubeClient(configuration, metrics.kube_call, metrics.kube_conflict)
    if len(settings.namespace) > _NAMESPACES_APART:
        client.share_connections()
    session = Session(
        ca_file=settings.phase_ca_file,
        user_agent=f"phase-operator/{__version__}",
        on_call=metrics.phase_call,
        timer=time.monotonic,
        proxies=proxies,
        lookups=_LOOKUPS_EACH * _calls_at_once(settings),
    )
    metrics.track_certificates(session.certificates.soonest)
    limits = Limits(size=settings.answer_mib * MIB, entries=settings.answer_entries)
    phase = PhaseClient(session, secrets.token_bytes(_KEY_BYTES), limits)
    operator = Operator(settings, client, phase, metrics, patience or Patience())
    # What was imported stays: the collector need not look at it again; and most of what a run makes dies with the run.
    # Measured with 3,000 resources: 8 % of the CPU time of a start.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    # The API server's name is looked up in a thread, too.
    asyncio.get_running_loop().set_default_executor(Unawaited())
    ports = {"health_port": settings.health_port or None, "metrics_port": settings.metrics_port or None}
    try:
        async with serve(operator.probes, metrics.registry, host=settings.host, faults=metrics.faults, **ports):
            log.info("operator starts", extra={"version": __version__, "server": client.host})
            kept = await operator.run()
    except PortInUseError as error:
        raise StartError(str(error)) from error
    finally:
        await session.close()
        await client.close()
    log.info("operator stopped")
    # Who has lost the Lease begins anew, with nothing that may be old.
    return 0 if kept else 1


def _calls_at_once(settings: Settings) -> int:
    """Return how many calls to Phase there may be: those under way, and the next one."""
    return calls_at_once(settings.phase_workers) + 1


def _open_files(settings: Settings) -> None:
    """Let as many files be open as there are connections; raise StartError if the system does not allow it."""
    limit = files_to_allow(settings, resource.getrlimit(resource.RLIMIT_NOFILE))
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def files_to_allow(settings: Settings, limits: tuple[int, int]) -> tuple[int, int] | None:
    """Return the limits of open files that the settings need, or None if they have them; raise StartError."""
    namespaces, calls = max(1, len(settings.namespace)), _calls_at_once(settings)
    watches = _WATCHES_EACH * namespaces + 1
    needed = watches + _SESSIONS * KUBE_CONNECTIONS + calls + _WAYS * KEPT_CONNECTIONS
    needed += _FILES_OF_LOOKUP * _LOOKUPS_EACH * calls + _OTHER_FILES
    soft, hard = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in limits)
    if needed <= soft:
        return None
    if needed > hard:
        raise StartError(
            f"--namespace, --phase-workers: the watches of {namespaces} namespaces and {calls} calls to Phase need "
            f"{needed} open files, and this process may have {hard} (ulimit -Hn); raise that, or lower these"
        )
    return needed, limits[1]


class Operator:
    """All rooms, connected."""

    def __init__(
        self,
        settings: Settings,
        client: KubeClient,
        phase: PhaseClient,
        metrics: Metrics,
        patience: Patience,
    ) -> None:
        def still(name: str, measure: Callable[[], float], what: str) -> Check:
            return partial(_standing_still, patience.stuck, name, measure, what)

        def hung(name: str, measure: Callable[[], float], what: str) -> Check:
            return partial(_standing_still, _HUNG * patience.stuck, name, measure, what)

        self._clock = clock = SystemClock()
        self._faults = faults = metrics.faults
        known = KnownTargets()
        admissions = Admissions()
        queue: WorkQueue[ObjectKey] = WorkQueue(clock, lambda key: key.namespace)
        resources = Resources()
        self._settings = settings
        self._client = client
        self._digest_key: bytes | None = None
        self._recorder = Recorder(client, clock, socket.gethostname(), metrics.event_posted, faults)
        self._cluster = KubeCluster(
            client, known, self._recorder, lambda target: self._controller.target_changed(target)
        )
        tokens = Tokens(self._cluster)
        beside, room = Beside(), Room(settings.answers_mib * MIB)
        sources = Sources(
            phase,
            clock,
            queue.add,
            metrics,
            lambda key, notice: self._controller.tell(key, notice),
            Policy(
                places=settings.phase_workers,
                quota=settings.phase_quota,
                wide_above=settings.whole_environment_above,
                reference_bound=settings.reference_seconds,
                full_read=settings.full_read_seconds,
            ),
            room,
            beside,
        )
        tenancy = Tenancy(
            grants=settings.grant,
            hosts=settings.allow_phase_host,
            home=settings.pod_namespace,
            watched=frozenset(settings.namespace),
            impersonation=settings.allow_impersonation_types,
        )
        self._queue = queue
        self._resources = resources
        self._all_seen = False
        restarts = self._restarts(clock, metrics, resources, admissions.targets, known)
        labels = NamespaceLabels(lambda namespace: self._controller.namespace_changed(namespace))
        reconciler = Reconciler(
            beside=beside,
            resources=resources,
            sources=sources,
            tokens=tokens,
            cluster=self._cluster,
            phase=phase,
            admissions=admissions,
            digest_key=self._loaded_digest_key,
            tenancy=tenancy,
            labels_of=labels.of,
            restarts=restarts,
        )
        self._controller = Controller(
            queue=queue,
            resources=resources,
            sources=sources,
            tokens=tokens,
            reconciler=reconciler,
            cluster=self._cluster,
            admissions=admissions,
            clock=clock,
            observer=metrics,
            restarts=restarts,
            faults=faults,
        )
        self._watches = [
            self._metadata_watch(kind, scope, known, metrics)
            for kind in Kind
            for scope in (settings.namespace or ("",))
        ]
        self._scopes = scopes = Scopes(settings.namespace, self._watches, metrics.watch_restarted)
        self._watcher = Watcher(
            resources=resources,
            controller=self._controller,
            faults=faults,
            session=partial(client.session_for_watching, gate=scopes),
            server=client.host,
            is_served=self._cluster.is_served,
            count=self._count,
            list_all=self._list_all,
            clock=clock,
            namespaces=settings.namespace,
            restarted=metrics.watch_restarted,
            sweep_every=patience.sweep,
        )
        if tenancy.asks_for_labels:
            self._watches.append(self._namespace_watch(labels, metrics))
        self._stop = asyncio.Event()
        self._elector = self._make_elector(clock)
        if self._elector is not None:
            client.fence = self._elector.left
        metrics.track_leader(self._is_leading)
        self._starting: str | None = "the operator's own key is not read yet"
        # Of a standby these are all that can be told.
        self.probes = Probes(ready={"lease": self._lease_problem})
        if self._elector is not None:
            self.probes.live["lease"] = still("lease", self._elector.silent, "no look at it")
        self._leaders_probes = Probes(
            live={
                "queue": still("queue", queue.neglected, "a key has been due and workers are idle"),
                "runs": hung("runs", queue.hanging, "a run has not got on"),
                "sources": still("sources", sources.neglected, "a call has been due and workers are idle"),
                "calls": hung("calls", sources.hanging, "a call has not got on"),
                "phasesecrets": still("phasesecrets", self._watcher.blind, "the watch has not shown what a list has"),
            }
            | {watch.name: still(watch.name, watch.silent, "no sign of life") for watch in self._watches},
            ready={
                "start": lambda: self._starting,
                "phasesecrets": lambda: self._watcher.problem,
                "namespaces": scopes.problem,
            }
            | {watch.name: partial(_problem_of, watch) for watch in self._watches},
            notes={"namespaces": scopes.note},
        )
        metrics.track_namespaces(lambda: len(scopes.unserved()))
        metrics.track_resources(resources.ready_counts, lambda: resources.not_ready_for(clock.now()))
        metrics.track_queue("resources", queue.depth, queue.oldest)
        metrics.track_queue("sources", sources.planned, sources.overdue)
        metrics.track_sources(
            sources.__len__, sources.entries, sources.staleness, sources.unprobed, sources.open_breakers
        )
        metrics.track_quota(sources.quota_waits)
        metrics.track_answers(lambda: room.used, room.total)
        under_way = sources.under_way
        metrics.track_calls(partial(under_way, is_slow=False), partial(under_way, is_slow=True), sources.held_back)
        if settings.resource_metrics:
            metrics.registry.register(Named(resources, sources, clock, faults))

    def _restarts(
        self,
        clock: Clock,
        metrics: Metrics,
        resources: Resources,
        admitted: Users[TargetRef],
        known: KnownTargets,
    ) -> Restarts:
        if not self._settings.restarts:
            return NoRestarts()
        restarter = Restarter(
            workloads=KubeWorkloads(self._client, self._recorder),
            resources=resources,
            admitted=admitted,
            known=known,
            digest_key=self._loaded_digest_key,
            clock=clock,
            observer=metrics,
            wake=lambda target: self._controller.restarts_changed(target),
            tell=lambda key, notice: self._controller.tell(key, notice),
            all_known=self._is_all_known,
            window=self._settings.restart_settle_seconds,
            at_once=self._settings.restarts_at_once,
        )
        metrics.track_restarts(restarter.under_way, restarter.waiting)
        return restarter

    def _is_all_known(self) -> bool:
        """Say whether every PhaseSecret has had its run since the start."""
        self._all_seen = self._all_seen or self._watcher.problem is None
        return self._all_seen and self._queue.all_ran(self._resources.keys())

    def _make_elector(self, clock: Clock) -> Elector | None:
        settings = self._settings
        if not settings.leader_elect:
            return None
        return Elector(
            # Whatever else waits for the API server, the Lease does not wait for it.
            self._client.apart(),
            clock,
            namespace=settings.pod_namespace,
            name=settings.lease_name,
            identity=f"{socket.gethostname()}_{secrets.token_hex(8)}",
            duration=settings.lease_seconds,
            faults=self._faults,
        )

    def _is_leading(self) -> bool:
        return self._elector is None or self._elector.is_leading()

    def _lease_problem(self) -> str | None:
        return None if self._elector is None else self._elector.problem

    async def run(self) -> bool:
        """Wait for the Lease, work, drain, give it back; return False if another process leads by now."""
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
            # A bug there ends the process: better than to work, or to wait, for ever.
            electing.result()
        if elector.lost.is_set():
            return False
        await elector.release()
        return True

    async def _work(self, *ends: asyncio.Task[Any]) -> None:
        """Prepare, work, drain, until any of `ends` ends: the first one is the wish to stop."""
        self.probes.live.update(self._leaders_probes.live)
        self.probes.ready.update(self._leaders_probes.ready)
        self.probes.notes.update(self._leaders_probes.notes)

        def kept(task: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
            return group.create_task(self._faults.keep(task, work, self._clock))

        async with asyncio.TaskGroup() as group:
            background = [kept(watch.name, watch.run) for watch in self._watches]
            background.append(kept("events", self._recorder.run))
            preparing = kept("start", self._prepare)
            await asyncio.wait({preparing, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if not any(each.done() for each in ends):
                working = group.create_task(
                    self._controller.run(self._settings.workers, _calls_at_once(self._settings))
                )
                background += [kept("phasesecrets", self._watch), kept("sweep", self._watcher.sweep)]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                log.info("operator stops")
                self._controller.stop()
                if ends[0].done():
                    await asyncio.wait({working}, timeout=self._settings.drain_seconds)
                working.cancel()
            preparing.cancel()
            for task in background:
                task.cancel()
        if ends[0].done():
            await self._flush_events()

    async def _prepare(self) -> None:
        """Read the digest key and the lists that decisions need; wait for the API server as long as it takes."""
        while self._digest_key is None:
            what = "the API server"
            try:
                await check_version(self._client)
                what = "the operator's own key"
                self._digest_key = await load_digest_key(
                    self._client, self._settings.pod_namespace, lambda: secrets.token_bytes(_KEY_BYTES)
                )
            except ExpectedError as error:
                waits_for = f"{what}: {error.message}"
                if waits_for != self._starting:
                    # Once, and not with every try.
                    log.warning("start waits", extra={"detail": waits_for})
                self._starting = waits_for
                await asyncio.sleep(2.0)
        self._starting = None
        for watch in self._watches:
            await watch.answered.wait()

    async def _watch(self) -> None:
        await self._watcher.watch(self._own_signals)
        # Ends only by a signal that came while kopf held the signals.
        self._stop.set()

    async def _flush_events(self) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._recorder.flush()
        except TimeoutError:
            log.warning("events not posted at the end")

    def _own_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

    def _loaded_digest_key(self) -> bytes:
        if self._digest_key is None:
            raise RuntimeError("a run began before the digest key was read")
        return self._digest_key

    async def _count(self) -> int:
        count = 0
        for namespace in self._scopes.served() or self._everywhere:
            with self._unless_refused(namespace):
                count += await self._cluster.count_resources(namespace)
        return count

    async def _list_all(self) -> Listing:
        found: list[Mapping[str, Any]] = []
        left_out = set(self._scopes.unserved())
        for namespace in self._scopes.served() or self._everywhere:
            with self._unless_refused(namespace, left_out):
                found += await self._cluster.list_resources(namespace)
        return Listing(found, left_out)

    @property
    def _everywhere(self) -> tuple[None, ...]:
        return () if self._settings.namespace else (None,)

    @contextmanager
    def _unless_refused(self, namespace: str | None, refusals: set[str] | None = None) -> Iterator[None]:
        """Let a namespace that refuses us be none of the others' concern; a watch that is open may not know of it."""
        try:
            yield
        except Waiting:
            if namespace is None:
                raise
            if refusals is not None:
                refusals.add(namespace)

    def _metadata_watch(self, kind: Kind, scope: str, known: KnownTargets, metrics: Metrics) -> MetadataWatch:
        ours = f"{names.LABEL_TARGET} in ({names.LABEL_TARGET_VALUE},{names.LABEL_COPY_VALUE})"
        collection = COLLECTIONS[kind]
        is_secret = kind is Kind.SECRET

        def touched(target: TargetRef) -> None:
            self._controller.target_changed(target)
            if is_secret:
                self._controller.token_changed(target.key)

        def relisted() -> None:
            if is_secret:
                self._controller.tokens_unknown()

        return MetadataWatch(
            self._client,
            name=f"{collection} in {scope}" if scope else collection,
            path=object_path(CORE, collection, scope),
            scope=scope,
            list_selector=ours,
            # Token Secrets do not carry our label, so all Secrets are followed, as metadata.
            follow_selector="" if is_secret else ours,
            sink=TargetSink(kind, known, touched, relisted),
            restarted=metrics.watch_restarted,
            is_back=self._controller.kubernetes_is_back,
            clock=self._clock,
            faults=self._faults,
        )

    def _namespace_watch(self, labels: NamespaceLabels, metrics: Metrics) -> MetadataWatch:
        return MetadataWatch(
            self._client,
            name="namespaces",
            path=object_path(CORE, "namespaces", ""),
            scope="",
            list_selector="",
            follow_selector="",
            sink=labels,
            restarted=metrics.watch_restarted,
            is_back=self._controller.kubernetes_is_back,
            clock=self._clock,
            faults=self._faults,
        )


def _problem_of(watch: MetadataWatch) -> str | None:
    # What a namespace refuses is told with the namespace.
    return None if watch.is_refused else watch.problem


def _standing_still(limit: float, name: str, measure: Callable[[], float], what: str) -> str | None:
    seconds = measure()
    return f"{name}: {what} for {seconds:.0f} s" if seconds > limit else None
