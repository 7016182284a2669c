"""Version v1alpha1 of the group: PhaseSecret, PhaseDynamicSecret and PhasePushSecret."""

from phase_operator.api.v1alpha1.phasedynamicsecret import (
    DynamicSecretTarget,
    PhaseDynamicSecret,
    PhaseDynamicSecretSpec,
    PhaseDynamicSecretStatus,
)
from phase_operator.api.v1alpha1.phasepushsecret import PhasePushSecret, PhasePushSecretSpec
from phase_operator.api.v1alpha1.phasesecret import PhaseSecret, PhaseSecretSpec, PhaseSecretStatus
from phase_operator.api.v1alpha1.push_status import PhasePushSecretStatus

__all__ = [
    "DynamicSecretTarget",
    "PhaseDynamicSecret",
    "PhaseDynamicSecretSpec",
    "PhaseDynamicSecretStatus",
    "PhasePushSecret",
    "PhasePushSecretSpec",
    "PhasePushSecretStatus",
    "PhaseSecret",
    "PhaseSecretSpec",
    "PhaseSecretStatus",
]
