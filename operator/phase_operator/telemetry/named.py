"""Metrics of each PhaseSecret and each source, for whoever asks for them by `--resource-metrics`.

Rule: nothing is kept for them, a scrape reads what the loop knows. Labels are names, which are no secret; never a key,
a value or a token, and nothing of the account.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.internal_errors import Faults
from phase_operator.reconcile.polling.poller import Sources
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.store import Resources, Standing

# No folder is called so: they begin with a slash.
_EVERY_FOLDER = "*"


class Named(Collector):
    """What there is to say of each; series come and go with what they are named after."""

    def __init__(self, resources: Resources, sources: Sources, clock: Clock, faults: Faults) -> None:
        self._faults = faults
        self._resources = resources
        self._sources = sources
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Make the metrics of one scrape; if one cannot be made, the scrape goes on without it and the next ones."""
        try:
            yield from self._made()
        except Exception as error:  # noqa: BLE001 - these must not cost the operator's own metrics
            self._faults.caught("number not known", error, task="metrics")

    def _made(self) -> Iterator[Metric]:
        now, standings = moment_of(self._clock.now()) or 0.0, self._resources.standings()
        yield _gauge(
            "resource_ready",
            "1 if the PhaseSecret is ready, 0 if it is not, or not judged yet.",
            ("namespace", "name"),
            (((key.namespace, key.name), float(standing.ready is True)) for key, standing in standings),
        )
        succeeded = (((key.namespace, key.name), self._succeeded_at(key, standing, now)) for key, standing in standings)
        yield _gauge(
            "resource_last_success_timestamp_seconds",
            "When the PhaseSecret was last known to be in step.",
            ("namespace", "name"),
            ((labels, at) for labels, at in succeeded if at is not None),
        )
        yield _gauge(
            "source_confirmed_timestamp_seconds",
            "When the source was last confirmed by a probe or a read.",
            ("namespace", "app", "environment", "path"),
            self._confirmed_at(now),
        )

    def _succeeded_at(self, key: ObjectKey, standing: Standing, now: float) -> float | None:
        """Return when its source was confirmed, if it is ready; else since when it is not; None if it never was."""
        if not standing.ready:
            return standing.since if standing.was_ready else None
        age = self._sources.age(key)
        return None if age is None else round(now - age)

    def _confirmed_at(self, now: float) -> Iterator[tuple[tuple[str, ...], float]]:
        """Yield places; of the questions that differ in account, host and tags only, the one furthest behind.

        Each namespace by itself: what others name alike, on a host of their own, says nothing of its sources.
        """
        ages: dict[tuple[str, ...], float] = {}
        for namespace, query, age in self._sources.ages():
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
