"""What resolving the references of one answer may take.

Rule: users determine the number, depth and size of references, so all work is counted, and memory and requests are too.
What one entry asks for beyond a limit is left unresolved in that entry alone.
"""

from dataclasses import dataclass

from phase_operator.core.source.answer_memory import MIB

# The most secrets on one chain of references, the first included: the server's own limit.
LONGEST_CHAIN = 25


# Other environments that one answer may need; each is a request, and all of it is read.
MOST_ENVIRONMENTS = 20


@dataclass(frozen=True, slots=True)
class ReferenceLimits:
    """The limits of one answer. A unit of work is about what the handling of one character takes: nanoseconds."""

    # Characters of one value whose references are resolved: more than a Secret or ConfigMap holds.
    value: int = 1_500_000
    # Bytes in memory by which references may enlarge the answer.
    growth: int = 16 * MIB
    # Other environments that are read, each as a whole and by a request of its own.
    environments: int = MOST_ENVIRONMENTS
    # Units that all entries share, beyond what each may use anyway.
    work: int = 100_000_000


class LimitReached(Exception):
    """An entry needs more than it may take. The text is the rest of a sentence about the entry."""

    def __init__(self, text: str, *, is_final: bool) -> None:
        super().__init__(text)
        self.text = text
        # More of what all entries share would not help.
        self.is_final = is_final


def answer_too_large() -> LimitReached:
    """Return the error for an entry whose references would take what others need."""
    return LimitReached("would make the answer too large with its references resolved", is_final=False)


class Work:
    """The units that one entry may use now."""

    def __init__(self) -> None:
        self._most = 0
        self.used = 0

    def allow(self, units: int) -> None:
        """Begin to count anew, up to this many units."""
        self._most = units
        self.used = 0

    def spend(self, units: int) -> None:
        """Use units; raise LimitReached if too few are left."""
        if self.used + units > self._most:
            raise LimitReached("needs too much work: its references lead to too many others", is_final=False)
        self.used += units
