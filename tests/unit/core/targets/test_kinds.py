"""A resource of another kind with the same name is another owner: of marks, of field managers, of references."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.core.refs import Owner
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.ownership import is_free, objection
from phase_operator.core.targets.removal import Leave, Unwanted, removal
from phase_operator.core.targets.type_change import copy_of_existing, copy_owner, original_owner
from phase_operator.core.values import ObjectKey
from support.builders import KEY, UID, desired_secret, secret_ref
from support.fakes import FakeCluster

THING = ObjectKey(KEY.namespace, KEY.name, "PhaseThing")
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}
BOTH = pytest.mark.parametrize(
    ("one", "other"), [pytest.param(KEY, THING, id="PhaseSecret first"), pytest.param(THING, KEY, id="the other first")]
)


def standing(of: ObjectKey, **fields: Any) -> Observed:
    """Return what is seen of an object that this resource wrote."""
    cluster = FakeCluster()
    cluster.force(desired_secret(of=of, **fields))
    return observe(cluster.objects[secret_ref()].metadata())


@BOTH
@pytest.mark.parametrize("fields", [{}, {"deletionPolicy": "Delete"}, MERGE], ids=["owned", "with Delete", "merged"])
def test_a_target_belongs_to_the_kind_that_wrote_it(one: ObjectKey, other: ObjectKey, fields: dict[str, Any]) -> None:
    assert objection(desired_secret(of=one, **fields), standing(one, **fields)) is None


@BOTH
@pytest.mark.parametrize("fields", [{}, {"deletionPolicy": "Delete"}, MERGE], ids=["owned", "with Delete", "merged"])
def test_a_kind_does_not_take_a_target_of_the_other(one: ObjectKey, other: ObjectKey, fields: dict[str, Any]) -> None:
    found = objection(desired_secret(of=other), standing(one, **fields))

    assert found is not None
    assert found.by == (str(one),)


@BOTH
def test_a_kind_does_not_remove_a_target_of_the_other(one: ObjectKey, other: ObjectKey) -> None:
    found = standing(one, deletionPolicy="Delete")

    assert isinstance(removal(secret_ref(), found, Owner(other, "another-uid"), Unwanted()), Leave)
    assert not isinstance(removal(secret_ref(), found, Owner(one, UID), Unwanted()), Leave)


def test_a_target_that_another_kind_of_the_namespace_left_is_free() -> None:
    assert is_free(str(THING), desired_secret())
    assert not is_free(f"PhaseThing:elsewhere/{KEY.name}", desired_secret())


@pytest.mark.parametrize(
    ("key", "kind"), [(KEY, names.KIND_PHASE_SECRET), (THING, "PhaseThing")], ids=["usual", "another"]
)
def test_an_owner_reference_names_the_kind(key: ObjectKey, kind: str) -> None:
    [found] = desired_secret(of=key, deletionPolicy="Delete").manifest["metadata"]["ownerReferences"]

    assert found["kind"] == kind
    assert standing(key, deletionPolicy="Delete").origin == UID


def test_each_kind_merges_under_a_manager_of_its_own() -> None:
    assert merge_manager(KEY) == f"{names.MERGE_MANAGER_PREFIX}team/{KEY.name}"
    assert merge_manager(THING) == f"{names.MERGE_MANAGER_PREFIX}PhaseThing:team/{KEY.name}"
    assert [part.of for part in standing(THING, **MERGE).parts] == [str(THING)]


@pytest.mark.parametrize("key", [THING, ObjectKey("team", "n" * 250, "PhaseThing")])
def test_a_part_says_whose_it_is_however_long_the_name_is(key: ObjectKey) -> None:
    assert [part.of for part in standing(key, **MERGE).parts] == [str(key)]


@pytest.mark.parametrize("key", [KEY, THING])
def test_a_copy_keeps_the_kind_and_the_reference_of_its_owner(key: ObjectKey) -> None:
    desired = desired_secret(of=key, deletionPolicy="Delete")
    cluster = FakeCluster()
    cluster.force(desired)
    stored = cluster.objects[secret_ref()].metadata()

    copy = copy_of_existing({"metadata": stored}, desired)

    assert copy["metadata"]["ownerReferences"] == desired.manifest["metadata"]["ownerReferences"]
    assert original_owner(str(copy_owner(key))) == str(key)
