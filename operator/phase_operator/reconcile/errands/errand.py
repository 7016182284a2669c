"""An errand: one thing to do at Phase for one resource, with one account."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class Question:
    """What an errand asks, and what takes the answer that another one got."""

    asked: Hashable
    take: Callable[[Any], None] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """What is to be done. It is made by the run of a resource, and its end wakes that resource."""

    subject: ObjectKey
    account: Account
    # Its kind in one word, for metrics and messages.
    kind: str
    # Does it, and returns the error with which it failed; the function is given what counts further requests.
    work: Callable[[Callable[[], None]], Awaitable[ExpectedError | None]] = field(repr=False)
    # How many requests it may take.
    requests: int = 1
    # It may wait for others than Phase, so that a call which fails without an answer says nothing about Phase.
    waits_for_others: bool = False
    # If an answer to another one that asks the same, for its namespace and with its account, is as good.
    question: Question | None = None
