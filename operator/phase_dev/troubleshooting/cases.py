"""What the page says of each reason beside the words of the catalogue: a message, and the causes by frequency."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from phase_dev import documents
from phase_operator.api.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a resource has a reason, and what to do about it."""

    why: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One reason, as a person meets it."""

    message: str
    """As the status says it."""
    causes: tuple[Cause, ...]
    """The most frequent first."""
    verify: str = ""
    """How to see that it is over, if the condition Ready does not show it."""


CASES = TypeAdapter(dict[Reason, Case]).validate_python(
    documents.load(Path(__file__).with_name("cases.yaml").read_text())
)
