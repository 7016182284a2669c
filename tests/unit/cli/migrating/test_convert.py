"""Resources of other operators, as their users write them, and the PhaseSecrets that they become.

What they become stands beside each sample, for people to read: `NAME.phase.yaml`.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.common.manifests import read
from phase_operator.cli.migrating.converters import Other, convert
from phase_operator.cli.migrating.draft import Converted, Named

SAMPLES = Path(__file__).parent / "samples"
NAMED, UNNAMED = Named("shop", "production", "phase-token"), Named()


def bodies(other: Other) -> list[Any]:
    return [each.body for each in read([str(SAMPLES / f"{other}.yaml")])]


def all_of(other: Other, named: Named = UNNAMED) -> dict[str, Converted]:
    return {each.key.name: each for each in convert(bodies(other), other, named).made}


@pytest.mark.parametrize("other", Other)
def test_a_sample_becomes_what_stands_beside_it(other: Other, request: pytest.FixtureRequest) -> None:
    made = "---\n".join(each.as_yaml() for each in all_of(other).values())
    file = SAMPLES / f"{other}.phase.yaml"
    if request.config.getoption("--update-golden"):
        file.write_text(made)

    assert made == file.read_text()


@pytest.mark.parametrize("other", Other)
@pytest.mark.parametrize("named", [UNNAMED, NAMED])
def test_every_document_is_a_valid_phase_secret(other: Other, named: Named) -> None:
    for each in all_of(other, named).values():
        document = yaml.safe_load(each.as_yaml())
        PhaseSecretSpec.model_validate(document["spec"])
        assert document == each.body


@pytest.mark.parametrize("other", Other)
def test_a_document_with_an_open_question_says_so_first_and_is_suspended(other: Other) -> None:
    for each in all_of(other).values():
        head = each.as_yaml().splitlines()[:2]
        assert ("Not ready to apply" in head[1]) == (each.body["spec"].get("suspend") is True) == (not each.is_ready)
        assert each.is_ready == ("TODO" not in each.as_yaml())


def test_the_command_line_fills_in_what_the_source_does_not_say() -> None:
    made = all_of(Other.INFISICAL, NAMED)["one-key"]

    assert made.is_ready
    assert made.body["spec"]["phaseApp"] == "shop"
    assert made.body["spec"]["phaseAppEnv"] == "production"
    reference = made.body["spec"]["authentication"]["serviceToken"]["serviceTokenSecretReference"]
    assert reference == {"secretName": "phase-token"}


def test_an_id_of_an_app_is_an_id() -> None:
    made = all_of(Other.DOPPLER, Named(app="72b9ddd5-8fce-49ab-89d9-c431d53a9552"))["backend"]

    assert made.body["spec"]["phaseAppId"] == "72b9ddd5-8fce-49ab-89d9-c431d53a9552"
    assert "phaseApp" not in made.body["spec"]


def test_objects_of_other_kinds_are_counted() -> None:
    found = convert([{"kind": "Deployment", "apiVersion": "apps/v1"}, {}, {"kind": "Deployment"}], Other.ESO, Named())

    assert (found.made, found.left_out) == ((), {"Deployment": 2, "no kind": 1})


def test_a_kind_of_another_group_is_not_converted() -> None:
    body = {"apiVersion": "example.com/v1", "kind": "ExternalSecret", "metadata": {"name": "a"}}

    assert convert([body], Other.ESO, Named()).left_out == {"ExternalSecret": 1}


KINDS = (
    ("external-secrets.io/v1", "ExternalSecret", Other.ESO),
    ("secrets.doppler.com/v1alpha1", "DopplerSecret", Other.DOPPLER),
    ("secrets.infisical.com/v1alpha1", "InfisicalSecret", Other.INFISICAL),
    ("secrets.infisical.com/v1beta1", "InfisicalStaticSecret", Other.INFISICAL),
)


@pytest.mark.parametrize(("version", "kind", "other"), KINDS)
@pytest.mark.parametrize(
    "spec", [{}, None, "text", [], {"target": 5, "data": "x", "targets": [1], "managedSecret": []}]
)
def test_a_resource_that_says_nothing_becomes_an_open_question(
    version: str, kind: str, other: Other, spec: object
) -> None:
    [made] = convert(
        [{"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}], other, NAMED
    ).made

    assert yaml.safe_load(made.as_yaml()) == made.body


@pytest.mark.parametrize(("version", "kind", "other"), KINDS)
def test_an_unknown_field_is_named_and_never_dropped(version: str, kind: str, other: Other) -> None:
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": {"news": {"x": 1}}}

    [made] = convert([body], other, NAMED).made

    assert "TODO(from spec.news): " in made.as_yaml()


def test_a_hostile_resource_cannot_leave_its_comments() -> None:
    evil = "x\n---\nkind: Secret\n# \x1b[31m\u2028y"
    body = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": evil, "namespace": evil},
        "spec": {
            evil: 1,
            "secretStoreRef": {"name": evil},
            "target": {"name": evil, "creationPolicy": evil, "template": {"type": evil, "data": {evil: evil}}},
            "data": [{"secretKey": evil, "remoteRef": {"key": evil, "property": evil}}],
            "dataFrom": [{"extract": {"key": evil}}, {"find": {"path": evil, "name": {"regexp": evil}}}],
        },
    }

    [made] = convert([body], Other.ESO, Named()).made

    [document] = yaml.safe_load_all(made.as_yaml())
    assert document == made.body
    assert "\x1b" not in made.as_yaml()


def test_a_bounded_text_stays_bounded() -> None:
    data = [{"secretKey": f"key-{number}", "remoteRef": {"key": f"x{number}"}} for number in range(3000)]
    body = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "a"},
        "spec": {"data": data},
    }

    [made] = convert([body], Other.ESO, NAMED).made

    assert len(made.remarks) == 500
    assert not made.is_ready
    assert "keys" not in made.body["spec"]


def eso(**spec: Any) -> dict[str, Any]:
    body = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "a"},
        "spec": {"data": [{"secretKey": "A", "remoteRef": {"key": "x"}}], **spec},
    }
    [made] = convert([body], Other.ESO, NAMED).made
    return dict(made.body["spec"])


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ("Owner", {"deletionPolicy": "Delete"}),
        ("Orphan", {"creationPolicy": "Orphan"}),
        ("Merge", {"creationPolicy": "Merge", "deletionPolicy": "Retain"}),
        ("CreateOrMerge", {"creationPolicy": "Merge", "deletionPolicy": "Retain"}),
    ],
)
def test_a_creation_policy_keeps_its_meaning(policy: str, fields: dict[str, str]) -> None:
    made = eso(target={"creationPolicy": policy})

    assert made["managedSecretReferences"] == [{"secretName": "a", **fields}]
    assert "suspend" not in made


def test_a_secret_that_is_not_written_there_is_not_written_here() -> None:
    assert eso(target={"creationPolicy": "None"})["suspend"] is True


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ({"regexp": {"source": "(.*)", "target": "DB_$1"}}, {"prefix": "DB_"}),
        ({"regexp": {"source": "^", "target": "DB_"}}, {"prefix": "DB_"}),
        ({"regexp": {"source": "^(.+)$", "target": "DB_${1}"}}, {"prefix": "DB_"}),
        ({"transform": {"template": "{{ .value | lower }}"}}, {"nameTransformer": "lower-snake"}),
    ],
)
def test_a_rewrite_that_is_a_spelling_becomes_one(rule: dict[str, Any], fields: dict[str, str]) -> None:
    made = eso(data=[], dataFrom=[{"extract": {"key": "x"}, "rewrite": [rule]}])

    assert fields.items() <= made["managedSecretReferences"][0].items()
    assert "suspend" not in made


def test_a_rewrite_of_some_keys_does_not_rename_all_of_them() -> None:
    rule = {"regexp": {"source": "(.*)", "target": "DB_$1"}}

    made = eso(data=[], dataFrom=[{"extract": {"key": "x"}, "rewrite": [rule]}, {"extract": {"key": "y"}}])

    assert "prefix" not in made["managedSecretReferences"][0]
    assert made["suspend"] is True


def test_a_key_keeps_its_name_beside_a_prefix_of_others() -> None:
    rule = {"regexp": {"source": "^", "target": "DB_"}}

    made = eso(dataFrom=[{"extract": {"key": "x"}, "rewrite": [rule]}])

    assert made["managedSecretReferences"][0]["processors"] == {"A": {"asName": "A"}}


@pytest.mark.parametrize(
    ("regexp", "pattern"),
    [
        ("^db_.*", "db_*"),
        ("^db_", "db_*"),
        (".*foo.*", "*foo*"),
        ("_KEY$", "*_KEY"),
        ("^ONE$", "ONE"),
        ("foo", "*foo*"),
    ],
)
def test_a_simple_expression_becomes_a_pattern(regexp: str, pattern: str) -> None:
    made = eso(data=[], dataFrom=[{"find": {"name": {"regexp": regexp}}}])

    assert made["keys"] == {"include": [pattern]}
    assert "suspend" not in made


@pytest.mark.parametrize("regexp", ["^(a|b)$", "a.b", "[a-z]+", "a+"])
def test_another_expression_is_an_open_question(regexp: str) -> None:
    made = eso(data=[], dataFrom=[{"find": {"name": {"regexp": regexp}}}])

    assert "keys" not in made
    assert made["suspend"] is True


def test_a_second_environment_is_an_open_question() -> None:
    url = "https://api.phase.dev/v1/secrets/?env={{ .remoteRef.version }}&key={{ .remoteRef.key }}"
    store = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": "phase", "namespace": "team"},
        "spec": {"provider": {"webhook": {"url": url}}},
    }
    resource = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "a", "namespace": "team"},
        "spec": {
            "secretStoreRef": {"name": "phase"},
            "data": [
                {"secretKey": "A", "remoteRef": {"key": "A", "version": "production"}},
                {"secretKey": "B", "remoteRef": {"key": "B", "version": "staging"}},
            ],
        },
    }

    [made] = convert([resource, store], Other.ESO, Named(app="shop")).made

    [question] = [each for each in made.remarks if each.is_open]
    assert (question.source, 'environment "staging"' in question.text) == ("spec.data[1]", True)
