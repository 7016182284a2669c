"""The expected failures, by consequence.

Rule: three kinds. `Invalid` waits for an edit, `Waiting` for something else to appear or change, `Transient` is tried
again. Each carries a reason of the catalogue and a message that names the field or object and never a value.
Edges translate once, `from` the library's exception; whoever raises does not log.
"""

from typing import Self

from phase_operator.api.reasons import Reason

# Far below what a status takes; the API server's words, or a key in Phase, know no bound.
_LONGEST_MESSAGE = 1000


def shortened(message: str, longest: int = _LONGEST_MESSAGE) -> str:
    """Cut a message that nobody would read to its end."""
    return message if len(message) <= longest else message[: longest - 1] + "…"


class ExpectedError(Exception):
    """A failure that the status can explain.

    `had_no_effect`: of a call that failed it is certain that it changed nothing on the other side, so it may be made
    again. Otherwise it may have done all that was asked, and only a look there tells.
    """

    def __init__(self, reason: Reason, message: str, *, had_no_effect: bool = False) -> None:
        message = shortened(message)
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.had_no_effect = had_no_effect

    def to_keep(self) -> Self:
        """Return the error without the frames that it was raised in: what they hold would be kept with it."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class Invalid(ExpectedError):
    """Nothing gets better before the resource is edited."""


class Waiting(ExpectedError):
    """Another object or a person's act in Phase is awaited; it is looked at again slowly, and at once when told."""


class Transient(ExpectedError):
    """It passes by itself. `after` is the number of seconds that the other side asked for, if it did.

    `of_question`: it is about what was asked, and says nothing of the server, which answers.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        after: float | None = None,
        of_question: bool = False,
        had_no_effect: bool = False,
    ) -> None:
        super().__init__(reason, message, had_no_effect=had_no_effect)
        self.after = after
        self.of_question = of_question


def asked_pause(error: ExpectedError) -> float | None:
    """Return for how many seconds the other side asked to be left alone; None if it did not."""
    return error.after if isinstance(error, Transient) else None
