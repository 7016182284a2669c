from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import merge_annotation, merge_manager
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.plan import Apply, Refuse, Unchanged, intent, plan
from phase_operator.core.values import ObjectKey
from support.builders import KEY, desired_config_map, desired_secret, entry, observed, secret_ref
from support.fakes import FakeCluster

DESIRED = desired_secret(entry("A"), entry("B"))
SHAPES = st.sampled_from([DESIRED.owned_fields, b"", b"another"])
DIGESTS = st.sampled_from([DESIRED.digest, "", "another"])
OWNERS = st.sampled_from([str(DESIRED.owner.key), "", "team/another"])
KEYS = st.lists(st.sampled_from(["A", "B", "X", "Y"]), unique=True).map(tuple)
MANAGERS = st.lists(st.sampled_from(["helm", "kubectl-edit"]), unique=True).map(tuple)
OBSERVED = st.builds(
    lambda **changes: observed(DESIRED, **changes),
    owner=OWNERS,
    digest=DIGESTS,
    owned_fields=SHAPES,
    foreign_keys=KEYS,
    managers=MANAGERS,
)


def test_an_absent_target_is_made_and_must_not_exist_by_then() -> None:
    assert plan(DESIRED, None) == Apply(resource_version=None)


def test_a_target_that_is_as_desired_is_left_unchanged() -> None:
    assert plan(DESIRED, observed(DESIRED)) == Unchanged()


@pytest.mark.parametrize(
    ("changes", "prune"),
    [
        pytest.param({"digest": "another"}, (), id="other content"),
        pytest.param({"digest": ""}, (), id="no digest"),
        pytest.param({"owned_fields": b"another"}, (), id="a field was taken from us"),
        pytest.param({"owned_fields": b""}, (), id="nothing is ours any more but the mark"),
        pytest.param({"foreign_keys": ("X", "Y")}, ("X", "Y"), id="keys of others"),
        pytest.param({"foreign_keys": ("A", "X")}, ("X",), id="keys of others, one of which we want"),
        pytest.param({"foreign_keys": ("A",)}, None, id="only a key of others that we want"),
    ],
)
def test_a_target_that_differs_is_applied_under_the_version_that_was_judged(
    changes: dict[str, Any], prune: tuple[str, ...] | None
) -> None:
    found = plan(DESIRED, observed(DESIRED, resource_version="7", **changes))

    assert found == (Unchanged() if prune is None else Apply("7", prune))


def test_a_hand_edit_of_the_mark_does_not_make_an_object_somebody_elses() -> None:
    found = plan(DESIRED, observed(DESIRED, owner="", owned_fields=b"without the mark"))

    assert found == Apply("7")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"owner": "team/another"}, id="another PhaseSecret's"),
        pytest.param({"owner": "", "owned_fields": b"", "managers": ("helm",)}, id="a tool's"),
        pytest.param({"owner": "", "owned_fields": b""}, id="nobody's that is known"),
        pytest.param({"owner": "other/shop"}, id="a PhaseSecret's of that name elsewhere"),
    ],
)
def test_a_target_that_is_not_ours_is_refused(changes: dict[str, Any]) -> None:
    assert isinstance(plan(DESIRED, observed(DESIRED, **changes)), Refuse)


def test_a_refusal_says_whose_it_is() -> None:
    found = plan(DESIRED, observed(DESIRED, owner="", owned_fields=b"", managers=("argocd", "helm")))

    assert isinstance(found, Refuse)
    assert "argocd, helm" in found.why


def test_a_config_map_is_judged_alike() -> None:
    desired = desired_config_map()

    assert plan(desired, None) == Apply(None)
    assert plan(desired, observed(desired)) == Unchanged()
    assert isinstance(plan(desired, observed(desired, owner=str(ObjectKey("team", "another")))), Refuse)


@given(OBSERVED)
def test_nothing_is_written_that_carries_no_sign_of_ours(found: Any) -> None:
    ours = found.owner == str(DESIRED.owner.key) or (found.owner == "" and found.owned_fields != b"")

    assert isinstance(plan(DESIRED, found), Refuse) is not ours


def held(found: Observed) -> set[str]:
    """Return the keys that others put there, or hold beside us."""
    return set(found.foreign_keys).union(*(holder.keys for holder in found.field_managers))


@given(OBSERVED)
def test_nothing_is_written_when_nothing_differs_and_nothing_is_pruned_that_we_want(found: Any) -> None:
    action = plan(DESIRED, found)

    match action:
        case Unchanged():
            assert (found.digest, found.owned_fields) == (DESIRED.digest, DESIRED.owned_fields)
            assert held(found) <= DESIRED.keys
        case Apply(resource_version=version, prune=prune):
            assert version == found.resource_version
            assert (found.digest, found.owned_fields, prune) != (DESIRED.digest, DESIRED.owned_fields, ())
            assert set(prune) == held(found) - DESIRED.keys
        case Refuse():
            pass


