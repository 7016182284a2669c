"""When people have to act: the Prometheus alerts of alerts.yaml, as rules on the operator's metrics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from phase_dev import documents

PAGE = "docs/operating/alerts.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query to look at when an alert fires, and what it shows."""

    shows: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: its text (Prometheus fills in labels and value), and what the page says about it."""

    name: str
    severity: Literal["critical", "warning", "info"]
    """How soon a person has to look."""
    expr: str
    lasting: str
    """How long it has to be so, as Prometheus spells it."""
    summary: str
    description: str
    means: str
    threshold: str
    """Why not sooner and not later."""
    cure: str
    queries: tuple[Query, ...]
    """What to look at next."""


def _read() -> tuple[Alert, ...]:
    here = Path(__file__)
    found = documents.load(here.with_name("alerts.yaml").read_text())
    queries = documents.load(here.with_name("drilldowns.yaml").read_text())
    named = [{**each, "queries": queries.pop(each["name"])} for each in found]
    if queries:
        raise ValueError(f"drilldowns.yaml has queries of no alert: {sorted(queries)}")
    return TypeAdapter(tuple[Alert, ...]).validate_python(named)


ALERTS = _read()


def groups() -> list[dict[str, Any]]:
    """Return the rule groups as Prometheus reads them."""
    return [{"name": "phase-operator", "rules": [_rule(alert) for alert in ALERTS]}]


def rule_object() -> dict[str, Any]:
    """Return the groups as a PrometheusRule beside the operator of `deploy/base`."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "phase-operator", "namespace": "phase-system"},
        "spec": {"groups": groups()},
    }


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": " ".join(alert.expr.split()),
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            **_runbook(alert),
        },
    }


def _runbook(alert: Alert) -> dict[str, str]:
    """Return where the page is: in the repository, and for links. The chart puts a URL into the latter."""
    place = f"{PAGE}#{alert.name.lower()}"
    return {"runbook": place, "runbook_url": place}
