"""The names of what is written: kinds of target, where a target is, and the PhaseSecret that it belongs to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from phase_operator.core.values import ObjectKey


class Kind(StrEnum):
    """The kinds of target."""

    SECRET = "Secret"
    CONFIG_MAP = "ConfigMap"


class TargetRef(NamedTuple):
    """Kind, namespace and name of a target."""

    kind: Kind
    key: ObjectKey

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


@dataclass(frozen=True, slots=True)
class Owner:
    """The PhaseSecret that a target belongs to."""

    key: ObjectKey
    uid: str
