"""cli/linting: the parts of lint, one by one; test_lint_verdicts.py compares the whole with the API server."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from celpy import Environment
from celpy.evaluation import base_functions

from phase_operator.api.crd import DEFINITIONS
from phase_operator.cli.linting.cel import RULES, holds
from phase_operator.cli.linting.cel_program import FUNCTIONS, MACROS
from phase_operator.cli.linting.findings import Finding, Level, spelled
from phase_operator.cli.linting.resource import findings, schema_of
from phase_operator.cli.linting.structure import CHECKED, Schema, faults, pruned, unknown_fields
from support.cli_files import document, resource

KINDS = [each.kind for each in DEFINITIONS]
GOOD: dict[str, Any] = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop"}]}
SAID = {"description", "format", "default", "x-kubernetes-list-map-keys", RULES}


def schemas(schema: Schema) -> Iterator[Schema]:
    yield schema
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    yield from itertools.chain.from_iterable(schemas(each) for each in inner if each is not None)


def of_spec(kind: str) -> list[Schema]:
    return list(schemas(schema_of(kind)["properties"]["spec"]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_keyword_of_a_spec_is_checked_or_is_no_check(kind: str) -> None:
    assert {word for schema in of_spec(kind) for word in schema} <= CHECKED | SAID
    assert {schema.get("format", "int64") for schema in of_spec(kind)} == {"int64"}
    assert {schema.get("x-kubernetes-list-type", "set") for schema in of_spec(kind)} <= {"atomic", "set"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_of_a_spec_is_of_the_form_that_is_evaluated(kind: str) -> None:
    rules = [rule for schema in schemas(schema_of(kind)) for rule in schema.get(RULES, ())]

    assert {word for rule in rules for word in rule} <= {"rule", "message", "fieldPath"}
    assert not [rule for rule in rules if "oldSelf" in rule["rule"]]
    parsed: list[Any] = [Environment().compile(rule["rule"]) for rule in rules]
    calls = {call.children[1].value for tree in parsed for call in tree.find_data("member_dot_arg")}
    calls |= {call.children[0].value for tree in parsed for call in tree.find_data("ident_arg")}
    assert calls <= {"has"} | MACROS | base_functions.keys() | FUNCTIONS.keys()


@pytest.mark.parametrize(
    ("rule", "value", "is_true"),
    [
        ("self.a / 0 == 1 || true", {"a": 1}, True),
        ("true || self.a / 0 == 1", {"a": 1}, True),
        ("self.a / 0 == 1 && false", {"a": 1}, False),
        ("!(self.a / 0 == 1 && false)", {"a": 1}, True),
        ("self.missing == 1", {}, False),
        ("!has(self.a)", {"a": None}, True),
        ("has(self.a)", {"a": ""}, True),
        ("self.all(each, each.b == 1)", [{"b": 1}, {}], False),
        ("!self.all(each, each.b == 1)", [{}, {"b": 2}], True),
        ("self.exists(each, each.b == 1)", [{}, {"b": 1}], True),
        ("!self.exists(each, each.b == 1)", [{}, {"b": 2}], False),
        ("self.exists_one(each, each == 1)", [1, 2], True),
        ("self.exists_one(each, each == 1)", [1, 1], False),
        ("!self.exists_one(each, each.b == 1)", [{"b": 1}, {"b": 1}, {}], False),
        ("true || self.exists_one(each, each.b == 1)", [{}], True),
        ("self.all(a, self.exists_one(b, a == b))", [1, 2, 3], True),
        ("self.all(key, size(key) <= 2)", {"ab": 1, "c": 2}, True),
        ("self.overlap * 2 < self.life", {"overlap": 60.0, "life": 121}, True),
        ("self.split('/').all(each, size(each) <= 1)", "a/b//", True),
        ("self.upperAscii().replace('-', '_') == 'A_Bä'", "a-bä", True),
        ("self.matches('^a+$')", "aa\n", False),
        ("self.startsWith('a') && self.endsWith('c') && self.contains('b')", "abc", True),
        ("self in ['a', 'b']", "b", True),
        ("size(self) == 1", "\U0001f600", True),
    ],
)
def test_a_rule_is_evaluated_as_cel_defines_it(rule: str, value: Any, is_true: bool) -> None:
    assert holds(rule, value) is is_true


def test_an_unknown_field_reaches_no_rule() -> None:
    spec = GOOD | {"unheardOf": 2**70, "phaseApp": ""}

    assert [each.field for each in findings(document(resource(spec)))] == ["spec.unheardOf", "spec.phaseApp"]


def test_nulls_of_fields_that_may_not_be_null_are_not_there() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "nullable": True}},
        "additionalProperties": {"type": "string"},
    }

    assert pruned(schema, {"a": None, "b": None, "c": None, "d": "x"}) == {"b": None, "d": "x"}


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        ({"type": "string"}, 1, "has to be of type string"),
        ({"type": "integer"}, True, "has to be of type integer"),
        ({"type": "integer"}, 1.5, "has to be of type integer"),
        ({"type": "integer"}, 2.0**60, "has to be of type integer"),
        ({"type": "integer"}, 10**30, "has to be of type integer"),
        ({"type": "boolean"}, "true", "has to be of type boolean"),
        ({"type": "array", "items": {"type": "string"}}, {}, "has to be of type array"),
        ({"type": "object"}, [], "has to be of type object"),
        ({"type": "string", "enum": ["a", "b"]}, "c", "has to be one of a, b"),
        ({"type": "string", "minLength": 1}, "", "has to have at least 1 character"),
        ({"type": "string", "maxLength": 2}, "abc", "has 3 characters, and may have 2"),
        ({"type": "string", "pattern": "^a$"}, "a\n", "has to match ^a$"),
        ({"type": "integer", "minimum": 5}, 4, "has to be at least 5"),
        ({"type": "integer", "maximum": 5}, 6, "has to be at most 5"),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 1}, "has 2 keys, and may have 1"),
    ],
)
def test_a_value_that_a_schema_does_not_allow_is_told_without_the_value(
    schema: dict[str, Any], value: Any, found: str
) -> None:
    assert [each.message for each in faults(schema, value)] == [found]


def test_an_unknown_field_is_found_in_lists_and_maps() -> None:
    schema = schema_of("PhaseSecret")
    target = {"secretName": "a", "template": {"metdata": {}}, "processors": {"A": {"asNam": "b"}}}

    found = [each.field for each in unknown_fields(schema, {"spec": {"managedSecretReferences": [target]}, "x": 1})]

    where = "spec.managedSecretReferences[0]"
    assert found == [f"{where}.template.metdata", f"{where}.processors.A.asNam", "x"]


def test_a_path_is_spelled_as_the_api_server_does_and_is_safe() -> None:
    assert spelled(("spec", "sources", 0, "a.b/c", "k\x1b[2J")) == "spec.sources[0][a.b/c][k [2J]"


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"name": "Shop"}, "metadata.name"),
        ({"name": ""}, "metadata.name"),
        ({"name": "a" * 254}, "metadata.name"),
        ({"namespace": "a.b"}, "metadata.namespace"),
        ({"labels": {"a": 1}}, "metadata.labels.a"),
        ({"labels": {"a": "b c"}}, "metadata.labels.a"),
        ({"labels": {"a/b/c": "d"}}, "metadata.labels[a/b/c]"),
        ({"annotations": {"A.b/c": True}}, "metadata.annotations[A.b/c]"),
        ({"annotation": {}}, "metadata.annotation"),
    ],
)
def test_metadata_that_kubernetes_does_not_take_is_found(metadata: dict[str, Any], field: str) -> None:
    assert [each.field for each in findings(document(resource(GOOD, **metadata)))] == [field]


def test_metadata_as_kubernetes_takes_it_is_fine() -> None:
    metadata: dict[str, Any] = {
        "labels": {"a.b/C_d": "E.f-1", "empty": ""},
        "annotations": {"A.b/c": "any\ntext"},
        "ownerReferences": [{"uid": "a"}],
        "creationTimestamp": None,
    }

    assert findings(document(resource(GOOD, **metadata))) == []


def test_no_rule_is_evaluated_on_a_value_of_another_shape() -> None:
    spec = {"suspend": "yes", "managedSecretReferences": GOOD["managedSecretReferences"]}

    assert [each.field for each in findings(document(resource(spec)))] == ["spec.suspend"]
    assert [each.field for each in findings(document(resource(spec | {"suspend": True})))] == ["spec.phaseApp"]


def test_a_status_in_a_file_is_not_judged_but_for_unknown_fields() -> None:
    body = resource(GOOD) | {"status": {"keys": "many", "key": 1}}

    assert [each.field for each in findings(document(body))] == ["status.key"]


@pytest.mark.parametrize(
    ("version", "kind"), [("secrets.phase.dev/v1", "PhaseSecret"), ("secrets.phase.dev/v1alpha1", "PhaseSecrt")]
)
def test_a_kind_of_our_group_that_there_is_not_is_an_error(version: str, kind: str) -> None:
    body = resource(GOOD, kind=kind) | {"apiVersion": version}

    [found] = findings(document(body))

    assert (found.field, found.level) == ("apiVersion", Level.ERROR)
    assert "PhaseSecret, PhaseDynamicSecret, PhasePushSecret" in found.message


TARGET = "spec.managedSecretReferences[0]"


def target(**fields: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": "shop", **fields}]}


def text(template: str) -> dict[str, Any]:
    return target(template={"data": {"a": template}})


def token(**reference: str) -> dict[str, Any]:
    return {"authentication": {"serviceToken": {"serviceTokenSecretReference": reference}}}


# What the API server lets through, and the operator answers with InvalidSpec and the like.
OPERATORS = [
    ({"phaseHost": "https://[::1::2]"}, "spec.phaseHost", "InvalidSpec: "),
    ({"phaseAppEnvPath": "/" + "ä" * 1000}, "spec.phaseAppEnvPath", "InvalidSpec: the question to Phase is a URL of"),
    ({"redeployLabelSelector": "a in ("}, "spec.redeployLabelSelector", "InvalidSpec: label selector"),
    (target(restart={"selector": "!!a"}), f"{TARGET}.restart.selector", "InvalidSpec: label selector"),
    (text("{{ A"), f"{TARGET}.template.data.a", "TemplateInvalid: template, line 1"),
    (text("{% for a in b %}{% endfor %}"), f"{TARGET}.template.data.a", "TemplateInvalid: "),
    (
        target(template={"metadata": {"annotations": {"a": "{{ A | nope }}"}}}),
        f"{TARGET}.template.metadata.annotations.a",
        "TemplateInvalid: ",
    ),
    (
        target(secretType="kubernetes.io/service-account-token"),
        f"{TARGET}.secretType",
        "InvalidSpec: secretType kubernetes.io/service-account-token needs the annotation",
    ),
    (target(secretName="phase-operator-digest-key"), "spec", "InvalidSpec: Secret team/phase-operator-digest-key is"),
    (token(secretName="phase-operator-digest-key"), "spec", "InvalidSpec: Secret phase-operator-digest-key is"),
    (
        {"managedSecretReferences": [{"secretName": "a"}, {"secretName": "a", "secretNamespace": "team"}]},
        "spec",
        "InvalidSpec: the same target is named twice",
    ),
    (token(secretName="shop", secretNamespace="team"), "spec", "InvalidSpec: Secret team/shop is the token Secret"),
    ({"phaseAppEnvPath": "shop", **target(path="/other")}, f"{TARGET}.path", "InvalidSpec: not inside"),
]


@pytest.mark.parametrize(("spec", "field", "message"), OPERATORS)
def test_a_spec_that_only_the_operator_refuses_is_an_error(spec: dict[str, Any], field: str, message: str) -> None:
    given = document(resource(GOOD | spec))

    [found] = [each for each in findings(given) if each.level is Level.ERROR]

    assert found.field == field
    assert found.message.startswith(message)
    assert findings(given, schema_only=True) == []


PUSH = {"phaseApp": "shop", "sources": [{"secretName": "db"}]}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"sources": [{"secretSelector": "!a"}]}, "spec.sources[0].secretSelector"),
        ({"sources": [{"secretSelector": "a in (b"}]}, "spec.sources[0].secretSelector"),
        ({"phaseAppEnvPath": "a", "sources": [{"secretName": "b", "path": "/c"}]}, "spec.sources[0].path"),
        (token(secretName="db", secretNamespace="team"), "spec.sources"),
    ],
)
def test_a_push_that_only_the_operator_refuses_is_an_error(spec: dict[str, Any], field: str) -> None:
    given = document(resource(PUSH | spec, kind="PhasePushSecret"))

    assert [each.field for each in findings(given) if each.level is Level.ERROR] == [field]
    assert findings(given, schema_only=True) == []


def test_a_lease_is_checked_as_the_targets_of_any_resource_are() -> None:
    spec = {"phaseApp": "shop", "dynamicSecret": "s3", **text("{{ A")}

    [found] = findings(document(resource(spec, kind="PhaseDynamicSecret")))

    assert found.field == f"{TARGET}.template.data.a"


WARNED = [
    (target(template={"metadata": {"labels": {"app.kubernetes.io/instance": "a"}}}), f"{TARGET}.template", "left out"),
    (target(secretNamespace="other"), TARGET, "--grant from=team,to=other,what=target"),
    (
        token(secretName="a", secretNamespace="other"),
        "spec.authentication.serviceToken.serviceTokenSecretReference.secretNamespace",
        "--grant from=team,to=other,what=token",
    ),
    (
        target(
            secretType="kubernetes.io/service-account-token",
            template={"metadata": {"annotations": {"kubernetes.io/service-account.name": "a"}}},
        ),
        f"{TARGET}.secretType",
        "--allow-impersonation-types",
    ),
]


@pytest.mark.parametrize(("spec", "field", "message"), WARNED)
def test_a_rule_that_depends_on_the_operators_settings_is_a_warning(
    spec: dict[str, Any], field: str, message: str
) -> None:
    [found] = findings(document(resource(GOOD | spec)))

    assert (found.field, found.level) == (field, Level.WARNING)
    assert message in found.message


def test_a_namespace_that_is_not_known_is_compared_with_none() -> None:
    body = resource(GOOD | target(secretNamespace="other"))
    del body["metadata"]["namespace"]

    assert findings(document(body)) == []
    assert [each.field for each in findings(document(body), namespace="team")] == [TARGET]


def test_a_push_to_a_host_of_ones_own_is_a_warning() -> None:
    spec = PUSH | {"phaseHost": "https://phase.example"}

    [found] = findings(document(resource(spec, kind="PhasePushSecret")))

    assert found == Finding(("spec", "phaseHost"), found.message, Level.WARNING)
    assert "--allow-phase-host" in found.message


def test_a_push_to_the_default_host_is_right_and_one_to_the_cloud_in_its_place_a_warning() -> None:
    def found(**fields: str) -> list[str]:
        body = document(resource(PUSH | fields, kind="PhasePushSecret"))
        return [each.field for each in findings(body, default_host="https://phase.example")]

    assert found() == found(phaseHost="https://phase.example") == []
    assert found(phaseHost="https://console.phase.dev") == ["spec.phaseHost"]
