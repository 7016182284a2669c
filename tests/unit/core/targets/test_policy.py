"""The policies of a target as they take effect: one table."""

from typing import Any

import pytest

from phase_operator.api.v1alpha1.phasesecret import ManagedConfigMapReference, ManagedSecretReference
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.status.recorded import removed_targets
from phase_operator.core.targets.policy import TargetPolicy, declared_targets, needs_finalizer, policy
from phase_operator.core.values import ObjectKey
from support.builders import parsed, secret_ref


@pytest.mark.parametrize(
    ("creation", "deletion", "deletes"),
    [
        pytest.param(None, None, False, id="nothing said"),
        pytest.param("Owner", None, False, id="Owner"),
        pytest.param("Owner", "Delete", True, id="Owner, Delete"),
        pytest.param("Orphan", None, False, id="Orphan"),
        pytest.param("Orphan", "Retain", False, id="Orphan, Retain"),
        pytest.param("Orphan", "Delete", False, id="Orphan, Delete, past the API server"),
        pytest.param("Merge", None, True, id="Merge"),
        pytest.param("Merge", "Retain", False, id="Merge, Retain"),
        pytest.param("Merge", "Delete", True, id="Merge, Delete"),
    ],
)
def test_a_target_is_deleted_or_kept_by_its_two_policies(
    creation: str | None, deletion: str | None, deletes: bool
) -> None:
    policies = {"creationPolicy": creation, "deletionPolicy": deletion}
    secret = ManagedSecretReference.model_validate({"secretName": "shop", **policies})
    config_map = ManagedConfigMapReference.model_validate({"configMapName": "shop", **policies})

    for found in (policy(secret), policy(config_map)):
        assert (found.deletes, found.merges) == (deletes, creation == "Merge")


def test_nothing_else_is_claimed_unless_it_is_said() -> None:
    assert policy(ManagedSecretReference.model_validate({"secretName": "shop"})) == TargetPolicy()


def test_adopt_and_replace_are_as_said() -> None:
    found = policy(
        ManagedSecretReference.model_validate({"secretName": "shop", "adopt": True, "onTypeChange": "Replace"})
    )

    assert (found.adopt, found.replace) == (True, True)


@pytest.mark.parametrize(
    ("target", "is_followed"),
    [
        pytest.param({}, True, id="nothing said"),
        pytest.param({"restart": {"workloads": "All"}}, True, id="All"),
        pytest.param({"restart": {"workloads": "None"}}, False, id="None"),
        pytest.param({"versioned": {}}, False, id="versions"),
    ],
)
def test_workloads_follow_a_target_unless_it_says_none_or_is_a_new_object_each_time(
    target: dict[str, Any], is_followed: bool
) -> None:
    found = policy(ManagedSecretReference.model_validate({"secretName": "shop", **target}))

    assert found.is_followed is is_followed


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        pytest.param({}, False, id="Retain"),
        pytest.param({"deletionPolicy": "Delete"}, False, id="Delete here: the garbage collector does it"),
        pytest.param({"secretNamespace": "team", "deletionPolicy": "Delete"}, False, id="Delete here, spelled out"),
        pytest.param({"secretNamespace": "other", "deletionPolicy": "Delete"}, True, id="Delete elsewhere"),
        pytest.param({"secretNamespace": "other"}, False, id="Retain elsewhere"),
        pytest.param({"creationPolicy": "Merge"}, True, id="Merge"),
        pytest.param({"creationPolicy": "Merge", "deletionPolicy": "Retain"}, False, id="Merge, Retain"),
        pytest.param({"creationPolicy": "Orphan"}, False, id="Orphan"),
    ],
)
def test_a_finalizer_stands_only_where_nobody_else_takes_away(target: dict[str, Any], needed: bool) -> None:
    spec = parsed(managedSecretReferences=[{"secretName": "shop", **target}])

    assert needs_finalizer(declared_targets(spec, "team"), "team") is needed


def test_a_target_that_the_status_names_and_the_spec_does_not_is_dropped() -> None:
    targets = [
        {"kind": "Secret", "namespace": "team", "name": "shop"},
        {"kind": "ConfigMap", "namespace": "team", "name": "shop"},
        {"kind": "Secret", "namespace": "team", "name": "old"},
    ]

    found = removed_targets({"targets": targets}, declared_targets(parsed(), "team"))

    assert found == [TargetRef(Kind.CONFIG_MAP, ObjectKey("team", "shop")), secret_ref("old")]


def test_a_status_that_says_nothing_drops_nothing() -> None:
    assert removed_targets({}, {}) == []
