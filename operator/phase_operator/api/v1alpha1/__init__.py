"""Version v1alpha1 of the group: PhaseSecret and PhaseDynamicSecret."""

from phase_operator.api.v1alpha1.phasedynamicsecret import (
    DynamicSecretTarget,
    PhaseDynamicSecret,
    PhaseDynamicSecretSpec,
    PhaseDynamicSecretStatus,
)
from phase_operator.api.v1alpha1.phasesecret import PhaseSecret, PhaseSecretSpec, PhaseSecretStatus

__all__ = [
    "DynamicSecretTarget",
    "PhaseDynamicSecret",
    "PhaseDynamicSecretSpec",
    "PhaseDynamicSecretStatus",
    "PhaseSecret",
    "PhaseSecretSpec",
    "PhaseSecretStatus",
]
