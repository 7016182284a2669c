"""What is wrong with a resource, and where in it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from phase_operator.cli.common.yaml_lines import FieldPath
from phase_operator.core.text import clean

_PLAIN = re.compile(r"[-_A-Za-z0-9]{1,253}")


class Level(StrEnum):
    """How bad it is: an error is refused, a warning may be what somebody wants."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; the message quotes no value, which could be a pasted secret."""

    path: FieldPath
    message: str
    level: Level = Level.ERROR
    # The API server evaluates no rule on a resource that has this.
    is_blocking: bool = False

    @property
    def field(self) -> str:
        """Where it is, as the API server spells it: `spec.sources[0].path`; "" is the resource itself."""
        return spelled(self.path)


def spelled(path: FieldPath) -> str:
    """Return a path as the API server spells it."""
    return "".join(map(_step, path)).removeprefix(".")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN.fullmatch(step) else f"[{clean(step)}]"


def is_any_error(found: Iterable[Finding]) -> bool:
    """Return whether one of these is an error."""
    return any(each.level is Level.ERROR for each in found)
