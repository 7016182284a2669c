"""Metrics of each PhaseSecret and each source, exported with `--resource-metrics`.

Rule: they have no state of their own; a scrape reads what the loop knows. Labels are names, which are not secret: never
a key of an entry, a value, a token or anything about the account.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from phase_operator.core.timestamps import moment_of
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.store import PhaseSecretStore
from phase_operator.telemetry.freshness import in_step_at

# No folder has this name: paths begin with a slash.
_EVERY_FOLDER = "*"


class Named(Collector):
    """Collects the metrics; a series exists as long as its PhaseSecret or source does."""

    def __init__(
        self, resources: PhaseSecretStore, poller: Poller, clock: Clock, internal_errors: InternalErrors
    ) -> None:
        self._internal_errors = internal_errors
        self._resources = resources
        self._poller = poller
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of one scrape; an error ends them there and does not fail the scrape."""
        metrics = self._made()
        while metric := self._internal_errors.value_or(
            "number not known", lambda: next(metrics, None), None, task="metrics"
        ):
            yield metric

    def _made(self) -> Iterator[Metric]:
        now, ready_summaries = moment_of(self._clock.now()) or 0.0, self._resources.ready_summaries()
        yield _gauge(
            "resource_ready",
            "1 if the PhaseSecret is ready, 0 if it is not ready or not yet reconciled.",
            ("namespace", "name"),
            (((key.namespace, key.name), float(summary.ready is True)) for key, summary in ready_summaries),
        )
        succeeded = (
            ((key.namespace, key.name), in_step_at(summary, self._poller.age(key), now))
            for key, summary in ready_summaries
        )
        yield _gauge(
            "resource_last_success_timestamp_seconds",
            "Last time at which the PhaseSecret was known to be in step.",
            ("namespace", "name"),
            ((labels, at) for labels, at in succeeded if at is not None),
        )
        yield _gauge(
            "source_confirmed_timestamp_seconds",
            "Last time at which a probe or a read confirmed the source.",
            ("namespace", "app", "environment", "path"),
            self._confirmed_at(now),
        )

    def _confirmed_at(self, now: float) -> Iterator[tuple[tuple[str, ...], float]]:
        """Yield the labels and the time of each source; of queries with the same labels, the stalest one counts.

        Namespaces are kept apart: another namespace may use the same names for an app on a host of its own.
        """
        ages: dict[tuple[str, ...], float] = {}
        for namespace, query, age in self._poller.ages():
            path = _EVERY_FOLDER if query.path is None else query.path
            place: tuple[str, ...] = (namespace, query.app.id or query.app.name or "", query.environment, path)
            ages[place] = max(age, ages.get(place, 0.0))
        for place, age in ages.items():
            yield place, round(now - age)


def _gauge(
    name: str, meaning: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"phase_operator_{name}", meaning, labels=labels)
    for each, value in values:
        family.add_metric(each, value)
    return family
