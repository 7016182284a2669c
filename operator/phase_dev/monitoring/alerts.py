"""When people have to act: the Prometheus alerts of alerts.yaml, as rules on the operator's metrics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from phase_dev import documents

PAGE = "docs/operating/alerts.md"


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


ALERTS = TypeAdapter(tuple[Alert, ...]).validate_python(
    documents.load(Path(__file__).with_name("alerts.yaml").read_text())
)


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
            "runbook": f"{PAGE}#{alert.name.lower()}",
        },
    }
