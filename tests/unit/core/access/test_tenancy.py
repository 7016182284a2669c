"""What is refused before anything is read, and who could allow it."""

from dataclasses import replace
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import Use, parse_grant
from phase_operator.core.access.hosts import parse_host
from phase_operator.core.access.tenancy import (
    Tenancy,
    check_annotation,
    check_targets,
    check_tenancy,
    impersonates,
    keeps_token,
)
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.source.query import ask_of
from phase_operator.core.targets.rendering import renderings
from phase_operator.core.values import ObjectKey
from support.builders import KEY, TOKEN, config_map_ref, parsed

SHARED = ObjectKey("shared", "token")
CLOUD = names.DEFAULT_HOST


def tenancy(*grants: str, hosts: tuple[str, ...] = (), **fields: Any) -> Tenancy:
    """Make what is allowed, as the settings say it."""
    return Tenancy(tuple(map(parse_grant, grants)), tuple(map(parse_host, hosts)), "phase-system", **fields)


def to(namespace: str, **fields: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": "shop", "secretNamespace": namespace, **fields}]}


def check(
    found: Tenancy,
    token: ObjectKey = TOKEN,
    labels: dict[str, str] | None = None,
    token_for: Use = Use.TOKEN,
    **fields: Any,
) -> None:
    """Check a resource of namespace `team`."""
    spec = parsed(**fields)
    targets = [each.ref for each in renderings(spec, KEY.namespace, (), b"")]
    ask = replace(ask_of(spec, KEY.namespace), token_key=token, foreign=token.namespace != KEY.namespace)
    check_tenancy(found, ask, KEY, labels or {}, targets, token_for=token_for)


def test_the_own_namespace_needs_no_grant() -> None:
    check(tenancy(), **to("team"))


@pytest.mark.parametrize(
    ("token_for", "granted"), [(Use.TOKEN, "target"), (Use.TOKEN, "push+replace"), (Use.PUSH, "token+target")]
)
def test_a_refused_token_names_the_grant_that_would_do(token_for: Use, granted: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(tenancy(f"from=team,to=shared,what={granted}"), SHARED, token_for=token_for, phaseHost=CLOUD)

    assert caught.value.reason is Reason.CROSS_NAMESPACE
    assert "shared/token" in caught.value.message
    found = tenancy(caught.value.message.split("--grant ")[1].rstrip(")"))
    check(found, SHARED, token_for=token_for, phaseHost=CLOUD)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(to("shared"), id="Secret"),
        pytest.param(
            {"managedConfigMapReferences": [{"configMapName": "c", "configMapNamespace": "shared"}]}, id="ConfigMap"
        ),
    ],
)
def test_a_refused_target_names_the_grant_that_would_do(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        check(tenancy("from=team,to=shared,what=token"), **fields)

    assert caught.value.reason is Reason.CROSS_NAMESPACE
    check(tenancy(caught.value.message.split("--grant ")[1].rstrip(")")), **fields)


def test_one_foreign_target_of_many_is_enough_for_a_refusal() -> None:
    targets = [{"secretName": "a"}, {"secretName": "b", "secretNamespace": "shared"}]

    with pytest.raises(Invalid):
        check(tenancy(), managedSecretReferences=targets)


def test_a_grant_by_label_asks_the_namespace_of_the_phase_secret() -> None:
    found = tenancy("fromLabel=team=a,to=shared,what=target")

    check(found, labels={"team": "a"}, **to("shared"))
    with pytest.raises(Invalid):
        check(found, labels={"team": "b"}, **to("shared"))


@pytest.mark.parametrize("to_namespace", ["*", "shared"])
def test_a_namespace_that_is_not_watched_is_refused_with_the_setting_that_leaves_it_out(to_namespace: str) -> None:
    found = tenancy(f"from=*,to={to_namespace},what=target", watched=frozenset({"team"}))

    with pytest.raises(Invalid) as caught:
        check(found, **to("shared"))

    assert caught.value.reason is Reason.CROSS_NAMESPACE
    assert "--namespace" in caught.value.message


@pytest.mark.parametrize(
    ("hosts", "token", "asked", "goes"),
    [
        pytest.param((), TOKEN, "https://any.example", True, id="an own token, anywhere"),
        pytest.param((), SHARED, "https://any.example", False, id="another's token, not anywhere"),
        pytest.param((), SHARED, CLOUD, True, id="another's token, to the cloud"),
        pytest.param((), SHARED, None, True, id="another's token, to the default host"),
        pytest.param((), SHARED, "http://console.phase.dev", False, id="another's token, not in the clear"),
        pytest.param(("https://a.example",), TOKEN, "https://a.example", True, id="an own token, to the host set"),
        pytest.param(("https://a.example",), SHARED, "https://a.example", True, id="another's, to the host set"),
        pytest.param(("https://a.example",), TOKEN, "https://b.example", False, id="an own token, to another host"),
        pytest.param(("https://a.example",), TOKEN, CLOUD, False, id="not even to the cloud, if hosts are set"),
        pytest.param(("https://a.example",), SHARED, CLOUD, False, id="nor another's"),
        pytest.param(("https://a.example", CLOUD), SHARED, CLOUD, True, id="unless it is set too"),
    ],
)
def test_a_token_goes_to_allowed_hosts_only(
    hosts: tuple[str, ...], token: ObjectKey, asked: str | None, goes: bool
) -> None:
    found = tenancy("from=team,to=shared,what=token", hosts=hosts)

    if goes:
        check(found, token, phaseHost=asked)
        return
    with pytest.raises(Invalid) as caught:
        check(found, token, phaseHost=asked)
    assert caught.value.reason is Reason.HOST_REFUSED


@pytest.mark.parametrize(
    ("annotation", "goes"),
    [
        pytest.param(None, True, id="no annotation"),
        pytest.param("https://phase.example", True, id="the host"),
        pytest.param("https://a.example, https://phase.example", True, id="one of two"),
        pytest.param("https://*.example", True, id="a star"),
        pytest.param("https://other.example", False, id="another"),
        pytest.param("", False, id="nothing"),
        pytest.param("phase.example", False, id="no host"),
        pytest.param("https://phase.example, nonsense", False, id="a host and nonsense"),
    ],
)
def test_the_annotation_of_a_token_secret_limits_its_hosts(annotation: str | None, goes: bool) -> None:
    url = "https://phase.example/service/public"

    if goes:
        check_annotation(annotation, url, TOKEN)
        return
    with pytest.raises(Waiting) as caught:
        check_annotation(annotation, url, TOKEN)
    assert caught.value.reason is Reason.HOST_REFUSED
    assert str(TOKEN) in caught.value.message
    assert "nonsense" not in caught.value.message


def test_a_config_map_may_have_the_name_of_a_secret_that_is_refused() -> None:
    check_targets([config_map_ref(TOKEN.name), config_map_ref(names.DIGEST_KEY_SECRET)], TOKEN)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (None, False),
        ("kubernetes.io/tls", False),
        ("kubernetes.io/service-account-token", True),
        ("bootstrap.kubernetes.io/token", True),
    ],
)
def test_the_token_types_alone_impersonate(kind: str | None, found: bool) -> None:
    assert impersonates(parsed(managedSecretReferences=[{"secretName": "a", "secretType": kind}])) is found


