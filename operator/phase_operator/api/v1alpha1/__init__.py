"""Version v1alpha1 of the group: PhaseSecret."""

from phase_operator.api.v1alpha1.phasesecret import PhaseSecret, PhaseSecretSpec, PhaseSecretStatus

__all__ = ["PhaseSecret", "PhaseSecretSpec", "PhaseSecretStatus"]
