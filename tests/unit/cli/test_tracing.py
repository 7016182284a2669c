"""A trace names who writes an object or a key, and of which entry it is made; a mark alone proves nothing."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.tracing.lines import Trace, trace
from phase_operator.cli.tracing.origin import entry_of, origin
from phase_operator.core.refs import TargetRef
from phase_operator.core.targets.merge import mark, merge_annotation, merge_manager, spelled
from phase_operator.core.values import ObjectKey
from unit.cli.things import HOSTILE, SHOP, managed, resource, target

OWNER = ObjectKey("shop", "shop")


def traced(metadata: dict[str, Any], key: str = "", ref: TargetRef = SHOP, **owners: dict[str, Any] | None) -> Trace:
    found = origin(metadata)
    resources = [(each.key, owners.get(each.key.name)) for each in found.writers]
    return trace(ref, key, metadata, found, resources)


def lines(found: Trace) -> dict[str, str]:
    return dict(found.lines)


def test_a_whole_object_leads_to_its_resource_and_its_place_in_phase() -> None:
    found = traced(target({"A": "1"}), shop=resource(status={"lastSyncedTime": "2026-01-01T00:00:00Z"}))

    assert found.is_managed
    assert lines(found) == {
        "written by": "PhaseSecret shop/shop: ready",
        "from": "Phase shop/production:/ at https://console.phase.dev",
        "last change": "2026-01-01T00:00:00Z",
        "spec written by": "-",
        "held by": "phase-operator (Apply, 2026-01-01T00:00:00Z)",
    }


def test_a_key_leads_to_its_entry() -> None:
    assert lines(traced(target({"A": "1"}), "A", shop=resource()))["entry"] == "A in /"


def merged(*keys: str, of: str = "shop") -> dict[str, Any]:
    owner = ObjectKey("shop", of)
    manager = merge_manager(owner)
    return {
        "managedFields": [managed("helm", "THEIRS", operation="Update"), managed(manager, *keys)],
        "annotations": {merge_annotation(manager): spelled(mark(owner, "d", keys, "", "o"))},
    }


def test_a_merged_key_leads_to_its_resource_and_a_key_of_others_does_not() -> None:
    spec = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop", "creationPolicy": "Merge"}]}
    owner = resource(spec=spec)

    ours, theirs = traced(merged("A"), "A", shop=owner), traced(merged("A"), "THEIRS", shop=owner)

    assert ours.is_managed
    assert lines(ours)["written by"] == 'PhaseSecret shop/shop, which merges "A" into it: ready'
    assert not theirs.is_managed
    assert lines(theirs)["held by"] == "helm (Update, 2026-01-01T00:00:00Z)"


@pytest.mark.parametrize(
    ("metadata", "owner", "told"),
    [
        pytest.param({}, None, "no resource of this operator writes it", id="of others"),
        pytest.param(
            target({"A": "1"}, managedFields=[managed("velero", "A", operation="Update")]),
            None,
            "it is a copy",
            id="a copy",
        ),
        pytest.param(target({"A": "1"}), None, "it is gone, and left the object", id="left"),
        pytest.param(
            target({"A": "1"}),
            resource(spec={"phaseApp": "shop", "managedSecretReferences": [{"secretName": "new"}]}),
            "does not name the object any more",
            id="renamed",
        ),
        pytest.param({"labels": {names.LABEL_TARGET: "lease"}}, None, "credentials of a lease", id="a lease"),
        pytest.param({"labels": {names.LABEL_TARGET: "copy"}}, None, "copy that is kept", id="kept copy"),
        pytest.param(
            {"labels": {names.LABEL_TARGET: "generated"}, "annotations": {names.ANNOTATION_GENERATED_FOR: "shop/push"}},
            None,
            "made for PhasePushSecret shop/push",
            id="generated values",
        ),
    ],
)
def test_an_object_that_no_resource_keeps_is_not_managed(
    metadata: dict[str, Any], owner: dict[str, Any] | None, told: str
) -> None:
    found = traced(metadata, shop=owner)

    assert not found.is_managed
    assert told in lines(found)["written by"]


def test_a_version_leads_to_its_target() -> None:
    spec = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop", "versioned": {"keep": 2}}]}
    version = SHOP._replace(key=ObjectKey("shop", "shop-0123456789"))

    assert traced(target({"A": "1"}), ref=version, shop=resource(spec=spec)).is_managed
    assert not traced(target({"A": "1"}), ref=version, shop=resource()).is_managed


def test_a_key_that_is_not_there_says_so() -> None:
    assert traced(target({"A": "1"}), "B", shop=resource()).lines == [("key", "Secret shop/shop has no key B")]


def test_nothing_of_others_reaches_the_terminal_as_it_is() -> None:
    manager = managed(HOSTILE, HOSTILE, operation=HOSTILE, time=HOSTILE)
    metadata = target({"A": "1"}, owner=f"{HOSTILE}/{HOSTILE}") | {"labels": {HOSTILE: HOSTILE}}
    metadata["managedFields"] = [*metadata["managedFields"], manager]
    owner = resource(spec={"phaseApp": HOSTILE, "managedSecretReferences": HOSTILE, "phaseHost": HOSTILE})

    for key in ("", "A", HOSTILE):
        for found in (traced(metadata, key), trace(SHOP, key, metadata, origin(metadata), [(OWNER, owner)])):
            assert all(said.isprintable() for _, said in found.lines)


def test_many_managers_are_bounded() -> None:
    metadata = target({"A": "1"})
    metadata["managedFields"] += [managed(f"m{number}", operation="Update") for number in range(1000)]

    assert lines(traced(metadata, shop=resource()))["held by"].endswith("and 981 more")


@pytest.mark.parametrize(
    ("key", "fields", "told"),
    [
        ("A_B", {}, "A_B in /web"),
        ("a-b", {"nameTransformer": "lower-kebab"}, "A_B, spelt lower-kebab in /web"),
        ("aB", {"nameTransformer": "camel"}, "A_B, spelt camel in /web"),
        ("AB", {"nameTransformer": "upper-camel"}, "A_B, spelt upper-camel in /web"),
        ("AB", {"nameTransformer": "camel"}, "an entry that is spelt camel AB in /web"),
        ("TF_VAR_a_b", {"nameTransformer": "tf-var"}, "A_B, spelt tf-var in /web"),
        ("X_A", {"prefix": "X_"}, 'A, with prefix "X_" in /web'),
        ("A", {"prefix": "X_"}, "none that the spec tells of in /web"),
        ("name", {"processors": {"A": {"asName": "name"}}}, "A in /web, renamed by processors"),
        ("a", {"processors": {"A": {"nameTransformer": "camel"}}}, "A in /web, renamed by processors"),
        ("A", {"processors": {"A": {"type": "base64"}}}, "A in /web"),
        ("conf", {"template": {"data": {"conf": "x"}}}, "made by template.data of the target"),
        (".env", {"format": "dotenv"}, "the file of format dotenv, with all entries of the target"),
        ("A", {"format": "dotenv"}, "none that the spec tells of"),
        ("A", {"path": "/web/api"}, "A in /web/api"),
    ],
)
def test_an_entry_is_found_by_the_rules_of_the_spec(key: str, fields: dict[str, Any], told: str) -> None:
    spec = PhaseSecretSpec.model_validate(
        {
            "phaseApp": "shop",
            "phaseAppEnvPath": "/web",
            "managedSecretReferences": [{"secretName": "shop", **fields}],
        }
    )

    assert entry_of(key, spec.managed_secret_references[0], spec) == told