def test_labels_are_asked_for_only_by_a_grant_that_needs_them() -> None:
    assert not tenancy("from=*,to=*,what=token").asks_for_labels
    assert tenancy("from=a,to=b,what=token", "fromLabel=a=b,to=c,what=token").asks_for_labels


HOME, OTHER_HOME = ObjectKey("shared", "a"), ObjectKey("shared", "b")
STRANGER, OTHER_STRANGER = ObjectKey("mallory", "x"), ObjectKey("team", "y")


@pytest.mark.parametrize(
    ("user", "writer", "is_used", "keeps"),
    [
        pytest.param(HOME, OTHER_HOME, False, True, id="both at home"),
        pytest.param(HOME, STRANGER, False, True, id="a stranger would make a token of those at home"),
        pytest.param(STRANGER, HOME, False, False, id="a stranger only names it"),
        pytest.param(STRANGER, HOME, True, True, id="a stranger uses a token there"),
        pytest.param(STRANGER, OTHER_STRANGER, False, True, id="one stranger would make another's token"),
    ],
)
def test_a_token_secret_is_kept_from_other_writers_while_it_is_used(
    user: ObjectKey, writer: ObjectKey, is_used: bool, keeps: bool
) -> None:
    assert keeps_token(user, writer, SHARED, is_used=is_used) is keeps
