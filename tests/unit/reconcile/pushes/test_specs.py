"""Who may push where: to hosts that an administrator allows, with a token of the same namespace or by a grant."""

from collections.abc import Mapping
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.hosts import parse_hosts
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.pushes.specs import PushSpecs
from phase_operator.reconcile.store import Lifecycle, Resource
from support.fakes import Loop

KEY = ObjectKey("shop", "to-phase", names.KIND_PHASE_PUSH_SECRET)
TOKEN = ObjectKey("shop", "phase-token")
FOREIGN = ObjectKey("team", TOKEN.name)
OWN_HOST = "https://phase.example"


def token_in(namespace: str | None = None) -> dict[str, Any]:
    place = {"secretName": TOKEN.name} | ({"secretNamespace": namespace} if namespace else {})
    return {"serviceToken": {"serviceTokenSecretReference": place}}


def resource(life: Lifecycle = Lifecycle.NO_FINALIZER, /, **fields: Any) -> Resource:
    spec = {"phaseApp": "shop", "authentication": token_in(), "sources": [{"secretName": "db"}]} | fields
    return Resource(KEY, "uid", 1, None, spec, {}, life)


def granted(*grants: str, hosts: str = "") -> Tenancy:
    return Tenancy(tuple(map(parse_grant, grants)), parse_hosts(hosts) if hosts else (), operator_namespace="ops")


def specs(
    tenancy: Tenancy | None = None, labels: Mapping[str, Mapping[str, str]] | None = None
) -> tuple[PushSpecs, Loop]:
    loop = Loop()
    made = PushSpecs(
        registration=loop.parts.registration,
        tokens=loop.tokens,
        phase=loop.phase,
        tenancy=tenancy or Tenancy(),
        labels_of=lambda namespace: (labels or {}).get(namespace, {}),
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


@pytest.mark.parametrize(
    "grants",
    [
        pytest.param((), id="none"),
        pytest.param(("from=shop,to=team,what=token+target+adopt",), id="to read with it"),
        pytest.param(("from=shop,to=other,what=push",), id="to push with that of another"),
        pytest.param(("from=team,to=shop,what=push",), id="the other way round"),
        pytest.param(("fromLabel=tenant=shop,to=team,what=push",), id="for a label that is not there"),
    ],
)
def test_a_token_of_another_namespace_needs_a_grant_to_push(grants: tuple[str, ...]) -> None:
    made, loop = specs(granted(*grants), {"team": {"tenant": "shop"}})
    asked = resource(authentication=token_in("team"))

    with pytest.raises(Invalid) as raised:
        made.read(asked)

    assert raised.value.reason is Reason.CROSS_NAMESPACE
    assert not list(loop.admissions.tokens.things())
    specs(granted(raised.value.message.split("--grant ")[1].rstrip(")")))[0].read(asked)


async def test_a_grant_to_push_gives_the_token_of_another_namespace() -> None:
    labels: dict[str, dict[str, str]] = {"shop": {"tenant": "shop"}}
    made, loop = specs(granted("fromLabel=tenant=shop,to=team,what=push"), labels)
    loop.cluster.tokens[FOREIGN] = "token-text"
    asked = resource(authentication=token_in("team"))

    asker = await made.asker(asked, made.read(asked))

    assert asker.account is not None
    assert FOREIGN in loop.admissions.tokens
    labels["shop"] = {}
    with pytest.raises(Invalid):
        made.read(asked)


@pytest.mark.parametrize(
    ("hosts", "host", "is_allowed"),
    [
        ("", None, True),
        ("", OWN_HOST, False),
        (OWN_HOST, OWN_HOST, True),
        (OWN_HOST, None, False),
    ],
)
def test_a_token_of_another_namespace_goes_only_to_hosts_that_are_allowed(
    hosts: str, host: str | None, is_allowed: bool
) -> None:
    made, loop = specs(granted("from=shop,to=team,what=push", hosts=hosts))
    asked = resource(authentication=token_in("team"), **({"phaseHost": host} if host else {}))

    if is_allowed:
        made.read(asked)
        return
    with pytest.raises(Invalid) as raised:
        made.read(asked)
    assert raised.value.reason is Reason.HOST_REFUSED
    assert not list(loop.admissions.tokens.things())


async def test_the_annotation_of_a_token_secret_limits_where_others_push_with_it() -> None:
    made, loop = specs(granted("from=shop,to=team,what=push", hosts=OWN_HOST))
    loop.cluster.tokens[FOREIGN] = "token-text"
    loop.cluster.token_hosts[FOREIGN] = "https://other.example"
    asked = resource(authentication=token_in("team"), phaseHost=OWN_HOST)

    asker = await made.asker(asked, made.read(asked))

    assert asker.account is None
    assert asker.error is not None
    assert asker.error.reason is Reason.HOST_REFUSED


def test_entries_without_a_mark_are_taken_over_with_a_foreign_token_only_by_a_grant() -> None:
    """Else whoever may use a shared account could overwrite all that people made in Phase."""
    asked = resource(authentication=token_in("team"), updatePolicy="Replace")
    for others in ((), ("from=shop,to=team,what=target+adopt",)):
        made, loop = specs(granted("from=shop,to=team,what=push", *others))
        with pytest.raises(Invalid, match="updatePolicy") as raised:
            made.read(asked)
        assert raised.value.reason is Reason.CROSS_NAMESPACE
        assert not list(loop.admissions.tokens.things())

    specs(granted(raised.value.message.split("--grant ")[1].rstrip(")")))[0].read(asked)
    specs()[0].read(resource(updatePolicy="Replace"))


def test_a_deletion_needs_no_grant_to_take_over() -> None:
    made, _ = specs(granted("from=shop,to=team,what=push"))

    made.read(resource(Lifecycle.DELETING, authentication=token_in("team"), updatePolicy="Replace"))


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


async def test_a_missing_token_is_an_error_and_no_exception() -> None:
    made, _ = specs()
    asker = await made.asker(resource(), made.read(resource()))

    assert isinstance(asker.error, Waiting)
    assert asker.error.reason is Reason.TOKEN_SECRET_NOT_FOUND


def test_a_spec_that_is_not_kept_is_refused() -> None:
    made, _ = specs()
    with pytest.raises(Invalid, match="more memory"):
        made.read(Resource(KEY, "uid", 1, None, {}, {}, is_left_out=True))
