"""Who may push where: only to hosts that an administrator allows, with a token of the same namespace."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import Grant, Use
from phase_operator.core.access.hosts import parse_hosts
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.pushes.specs import PushSpecs
from phase_operator.reconcile.store import Lifecycle, Resource
from support.fakes import Loop

KEY = ObjectKey("shop", "to-phase", names.KIND_PHASE_PUSH_SECRET)
TOKEN = ObjectKey("shop", "phase-token")


def token_in(namespace: str | None = None) -> dict[str, Any]:
    place = {"secretName": TOKEN.name} | ({"secretNamespace": namespace} if namespace else {})
    return {"serviceToken": {"serviceTokenSecretReference": place}}


def resource(**fields: Any) -> Resource:
    spec = {"phaseApp": "shop", "authentication": token_in(), "sources": [{"secretName": "db"}]} | fields
    return Resource(KEY, "uid", 1, None, spec, {}, Lifecycle.NO_FINALIZER)


def specs(tenancy: Tenancy | None = None) -> tuple[PushSpecs, Loop]:
    loop = Loop()
    made = PushSpecs(
        registration=loop.parts.registration,
        tokens=loop.tokens,
        phase=loop.phase,
        tenancy=tenancy or Tenancy(),
        labels_of=lambda _: {},
    )
    return made, loop


async def test_a_spec_is_read_and_its_token_is_known_from_then_on() -> None:
    made, loop = specs()
    loop.cluster.tokens[TOKEN] = "token-text"

    spec = made.read(resource(phaseAppEnvPath="/cluster", deletionPolicy="Delete"))
    asker = await made.asker(resource(), spec)

    assert (spec.push.root, spec.push.named) == ("/cluster", (("Secret", "db"),))
    assert TOKEN in loop.admissions.tokens
    assert asker.account is not None
    assert asker.account.base_url == spec.ask.base_url
    made.leave(KEY)
    assert TOKEN not in loop.admissions.tokens


@pytest.mark.parametrize(
    ("hosts", "host", "is_allowed"),
    [
        ("", None, True),
        ("", "https://mallory.example", False),
        ("https://phase.example", "https://phase.example", True),
        ("https://phase.example", "https://mallory.example", False),
        ("https://phase.example", None, False),
    ],
)
def test_values_go_only_to_hosts_that_are_allowed(hosts: str, host: str | None, is_allowed: bool) -> None:
    """Whoever may write the resource may not be allowed to read the Secret."""
    made, loop = specs(Tenancy(hosts=parse_hosts(hosts) if hosts else ()))
    asked = resource(**({"phaseHost": host} if host else {}))

    if is_allowed:
        made.read(asked)
        return
    with pytest.raises(Invalid) as raised:
        made.read(asked)
    assert raised.value.reason is Reason.HOST_REFUSED
    assert TOKEN not in loop.admissions.tokens


def test_nobody_pushes_with_a_token_of_another_namespace() -> None:
    made, loop = specs(Tenancy(operator_namespace="shop"))

    with pytest.raises(Invalid) as raised:
        made.read(resource(authentication=token_in("team")))

    assert raised.value.reason is Reason.CROSS_NAMESPACE
    assert not list(loop.admissions.tokens.things())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"sources": [{"secretName": TOKEN.name}]}, "spec.sources"),
        ({"generate": [{"key": "A", "kind": "UUID"}], "generateInto": TOKEN.name}, "spec.generateInto"),
    ],
)
def test_the_secret_of_its_own_token_is_no_source_and_no_home(fields: dict[str, Any], field: str) -> None:
    """A spec that was applied before the rules of the CRD, or that spells its own namespace out."""
    made, loop = specs()

    with pytest.raises(Invalid, match=field):
        made.read(resource(**fields, authentication=token_in(KEY.namespace)))

    assert TOKEN not in loop.admissions.tokens


def test_a_grant_to_read_with_a_token_is_none_to_push() -> None:
    made, _ = specs(Tenancy(grants=(Grant("shop", "team", frozenset({Use.TOKEN})),), operator_namespace="ops"))

    with pytest.raises(Invalid, match="and not to push"):
        made.read(resource(authentication=token_in("team")))


async def test_a_missing_token_is_an_error_and_no_exception() -> None:
    made, _ = specs()
    asker = await made.asker(resource(), made.read(resource()))

    assert isinstance(asker.error, Waiting)
    assert asker.error.reason is Reason.TOKEN_SECRET_NOT_FOUND


def test_a_spec_that_is_not_kept_is_refused() -> None:
    made, _ = specs()
    with pytest.raises(Invalid, match="more memory"):
        made.read(Resource(KEY, "uid", 1, None, {}, {}, is_left_out=True))
