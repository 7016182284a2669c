"""The operator's Grafana dashboard.

Rule: every metric of the operator is in it, and a panel's description says what to make of what it shows.
"""

import json
from dataclasses import dataclass
from enum import Enum

from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DatasourceVariable,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# Grafana's grid has 24 columns.
_THIRD, _QUARTER, _EIGHTH = 8, 6, 3
_TALL, _SHORT = 8, 4


class Unit(Enum):
    """Units as Grafana names them."""

    NUMBER = "short"
    SECONDS = "s"
    PER_SECOND = "ops"
    BYTES = "bytes"
    CORES = "percentunit"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and the name of its lines."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Lines over time."""

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    width: int = _THIRD


@dataclass(frozen=True, slots=True)
class Number:
    """One number, or word, as it is now."""

    title: str
    description: str
    query: Query
    unit: Unit = Unit.NUMBER
    red_from: float | None = None
    red_below: float | None = None
    shows_legend: bool = False


Panel = Graph | Number


def _pods(matcher: str = "") -> str:
    """Select the pods that were chosen."""
    return f'{{namespace=~"$namespace", job=~"$job"{", " if matcher else ""}{matcher}}}'


_PODS = _pods()
# Prometheus's own label `namespace` is the pod's; it calls that of the series so.
_EACH = "{{exported_namespace}}/{{name}}"


def _rate(metric: str, *labels: str) -> str:
    return f"sum by ({', '.join(labels)}) (rate({metric}{_PODS}[$__rate_interval]))"


