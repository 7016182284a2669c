"""Count what the operator does; docs/operating/metrics.md says what each number means.

Rule: a label has few values that are known beforehand. No names of resources, no paths, no text from elsewhere; metrics
that have some are in named.py, off by default.
"""

from collections.abc import Callable
from functools import partial
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from phase_operator import __version__
from phase_operator.reconcile.internal_errors import Faults

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Everything that is counted, in a registry of its own; it implements reconcile.ports.Observer."""

    def __init__(self, version: str = __version__) -> None:
        # One more series for each counter, to say when it began: a process has its start time already.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it without annotations
        self.registry = registry = CollectorRegistry()
        self.faults = Faults(self.internal_error)
        ns = "phase_operator"

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(name, meaning, labels, namespace=ns, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(name, meaning, labels, namespace=ns, registry=registry)

        def histogram(name: str, meaning: str, *labels: str) -> Histogram:
            return Histogram(name, meaning, labels, namespace=ns, registry=registry, buckets=_SECONDS)

        # fmt: off
        self._build = gauge("build_info", "Always 1; the version of the operator is the label.", "version")
        self._leader = gauge("leader", "1 if this process leads and works, 0 if it stands by.")
        self._resources = gauge("resources", "PhaseSecrets by the status of their Ready condition.", "ready")
        self._not_ready = gauge("not_ready_seconds", "How long that has lasted which is not ready for longest.")
        self._runs = counter("reconcile_total", "Finished runs by outcome and reason.", "outcome", "reason")
        self._run_seconds = histogram("reconcile_seconds", "Duration of a run.")
        self._queue_depth = gauge("queue_depth", "Items that wait in a queue.", "queue")
        self._queue_oldest = gauge("queue_oldest_seconds", "Wait of the oldest item that is due in a queue.", "queue")
        self._calls = counter("phase_requests_total", "Requests to Phase by route and status.", "route", "status")
        self._call_seconds = histogram("phase_request_seconds", "Duration of a request to Phase.", "route")
        self._asked = counter("source_calls_total", "Apps listed, probes and reads by result.", "kind", "result")
        self._entries_read = counter("entries_read_total", "Entries in answers of Phase; each leaves an audit record.")
        self._entries = gauge("source_entries", "Entries that the sources hold together.")
        self._answers = gauge("answers_bytes", "Memory that answers of Phase take, those being read included.")
        self._answers_limit = gauge("answers_limit_bytes", "Memory that all answers of Phase may take together.")
        self._refused = counter("answers_refused_total", "Answers of Phase that were too large, by limit.", "limit")
        self._quota_calls = gauge("quota_waiting_calls", "Calls to Phase that are due and wait for the quota.")
        self._quota_wait = gauge("quota_wait_seconds", "How long the first of them has waited.")
        self._staleness = gauge("source_staleness_seconds", "Time since the source furthest behind was confirmed.")
        self._unprobed = gauge("apps_unprobed", "Apps read at the polling interval: Phase answers no probes for them.")
        self._breakers = gauge("breakers_open", "Hosts and accounts asked with one call at a time, because they fail.")
        self._under_way = gauge("calls_under_way", "Calls to Phase under way, of those who answer soon or not.", "pace")
        self._held_back = gauge("calls_held_back", "Accounts that wait for their share of the calls.")
        self._certificate = gauge("phase_certificate_expiry_timestamp_seconds", "When Phase's certificate runs out.")
        self._sources = gauge("sources", "Distinct sources that are watched.")
        self._targets = counter("targets_written_total", "Objects written, by kind.", "kind")
        self._restarted = counter("workload_restarts_total", "Workloads restarted, by kind.", "kind")
        self._not_restarted = counter("workload_restart_failures_total", "Restarts that failed and are tried again.")
        self._rollouts = gauge("rollouts", "Roll-outs that were begun and may still go on.")
        self._waiting = gauge("restarts_waiting", "Targets with workloads whose restart waits for something.")
        self._statuses = counter("status_writes_total", "Statuses written.")
        self._events = counter("events_total", "Events posted, by type.", "type")
        self._kube = counter("kubernetes_requests_total", "Kubernetes requests.", "verb", "resource", "code")
        self._conflicts = counter("conflicts_total", "Writes refused: somebody else was faster.", "resource")
        self._restarts = counter("watch_restarts_total", "Watches that ended and were started again.", "watch")
        self._unserved = gauge("namespaces_unserved", "Watched namespaces that refuse us or do not exist.")
        self._faults = counter("internal_errors_total", "Errors that nobody expected, by the task.", "task")
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
        """Count a call to Phase (apps, probe, read) by its result: ok, or a reason."""
        self._asked.labels(kind, result).inc()

    def entries_read(self, number: int) -> None:
        """Count the entries of an answer: Phase writes an audit record for each of them."""
        self._entries_read.inc(number)

    def answer_refused(self, limit: str) -> None:
        """Count an answer that is too large: for the memory of all answers (`memory`), or by itself (`answer`)."""
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
        """Count a workload, or a look at a namespace's workloads, that failed and is tried again."""
        self._not_restarted.inc()

    def event_posted(self, kind: str) -> None:
        """Count an Event by its type, Normal or Warning."""
        self._events.labels(kind).inc()

    def phase_call(self, route: str, status: str, seconds: float) -> None:
        """Count a request to Phase; the status is the HTTP code, or a word when there was no answer."""
        self._calls.labels(route, status).inc()
        self._call_seconds.labels(route).observe(seconds)

    def kube_call(self, verb: str, resource: str, code: str) -> None:
        """Count a request to Kubernetes; the code is the HTTP code, or a word when there was no answer."""
        self._kube.labels(verb, resource, code).inc()

    def kube_conflict(self, resource: str) -> None:
        """Count a write that was refused since the object is not the one any more that was judged."""
        self._conflicts.labels(resource).inc()

    def watch_restarted(self, watch: str) -> None:
        """Count a watch that ended and was started again."""
        self._restarts.labels(watch).inc()

    def internal_error(self, task: str) -> None:
        """Count what a task did not expect."""
        self._faults.labels(task).inc()

    def _ask(self, gauge: Gauge, number: Callable[[], float]) -> None:
        """Ask at each scrape; what cannot be told is no number, and costs the others nothing."""

        def asked() -> float:
            try:
                return float(number())
            except Exception as error:  # noqa: BLE001 - one number that is missing must not be all of them
                self.faults.caught("number not known", error, task="metrics")
                return nan

        gauge.set_function(asked)

    def track_namespaces(self, unserved: Callable[[], int]) -> None:
        """Ask at each scrape how many of the watched namespaces cannot be served."""
        self._ask(self._unserved, unserved)

    def track_leader(self, is_leading: Callable[[], bool]) -> None:
        """Ask at each scrape whether this process leads."""
        self._ask(self._leader, lambda: float(is_leading()))

    def track_resources(self, count: Callable[[], tuple[int, int, int]], not_ready: Callable[[], float]) -> None:
        """Ask at each scrape how many resources are ready, not ready, unknown; and how long one has not been ready."""
        self._ask(self._not_ready, not_ready)
        for position, ready in enumerate(("true", "false", "unknown")):
            self._ask(self._resources.labels(ready), partial(_nth, count, position))

    def track_queue(self, name: str, depth: Callable[[], int], oldest: Callable[[], float]) -> None:
        """Ask at each scrape how long a queue is, and how late."""
        self._ask(self._queue_depth.labels(name), depth)
        self._ask(self._queue_oldest.labels(name), oldest)

    def track_sources(
        self,
        count: Callable[[], int],
        entries: Callable[[], int],
        staleness: Callable[[], float],
        unprobed: Callable[[], int],
        open_breakers: Callable[[], int],
    ) -> None:
        """Ask at each scrape what sources there are, how old the oldest answer is, and what keeps them back."""
        self._ask(self._sources, count)
        self._ask(self._entries, entries)
        self._ask(self._staleness, staleness)
        self._ask(self._unprobed, unprobed)
        self._ask(self._breakers, open_breakers)

    def track_calls(self, quick: Callable[[], int], slow: Callable[[], int], held_back: Callable[[], int]) -> None:
        """Ask at each scrape how many calls to Phase are under way, and how many accounts wait for their share."""
        self._under_way.labels("quick").set_function(quick)
        self._under_way.labels("slow").set_function(slow)
        self._held_back.set_function(held_back)

    def track_answers(self, used: Callable[[], int], total: int) -> None:
        """Ask at each scrape how much memory answers take, in bytes; `total` is how much they may take."""
        self._ask(self._answers, used)
        self._answers_limit.set(total)

    def track_quota(self, waits: Callable[[], tuple[int, float]]) -> None:
        """Ask at each scrape how many calls wait for the quota of their account, and how long the first has."""
        self._ask(self._quota_calls, lambda: waits()[0])
        self._ask(self._quota_wait, lambda: waits()[1])

    def track_certificates(self, soonest: Callable[[], float]) -> None:
        """Ask at each scrape when the first certificate of Phase's hosts runs out, in seconds since 1970."""
        self._ask(self._certificate, soonest)

    def track_restarts(self, under_way: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Ask at each scrape how many roll-outs are going on, and how many targets have workloads that wait."""
        self._ask(self._rollouts, under_way)
        self._ask(self._waiting, waiting)


def _nth(count: Callable[[], tuple[int, int, int]], position: int) -> int:
    return count()[position]
