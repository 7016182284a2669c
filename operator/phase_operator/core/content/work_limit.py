"""How much work one run may be, counted and not timed.

Rule: what a run is to do is sized by others: its texts by who writes the spec, its values by who answers. It ends where
its budget does, whatever it is made of, and says so on the resource that asked for it.
"""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting


class Budget:
    """So many units for one run; a unit is about a letter that is handled."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._left = units

    def spend(self, units: int, where: str) -> None:
        """Take units; raise Waiting(TEMPLATE_FAILED) when none are left. `where` opens the message."""
        self._left -= units
        if self._left < 0:
            raise Waiting(
                Reason.TEMPLATE_FAILED,
                f"{where}: the templates of this PhaseSecret take too much work: more than {self._units:,} characters "
                "of text in all; use fewer functions, or several PhaseSecrets",
            )

    def affords(self, units: int) -> bool:
        """Take units for what can be left out, and say whether there are as many."""
        if units > self._left:
            return False
        self._left -= units
        return True