# Merge.

MERGE: dict[str, Any] = {"creationPolicy": "Merge"}
OTHER = ObjectKey("team", "other")
PART = desired_secret(entry("A"), entry("B"), **MERGE)


def standing(*desired: Desired, by_hand: dict[str, str | None] | None = None) -> Observed:
    """Return what is seen after these were applied, one after another, and a user wrote keys."""
    cluster = FakeCluster()
    for each in desired:
        cluster.force(each)
    if by_hand:
        cluster.edit(secret_ref(), by_hand)
    return observe(cluster.objects[secret_ref()].metadata())


def test_a_part_is_our_keys_and_our_marks_and_nothing_else() -> None:
    found = desired_secret(
        entry("A"),
        secretType="kubernetes.io/basic-auth",
        template={"metadata": {"labels": {"tier": "api"}}},
        **MERGE,
    ).manifest

    assert found.keys() == {"apiVersion", "kind", "metadata", "data"}
    assert found["metadata"]["labels"] == {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
    assert found["metadata"]["annotations"].keys() == {merge_annotation(merge_manager(KEY))}
    assert "ownerReferences" not in found["metadata"]


def test_a_field_manager_is_never_longer_than_kubernetes_takes() -> None:
    long = ObjectKey("n" * 63, "x" * 253)

    assert len(merge_manager(long)) <= 128
    assert merge_manager(long) != merge_manager(ObjectKey("n" * 63, "x" * 252 + "y"))
    assert len(merge_annotation(merge_manager(long)).split("/")[1]) == 10
    assert merge_manager(KEY) == "phase-operator/team/shop"


def test_a_part_that_stands_is_kept_whatever_others_do_beside_it() -> None:
    beside = desired_secret(entry("X"), of=OTHER, **MERGE)

    assert plan(PART, standing(PART, beside, by_hand={"Y": "eA=="})) == Unchanged()


@pytest.mark.parametrize(
    "by_hand",
    [
        pytest.param({"A": "eA=="}, id="a value"),
        pytest.param({"A": None}, id="a key taken out"),
        pytest.param({"A": None, "B": None}, id="all of them"),
    ],
)
def test_a_part_that_was_edited_by_hand_is_applied_by_force(by_hand: dict[str, str | None]) -> None:
    found = standing(PART, by_hand=by_hand)

    assert plan(PART, found) == Apply(found.resource_version)


def test_a_first_merge_takes_nothing_unseen() -> None:
    found = standing(desired_secret(entry("X"), of=OTHER, **MERGE))

    assert plan(PART, found) == Apply(found.resource_version, force=False)


def test_nothing_is_pruned_from_what_others_keep() -> None:
    found = plan(PART, standing(desired_secret(entry("A"), **MERGE), by_hand={"X": "eA=="}))

    assert isinstance(found, Apply)
    assert found.prune == ()


def test_another_deletion_policy_is_written_down() -> None:
    retained = desired_secret(entry("A"), entry("B"), deletionPolicy="Retain", **MERGE)

    assert isinstance(plan(retained, standing(PART)), Apply)


def test_the_type_is_named_only_where_it_is_ours() -> None:
    auth = desired_secret(entry("username"), secretType="kubernetes.io/basic-auth", **MERGE)

    made = plan(auth, None)
    assert isinstance(made, Apply)
    assert intent(auth, made, "1")["type"] == "kubernetes.io/basic-auth"
    # As long as it stands there by us: else Kubernetes would have to take it out, and cannot.
    more = desired_secret(entry("username"), entry("password"), secretType="Opaque", **MERGE)
    again = plan(more, standing(auth))
    assert isinstance(again, Apply)
    assert intent(more, again, "1")["type"] == "kubernetes.io/basic-auth"
    beside = plan(auth, standing(desired_secret(entry("X"), of=OTHER, **MERGE)))
    assert isinstance(beside, Apply)
    assert "type" not in intent(auth, beside, "1")


def test_a_change_of_policy_gives_up_what_the_other_one_held() -> None:
    whole = desired_secret(entry("A"))
    part = desired_secret(entry("A"), **MERGE)

    to_part, to_whole = plan(part, standing(whole)), plan(whole, standing(part))

    assert isinstance(to_part, Apply)
    assert isinstance(to_whole, Apply)
    assert (to_part.release, to_whole.release) == ((names.FIELD_MANAGER,), (part.manager,))
