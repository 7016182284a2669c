"""The model of PhasePushSecret: what it shares with PhaseSecret, its bounds, and a status that holds every ledger."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types; kubernetes-validate brings it
import pytest
from pydantic import ValidationError

from manifests.push_specs import BAD, GOOD, phase_push_secret
from phase_operator.api.crd import PHASE_PUSH_SECRET, document
from phase_operator.api.v1alpha1 import PhasePushSecretSpec, PhaseSecretSpec
from phase_operator.core.errors import Invalid
from phase_operator.core.push import generated
from phase_operator.core.push.ledger import Ledger, PushPlace, Row, RowState
from phase_operator.core.push.limits import MOST_ENTRIES
from phase_operator.core.push.places import LONGEST_FOLDER, LONGEST_KEY, EntryPlace
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.spec import push_spec

# What only a PhasePushSecret has.
OWN = {"sources", "generate", "generate_into", "tags", "update_policy", "deletion_policy", "on_type_change"}
[VERSION] = document(PHASE_PUSH_SECRET)["spec"]["versions"]
PROPERTIES = VERSION["schema"]["openAPIV3Schema"]["properties"]
SPEC, STATUS = PROPERTIES["spec"], PROPERTIES["status"]
LONGEST = PushPlace(f"https://{'h' * 2040}/service/public", "a" * 64, "e" * 253)
# Only the API server knows these: it drops no field in silence, and judges the name of the token's Secret.
OF_THE_API_SERVER = ("which a PhasePushSecret has not", "elsewhere", "of ConfigMaps", "the token's")
# In these the operator would find the meaning; the API server takes no number that is a text.
OF_ONE_MEANING = ("a length in quotes", "pollingInterval '60'", "suspend 'yes'", "tags ['a', 'a']")


def closed(schema: Any) -> Any:
    """Return a schema that refuses what the API server would drop in silence."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(each) for name, each in schema.items()}
    return found | {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else found


def test_every_other_field_is_one_of_phasesecret() -> None:
    ours = PhasePushSecretSpec.model_fields
    shared = ours.keys() - OWN

    assert shared < PhaseSecretSpec.model_fields.keys()
    assert {name: ours[name].alias for name in shared} == {
        name: PhaseSecretSpec.model_fields[name].alias for name in shared
    }


def test_the_numbers_of_the_schema_are_those_that_the_operator_works_with() -> None:
    length = SPEC["properties"]["generate"]["items"]["properties"]["length"]
    said = " ".join(rule["rule"] for rule in SPEC["properties"]["phaseAppEnvPath"]["x-kubernetes-validations"])

    assert (length["minimum"], length["maximum"]) == (generated.SHORTEST, generated.LONGEST)
    assert f"Default: {generated.USUAL}." in length["description"]
    assert said.endswith(f"size(name) <= {LONGEST_FOLDER})")


@pytest.mark.parametrize("each", GOOD, ids=[each.what for each in GOOD])
def test_a_spec_that_the_api_server_takes_is_read(each: Any) -> None:
    push_spec(PhasePushSecretSpec.model_validate(phase_push_secret(**each.spec)["spec"]))


JUDGED = [
    each
    for each in BAD
    if not any(words in each.what for words in OF_THE_API_SERVER) and each.what not in OF_ONE_MEANING
]


@pytest.mark.parametrize("each", JUDGED, ids=[each.what for each in JUDGED])
def test_a_spec_that_the_api_server_refuses_is_not_acted_on(each: Any) -> None:
    """A resource may be older than a rule, and stay as it is."""
    with pytest.raises((ValidationError, Invalid)):
        push_spec(PhasePushSecretSpec.model_validate(phase_push_secret(**each.spec)["spec"]))


def test_the_schema_of_the_status_takes_the_largest_ledger() -> None:
    """Its texts are as long as a spec allows, and as many rows again are on their way out."""
    source = SourceState(f"ConfigMap/{'s' * 253}", "9" * 64)
    rows = [
        Row(
            EntryPlace(f"/{'f' * 766}", f"{number:0{LONGEST_KEY}}"), state, source, "i" * 64, 9, True, "a" * 8, 1.0, 2.0
        )
        for number, state in zip(range(2 * MOST_ENTRIES), [*RowState] * MOST_ENTRIES, strict=False)
    ]
    assert len(rows) == 2 * MOST_ENTRIES

    jsonschema.validate(Ledger(LONGEST).with_rows(rows).document(), closed(STATUS))


def test_the_schema_of_the_status_takes_an_entry_that_is_only_announced() -> None:
    announced = Row(
        EntryPlace("/", "A"), RowState.ADDING, SourceState("Secret/a", "1"), attempt="5e1b09c2", announced_at=1
    )

    jsonschema.validate(Ledger(LONGEST).with_rows([announced]).document(), closed(STATUS))


def test_the_schema_of_the_status_takes_no_entry() -> None:
    jsonschema.validate(Ledger().document(), closed(STATUS))
    jsonschema.validate(Ledger(LONGEST).document(), closed(STATUS))