def _quantile(share: float, metric: str, *labels: str) -> str:
    return f"histogram_quantile({share}, {_rate(f'{metric}_bucket', 'le', *labels)})"


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Overview",
        (
            Number(
                "Ready",
                "PhaseSecrets whose targets are in step.",
                Query("sum(phase_operator_resources" + _pods('ready="true"') + ")"),
            ),
            Number(
                "Not ready",
                "PhaseSecrets that something keeps from being in step; kubectl get phs -A has the reasons.",
                Query("sum(phase_operator_resources" + _pods('ready="false"') + ")"),
                red_from=1,
            ),
            Number(
                "Not ready for",
                "How long the PhaseSecret that is not ready for longest has not been.",
                Query(f"max(phase_operator_not_ready_seconds{_PODS})"),
                unit=Unit.SECONDS,
                red_from=900,
            ),
            Number(
                "Not judged yet",
                "PhaseSecrets whose first run has not ended.",
                Query("sum(phase_operator_resources" + _pods('ready="unknown"') + ")"),
                red_from=1,
            ),
            Number(
                "Leaders",
                "Replicas that lead: one for each installation. None means that nobody follows Phase.",
                Query(f"sum(phase_operator_leader{_PODS})"),
                red_below=1,
            ),
            Number(
                "Oldest answer",
                "Time since the source furthest behind was confirmed by a probe or a read.",
                Query(f"max(phase_operator_source_staleness_seconds{_PODS})"),
                unit=Unit.SECONDS,
                red_from=5400,
            ),
            Number(
                "Certificate of Phase",
                "Time until the first certificate of Phase's hosts runs out; none where Phase is asked in the clear.",
                Query(f"min(phase_operator_phase_certificate_expiry_timestamp_seconds{_PODS}) - time()"),
                unit=Unit.SECONDS,
                red_below=14 * 86400,
            ),
            Number(
                "Version",
                "The version that runs; two of them while it is upgraded.",
                Query(f"max by (version) (phase_operator_build_info{_PODS})", "{{version}}"),
                shows_legend=True,
            ),
            Graph(
                "PhaseSecrets",
                "By the status of their Ready condition.",
                Unit.NUMBER,
                (Query(f"sum by (ready) (phase_operator_resources{_PODS})", "ready: {{ready}}"),),
            ),
            Graph(
                "Leader",
                "Which pod leads. Pods that stand by are at 0.",
                Unit.NUMBER,
                (Query(f"max by (pod) (phase_operator_leader{_PODS})", "{{pod}}"),),
            ),
            Graph(
                "Written",
                "Objects, statuses and Events. All of it stands still while nothing changes.",
                Unit.PER_SECOND,
                (
                    Query(_rate("phase_operator_targets_written_total", "kind"), "{{kind}}"),
                    Query(f"sum(rate(phase_operator_status_writes_total{_PODS}[$__rate_interval]))", "status"),
                    Query(_rate("phase_operator_events_total", "type"), "Event: {{type}}"),
                ),
            ),
        ),
    ),
    (
        "Sources and quota",
        (
            Graph(
                "Calls to Phase by result",
                "What was asked, and what came of it: ok, or a reason that troubleshooting explains.",
                Unit.PER_SECOND,
                (Query(_rate("phase_operator_source_calls_total", "kind", "result"), "{{kind}}: {{result}}"),),
            ),
            Graph(
                "Refused for the quota",
                "Answers 429 of Phase. One in an hour is how a quota is learned; more mean that others use the "
                "account, or that --phase-quota is too high.",
                Unit.PER_SECOND,
                (
                    Query(
                        "sum by (route) (rate(phase_operator_phase_requests_total"
                        + _pods('status="429"')
                        + "[$__rate_interval]))",
                        "{{route}}",
                    ),
                ),
            ),
            Graph(
                "Staleness",
                "Seconds since the source furthest behind was confirmed. While all is well it stays below the longest "
                "polling interval.",
                Unit.SECONDS,
                (Query(f"max by (pod) (phase_operator_source_staleness_seconds{_PODS})", "{{pod}}"),),
            ),
            Graph(
                "Requests to Phase by status",
                "HTTP codes, or a word where there was no answer.",
                Unit.PER_SECOND,
                (Query(_rate("phase_operator_phase_requests_total", "route", "status"), "{{route}}: {{status}}"),),
            ),
            Graph(
                "Duration of requests to Phase",
                "Median and 99th percentile.",
                Unit.SECONDS,
                (
                    Query(_quantile(0.5, "phase_operator_phase_request_seconds", "route"), "{{route}} p50"),
                    Query(_quantile(0.99, "phase_operator_phase_request_seconds", "route"), "{{route}} p99"),
                ),
            ),
            Graph(
                "Sources",
                "Distinct questions that are watched; apps for which Phase answers no probes, so that they are read at "
                "the polling interval; hosts and accounts that are asked with one call at a time, because they fail.",
                Unit.NUMBER,
                (
                    Query(f"sum(phase_operator_sources{_PODS})", "sources"),
                    Query(f"sum(phase_operator_apps_unprobed{_PODS})", "apps without probes"),
                    Query(f"sum(phase_operator_breakers_open{_PODS})", "breakers open"),
                ),
            ),
            Graph(
                "Calls under way",
                "Calls to Phase of those who answer soon, and of those who do not; accounts that wait because their "
                "namespace or host has its share of these. A namespace whose hosts hang waits for itself alone.",
                Unit.NUMBER,
                (
                    Query(f"sum by (pace) (phase_operator_calls_under_way{_PODS})", "{{pace}}"),
                    Query(f"sum(phase_operator_calls_held_back{_PODS})", "held back"),
                ),
            ),
            Graph(
                "Wait for the quota",
                "How long the first of the calls that are due has waited for the quota of its account. A line that "
                "stays up means that more is asked than the quota allows: changes arrive so much later.",
                Unit.SECONDS,
                (Query(f"max by (pod) (phase_operator_quota_wait_seconds{_PODS})", "{{pod}}"),),
            ),
            Graph(
                "Calls that wait for the quota",
                "Calls that are due and wait for the quota of their account.",
                Unit.NUMBER,
                (Query(f"sum(phase_operator_quota_waiting_calls{_PODS})", "calls"),),
            ),
            Graph(
                "Entries",
                "Entries that the sources hold, and those that were read in the last hour: Phase writes an audit "
                "record for each of these.",
                Unit.NUMBER,
                (
                    Query(f"sum(phase_operator_source_entries{_PODS})", "held"),
                    Query(f"sum(increase(phase_operator_entries_read_total{_PODS}[1h]))", "read"),
                ),
            ),
            Graph(
                "Memory of answers",
                "What answers of Phase take, those being read included, and how much they may take. The last quarter "
                "is kept back for small answers and for what is read again.",
                Unit.BYTES,
                (
                    Query(f"max by (pod) (phase_operator_answers_bytes{_PODS})", "{{pod}}"),
                    Query(f"max(phase_operator_answers_limit_bytes{_PODS})", "limit"),
                ),
            ),
            Graph(
                "Answers too large",
                "Answers of Phase that were refused in the last hour: over the limit for one answer, or over a "
                "namespace's share of the memory for all of them.",
                Unit.NUMBER,
                (Query(f"sum by (limit) (increase(phase_operator_answers_refused_total{_PODS}[1h]))", "{{limit}}"),),
            ),
        ),
    ),
    (
        "Queue and runs",
        (
            Graph(
                "Runs by outcome",
                "Finished runs. None while nothing changes.",
                Unit.PER_SECOND,
                (Query(_rate("phase_operator_reconcile_total", "outcome", "reason"), "{{outcome}} {{reason}}"),),
                width=_QUARTER,
            ),
            Graph(
                "Duration of runs",
                "Median and 99th percentile.",
                Unit.SECONDS,
                (
                    Query(_quantile(0.5, "phase_operator_reconcile_seconds"), "p50"),
                    Query(_quantile(0.99, "phase_operator_reconcile_seconds"), "p99"),
                ),
                width=_QUARTER,
            ),
            Graph(
                "Queue depth",
                "Items that wait, most of them for a later time.",
                Unit.NUMBER,
                (Query(f"sum by (queue) (phase_operator_queue_depth{_PODS})", "{{queue}}"),),
                width=_QUARTER,
            ),
            Graph(
                "Oldest that is due",
                "How long it has waited. A line that keeps growing means that the loop is stuck; after five minutes "
                "the liveness probe fails.",
                Unit.SECONDS,
                (Query(f"max by (queue) (phase_operator_queue_oldest_seconds{_PODS})", "{{queue}}"),),
                width=_QUARTER,
            ),
        ),
    ),
    (
        "Kubernetes",
        (
            Graph(
                "Requests",
                "By verb and resource; watches count when they begin.",
                Unit.PER_SECOND,
                (
                    Query(
                        _rate("phase_operator_kubernetes_requests_total", "verb", "resource"), "{{verb}} {{resource}}"
                    ),
                ),
                width=_QUARTER,
            ),
            Graph(
                "Refused or failed",
                "By code. 404 is left out: to look for what may not be there is no fault.",
                Unit.PER_SECOND,
                (
                    Query(
                        "sum by (verb, resource, code) (rate(phase_operator_kubernetes_requests_total"
                        + _pods('code!~"2..|404"')
                        + "[$__rate_interval]))",
                        "{{code}} {{verb}} {{resource}}",
                    ),
                ),
                width=_QUARTER,
            ),
            Graph(
                "Conflicts",
                "Writes refused since somebody else was faster, in the last 15 minutes; they are judged anew. "
                "Many mean that two write the same object.",
                Unit.NUMBER,
                (Query(f"sum by (resource) (increase(phase_operator_conflicts_total{_PODS}[15m]))", "{{resource}}"),),
                width=_QUARTER,
            ),
            Graph(
                "Watches started again, and bugs",
                "In the last 15 minutes. A few watches when an API server is replaced; no bugs, no namespace.",
                Unit.NUMBER,
                (
                    Query(
                        f"sum by (watch) (increase(phase_operator_watch_restarts_total{_PODS}[15m]))",
                        "{{watch}}",
                    ),
                    Query(
                        f"sum by (task) (increase(phase_operator_internal_errors_total{_PODS}[15m]))",
                        "bug in {{task}}",
                    ),
                    Query(f"max(phase_operator_namespaces_unserved{_PODS})", "namespaces not served"),
                ),
                width=_QUARTER,
            ),
        ),
    ),
    (
        "Restarts of workloads",
        (
            Graph(
                "Restarted",
                "In the last hour, by kind.",
                Unit.NUMBER,
                (
                    Query(
                        f"sum by (kind) (increase(phase_operator_workload_restarts_total{_PODS}[1h]))",
                        "{{kind}}",
                    ),
                ),
            ),
            Graph(
                "Failed",
                "Workloads, or looks at the workloads of a namespace, in the last 15 minutes; they are tried again.",
                Unit.NUMBER,
                (Query(f"sum(increase(phase_operator_workload_restart_failures_total{_PODS}[15m]))", "failures"),),
            ),
            Graph(
                "Under way and waiting",
                "Roll-outs that may still go on, and targets with workloads whose restart waits for something.",
                Unit.NUMBER,
                (
                    Query(f"sum(phase_operator_rollouts{_PODS})", "roll-outs"),
                    Query(f"sum(phase_operator_restarts_waiting{_PODS})", "targets that wait"),
                ),
            ),
        ),
    ),
    (
        "Each PhaseSecret and source",
        (
            Graph(
                "Who is not ready",
                "A line for each PhaseSecret that is not ready, for twenty at most. Empty unless --resource-metrics is "
                "set.",
                Unit.NUMBER,
                (Query(f"topk(20, 1 - phase_operator_resource_ready{_PODS} > 0)", _EACH),),
            ),
            Graph(
                "Longest without success",
                "Ten PhaseSecrets, and how long ago they were last known to be in step. Empty unless "
                "--resource-metrics is set.",
                Unit.SECONDS,
                (
                    Query(
                        f"topk(10, time() - phase_operator_resource_last_success_timestamp_seconds{_PODS})",
                        _EACH,
                    ),
                ),
            ),
            Graph(
                "Sources furthest behind",
                "Ten sources, and how long ago they were last confirmed. Empty unless --resource-metrics is set.",
                Unit.SECONDS,
                (
                    Query(
                        f"topk(10, time() - phase_operator_source_confirmed_timestamp_seconds{_PODS})",
                        "{{exported_namespace}} {{app}} {{environment}} {{path}}",
                    ),
                ),
            ),
        ),
    ),
    (
        "Process",
        (
            Graph(
                "Memory",
                "Resident memory of each pod; figures.md has what to expect.",
                Unit.BYTES,
                (Query(f"process_resident_memory_bytes{_PODS}", "{{pod}}"),),
            ),
            Graph(
                "CPU",
                "Share of a core.",
                Unit.CORES,
                (Query(_rate("process_cpu_seconds_total", "pod"), "{{pod}}"),),
            ),
            Graph(
                "Open files and uptime",
                "Descriptors, connections among them; and for how long the process runs.",
                Unit.NUMBER,
                (
                    Query(f"process_open_fds{_PODS}", "files of {{pod}}"),
                    Query(f"(time() - process_start_time_seconds{_PODS}) / 3600", "hours of {{pod}}"),
                ),
            ),
        ),
    ),
)


