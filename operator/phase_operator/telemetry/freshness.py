"""When PhaseSecrets were last known to be in step.

Rule: nobody learns of a PhaseSecret here, for the port has no authentication. Whoever asks names it together with its
uid, which only those know who may read it.
"""

from collections.abc import Iterable

from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.store import PhaseSecretStore, ReadySummary


class Freshness:
    """Knows since when nobody has confirmed a PhaseSecret; it has no state of its own."""

    def __init__(self, resources: PhaseSecretStore, poller: Poller, clock: Clock) -> None:
        self._resources = resources
        self._poller = poller
        self._clock = clock

    def ages(self, asked: Iterable[str]) -> dict[str, int | None]:
        """Return by uid how many seconds ago each PhaseSecret was last known to be in step; None if it never was.

        Each is asked for as `namespace/name/uid`. One that is not there is left out, whatever is wrong with its name.
        """
        now = moment_of(self._clock.now()) or 0.0
        found: dict[str, int | None] = {}
        for each in asked:
            place, _, uid = each.rpartition("/")
            namespace, _, name = place.partition("/")
            key = ObjectKey(namespace, name)
            summary = self._resources.ready_summary(key, uid)
            if summary is not None:
                at = in_step_at(summary, self._poller.age(key), now)
                found[uid] = None if at is None else max(0, round(now - at))
        return found


def in_step_at(summary: ReadySummary, age: float | None, now: float) -> float | None:
    """Return when the source of a ready PhaseSecret was confirmed, or when an unready one stopped being ready.

    `age` is the time since a probe or a read confirmed its source, if any did. None if it was never ready, or its
    source was never confirmed.
    """
    if not summary.ready:
        return summary.since if summary.was_ready else None
    return None if age is None else round(now - age)
