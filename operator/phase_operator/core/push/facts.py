"""What is known besides the ledger when the next step of a push is decided.

Everything here may be lost with the process: what is missing after a start is looked up, never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from phase_operator.api.v1alpha1.phasepushsecret import UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.core.push.desired import Desired
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.limits import MOST_IN_CALL
from phase_operator.core.push.looks import Look
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace


@dataclass(frozen=True, slots=True)
class Policies:
    """What the spec allows to be done to entries."""

    update: UpdatePolicy = UpdatePolicy.OWNED
    deletion: DeletionPolicy = DeletionPolicy.RETAIN
    # Whether a sealed entry is deleted and made anew where its value has to change.
    replaces_sealed: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision needs besides the ledger and the time."""

    at: PushPlace
    mark: Mark
    desired: Desired
    policies: Policies = field(default_factory=Policies)
    look: Look | None = None
    # Attempts that this process announced and has not sent.
    ready: frozenset[str] = frozenset()
    # Attempts that make nothing any more, for certain: Phase refused them, maybe in the middle, or they could not be
    # sent. The look was made after that.
    refused: frozenset[str] = frozenset()
    # When the answer of an attempt of this process was lost, in seconds since 1970.
    lost: Mapping[str, float] = field(default_factory=dict)
    # Places whose value is, for all that this process wrote itself, still the one in Phase: only the source moved.
    unchanged: frozenset[EntryPlace] = frozenset()
    # Entries in one call: fewer after a call that was refused, to find the one that is at fault.
    most_in_call: int = MOST_IN_CALL
    # Random bits for the next attempt.
    bits: int = 0
    # Whether Phase has refused for long to show the environment that is looked at.
    is_shut_out: bool = False

    @property
    def look_there(self) -> Look | None:
        """The last look, if it was at the environment that the next step is about."""
        return self.look if self.look is not None and self.look.of == self.at else None
