"""The process around the operator: logs, clients, ports, system limits, exit code."""

import asyncio
import gc
import logging
import secrets
import sys
import time

from phase_operator import __version__
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.timestamps import timestamp
from phase_operator.kube.client import KubeClient, KubeconfigError, load_configuration
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.leases import LeaseClient
from phase_operator.phase.lookups import Unawaited
from phase_operator.phase.pushes import PushClient
from phase_operator.phase.rows import Limits
from phase_operator.phase.session import Session
from phase_operator.reconcile.background import SWITCH, BackgroundThread
from phase_operator.reconcile.ports import Clock
from phase_operator.settings import Settings, platform_proxies
from phase_operator.telemetry import logs
from phase_operator.telemetry.http import PortInUseError, serve
from phase_operator.telemetry.metrics import Metrics
from phase_operator.wiring.files import LOOKUPS_EACH, StartError, most_calls, open_files
from phase_operator.wiring.operator import Operator
from phase_operator.wiring.probes import Patience
from phase_operator.wiring.shared import KEY_BYTES, Clients, Edges

log = logging.getLogger(__name__)

# A Lease also runs out while a virtual machine is suspended; CLOCK_MONOTONIC does not count that time.
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

# With more namespaces than this, watches share connections: only then does that save more memory than it takes.
_NAMESPACES_APART = 16


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards, and that also count while the machine is suspended."""
        return time.clock_gettime(_CLOCK)

    def now(self) -> str:
        """Return the wall clock time in UTC as RFC 3339, in whole seconds."""
        return timestamp(time.time())


async def run(settings: Settings, patience: Patience | None = None, clock: Clock | None = None) -> int:
    """Run the operator until SIGTERM or SIGINT; return the exit code. Without a clock, the machine's are used."""
    logs.configure(settings.log_format, settings.log_level, sys.stderr)
    logs.watch_loop(asyncio.get_running_loop())
    open_files(settings)
    metrics = Metrics()
    # One thread for all long work of tenants, in which namespaces take turns.
    background = BackgroundThread(time.thread_time)
    client = await _kube_client(settings, metrics)
    session = _phase_session(settings, metrics)
    limits = Limits(size=settings.answer_mib * MIB, entries=settings.answer_entries)
    phase = PhaseClient(session, secrets.token_bytes(KEY_BYTES), limits, background)
    clients = Clients(phase, LeaseClient(session), PushClient(session, limits))
    clock, patience = clock or SystemClock(), patience or Patience()
    operator = Operator(Edges(settings, client, clients, background, metrics, clock), patience)
    _tune_collector()
    sys.setswitchinterval(SWITCH)
    # DNS lookups of the API server run in threads, too.
    asyncio.get_running_loop().set_default_executor(Unawaited())
    try:
        async with serve(
            operator.probes,
            metrics.registry,
            host=settings.host,
            metrics_host=settings.metrics_host,
            health_port=settings.health_port or None,
            metrics_port=settings.metrics_port or None,
            internal_errors=metrics.internal_errors,
        ):
            log.info("operator starts", extra={"version": __version__, "server": client.host})
            still_leads = await operator.run()
    except PortInUseError as error:
        raise StartError(str(error)) from error
    finally:
        await session.close()
        await client.close()
    log.info("operator stopped")
    # A process that lost the Lease exits, so that its successor starts without stale state.
    return 0 if still_leads else 1


async def _kube_client(settings: Settings, metrics: Metrics) -> KubeClient:
    try:
        configuration = await load_configuration(settings.kubeconfig, platform_proxies())
    except KubeconfigError as error:
        raise StartError(str(error)) from error
    client = KubeClient(configuration, metrics.kube_call, metrics.kube_conflict)
    if len(settings.namespace) > _NAMESPACES_APART:
        client.share_connections()
    return client


def _phase_session(settings: Settings, metrics: Metrics) -> Session:
    session = Session(
        ca_file=settings.phase_ca_file,
        user_agent=f"phase-operator/{__version__}",
        on_call=metrics.phase_call,
        timer=time.monotonic,
        proxies=platform_proxies(),
        lookups=LOOKUPS_EACH * most_calls(settings.phase_workers),
    )
    metrics.track_certificates(session.certificates.soonest)
    return session


def _tune_collector() -> None:
    # Imported modules live as long as the process, so the collector need not scan them; most objects of a run die with
    # it. Measured with 3,000 resources: saves 8 % of the CPU time of a start.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    gc.enable()
