"""Alerts and dashboard ask for metrics and labels that the operator has, and for nothing else."""

import json
import re
from collections.abc import Iterator
from functools import cache

import promql_parser as promql
import pytest

from phase_dev.monitoring import alerts, alerts_page, dashboard
from phase_operator.api.crd import DEFINITIONS
from phase_operator.kube.client import _resource
from phase_operator.kube.paths import CORE, OURS, object_path
from unit.telemetry.test_metrics import filled

# Set by Prometheus and its operator on everything that is scraped, and `le` by a histogram.
TARGET = frozenset({"cluster", "namespace", "job", "pod"})
DASHBOARD = json.loads(dashboard.dashboard("note"))
EXPRESSIONS = {each.name: each.expr for each in alerts.ALERTS} | {
    f"{each.name}: {query.shows}": query.query for each in alerts.ALERTS for query in each.queries
}
EXPRESSIONS |= {
    f"{panel['title']}, {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
}


@cache
def exported() -> dict[str, frozenset[str]]:
    """Return the labels of every series that the operator exports, by the series' name."""
    return {
        sample.name: frozenset(sample.labels) for family in filled().registry.collect() for sample in family.samples
    }


def parsed(expr: str) -> promql.Expr:
    """Parse an expression as Grafana sends it, its variables filled in."""
    return promql.parse(expr.replace("$__rate_interval", "2m").replace("$job", ".+").replace("$namespace", ".+"))


def asked(expr: str) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    """Yield for each selector its metric, the labels that it matches and those that it is grouped by."""
    yield from _asked(parsed(expr), frozenset())


def _asked(node: promql.Expr, grouped: frozenset[str]) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    match node:
        case promql.VectorSelector():
            assert node.name is not None
            yield node.name, frozenset(each.name for each in node.matchers.matchers), grouped
        case promql.MatrixSelector():
            yield from _asked(node.vector_selector, grouped)
        case promql.AggregateExpr():
            assert node.modifier is None or node.modifier.type == promql.AggModifierType.By
            labels = frozenset(node.modifier.labels) if node.modifier is not None else frozenset()
            yield from _asked(node.expr, grouped | labels)
        case promql.BinaryExpr():
            assert node.modifier is None or node.modifier.matching is None
            yield from _asked(node.lhs, grouped)
            yield from _asked(node.rhs, grouped)
        case promql.ParenExpr():
            yield from _asked(node.expr, grouped)
        case promql.Call():
            for argument in node.args:
                yield from _asked(argument, grouped)
        case promql.NumberLiteral():
            pass
        case _:
            raise AssertionError(f"{type(node).__name__} is not looked into")


def wrong(expr: str) -> list[str]:
    """Return what an expression asks for and the operator does not have."""
    faults = []
    for metric, matched, grouped in asked(expr):
        if metric not in exported():
            faults.append(metric)
            continue
        faults += sorted((matched | grouped) - exported()[metric] - TARGET)
    return faults


def test_every_query_on_the_page_is_one_of_these() -> None:
    shown = re.findall(r"^ *```promql\n(.*?)^ *```", alerts_page.page("note"), re.DOTALL | re.MULTILINE)

    assert len(shown) > 2 * len(alerts.ALERTS)
    assert {" ".join(each.split()) for each in shown} <= {" ".join(each.split()) for each in EXPRESSIONS.values()}


def test_every_alert_has_queries_to_look_at_next() -> None:
    assert [each.name for each in alerts.ALERTS if not each.queries] == []


def test_each_asks_for_what_there_is() -> None:
    faults = {who: found for who, expr in EXPRESSIONS.items() if (found := wrong(expr))}

    assert not faults
    assert [who for who, expr in EXPRESSIONS.items() if not list(asked(expr))] == []
    assert len(EXPRESSIONS) > len(alerts.ALERTS)


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        pytest.param("sum(phase_operator_resource)", "phase_operator_resource", id="a metric that is none"),
        pytest.param('phase_operator_resources{redy="true"} > 0', "redy", id="a matcher"),
        pytest.param("sum by (redy) (rate(phase_operator_reconcile_total[5m]))", "redy", id="a group"),
        pytest.param("rate(phase_operator_reconcile_seconds[5m])", "phase_operator_reconcile_seconds", id="no suffix"),
        pytest.param("1 - (phase_operator_sources or phase_operator_sorces)", "phase_operator_sorces", id="nested"),
    ],
)
def test_an_unknown_metric_or_label_is_noticed(expr: str, fault: str) -> None:
    assert fault in wrong(expr)


def test_statuses_are_counted_under_the_name_that_the_alert_asks_for() -> None:
    alert = next(each for each in alerts.ALERTS if each.name == "PhaseOperatorStatusWritesFail")
    [asked_for] = re.findall(r'resource=~"([^"]*)"', alert.expr)

    counted = [_resource(object_path(OURS, each.plural, "team", "shop", "status")) for each in DEFINITIONS]
    assert all(re.fullmatch(asked_for, each) for each in counted)
    assert not re.fullmatch(asked_for, _resource(object_path(CORE, "secrets", "team", "shop")))


def test_readiness_is_asked_for_by_the_words_that_there_are() -> None:
    words = {who: set(re.findall(r'\bready="(\w*)"', expr)) for who, expr in EXPRESSIONS.items()}

    exported_words = {
        sample.labels["ready"]
        for family in filled().registry.collect()
        for sample in family.samples
        if "ready" in sample.labels
    }
    assert {who: found - exported_words for who, found in words.items() if found - exported_words} == {}
    assert any(words.values())


def test_the_dashboard_shows_every_metric_of_ours() -> None:
    exprs = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    shown = {metric for expr in exprs for metric, _, _ in asked(expr)}

    histograms = {name.removesuffix("_bucket") for name in exported() if name.endswith("_bucket")}
    ours = {name for name in exported() if name.startswith("phase_operator_")}
    assert ours - shown == {f"{name}_{part}" for name in histograms for part in ("count", "sum")}


def test_every_panel_says_what_to_make_of_it_and_takes_the_chosen_source() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

    assert len(panels) > 20
    for panel in panels:
        assert panel["description"].endswith(".")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            selectors = [matched for _, matched, _ in asked(target["expr"])]
            assert all(matched >= {"namespace", "job"} for matched in selectors)


def test_panels_lie_beside_each_other_and_not_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_numbers_and_names_of_panels_are_unique() -> None:
    panels = DASHBOARD["panels"]

    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)


def test_the_dashboard_has_the_rows_that_people_look_for() -> None:
    assert [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"] == [
        "Overview",
        "Sources and quota",
        "Queue and runs",
        "Kubernetes",
        "Restarts of workloads",
        "Leases of dynamic secrets",
        "Pushed entries",
        "Each PhaseSecret and source",
        "Process",
    ]