def dashboard(note: str) -> str:
    """Return the dashboard as JSON; `note` says where it comes from."""
    built = (
        Dashboard("Phase operator")
        .uid("phase-operator")
        .description(f"PhaseSecrets, Phase, Kubernetes and the process, by the operator's own metrics. {note}")
        .tags(["phase-operator", "secrets"])
        .refresh("1m")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_choice("namespace", "Namespace", "phase_operator_build_info"))
        .with_variable(_choice("job", "Job", 'phase_operator_build_info{namespace=~"$namespace"}'))
    )
    for title, panels in ROWS:
        built.with_row(Row(title))
        for panel in panels:
            built.with_panel(_graph(panel) if isinstance(panel, Graph) else _number(panel))
    document = built.build()
    # Without numbers of their own Grafana gives some, and the next export differs.
    for number, each in enumerate(document.panels or (), start=1):
        each.id_val = number
    return json.dumps(document, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _choice(label: str, title: str, metric: str) -> QueryVariable:
    """Let one choose among the values of a label; at first all of them."""
    return (
        QueryVariable(label)
        .label(title)
        .datasource(_SOURCE)
        .query(f"label_values({metric}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # Also what has no such label: nobody but a hand-written scrape configuration leaves it out.
        .all_value(".*")
    )


def _graph(panel: Graph) -> Timeseries:
    built = (
        Timeseries()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit.value)
        .min(0)
        .fill_opacity(10)
        .height(_TALL)
        .span(panel.width)
        .legend(
            VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for query, ref in zip(panel.queries, "ABC", strict=False):
        built.with_target(Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref).range())
    return built


def _number(panel: Number) -> Stat:
    steps = [Threshold(value=None, color="red" if panel.red_below is not None else "green")]
    if panel.red_below is not None:
        steps.append(Threshold(value=panel.red_below, color="green"))
    if panel.red_from is not None:
        steps.append(Threshold(value=panel.red_from, color="red"))
    query = Dataquery().expr(panel.query.expr).legend_format(panel.query.legend).ref_id("A").instant()
    return (
        Stat()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit.value)
        .height(_SHORT)
        .span(_EIGHTH)
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.NAME if panel.shows_legend else BigValueTextMode.VALUE)
        .with_target(query)
    )
