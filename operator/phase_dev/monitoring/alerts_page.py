"""The page about the alerts.

Rule: what an alert says is in alerts.yaml; here is how they are taken in, and what they do not tell.
"""

from collections.abc import Iterator

from phase_dev.monitoring.alerts import ALERTS, Alert

_OPENING = """\
Prometheus rules for the operator. They go by the [metrics](metrics.md) alone. Whatever fires: targets keep what they
hold. To take them in:

- as a PrometheusRule: `deploy/monitoring`, as [the manifests](../../deploy/README.md#monitoring) tell, or
  `metrics.prometheusRule.enabled` of [the chart](../../helm/phase-operator/README.md#values);
- without the Prometheus operator: `helm/phase-operator/files/alerts.yaml`, under `rule_files`."""

_NOTES = """\
- **Severity** is a label: `critical` means that nothing follows Phase any more, `warning` that something does not,
  `info` that it is good to know.
- **Labels** are `namespace` and `job`, those of the operator, and `cluster` where metrics of several clusters come
  together. No alert names a PhaseSecret, because by default [no metric does](metrics.md); `kubectl get phs -A` does.
- **The `runbook` annotation** is the path of this page in the repository, and the section in it.
- **Thresholds** hold for an operator with its own defaults. Each section says what its threshold is made of; to change
  one, patch it in an overlay of your own.

Each alert is tested with promtool on series for which it has to fire and on series for which it has to be silent."""


def page(note: str) -> str:
    """Return the page; `note` says where it comes from."""
    table = ["| alert | severity | after | what it says |", "|---|---|---|---|"]
    table += [
        f"| [{each.name}](#{each.name.lower()}) | {each.severity} | {each.lasting} | {each.summary} |"
        for each in ALERTS
    ]
    parts = [f"<!-- {note} -->", "# Alerts", _OPENING, "\n".join(table), _NOTES]
    parts += [part for alert in ALERTS for part in _section(alert)]
    return "\n\n".join(parts) + "\n"


def _section(alert: Alert) -> Iterator[str]:
    yield f"## {alert.name}"
    yield alert.means
    yield f"```promql\n{alert.expr}\n```"
    yield f"For {alert.lasting}. {alert.threshold}"
    yield f"**What to do:** {alert.cure}"
