"""No field of a target is left out in silence beside another: each has an effect or is reported, or both fail."""

from typing import Any

import pytest

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import (
    ManagedConfigMapReference,
    ManagedSecretReference,
    TargetFields,
)
from phase_operator.core.errors import ExpectedError
from phase_operator.core.targets.available import asked_in_vain, loss_policy
from phase_operator.core.targets.policy import policy
from phase_operator.core.targets.rendering import renderings
from phase_operator.core.values import ConfigEntry, Entry
from support.builders import DIGEST_KEY, KEY, config_entry, entry, owner
from support.field_pairs import DEFAULTS, OF_KIND, REFUSED, SAME, Fields, beside, both, pairs

PLACES = {
    "Secret": ("managedSecretReferences", {"secretName": "shop"}),
    "ConfigMap": ("managedConfigMapReferences", {"configMapName": "shop"}),
}
MODELS: dict[str, type[TargetFields]] = {"Secret": ManagedSecretReference, "ConfigMap": ManagedConfigMapReference}
# What cannot be seen of the object: whose pods are restarted for it.
ELSEWHERE = {"restart"}
SECRETS: list[Entry] = [
    entry("username", "u"),
    entry("password", "p"),
    entry("DB", "d", path="/db"),
    config_entry("userC", "c", path="/db"),
]
CONFIG: list[ConfigEntry] = [
    config_entry("username", "u"),
    config_entry("password", "p"),
    config_entry("DB", "d", path="/db"),
]
ALL = [(kind, *pair) for kind in OF_KIND for pair in pairs(kind)]


def effect(kind: str, fields: Fields) -> Any:
    """Return all that comes of a target with these fields."""
    place, smallest = PLACES[kind]
    spec = PhaseSecretSpec.model_validate({"phaseApp": "shop", "recursive": True, place: [smallest | fields]})
    (rendering,) = renderings(spec, KEY.namespace, SECRETS if kind == "Secret" else CONFIG, DIGEST_KEY)
    try:
        made = rendering.render(owner())
    except ExpectedError as error:
        shown: Any = (error.reason, error.message)
    else:
        shown = (made.manifest, made.create_type)
    policies = policy(rendering.target)
    return (
        shown,
        policies,
        loss_policy(rendering, spec, policies, {}, selects=True, twice=False),
        rendering.ref,
        rendering.keep,
        [each.key for each in rendering.taken],
        list(asked_in_vain(rendering)),
    )


@pytest.mark.parametrize("kind", OF_KIND)
def test_the_table_has_every_optional_field(kind: str) -> None:
    fields = {
        each.alias or name for name, each in MODELS[kind].model_fields.items() if not each.is_required()
    } - ELSEWHERE

    assert {name.partition(" ")[0].partition(".")[0] for name in OF_KIND[kind]} == fields


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, fields in OF_KIND.items() for field in fields if field not in DEFAULTS]
)
def test_each_field_has_an_effect_by_itself(kind: str, field: str) -> None:
    assert effect(kind, OF_KIND[kind][field]) != effect(kind, {})


@pytest.mark.parametrize(("kind", "one", "other"), ALL)
def test_each_field_has_an_effect_beside_every_other_or_is_reported(kind: str, one: str, other: str) -> None:
    if frozenset({one, other}) in SAME or (frozenset({one, other}) in REFUSED and not DEFAULTS & {one, other}):
        return
    first, second = beside(kind, one, other)
    together = effect(kind, both(first, second))

    for field, alone in ((one, second), (other, first)):
        if field not in DEFAULTS or frozenset({one, other}) in REFUSED:
            assert together != effect(kind, alone), f"{field} is left out in silence"


@pytest.mark.parametrize(
    "pair",
    [each for each in REFUSED if "format" in each or "fileKey" in each],
    ids=lambda pair: " and ".join(sorted(pair)),
)
def test_a_pair_that_was_stored_before_it_was_refused_is_reported(pair: frozenset[str]) -> None:
    first, second = (OF_KIND["Secret"][each] for each in pair)

    assert any("format is left out" in each for each in effect("Secret", both(first, second))[-1])
