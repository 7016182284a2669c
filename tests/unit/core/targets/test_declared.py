"""Which targets a spec wants, and what a status says of those that were written."""

from typing import Any

import pytest

from phase_operator.core.errors import Invalid
from phase_operator.core.status.recorded import (
    newest_version,
    newest_versions,
    recorded_refs,
    removed_targets,
    written_before,
)
from phase_operator.core.targets.policy import declared_targets, needs_finalizer
from support.builders import config_map_ref, parsed, secret_ref


def to(*references: dict[str, Any], config_maps: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "managedSecretReferences": list(references),
        "managedConfigMapReferences": [{"configMapName": name} for name in config_maps],
    }


def told(name: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "Secret", "namespace": "team", "name": name, "ready": True, "reason": "Synced", **fields}


def test_targets_stand_in_the_order_of_the_spec() -> None:
    spec = parsed(**to({"secretName": "b"}, {"secretName": "a"}, config_maps=("c",)))

    assert list(declared_targets(spec, "team")) == [secret_ref("b"), secret_ref("a"), config_map_ref("c")]


def test_a_secret_and_a_config_map_of_one_name_are_no_double() -> None:
    spec = parsed(**to({"secretName": "a"}, config_maps=("a",)))

    assert list(declared_targets(spec, "team")) == [secret_ref("a"), config_map_ref("a")]


def test_doubles_are_named_once_and_sorted() -> None:
    spec = parsed(**to(*({"secretName": name} for name in ("b", "a", "b", "a", "b", "c"))))

    with pytest.raises(Invalid) as caught:
        declared_targets(spec, "team")

    assert caught.value.message.endswith('"Secret team/a", "Secret team/b"')


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        pytest.param({}, False, id="retained"),
        pytest.param({"deletionPolicy": "Delete"}, False, id="collected with its owner"),
        pytest.param({"deletionPolicy": "Delete", "secretNamespace": "other"}, True, id="another namespace"),
        pytest.param({"creationPolicy": "Merge"}, True, id="our keys in another's object"),
        pytest.param({"creationPolicy": "Merge", "deletionPolicy": "Retain"}, False, id="keys that stay"),
    ],
)
def test_a_finalizer_is_only_for_what_no_collector_takes(target: dict[str, Any], needed: bool) -> None:
    spec = parsed(**to({"secretName": "a", **target}))

    assert needs_finalizer(declared_targets(spec, "team"), "team") is needed


def test_a_target_is_dropped_when_the_status_names_it_and_the_spec_does_not() -> None:
    status = {"targets": [told("a"), told("b")]}

    assert list(recorded_refs(status)) == [secret_ref("a"), secret_ref("b")]
    assert removed_targets(status, declared_targets(parsed(**to({"secretName": "b"})), "team")) == [secret_ref("a")]


def test_a_target_was_written_if_its_keys_were_counted() -> None:
    status = {"targets": [told("a", keys=0), told("b")]}

    assert written_before(status, secret_ref("a"))
    assert not written_before(status, secret_ref("b"))
    assert not written_before(status, config_map_ref("a"))


def test_a_versioned_target_stands_by_its_newest_version() -> None:
    versions = newest_versions({"targets": [told("a", version="a-0123456789"), told("b")]})

    assert versions == {secret_ref("a"): "a-0123456789"}
    assert newest_version(secret_ref("a"), versions) == secret_ref("a-0123456789")
    assert newest_version(secret_ref("b"), versions) == secret_ref("b")


@pytest.mark.parametrize("name", ["other", "b-0123456789", "a", "a-0123", "a-0123456789-x"])
def test_a_name_that_no_version_of_the_target_has_is_none(name: str) -> None:
    assert newest_versions({"targets": [told("a", version=name)]}) == {}


def test_a_status_that_says_nothing_names_nothing() -> None:
    assert list(recorded_refs({})) == []
    assert newest_versions({}) == {}
