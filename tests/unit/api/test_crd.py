"""The generator: what it makes of a model, what it refuses."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from phase_dev import documents
from phase_operator.api import crd
from phase_operator.api.base import ApiModel


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Wheel(ApiModel):
    """A wheel."""

    spokes: int = Field(32, description="How many spokes.", ge=3, lt=100)


class Bike(ApiModel):
    """A bike."""

    owner_name: Annotated[str, Field(max_length=20, pattern="^[a-z]+$")] = Field(description="Whose it is.")
    size: Size | None = Field(None, description="Small or large.")
    wheels: list[Wheel] = Field(
        default_factory=list, max_length=2, json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )
    labels: dict[Annotated[str, Field(min_length=1, max_length=9)], Annotated[str, Field(max_length=9)]] = Field(
        default_factory=dict, max_length=4
    )
    front: Wheel = Field(default_factory=Wheel, description="The one in front.")
    brand: Literal["own"] = "own"


def test_a_small_model_becomes_this_schema() -> None:
    schema = crd.structural(Bike)

    assert documents.load(crd.as_yaml(schema)) == documents.load("""
        description: A bike.
        type: object
        required: [ownerName]
        properties:
          ownerName: {description: Whose it is., type: string, pattern: "^[a-z]+$", maxLength: 20}
          size: {description: Small or large., type: string, enum: [small, large]}
          wheels:
            type: array
            maxItems: 2
            x-kubernetes-list-type: atomic
            items:
              description: A wheel.
              type: object
              properties:
                spokes: &spokes
                  description: How many spokes.
                  type: integer
                  format: int64
                  minimum: 3
                  maximum: 100
                  exclusiveMaximum: true
          labels:
            type: object
            maxProperties: 4
            additionalProperties: {type: string, maxLength: 9}
            x-kubernetes-validations:
              - rule: self.all(key, size(key) >= 1 && size(key) <= 9)
                message: a key has 1 to 9 characters
          front: {description: The one in front., type: object, properties: {spokes: *spokes}}
          brand: {type: string, enum: [own]}
    """)


def test_a_small_model_passes_the_lint() -> None:
    schema = crd.structural(Bike)

    assert list(crd.lint(schema)) == []


def test_a_rule_on_a_map_stands_beside_the_one_on_its_keys() -> None:
    class Model(ApiModel):
        labels: dict[Annotated[str, Field(max_length=9)], Annotated[str, Field(max_length=9)]] = Field(
            max_length=4,
            json_schema_extra={"x-kubernetes-validations": [{"rule": "size(self) != 3", "message": "not three"}]},
        )

    rules = crd.structural(Model)["properties"]["labels"]["x-kubernetes-validations"]

    assert {rule["message"] for rule in rules} == {"not three", "a key has 0 to 9 characters"}


class Knot(ApiModel):
    inner: "Knot | None" = None


def _field(annotation: Any, **extra: Any) -> type[ApiModel]:
    return type("Model", (ApiModel,), {"__annotations__": {"field": annotation}, "field": Field(**extra)})


@pytest.mark.parametrize(
    ("model", "said"),
    [
        pytest.param(_field(int | str), "Model.field: a union of 2 types", id="a real union"),
        pytest.param(_field(Any), "Model.field: has no type", id="anything"),
        pytest.param(_field(dict[str, Any]), "Model.field", id="a free object"),
        pytest.param(_field(dict[str, Size]), ".field: a map needs maxProperties", id="a fault that the lint finds"),
        pytest.param(
            _field(dict[Annotated[str, Field(max_length=9, pattern="^a")], Size]), "pattern", id="a pattern on keys"
        ),
        pytest.param(_field(tuple[int, int]), 'does not know "prefixItems"', id="a tuple"),
        pytest.param(_field(set[int]), 'does not know "uniqueItems"', id="uniqueItems, which the API server forbids"),
        pytest.param(_field(list[Any]), "Model.field[]: has no type", id="a list of anything"),
        pytest.param(
            _field(Size | None, default=None, json_schema_extra={"nullable": True}), "no null", id="null for an enum"
        ),
        pytest.param(Knot, "holds itself", id="a model that holds itself"),
        pytest.param(_field(None), "has no type", id="nothing but null"),
    ],
)
def test_a_model_that_a_crd_cannot_express_is_refused_by_name(model: type[ApiModel], said: str) -> None:
    with pytest.raises(crd.SchemaError, match=said.replace("[]", r"\[\]")):
        crd.document(_definition(model))


def _definition(model: type[ApiModel]) -> crd.Definition:
    return crd.Definition(model=model, kind="Bike", plural="bikes", short_names=(), columns=())


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        pytest.param({"type": "string"}, ": a string needs maxLength, enum or format", id="string"),
        pytest.param(
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}},
            ": an array needs maxItems",
            id="array without end",
        ),
        pytest.param(
            {"type": "array", "maxItems": 3, "items": {"type": "integer"}},
            ": an array needs x-kubernetes-list-type",
            id="array without merge rule",
        ),
        pytest.param(
            {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "x-kubernetes-validations": [{"rule": "self.all(key, size(key) <= 3)"}],
            },
            ": a map needs maxProperties",
            id="map without end",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 3},
            ": a map needs bounded keys",
            id="map with keys of any length",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}},
            ".a.b: a string needs maxLength, enum or format",
            id="deep inside",
        ),
    ],
)
def test_the_lint_finds_what_has_no_bound(schema: crd.Schema, fault: str) -> None:
    assert list(crd.lint(schema)) == [fault]


def _walk(schema: crd.Schema) -> list[crd.Schema]:
    below = [*schema.get("properties", {}).values()]
    below += [schema[word] for word in ("items", "additionalProperties") if word in schema]
    return [schema, *(found for child in below for found in _walk(child))]


def test_no_spec_has_a_default_that_a_gitops_tool_would_see() -> None:
    for definition in crd.DEFINITIONS:
        schema = crd.document(definition)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

        assert [found for found in _walk(schema["properties"]["spec"]) if "default" in found] == []


@pytest.mark.parametrize("definition", crd.DEFINITIONS, ids=lambda each: each.kind)
def test_a_new_resource_has_the_status_not_looked_at_yet(definition: crd.Definition) -> None:
    schema = crd.document(definition)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    assert schema["properties"]["status"]["default"] == {"observedGeneration": -1}
    assert [found for found in _walk(schema) if "default" in found] == [schema["properties"]["status"]]


@pytest.mark.parametrize("definition", crd.DEFINITIONS, ids=lambda each: each.kind)
def test_every_field_has_a_sentence_for_its_user(definition: crd.Definition) -> None:
    schema = crd.structural(definition.model)

    def silent(node: crd.Schema, path: str) -> list[str]:
        found = []
        for name, child in node.get("properties", {}).items():
            found += [] if child.get("description", "").endswith(".") else [f"{path}.{name}"]
            found += silent(child, f"{path}.{name}") + silent(child.get("items", {}), f"{path}.{name}[]")
        return found

    assert silent(schema, "") == []


@pytest.mark.parametrize("definition", crd.DEFINITIONS, ids=lambda each: each.kind)
def test_every_column_reads_a_field_that_is_there(definition: crd.Definition) -> None:
    spec_and_status = crd.structural(definition.model)["properties"]

    for column in definition.columns:
        root, field = column.path.removeprefix(".").split(".")[:2]
        if root != "metadata":
            assert field.split("[")[0] in spec_and_status[root]["properties"]


def test_the_yaml_has_no_anchors() -> None:
    shared = {"maxLength": 1}

    assert crd.as_yaml({"a": shared, "b": shared}) == "a:\n  maxLength: 1\nb:\n  maxLength: 1\n"
