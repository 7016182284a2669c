import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from phase_operator.api import names
from phase_operator.core.leases.ledger import LeaseState
from phase_operator.core.source.query import Account, SourceQuery
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.polling.stats import PollStats
from phase_operator.reconcile.ports import MetricsSink
from phase_operator.reconcile.store import PhaseSecretStore
from phase_operator.telemetry.metrics import Metrics
from phase_operator.telemetry.named import Named
from support.builders import phase_secret, query
from support.clock import HandClock

PAGE = Path(__file__).parents[3] / "docs/operating/metrics.md"
ROW = re.compile(r"\| `(phase_operator_\w+)` \| (\w+) \|([^|]*)\| [^|]+\. \|")


def _errand(resource_kind: str, kind: str) -> Errand:
    async def nothing(_: object) -> None:
        return None

    return Errand(ObjectKey("team", "db", resource_kind), Account("https://phase.example", "a"), kind, nothing)


POLLING = PollStats(
    queries=6,
    entries=60,
    staleness=7.5,
    unprobed=8,
    open_breakers=9,
    planned=19,
    overdue=20.5,
    quota_calls=12,
    quota_wait=13.5,
    quick=14,
    slow=15,
    held_back=16,
)


class OneSource:
    """As much of Poller as is exported of each."""

    def age(self, key: ObjectKey) -> float:
        """Say how long ago the source of any PhaseSecret was confirmed."""
        return 30.0

    def ages(self) -> list[tuple[str, SourceQuery, float]]:
        """Say it of the one source."""
        return [("team", query(), 30.0)]


def filled() -> Metrics:
    """Return metrics with one sample of everything, named or not."""
    metrics = counted()
    resources = PhaseSecretStore()
    resources.upsert(phase_secret(status={"conditions": [{"type": "Ready", "status": "True"}]}))
    metrics.registry.register(Named(resources, OneSource(), HandClock(), metrics.internal_errors))  # type: ignore[arg-type]  # as much as it asks
    return metrics


def counted() -> Metrics:
    """Return metrics with one sample of everything that there is by default."""
    metrics = Metrics("1.2.3")
    metrics.reconciled("Synced", "Succeeded", 0.2)
    metrics.asked("read", "ok")
    metrics.entries_read(12)
    metrics.answer_refused("memory")
    metrics.target_written("Secret")
    metrics.restarted("Deployment")
    metrics.restart_failed()
    metrics.status_written()
    metrics.event_posted("Normal")
    metrics.phase_call("secrets", "200", 0.1)
    metrics.kube_call("GET", "secrets", "404")
    metrics.kube_conflict("configmaps")
    metrics.watch_restarted("phasesecrets")
    metrics.internal_error("secrets")
    metrics.track_resources(lambda: (3, 2, 1), lambda: 2.5)
    metrics.track_queue("resources", lambda: 4, lambda: 5.5)
    metrics.track_polling(lambda: POLLING)
    metrics.track_answers(lambda: 17, 18)
    metrics.track_restarts(lambda: 10, lambda: 11)
    metrics.errand_made(_errand(names.KIND_PHASE_DYNAMIC_SECRET, "revoke"), "PhaseUnavailable")
    metrics.errand_made(_errand(names.KIND_PHASE_PUSH_SECRET, "post"), "ok")
    metrics.pushed("post", 7)
    metrics.track_pushes(lambda: 12, lambda: 13)
    metrics.lease_orphaned()
    metrics.lease_ended_early()
    metrics.track_leases(lambda: dict.fromkeys(LeaseState, 2), lambda: 1_800_000_000.0, lambda: 3)
    return metrics


