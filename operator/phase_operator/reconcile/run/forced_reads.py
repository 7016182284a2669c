"""The sync annotation: a new value asks for one read, and the status records the value when that read was answered."""

from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.store import Resource


class ForcedReads:
    """Remembers for which value of the annotation a read was asked for, for runs of any PhaseSecret."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._values: dict[ObjectKey, str] = {}

    def take(self, resource: Resource) -> bool:
        """Return True once for each new value of the annotation: a read has to be asked for."""
        value = resource.sync
        if value is None or value in (resource.status.get("lastForcedSync"), self._values.get(resource.key)):
            return False
        self._values[resource.key] = value
        return True

    def answered(self, key: ObjectKey) -> str | None:
        """Return the value whose read was answered; None if there is none, or its read is still to come."""
        # It stays until another value comes: a status that cannot be written is no reason to read again.
        value = self._values.get(key)
        return None if value is None or self._poller.is_owed(key) else value

    def forget(self, key: ObjectKey) -> None:
        """Drop what is remembered of a PhaseSecret."""
        self._values.pop(key, None)
