"""What a check comes to: a verdict, a sentence, and what to do."""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from phase_operator.core.text import SHOWN, clean
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import Request

T = TypeVar("T")


class Verdict(StrEnum):
    """What a check found: all is well, something to know, something that is wrong, or that it could not be checked."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, in a sentence without its end, and what to do; the cure may have several lines."""

    name: str
    verdict: Verdict
    sentence: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """A fact that could not be read: why, and the right that the person lacks, if that is the reason."""

    why: str
    lacks: Request | None = None

    def finding(self, name: str) -> Finding:
        """Return the finding of a check that needs the fact."""
        return Finding(name, Verdict.UNKNOWN, self.why)


async def read(fact: Awaitable[T]) -> T | Unread:
    """Return a fact, or why it could not be read; raise UserError if the cluster is not reached."""
    try:
        return await fact
    except UserError as error:
        if error.trouble is Trouble.UNREACHABLE:
            raise
        return Unread(error.message, error.request if error.trouble is Trouble.NO_RIGHT else None)


def known(fact: T | Unread, otherwise: T) -> T:
    """Return a fact, or what stands for it if it could not be read."""
    return otherwise if isinstance(fact, Unread) else fact


def shown(texts: Iterable[object]) -> str:
    """Return the first few of some foreign texts, made safe for display, and how many more there are."""
    every = list(texts)
    listed = ", ".join(clean(str(each)) for each in every[:SHOWN])
    return listed if len(every) <= SHOWN else f"{listed} and {len(every) - SHOWN} more"
