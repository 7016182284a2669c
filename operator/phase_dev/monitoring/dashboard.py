"""Build the operator's Grafana dashboard of the panels in dashboard.yaml.

Rule: what a panel shows and says is in the YAML; here is how every panel looks.
"""

import json
from pathlib import Path
from string import ascii_uppercase

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

from phase_dev import documents

PANELS = Path(__file__).with_name("dashboard.yaml")

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_PODS = 'namespace=~"$namespace", job=~"$job"'
# Grafana's grid has 24 columns.
_THIRD, _EIGHTH = 8, 3
_TALL, _SHORT = 8, 4


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
    for row in documents.load(PANELS.read_text()):
        built.with_row(Row(row["row"]))
        for panel in row["panels"]:
            built.with_panel(_graph(**panel) if "graph" in panel else _number(**panel))
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


def _graph(*, graph: str, description: str, unit: str, queries: dict[str, str], width: int = _THIRD) -> Timeseries:
    """Build lines over time; each query has the name of its lines."""
    built = (
        Timeseries()
        .title(graph)
        .description(description)
        .datasource(_SOURCE)
        .unit(unit)
        .min(0)
        .fill_opacity(10)
        .height(_TALL)
        .span(width)
        .legend(
            VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for ref, (legend, query) in zip(ascii_uppercase, queries.items(), strict=False):
        built.with_target(_query(query, legend, ref).range())
    return built


def _number(
    *,
    number: str,
    description: str,
    query: str,
    unit: str = "short",
    legend: str = "",
    red_from: float | None = None,
    red_below: float | None = None,
) -> Stat:
    """Build one number as it is now; with a legend, that is shown in place of the number."""
    steps = [Threshold(value=None, color="red" if red_below is not None else "green")]
    if red_below is not None:
        steps.append(Threshold(value=red_below, color="green"))
    if red_from is not None:
        steps.append(Threshold(value=red_from, color="red"))
    return (
        Stat()
        .title(number)
        .description(description)
        .datasource(_SOURCE)
        .unit(unit)
        .height(_SHORT)
        .span(_EIGHTH)
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.NAME if legend else BigValueTextMode.VALUE)
        .with_target(_query(query, legend, "A").instant())
    )


def _query(expr: str, legend: str, ref: str) -> Dataquery:
    return Dataquery().expr(expr.replace("$pods", _PODS)).legend_format(legend).ref_id(ref)