def test_the_page_lists_exactly_what_is_registered() -> None:
    documented = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(PAGE.read_text())
    }

    registered = {}
    for family in filled().registry.collect():
        if not family.name.startswith("phase_operator_"):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
        registered[name] = (family.type, labels)
    assert documented == registered


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        pytest.param("build_info", {"version": "1.2.3"}, 1, id="build"),
        pytest.param("reconcile_total", {"outcome": "Synced", "reason": "Succeeded"}, 1, id="run"),
        pytest.param("reconcile_seconds_sum", {}, 0.2, id="duration of a run"),
        pytest.param("source_calls_total", {"kind": "read", "result": "ok"}, 1, id="read"),
        pytest.param("entries_read_total", {}, 12, id="entries read"),
        pytest.param("targets_written_total", {"kind": "Secret"}, 1, id="target"),
        pytest.param("workload_restarts_total", {"kind": "Deployment"}, 1, id="restart"),
        pytest.param("workload_restart_failures_total", {}, 1, id="restart that failed"),
        pytest.param("status_writes_total", {}, 1, id="status"),
        pytest.param("events_total", {"type": "Normal"}, 1, id="event"),
        pytest.param("phase_requests_total", {"route": "secrets", "status": "200"}, 1, id="request to Phase"),
        pytest.param("phase_request_seconds_sum", {"route": "secrets"}, 0.1, id="duration of a request"),
        pytest.param(
            "kubernetes_requests_total", {"verb": "GET", "resource": "secrets", "code": "404"}, 1, id="cluster"
        ),
        pytest.param("conflicts_total", {"resource": "configmaps"}, 1, id="conflict"),
        pytest.param("watch_restarts_total", {"watch": "phasesecrets"}, 1, id="watch"),
        pytest.param("resources", {"ready": "true"}, 3, id="ready"),
        pytest.param("resources", {"ready": "false"}, 2, id="not ready"),
        pytest.param("resources", {"ready": "unknown"}, 1, id="unknown"),
        pytest.param("not_ready_seconds", {}, 2.5, id="not ready for so long"),
        pytest.param("queue_depth", {"queue": "resources"}, 4, id="depth"),
        pytest.param("queue_oldest_seconds", {"queue": "resources"}, 5.5, id="oldest"),
        pytest.param("queue_depth", {"queue": "sources"}, 19, id="calls planned"),
        pytest.param("queue_oldest_seconds", {"queue": "sources"}, 20.5, id="a call overdue"),
        pytest.param("sources", {}, 6, id="sources"),
        pytest.param("source_entries", {}, 60, id="entries"),
        pytest.param("source_staleness_seconds", {}, 7.5, id="staleness"),
        pytest.param("answers_bytes", {}, 17, id="memory of answers"),
        pytest.param("answers_limit_bytes", {}, 18, id="limit of that memory"),
        pytest.param("answers_refused_total", {"limit": "memory"}, 1, id="answers refused"),
        pytest.param("quota_waiting_calls", {}, 12, id="calls that wait"),
        pytest.param("quota_wait_seconds", {}, 13.5, id="wait"),
        pytest.param("apps_unprobed", {}, 8, id="without probes"),
        pytest.param("breakers_open", {}, 9, id="breakers"),
        pytest.param("calls_under_way", {"pace": "quick"}, 14, id="quick calls"),
        pytest.param("calls_under_way", {"pace": "slow"}, 15, id="slow calls"),
        pytest.param("calls_held_back", {}, 16, id="calls held back"),
        pytest.param("rollouts", {}, 10, id="roll-outs"),
        pytest.param("restarts_waiting", {}, 11, id="restarts that wait"),
        *(pytest.param("leases", {"state": state}, 2, id=f"leases {state}") for state in LeaseState),
        pytest.param("lease_calls_total", {"kind": "revoke", "result": "PhaseUnavailable"}, 1, id="call about a lease"),
        pytest.param("lease_end_timestamp_seconds", {}, 1_800_000_000.0, id="end of a lease"),
        pytest.param("leases_ending", {}, 3, id="leases near their ends"),
        pytest.param("lease_orphans_total", {}, 1, id="lease that nobody has"),
        pytest.param("lease_early_total", {}, 1, id="lease that others revoked early"),
    ],
)
def test_each_method_moves_its_metric(name: str, labels: dict[str, str], value: float) -> None:
    assert filled().registry.get_sample_value(f"phase_operator_{name}", labels) == value


def test_by_default_no_label_has_a_name_that_somebody_chose() -> None:
    families = [each for each in counted().registry.collect() if each.name.startswith("phase_operator_")]

    labels = {label for family in families for sample in family.samples for label in sample.labels}
    assert labels.isdisjoint({"namespace", "name", "app", "environment", "path", "account", "host"})
    # As many series with any number of resources.
    assert sum(len(family.samples) for family in families) < 100


def test_a_tracked_number_is_asked_for_at_each_scrape() -> None:
    metrics = Metrics()
    items: list[int] = []
    metrics.track_queue("resources", items.__len__, lambda: 0.0)

    items.append(1)

    assert metrics.registry.get_sample_value("phase_operator_queue_depth", {"queue": "resources"}) == 1


def test_polling_is_counted_once_a_scrape() -> None:
    metrics = Metrics()
    counted: list[PollStats] = []

    def stats() -> PollStats:
        counted.append(PollStats(queries=len(counted) + 1))
        return counted[-1]

    metrics.track_polling(stats)
    counted.clear()

    assert [metrics.registry.get_sample_value("phase_operator_sources") for _ in range(3)] == [1, 2, 3]
    assert len(counted) == 3


def test_polling_that_cannot_be_counted_is_counted_at_the_next_scrape() -> None:
    answers: list[PollStats | None] = [None] * 12 + [PollStats(queries=5)]

    def stats() -> PollStats:
        found = answers.pop(0)
        if found is None:
            raise KeyError("text")
        return found

    metrics = Metrics()
    metrics.track_queue("resources", lambda: 7, lambda: 0.0)
    metrics.track_polling(stats)

    scraped = generate_latest(metrics.registry).decode()

    assert "phase_operator_sources NaN" in scraped
    assert 'phase_operator_queue_depth{queue="resources"} 7.0' in scraped
    assert metrics.registry.get_sample_value("phase_operator_sources") == 5


def test_metrics_are_the_loops_observer() -> None:
    metrics = Metrics()
    observer: MetricsSink = metrics

    observer.status_written()

    assert metrics.registry.get_sample_value("phase_operator_status_writes_total") == 1


def test_two_registries_share_nothing() -> None:
    first, second = Metrics(), Metrics()

    first.status_written()

    assert second.registry.get_sample_value("phase_operator_status_writes_total") == 0


def test_process_python_and_gc_are_there_and_creation_times_are_not() -> None:
    text = generate_latest(filled().registry).decode()

    assert "process_resident_memory_bytes" in text
    assert "python_info" in text
    assert "python_gc_collections_total" in text
    assert "_created" not in text


def test_a_number_that_is_not_known_costs_the_others_nothing() -> None:
    def broken() -> float:
        raise KeyError("text")

    metrics = Metrics()
    metrics.track_queue("resources", lambda: 7, broken)

    scraped = generate_latest(metrics.registry).decode()

    assert 'phase_operator_queue_depth{queue="resources"} 7.0' in scraped
    assert 'phase_operator_queue_oldest_seconds{queue="resources"} NaN' in scraped
    assert (metrics.registry.get_sample_value("phase_operator_internal_errors_total", {"task": "metrics"}) or 0) >= 1
