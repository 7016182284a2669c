"""What liveness and readiness look at, and what metrics read at a scrape.

Liveness measures what stands still: work that is due and not begun while workers are idle, a step that does not end, a
watch without a sign of life. Waiting for Phase or the API server is no standstill.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from phase_operator.handlers.watcher import SWEEP_EVERY
from phase_operator.kube.elector import Elector
from phase_operator.kube.watch import MetadataWatch
from phase_operator.reconcile.ports import Clock
from phase_operator.settings import Settings
from phase_operator.telemetry.http import Check, Probes
from phase_operator.telemetry.metrics import Metrics
from phase_operator.telemetry.named import Named
from phase_operator.wiring.loop import Loop
from phase_operator.wiring.watches import Watches

# What has been due, or silent, for so many seconds does not recover by itself. A watch that nothing disturbs is opened
# anew by the API server every 5 minutes.
_STUCK = 420.0
# So many times as long a step may wait for others that wait for an API server that hangs.
_HUNG = 4


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds; shorter ones are for tests, which make things stand still."""

    # After this a standstill fails liveness.
    stuck: float = _STUCK
    # So often what the watch of PhaseSecrets has shown is compared with a list.
    sweep: float = SWEEP_EVERY


def standby_probes(elector: Elector | None, patience: Patience) -> Probes:
    """Return all that a replica without the Lease can say of itself."""
    probes = Probes(ready={"lease": lambda: None if elector is None else elector.problem})
    if elector is not None:
        probes.live["lease"] = _check(patience.stuck, "lease", elector.silent, "no look at it")
    return probes


def leader_probes(loop: Loop, watches: Watches, starting: Callable[[], str | None], patience: Patience) -> Probes:
    """Return what the leader's probes look at as well; `starting` says what the start waits for."""
    stuck, hung = partial(_check, patience.stuck), partial(_check, _HUNG * patience.stuck)
    queue, sources, watcher = loop.queue, loop.sources, watches.resources
    return Probes(
        live={
            "queue": stuck("queue", queue.neglected, "a key has been due and workers are idle"),
            "runs": hung("runs", queue.hanging, "a run has not got on"),
            "sources": stuck("sources", sources.neglected, "a call has been due and workers are idle"),
            "calls": hung("calls", sources.hanging, "a call has not got on"),
            "phasesecrets": stuck("phasesecrets", watcher.blind, "the watch has not shown what a list has"),
        }
        | {watch.name: stuck(watch.name, watch.silent, "no sign of life") for watch in watches.metadata},
        ready={"start": starting, "phasesecrets": lambda: watcher.problem, "namespaces": watches.scopes.problem}
        | {watch.name: partial(_problem_of, watch) for watch in watches.metadata},
        notes={"namespaces": watches.scopes.note},
    )


def track(settings: Settings, loop: Loop, watches: Watches, metrics: Metrics, clock: Clock) -> None:
    """Let the metrics read their figures from the loop at each scrape."""
    sources, resources, memory = loop.sources, loop.resources, loop.memory
    metrics.track_namespaces(lambda: len(watches.scopes.unserved()))
    metrics.track_resources(resources.ready_counts, lambda: resources.not_ready_for(clock.now()))
    metrics.track_queue("resources", loop.queue.depth, loop.queue.oldest)
    metrics.track_queue("sources", sources.planned, sources.overdue)
    metrics.track_sources(sources.__len__, sources.entries, sources.staleness, sources.unprobed, sources.open_breakers)
    metrics.track_quota(sources.quota_waits)
    metrics.track_answers(lambda: memory.used, memory.total)
    under_way = sources.under_way
    metrics.track_calls(partial(under_way, is_slow=False), partial(under_way, is_slow=True), sources.held_back)
    if settings.resource_metrics:
        metrics.registry.register(Named(resources, sources, clock, metrics.faults))


def _problem_of(watch: MetadataWatch) -> str | None:
    # What a namespace refuses is reported with the namespace.
    return None if watch.is_refused else watch.problem


def _check(limit: float, name: str, measure: Callable[[], float], what: str) -> Check:
    """Return a check that fails once `measure` is over the limit, in seconds."""

    def check() -> str | None:
        seconds = measure()
        return f"{name}: {what} for {seconds:.0f} s" if seconds > limit else None

    return check
