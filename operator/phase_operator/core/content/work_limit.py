"""The limit of one run's work, counted and not timed.

Rule: users determine the size of a run, by the texts in its spec and the values in Phase. A run ends when its limit is
used up, and reports that on its resource.
"""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting


class WorkLimit:
    """The units of work that one run may use; a unit is about one character handled."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._left = units

    def spend(self, units: int, where: str) -> None:
        """Use units; raise Waiting(TEMPLATE_FAILED) if too few are left. `where` begins the message."""
        self._left -= units
        if self._left < 0:
            raise Waiting(
                Reason.TEMPLATE_FAILED,
                f"{where}: the templates of this PhaseSecret take too much work: more than {self._units:,} characters "
                "of text in all; use fewer functions, or several PhaseSecrets",
            )

    def affords(self, units: int) -> bool:
        """Use units for optional work; return False if too few are left."""
        if units > self._left:
            return False
        self._left -= units
        return True
