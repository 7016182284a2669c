"""The checks of liveness and readiness, and the figures that metrics read at a scrape.

Liveness fails when the loop is stuck: work is due while workers are idle, a step does not end, or a watch shows no sign
of life. A loop that waits for Phase or the API server is not stuck.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from phase_operator.handlers.watcher import SWEEP_EVERY
from phase_operator.kube.elector import Elector
from phase_operator.kube.watch import CollectionWatch
from phase_operator.reconcile.ports import Clock
from phase_operator.settings import Settings
from phase_operator.telemetry.freshness import Freshness
from phase_operator.telemetry.http import Check, Probes
from phase_operator.telemetry.metrics import Metrics
from phase_operator.telemetry.named import Named
from phase_operator.wiring.loop import Loop
from phase_operator.wiring.watches import Watches

# Seconds after which overdue work or a silent watch does not recover without a restart. The API server ends each watch
# after 5 minutes, so a healthy one gives a sign of life sooner.
_STUCK = 420.0
# A step may take this many times as long: it may wait for other steps, each of which waits for a hanging API server.
_HUNG = 4


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits in seconds; tests that provoke a standstill set shorter ones."""

    # Liveness fails when the loop has been stuck for longer.
    stuck: float = _STUCK
    # The interval at which the watch of PhaseSecrets is compared with a list.
    sweep: float = SWEEP_EVERY


def standby_probes(elector: Elector | None, patience: Patience) -> Probes:
    """Return the checks of a replica that does not hold the Lease."""
    probes = Probes(ready={"lease": lambda: None if elector is None else elector.problem})
    if elector is not None:
        probes.live["lease"] = _check(patience.stuck, "lease", elector.silent, "no look at it")
    return probes


def leader_probes(
    loop: Loop, watches: Watches, starting: Callable[[], str | None], patience: Patience, clock: Clock
) -> Probes:
    """Return the additional checks of the leader; `starting` returns what the start waits for."""
    stuck, hung = partial(_check, patience.stuck), partial(_check, _HUNG * patience.stuck)
    queue, poller, errands, watcher = loop.queue, loop.poller, loop.errands, watches.resources
    return Probes(
        live={
            "queue": stuck("queue", queue.neglected, "a key has been due and workers are idle"),
            "runs": hung("runs", queue.hanging, "a run has not got on"),
            "sources": stuck("sources", poller.neglected, "a call has been due and workers are idle"),
            "calls": hung("calls", poller.hanging, "a call has not got on"),
            "errands": stuck("errands", errands.neglected, "a call of a lease or a push is due and nobody makes it"),
            "errand calls": hung("errand calls", errands.hanging, "a call of a lease or a push has not got on"),
            "phasesecrets": stuck("phasesecrets", watcher.blind, "the watch has not shown what a list has"),
            # One check for hundreds of them.
            "watches": lambda: _silent(watches.metadata, patience.stuck),
        },
        ready={
            "start": starting,
            "phasesecrets": lambda: watcher.problem or watches.problem(),
            "namespaces": watches.scopes.problem,
            "watches": lambda: _problems(watches.metadata),
        },
        notes={"namespaces": watches.scopes.note, "kinds": watcher.note},
        ages=[Freshness(loop.resources.of(""), poller, clock).ages],
    )


def track(settings: Settings, loop: Loop, watches: Watches, metrics: Metrics, clock: Clock) -> None:
    """Connect the metrics with the loop, so that each scrape reads current figures."""
    poller, resources, memory = loop.poller, loop.resources, loop.memory
    metrics.track_namespaces(lambda: len(watches.scopes.unserved()))
    metrics.track_kinds(watches.resources.unserved)
    metrics.track_resources(resources.ready_counts, lambda: resources.not_ready_for(clock.now()))
    metrics.track_queue("resources", loop.queue.depth, loop.queue.oldest)
    metrics.track_queue("errands", loop.errands.depth, loop.errands.oldest)
    metrics.track_polling(poller.stats)
    metrics.track_answers(lambda: memory.used, memory.total)
    if settings.resource_metrics:
        metrics.registry.register(Named(resources.of(""), poller, clock, metrics.internal_errors))


def _silent(watches: Iterable[CollectionWatch], limit: float) -> str | None:
    silent = [f"{each.name}: no sign of life for {each.silent():.0f} s" for each in watches if each.silent() > limit]
    return "\n".join(silent) or None


def _problems(watches: Iterable[CollectionWatch]) -> str | None:
    # A refusal is reported by the check of its namespace.
    return "\n".join(each.problem for each in watches if each.problem and each.refusal is None) or None


def _check(limit: float, name: str, measure: Callable[[], float], what: str) -> Check:
    """Return a check that fails once `measure` is over the limit, in seconds."""

    def check() -> str | None:
        seconds = measure()
        return f"{name}: {what} for {seconds:.0f} s" if seconds > limit else None

    return check
