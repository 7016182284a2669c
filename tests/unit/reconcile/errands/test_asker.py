"""Whom a resource in deletion calls Phase as: nobody who may not be called as."""

from dataclasses import dataclass

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.source.query import Account, Ask, ask_of
from phase_operator.core.values import SecretValue
from phase_operator.reconcile.errands.asker import Asker, last_asker
from phase_operator.reconcile.ports import Credential
from support.builders import KEY, parsed

ASK: Ask = ask_of(parsed(), KEY.namespace)
CREDENTIAL = Credential("before", SecretValue("Bearer x"))
BEFORE = Account(ASK.base_url, "before")
NOW = Asker(Account(ASK.base_url, "now"), Credential("now", SecretValue("Bearer y")))
GONE = Asker(error=Waiting(Reason.TOKEN_SECRET_NOT_FOUND, "it is gone"))
AWAY = Asker(error=Transient(Reason.KUBERNETES_UNAVAILABLE, "the API server is away"))
REFUSED = Asker(error=Waiting(Reason.HOST_REFUSED, "the annotation does not list the host"))


@dataclass
class Known:
    account: Account | None = BEFORE
    credential: Credential | None = CREDENTIAL


@pytest.mark.parametrize(
    ("found", "known", "called_as"),
    [
        pytest.param(NOW, Known(), NOW, id="the token is there"),
        pytest.param(GONE, Known(), Asker(BEFORE, CREDENTIAL), id="the token has gone first"),
        pytest.param(AWAY, Known(), Asker(BEFORE, CREDENTIAL), id="the token cannot be read now"),
        pytest.param(GONE, Known(None, None), GONE, id="nothing is known"),
        pytest.param(GONE, Known(Account("https://other.example", "before")), GONE, id="it is known for another host"),
        pytest.param(REFUSED, Known(), REFUSED, id="its owner refuses the host"),
    ],
)
def test_a_resource_in_deletion_calls_as_it_did_if_its_token_has_gone(
    found: Asker, known: Known, called_as: Asker
) -> None:
    assert last_asker(found, ASK, known) == called_as
