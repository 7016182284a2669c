"""Why an entry is not pushed, in words for the person who reads the status; never with a word of a value."""

from dataclasses import dataclass

from phase_operator.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an entry is not pushed; `text` names it."""

    reason: Reason
    text: str
