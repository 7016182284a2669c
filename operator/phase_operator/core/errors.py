"""The expected failures, by consequence.

Rule: there are three kinds. `Invalid` waits for an edit, `Waiting` for something else to appear or change, `Transient`
is tried again. Each carries a reason from the catalogue and a message that names the field or object, never a value.
Edges translate once, `from` the library's exception. Code that raises does not log.
"""

from typing import Self

from phase_operator.api.reasons import Reason

# Far below the limit of a status; a message of the API server, or a key in Phase, can have any length.
_LONGEST_MESSAGE = 1000


def shortened(message: str, longest: int = _LONGEST_MESSAGE) -> str:
    """Return the message as one line, cut if it is too long to be read.

    Messages name keys, folders and objects of others: signs that do not print would reach terminals.
    """
    if len(message) > longest:
        message = message[: longest - 1] + "…"
    return message if message.isprintable() else "".join(char if char.isprintable() else " " for char in message)


class ExpectedError(Exception):
    """A failure that the status can explain.

    `had_no_effect` is True if the failed call certainly changed nothing on the other side, so it may be repeated.
    Otherwise the call may have had its full effect, and only a read can show.
    """

    def __init__(self, reason: Reason, message: str, *, had_no_effect: bool = False) -> None:
        message = shortened(message)
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.had_no_effect = had_no_effect

    def to_keep(self) -> Self:
        """Return the error without its traceback, which would keep the values of all its frames in memory."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class Invalid(ExpectedError):
    """The resource has to be edited; a repeated run cannot succeed before."""


class Waiting(ExpectedError):
    """Another object, or a change in Phase, is missing. The run is repeated slowly, and at once on an event."""


class Transient(ExpectedError):
    """The failure passes by itself. `after` is the pause in seconds that the other side asked for, if any.

    `of_question`: the failure concerns this one query; the server itself answers.
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
    """Return the pause in seconds that the other side asked for; None if it asked for none."""
    return error.after if isinstance(error, Transient) else None
