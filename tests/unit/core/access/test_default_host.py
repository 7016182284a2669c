"""Resources that name no host are asked at the one that an administrator names, which is trusted as the cloud is."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.admission import admit
from phase_operator.core.access.default_host import assumed_host, host_of, parse_default_host, with_host
from phase_operator.core.access.grants import Grant, Use
from phase_operator.core.access.hosts import parse_host
from phase_operator.core.access.tenancy import Tenancy, push_refusal
from phase_operator.core.errors import Invalid
from phase_operator.core.source.query import base_url
from phase_operator.core.targets.request import target_request
from support.builders import KEY, parsed

OURS = "https://phase.example:8443/base"
ASKED = f"{OURS}/service/public"
CLOUD = f"{names.DEFAULT_HOST}/service/public"
SHARED_TOKEN = {"secretName": "token", "secretNamespace": "shared"}
GRANT = Grant(KEY.namespace, "shared", frozenset({Use.TOKEN}))


def url(tenancy: Tenancy, **fields: Any) -> str:
    return admit(tenancy, parsed(**fields), KEY, {}).ask.base_url


@pytest.mark.parametrize(
    ("named", "default", "asked"),
    [
        pytest.param(None, OURS, ASKED, id="none named"),
        pytest.param("", OURS, ASKED, id="an empty one"),
        pytest.param(None, names.DEFAULT_HOST, CLOUD, id="none named, and no setting"),
        pytest.param("https://other.example", OURS, "https://other.example/service/public", id="one named"),
        pytest.param(names.DEFAULT_HOST, OURS, CLOUD, id="the cloud named"),
    ],
)
def test_the_setting_is_for_resources_that_name_no_host(named: str | None, default: str, asked: str) -> None:
    assert url(Tenancy(default_host=default), phaseHost=named) == asked


def test_an_admission_knows_its_host() -> None:
    """Digests in a status show whether another host is asked than before, whoever named it."""
    spec = parsed(phaseHost=None)
    target = spec.managed_secret_references[0]
    found = admit(Tenancy(default_host=OURS), spec, KEY, {}).spec

    assert target_request(found, target) == target_request(parsed(phaseHost=OURS), target)
    assert target_request(found, target) != target_request(spec, target)


def test_without_the_setting_a_spec_stays_what_it_is() -> None:
    spec = parsed(phaseHost=None)

    assert with_host(spec, names.DEFAULT_HOST) is spec


@pytest.mark.parametrize(
    ("tenancy", "host", "is_allowed"),
    [
        pytest.param(Tenancy((GRANT,)), None, True, id="the cloud, without the setting"),
        pytest.param(Tenancy((GRANT,)), OURS, False, id="another, without the setting"),
        pytest.param(Tenancy((GRANT,), default_host=OURS), None, True, id="the default host"),
        pytest.param(Tenancy((GRANT,), default_host=OURS), OURS, True, id="the default host, named"),
        pytest.param(Tenancy((GRANT,), default_host=OURS), names.DEFAULT_HOST, False, id="the cloud in its place"),
        pytest.param(Tenancy((GRANT,), default_host=OURS), "https://phase.example", False, id="another port"),
        pytest.param(
            Tenancy((GRANT,), (parse_host(names.DEFAULT_HOST),), default_host=OURS), None, False, id="not in the list"
        ),
        pytest.param(
            Tenancy((GRANT,), default_host=names.CLOUD_API), names.DEFAULT_HOST, True, id="the cloud by its other name"
        ),
    ],
)
def test_a_token_of_another_namespace_goes_to_the_default_host_alone(
    tenancy: Tenancy, host: str | None, is_allowed: bool
) -> None:
    authentication = {"serviceToken": {"serviceTokenSecretReference": SHARED_TOKEN}}
    if is_allowed:
        url(tenancy, phaseHost=host, authentication=authentication)
        return

    with pytest.raises(Invalid) as caught:
        url(tenancy, phaseHost=host, authentication=authentication)

    assert caught.value.reason is Reason.HOST_REFUSED


def test_pushes_go_to_the_default_host_alone() -> None:
    ours = Tenancy(default_host=OURS)

    assert push_refusal(ours, base_url(OURS)) is None
    assert "https://phase.example:8443" in (push_refusal(ours, CLOUD) or "")
    assert push_refusal(Tenancy(), CLOUD) is None
    assert push_refusal(Tenancy(), base_url(OURS)) is not None


@pytest.mark.parametrize("text", [OURS, "http://[::1]:8000", "HTTPS://Phase.Example/", names.CLOUD_API])
def test_a_url_is_taken_as_it_is(text: str) -> None:
    assert parse_default_host(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "phase.example", "ftp://phase.example", "https://", "https://*.example", "https://a b.example"),
        *("https://user:pass-word@phase.example", "https://phase.example?x=y", "https://phase.example#x"),
        *("https://[::1::2]", "https://phase.example:99999999", "https://a.example,https://b.example"),
    ],
)
def test_a_text_that_is_no_url_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it like https://phase.example.com") as caught:
        parse_default_host(text)

    assert "pass-word" not in str(caught.value)


def test_a_host_that_may_not_be_asked_is_refused() -> None:
    allowed = [parse_host("https://*.example")]

    assert parse_default_host("https://phase.example/base", allowed)
    with pytest.raises(ValueError, match=r"https://phase.example:8443 is none of the hosts of --allow-phase-host"):
        parse_default_host(OURS, allowed)


def test_a_status_names_the_host_where_nothing_else_does() -> None:
    assert assumed_host(parsed(phaseHost=None), ASKED) == OURS
    assert assumed_host(parsed(phaseHost=""), ASKED) == OURS
    assert assumed_host(parsed(phaseHost=OURS), ASKED) == ""
    assert assumed_host(parsed(phaseHost=None), CLOUD) == ""


@pytest.mark.parametrize(
    ("spec", "source", "host"),
    [
        ({}, {}, names.DEFAULT_HOST),
        ({}, {"host": OURS}, OURS),
        ({"phaseHost": "https://other.example"}, {"host": OURS}, "https://other.example"),
        ({"phaseHost": 7}, {"host": []}, names.DEFAULT_HOST),
    ],
)
def test_people_are_told_the_host_that_was_asked(spec: dict[str, Any], source: dict[str, Any], host: str) -> None:
    assert host_of({"spec": spec, "status": {"source": source}}) == host
