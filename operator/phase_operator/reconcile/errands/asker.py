"""Whom a run calls Phase as, or why it cannot."""

from dataclasses import dataclass, field
from typing import Protocol

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Account, Ask
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Credential, PhaseApi


@dataclass(frozen=True, slots=True)
class Asker:
    """An account with its credential, or an error."""

    account: Account | None = None
    credential: Credential | None = field(default=None, repr=False)
    error: ExpectedError | None = None


class Caller(Protocol):
    """What is known of a resource that has called Phase."""

    account: Account | None
    credential: Credential | None


async def asker_of(ask: Ask, tokens: Tokens, phase: PhaseApi) -> Asker:
    """Return whom Phase is called as; a token that is missing, not valid or not for this host is an error in it."""
    try:
        credential = await tokens.credential(ask, phase)
    except ExpectedError as error:
        return Asker(error=error.to_keep())
    return Asker(Account(ask.base_url, credential.account), credential)


def last_asker(found: Asker, ask: Ask, known: Caller) -> Asker:
    """Return whom a resource in deletion calls Phase as: what is known of it if its token has gone first.

    So it is in a namespace that is deleted. A token that may not go to this host any more is used by nobody.
    """
    is_refused = found.error is not None and found.error.reason is Reason.HOST_REFUSED
    if found.account is not None or is_refused or known.account is None or known.account.base_url != ask.base_url:
        return found
    return Asker(known.account, known.credential)
