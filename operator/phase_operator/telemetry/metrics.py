"""Count what the operator does; docs/operating/metrics.md says what each number means.

Rule: a label has few values, so no label holds names of resources, paths in Phase or text of others. Only `watch` and
`task` name namespaces, those that `--namespace` lists. Metrics with other names are in named.py, and off by default.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from phase_operator import __version__
from phase_operator.api import names
from phase_operator.core.leases.ledger import LeaseState
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.polling.stats import PollStats

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """All metrics of the operator, in a registry of their own; implements reconcile.ports.Observer."""

    def __init__(self, version: str = __version__) -> None:
        # They would add a series to each counter for its start; the start time of the process says the same.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it without annotations
        self.registry = registry = CollectorRegistry()
        self.internal_errors = InternalErrors(self.internal_error)
        ns = "phase_operator"

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(name, meaning, labels, namespace=ns, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(name, meaning, labels, namespace=ns, registry=registry)

        def histogram(name: str, meaning: str, *labels: str) -> Histogram:
            return Histogram(name, meaning, labels, namespace=ns, registry=registry, buckets=_SECONDS)

        # fmt: off
        self._build = gauge("build_info", "Always 1; the label is the version of the operator.", "version")
        self._leader = gauge("leader", "1 if this process is the leader, 0 if it is a standby.")
        self._resources = gauge("resources", "PhaseSecrets by the status of their Ready condition.", "ready")
        self._not_ready = gauge("not_ready_seconds", "How long the longest-unready PhaseSecret has been unready.")
        self._runs = counter("reconcile_total", "Finished reconciles, by outcome and reason.", "outcome", "reason")
        self._run_seconds = histogram("reconcile_seconds", "Duration of a reconcile.")
        self._queue_depth = gauge("queue_depth", "Items waiting in a queue.", "queue")
        self._queue_oldest = gauge("queue_oldest_seconds", "Overdue time of the oldest item in a queue.", "queue")
        self._calls = counter("phase_requests_total", "Requests to Phase, by route and status.", "route", "status")
        self._call_seconds = histogram("phase_request_seconds", "Duration of a request to Phase.", "route")
        self._asked = counter("source_calls_total", "Lists, keyrings, probes and reads, by result.", "kind", "result")
        self._entries_read = counter("entries_read_total", "Entries read from Phase; Phase audits each of them.")
        self._entries = gauge("source_entries", "Entries held in memory for all sources.")
        self._answers = gauge("answers_bytes", "Memory taken by answers of Phase, including those being read.")
        self._answers_limit = gauge("answers_limit_bytes", "Memory limit for all answers of Phase together.")
        self._refused = counter("answers_refused_total", "Answers of Phase refused as too large, by limit.", "limit")
        self._quota_calls = gauge("quota_waiting_calls", "Due calls to Phase that wait for the rate limit.")
        self._quota_wait = gauge("quota_wait_seconds", "Longest wait of a due call for the rate limit.")
        self._staleness = gauge("source_staleness_seconds", "Seconds since the stalest source was last confirmed.")
        self._unprobed = gauge("apps_unprobed", "Apps without probes: read at every polling interval instead.")
        self._breakers = gauge("breakers_open", "Open circuit breakers of failing hosts and accounts.")
        self._under_way = gauge("calls_under_way", "Calls to Phase in flight, by how soon they are answered.", "pace")
        self._held_back = gauge("calls_held_back", "Accounts that wait for a concurrency share.")
        self._certificate = gauge("phase_certificate_expiry_timestamp_seconds", "Expiry of Phase's certificate.")
        self._poller = gauge("sources", "Distinct sources that are polled.")
        self._targets = counter("targets_written_total", "Secrets and ConfigMaps written, by kind.", "kind")
        self._restarted = counter("workload_restarts_total", "Workloads restarted, by kind.", "kind")
        self._not_restarted = counter("workload_restart_failures_total", "Restarts that failed and will be retried.")
        self._rollouts = gauge("rollouts", "Roll-outs started by the operator that may still be in progress.")
        self._waiting = gauge("restarts_waiting", "Targets with at least one postponed restart.")
        self._statuses = counter("status_writes_total", "Writes of PhaseSecret statuses.")
        self._events = counter("events_total", "Kubernetes Events, by type, failed or dropped.", "type")
        self._kube = counter("kubernetes_requests_total", "Requests to Kubernetes.", "verb", "resource", "code")
        self._conflicts = counter("conflicts_total", "Writes refused because the object had changed.", "resource")
        self._restarts = counter("watch_restarts_total", "Watches that ended and were reopened.", "watch")
        self._unserved = gauge("namespaces_unserved", "Watched namespaces that do not exist or deny access.")
        self._kinds_unserved = gauge("kinds_unserved", "Kinds that are not served: their CRD or the right is missing.")
        self._leases = gauge("leases", "Leases of dynamic secrets in the ledgers, by state.", "state")
        self._lease_calls = counter("lease_calls_total", "Calls about leases, by kind and result.", "kind", "result")
        self._lease_end = gauge("lease_end_timestamp_seconds", "End of the first active lease to end; 0 without one.")
        self._leases_ending = gauge("leases_ending", "Active leases near their ends whose successors are overdue.")
        self._lease_orphans = counter("lease_orphans_total", "Leases found at Phase whose credentials were lost.")
        self._lease_early = counter("lease_early_total", "Leases revoked by others in the first half of their lives.")
        self._push_calls = counter("push_calls_total", "Calls of pushes, by kind and result.", "kind", "result")
        self._pushed = counter("pushed_entries_total", "Entries made, changed or deleted in Phase, by call.", "kind")
        self._push_entries = gauge("push_entries", "Entries in Phase that have the value of their source.")
        self._push_conflicts = gauge("push_conflicts", "Entries that are not pushed since somebody else has them.")
        self._internal_errors = counter("internal_errors_total", "Unexpected errors, by task.", "task")
        # fmt: on

        self._build.labels(version).set(1)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def reconciled(self, outcome: str, reason: str, seconds: float) -> None:
        """Count a run."""
        self._runs.labels(outcome, reason).inc()
        self._run_seconds.observe(seconds)

    def asked(self, kind: str, result: str) -> None:
        """Count a call to Phase (apps, keyring, probe, read) by its result: ok, or a reason."""
        self._asked.labels(kind, result).inc()

    def entries_read(self, number: int) -> None:
        """Count the entries of an answer: Phase writes an audit record for each of them."""
        self._entries_read.inc(number)

    def answer_refused(self, limit: str) -> None:
        """Count an answer that is too large by itself (`answer`) or for the memory of all answers (`memory`)."""
        self._refused.labels(limit).inc()

    def target_written(self, kind: str) -> None:
        """Count an object that was written."""
        self._targets.labels(kind).inc()

    def status_written(self) -> None:
        """Count a status that was written."""
        self._statuses.inc()

    def restarted(self, kind: str) -> None:
        """Count a workload that was restarted."""
        self._restarted.labels(kind).inc()

    def restart_failed(self) -> None:
        """Count a failed restart, or a failed list of a namespace's workloads; both are tried again."""
        self._not_restarted.inc()

    def errand_made(self, errand: Errand, result: str) -> None:
        """Count a call about leases (resolve, look, lease, revoke) or pushed entries (app, look, post, put, delete).

        The result is ok, or a reason.
        """
        is_push = errand.subject.kind == names.KIND_PHASE_PUSH_SECRET
        (self._push_calls if is_push else self._lease_calls).labels(errand.kind, result).inc()

    def pushed(self, kind: str, number: int) -> None:
        """Count entries that were made, changed or deleted by a call: `post`, `put` or `delete`."""
        self._pushed.labels(kind).inc(number)

    def lease_orphaned(self) -> None:
        """Count a lease that was found at Phase, and whose credentials nobody has."""
        self._lease_orphans.inc()

    def lease_ended_early(self) -> None:
        """Count a lease that was revoked by others before half of its life was over."""
        self._lease_early.inc()

    def event_posted(self, kind: str) -> None:
        """Count an Event by its type (Normal, Warning), or as `failed` or `dropped`."""
        self._events.labels(kind).inc()

    def phase_call(self, route: str, status: str, seconds: float) -> None:
        """Count a request to Phase; the status is the HTTP code, or a word when there was no answer."""
        self._calls.labels(route, status).inc()
        self._call_seconds.labels(route).observe(seconds)

    def kube_call(self, verb: str, resource: str, code: str) -> None:
        """Count a request to Kubernetes; the code is the HTTP code, or a word when there was no answer."""
        self._kube.labels(verb, resource, code).inc()

    def kube_conflict(self, resource: str) -> None:
        """Count a write that was refused because the object has changed since it was judged."""
        self._conflicts.labels(resource).inc()

    def watch_restarted(self, watch: str) -> None:
        """Count a watch that ended and was started again."""
        self._restarts.labels(watch).inc()

    def internal_error(self, task: str) -> None:
        """Count an unexpected error of a task."""
        self._internal_errors.labels(task).inc()

    def _ask(self, gauge: Gauge, number: Callable[[], float]) -> None:
        """Have a gauge call `number` at each scrape; one that raises is NaN and does not spoil the other metrics."""

        def asked() -> float:
            return self.internal_errors.value_or("number not known", lambda: float(number()), nan, task="metrics")

        gauge.set_function(asked)

    def track_kinds(self, unserved: Callable[[], int]) -> None:
        """Have scrapes read how many of our kinds are not served."""
        self._ask(self._kinds_unserved, unserved)

    def track_namespaces(self, unserved: Callable[[], int]) -> None:
        """Report at each scrape how many of the watched namespaces cannot be served."""
        self._ask(self._unserved, unserved)

    def track_leader(self, is_leading: Callable[[], bool]) -> None:
        """Report at each scrape whether this process leads."""
        self._ask(self._leader, lambda: float(is_leading()))

    def track_resources(self, count: Callable[[], tuple[int, int, int]], not_ready: Callable[[], float]) -> None:
        """Report at each scrape how many resources are ready, unready and unknown, and the longest unready time."""
        self._ask(self._not_ready, not_ready)
        for position, ready in enumerate(("true", "false", "unknown")):
            self._ask(self._resources.labels(ready), partial(_nth, count, position))

    def track_queue(self, name: str, depth: Callable[[], int], oldest: Callable[[], float]) -> None:
        """Report at each scrape how many items a queue holds, and how many seconds the oldest is overdue."""
        self._ask(self._queue_depth.labels(name), depth)
        self._ask(self._queue_oldest.labels(name), oldest)

    def track_polling(self, stats: Callable[[], PollStats]) -> None:
        """Report at each scrape the figures of polling, which are counted once for all gauges."""
        figures: dict[Gauge, Callable[[PollStats], float]] = {
            self._queue_depth.labels("sources"): lambda found: found.planned,
            self._queue_oldest.labels("sources"): lambda found: found.overdue,
            self._poller: lambda found: found.queries,
            self._entries: lambda found: found.entries,
            self._staleness: lambda found: found.staleness,
            self._unprobed: lambda found: found.unprobed,
            self._breakers: lambda found: found.open_breakers,
            self._quota_calls: lambda found: found.quota_calls,
            self._quota_wait: lambda found: found.quota_wait,
            self._under_way.labels("quick"): lambda found: found.quick,
            self._under_way.labels("slow"): lambda found: found.slow,
            self._held_back: lambda found: found.held_back,
        }
        shared = _Shared(stats)
        for gauge, figure in figures.items():
            self._ask(gauge, partial(shared.read, figure))

    def track_answers(self, used: Callable[[], int], total: int) -> None:
        """Report at each scrape how many bytes the answers take; `total` is their limit."""
        self._ask(self._answers, used)
        self._answers_limit.set(total)

    def track_certificates(self, soonest: Callable[[], float]) -> None:
        """Report at each scrape when the first certificate of Phase's hosts expires, in seconds since 1970."""
        self._ask(self._certificate, soonest)

    def track_leases(
        self,
        states: Callable[[], Mapping[LeaseState, int]],
        soonest_end: Callable[[], float],
        ending: Callable[[], int],
    ) -> None:
        """Report at each scrape how many leases are in each state, when the first ends, and how many end soon."""
        for state in LeaseState:
            self._ask(self._leases.labels(str(state)), partial(_of_state, states, state))
        self._ask(self._lease_end, soonest_end)
        self._ask(self._leases_ending, ending)

    def track_pushes(self, entries: Callable[[], int], conflicts: Callable[[], int]) -> None:
        """Report at each scrape how many pushed entries are in step, and how many somebody else has."""
        self._ask(self._push_entries, entries)
        self._ask(self._push_conflicts, conflicts)

    def track_restarts(self, under_way: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Report at each scrape how many roll-outs are in progress, and how many targets have postponed restarts."""
        self._ask(self._rollouts, under_way)
        self._ask(self._waiting, waiting)


class _Shared:
    """Figures that are counted once for all gauges of a scrape: anew as soon as a gauge asks a second time."""

    def __init__(self, stats: Callable[[], PollStats]) -> None:
        self._stats = stats
        self._found = PollStats()
        # Which gauges have read what was counted last; None: nothing was counted yet.
        self._readers: set[Callable[[PollStats], float]] | None = None

    def read(self, figure: Callable[[PollStats], float]) -> float:
        """Return one of the figures; each caller asks for one, and once in a scrape."""
        if self._readers is None or figure in self._readers:
            self._readers = None
            self._found, self._readers = self._stats(), set()
        self._readers.add(figure)
        return figure(self._found)


def _of_state(states: Callable[[], Mapping[LeaseState, int]], state: LeaseState) -> int:
    return states()[state]


def _nth(count: Callable[[], tuple[int, int, int]], position: int) -> int:
    return count()[position]
