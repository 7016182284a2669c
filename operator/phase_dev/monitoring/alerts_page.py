"""The page about the alerts.

Rule: what an alert says is in alerts.yaml; here is how they are installed, and what they leave out.
"""

from collections.abc import Iterator

from phase_dev.monitoring.alerts import ALERTS, Alert

_OPENING = """\
Prometheus rules for the operator, on its [metrics](metrics.md) alone. Whichever alert fires, targets keep
their content. To install them:

- as a PrometheusRule: `deploy/monitoring` of [the manifests](../../deploy/README.md#monitoring), or
  `metrics.prometheusRule.enabled` of [the chart](../../helm/phase-operator/README.md#values);
- without the Prometheus operator: `helm/phase-operator/files/alerts.yaml`, under `rule_files`."""

_NOTES = """\
- **Severity** is a label: `critical` means that no change of Phase arrives any more, or that credentials are void;
  `warning` that something fails or is late; `info` that it is good to know.
- **Labels** are `namespace` and `job`, those of the operator, and `cluster` where metrics of several clusters come
  together. No alert names a PhaseSecret, because by default [no metric does](metrics.md); `kubectl get phs -A` does.
- **The annotation `runbook`** is the path of this page in the repository, with the section. **`runbook_url`** is the
  same path until you publish the page: set `metrics.prometheusRule.runbookUrl` of the chart to its URL. With the
  manifests, replace it before you apply them:

  ```console
  $ sed -i "s|runbook_url: docs/|runbook_url: https://docs.example.com/|" deploy/monitoring/prometheusrule.yaml
  ```
- **The queries** under *Look further* go on from an alert. Add `namespace` and `job` of the alert to their selectors if
  Prometheus scrapes several installations. Empty results are good news in most of them: a counter that was never
  increased is not there.
- **Thresholds** hold for an operator with its own defaults. Each section says what its threshold is made of; to change
  one, patch it in your own overlay.

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
    yield "**Look further:**"
    yield from (f"- {each.shows}:\n\n  ```promql\n  {each.query}\n  ```" for each in alert.queries)
