"""PhaseSecret as the operator reads it: lenient where the official resource is, strict where a value means nothing."""

from typing import Any

import pytest
from pydantic import ValidationError

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec


def spec(**fields: Any) -> PhaseSecretSpec:
    return PhaseSecretSpec.model_validate({"phaseApp": "shop", "managedSecretReferences": [target()]} | fields)


def target(**fields: Any) -> dict[str, Any]:
    return {"secretName": "shop"} | fields


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("phaseHost", id="host"),
        pytest.param("phaseApp", id="app"),
        pytest.param("phaseAppId", id="app id"),
        pytest.param("phaseAppEnv", id="environment"),
        pytest.param("phaseAppEnvPath", id="path"),
        pytest.param("phaseAppEnvTag", id="tag"),
        pytest.param("redeployLabelSelector", id="selector, empty in the official template"),
    ],
)
def test_an_empty_string_is_nothing(field: str) -> None:
    read = spec(**{field: ""})

    assert read.model_dump(by_alias=True)[field] is None


def test_specs_share_the_defaults_of_what_they_leave_out_and_keep_what_they_set() -> None:
    one, other = spec(), spec(managedSecretReferences=[target(keys={"include": ["DB_*"]})])
    [left_out], [chosen] = one.managed_secret_references, other.managed_secret_references

    assert one.keys is other.keys is left_out.keys
    assert left_out.template is chosen.template
    assert left_out.template.metadata is chosen.template.metadata
    assert left_out.restart is chosen.restart
    assert (list(chosen.keys.include), list(left_out.keys.include)) == (["DB_*"], [])


@pytest.mark.parametrize("field", ["phaseHost", "phaseAppEnv", "phaseAppEnvPath", "pollingInterval"])
def test_a_null_is_nothing(field: str) -> None:
    assert spec(**{field: None}) == spec()


def test_an_empty_namespace_is_nothing() -> None:
    read = spec(managedSecretReferences=[target(secretNamespace="")])

    assert read.managed_secret_references[0].secret_namespace is None


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param({}, id="left out"),
        pytest.param({"secretName": ""}, id="empty"),
        pytest.param({"secretName": "", "secretNamespace": ""}, id="both empty"),
    ],
)
def test_the_token_secret_has_a_default_name(reference: dict[str, str]) -> None:
    read = spec(authentication={"serviceToken": {"serviceTokenSecretReference": reference}})

    found = read.authentication.service_token.service_token_secret_reference
    assert (found.secret_name, found.secret_namespace) == (names.DEFAULT_TOKEN_SECRET, None)


def test_an_empty_as_name_is_nothing() -> None:
    read = spec(managedSecretReferences=[target(processors={"KEY": {"asName": ""}})])

    assert read.managed_secret_references[0].processors["KEY"].as_name is None


def test_as_name_and_name_transformer_may_stand_together() -> None:
    processors = {"KEY": {"asName": "username", "nameTransformer": "camel", "type": "plain"}}

    read = spec(managedSecretReferences=[target(processors=processors)])

    assert read.managed_secret_references[0].processors["KEY"].as_name == "username"


def test_an_unknown_field_is_ignored_since_a_newer_crd_may_have_it() -> None:
    assert spec(fieldOfTomorrow=1) == spec()


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        pytest.param({"pollingInterval": 4}, "pollingInterval", id="an interval below five seconds"),
        pytest.param({"phaseHost": "ftp://phase"}, "phaseHost", id="a host that is not http"),
        pytest.param({"phaseHost": "https://me:pw@phase"}, "phaseHost", id="credentials in the host"),
        pytest.param({"phaseAppEnvTags": []}, "phaseAppEnvTags", id="no tags"),
        pytest.param({"phaseAppEnvTags": ["a,b"]}, "phaseAppEnvTags", id="two tags in one"),
        pytest.param({"redeployLabelSelector": "a;b"}, "redeployLabelSelector", id="not a selector"),
        pytest.param({"onSecretReferenceError": "Ignore"}, "onSecretReferenceError", id="an unknown policy"),
    ],
)
def test_a_meaningless_value_is_refused_with_its_field(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        spec(**fields)

    assert caught.value.errors()[0]["loc"][0] == where
