from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import CoManagers, FieldManager
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.ownership import OFFICIAL_MANAGERS, is_official, objection
from phase_operator.core.values import ObjectKey
from support.builders import desired_secret, entry, observed, secret_ref
from support.fakes import FakeCluster

OTHER = ObjectKey("team", "other")
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}


def standing(*desired: Desired, by_hand: dict[str, str] | None = None, manager: str = "helm") -> Observed:
    """Return what is seen after these were applied, one after another, and a user wrote keys."""
    cluster = FakeCluster()
    for each in desired:
        cluster.force(each)
    if by_hand:
        cluster.edit(secret_ref(), by_hand, manager=manager)
    return observe(cluster.objects[secret_ref()].metadata())


def foreign(*field_managers: FieldManager, controller: str = "") -> Observed:
    """Return an object that others hold."""
    keys = frozenset().union(*(holder.keys for holder in field_managers))
    return observed(
        desired_secret(),
        owner="",
        owned_fields=b"",
        foreign_keys=tuple(sorted(keys)),
        others=CoManagers(field_managers, (), controller),
    )


def refused(desired: Desired, found: Observed, gone: Collection[str] = ()) -> str:
    """Return why it is refused, "" if it is not."""
    why = objection(desired, found, gone)
    return "" if why is None else why.why


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="mark and fields"),
        pytest.param({"owned_fields": b""}, id="the mark alone"),
        pytest.param({"owner": ""}, id="our fields alone"),
        pytest.param({"managers": ("helm",)}, id="others have fields too"),
    ],
)
def test_an_object_is_ours_by_its_mark_or_by_our_fields(changes: dict[str, Any]) -> None:
    assert objection(desired_secret(), observed(desired_secret(), **changes)) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"owner": "team/other"}, "team/other", id="another PhaseSecret's mark"),
        pytest.param({"owner": "", "owned_fields": b"", "managers": ("b", "helm")}, "b, helm", id="others manage it"),
    ],
)
def test_an_objection_names_whose_it_is(changes: dict[str, Any], named: str) -> None:
    assert refused(desired_secret(), observed(desired_secret(), **changes)).endswith(named)


def test_a_controller_is_named_before_the_program_that_wrote_it() -> None:
    found = foreign(FieldManager("manager", "Update", frozenset({"A"})), controller="ExternalSecret shop")

    assert refused(desired_secret(), found).endswith("ExternalSecret shop")


def test_an_object_without_a_sign_of_ours_is_somebody_elses() -> None:
    assert refused(desired_secret(), observe({}))


def test_another_resources_target_is_not_ours_even_where_our_fields_stand() -> None:
    assert refused(desired_secret(of=OTHER), observed(desired_secret()))


# adopt, and PhaseSecrets that are gone.


@pytest.mark.parametrize("policy", [{}, {"creationPolicy": "Orphan"}, MERGE], ids=["Owner", "Orphan", "Merge"])
def test_adopt_takes_over_what_anybody_but_a_phasesecret_keeps(policy: dict[str, Any]) -> None:
    found = foreign(FieldManager("helm", "Update", frozenset({"A"})), controller="ExternalSecret shop")

    assert refused(desired_secret(entry("A"), **policy), found)
    assert not refused(desired_secret(entry("A"), adopt=True, **policy), found)


@pytest.mark.parametrize("policy", [{}, {"creationPolicy": "Orphan"}, MERGE], ids=["Owner", "Orphan", "Merge"])
def test_a_living_phasesecrets_object_is_not_taken_even_with_adopt(policy: dict[str, Any]) -> None:
    desired = desired_secret(entry("A"), adopt=True, **policy)
    found = standing(desired_secret(entry("B"), of=OTHER))

    assert objection(desired, found).by == ("team/other",)  # type: ignore[union-attr]  # that it is none fails as well
    assert not refused(desired, found, gone={"team/other"})


def test_an_object_that_phasesecrets_merge_into_is_not_taken_as_a_whole() -> None:
    desired = desired_secret(adopt=True)
    found = standing(desired_secret(of=OTHER, **MERGE))

    assert "team/other merges" in refused(desired, found)
    assert not refused(desired, found, gone={"team/other"})


# The official operator's Secrets.

OURS = desired_secret(entry("A"), entry("B"))
DATA = frozenset({"A", "B"})


@pytest.mark.parametrize(
    ("found", "is_taken"),
    [
        *(
            pytest.param(foreign(FieldManager(manager, "Update", DATA)), True, id=manager)
            for manager in sorted(OFFICIAL_MANAGERS)
        ),
        pytest.param(
            foreign(
                FieldManager("OpenAPI-Generator", "Update", frozenset({"A"})),
                FieldManager("manager", "Update", frozenset({"B"})),
            ),
            True,
            id="its second version after its first",
        ),
        pytest.param(foreign(FieldManager("manager", "Update", frozenset({"A"}))), True, id="a key fewer"),
        pytest.param(
            foreign(FieldManager("manager", "Update", frozenset({"A", "X"}))), False, id="a key that we have not"
        ),
        pytest.param(foreign(FieldManager("manager", "Update")), False, id="no keys at all"),
        pytest.param(foreign(FieldManager("manager", "Apply", DATA)), False, id="an apply"),
        pytest.param(foreign(FieldManager("kubectl-create", "Update", DATA)), False, id="another program"),
        pytest.param(
            foreign(FieldManager("kubectl-label", "Update"), FieldManager("manager", "Update", DATA)),
            False,
            id="labelled by hand",
        ),
        pytest.param(
            foreign(FieldManager("manager", "Update", DATA), controller="ExternalSecret shop"),
            False,
            id="a controller's",
        ),
        pytest.param(standing(desired_secret(entry("A"), of=OTHER, **MERGE)), False, id="merged into"),
        pytest.param(observe({}), False, id="nobody's"),
    ],
)
def test_a_secret_of_the_official_operator_is_recognized_and_taken_over(found: Observed, is_taken: bool) -> None:
    assert is_official(OURS, found) is is_taken
    assert (refused(OURS, found) == "") is is_taken


# Merge.


def test_keys_that_nobody_has_may_be_merged_into_anybodys_object() -> None:
    desired = desired_secret(entry("A"), **MERGE)

    assert not refused(desired, standing(desired, by_hand={"X": "eA=="}))
    assert not refused(
        desired, foreign(FieldManager("helm", "Update", frozenset({"X"})), controller="ExternalSecret x")
    )


def test_a_key_of_another_manager_is_refused_by_name() -> None:
    found = foreign(FieldManager("helm", "Update", frozenset({"A", "X"})))

    assert refused(desired_secret(entry("A"), **MERGE), found) == '"A" in it is managed by helm'


def test_a_key_of_ours_that_was_edited_by_hand_stays_ours() -> None:
    desired = desired_secret(entry("A"), **MERGE)

    assert not refused(desired, standing(desired, by_hand={"A": "eA=="}, manager="kubectl-edit"))


@pytest.mark.parametrize("adopt", [False, True])
def test_a_key_of_another_phasesecret_is_refused_even_after_a_hand_edit(adopt: bool) -> None:
    desired = desired_secret(entry("A"), entry("B"), adopt=adopt, **MERGE)
    theirs = desired_secret(entry("A"), of=OTHER, **MERGE)

    for found in (standing(theirs), standing(theirs, by_hand={"A": "eA=="})):
        assert refused(desired, found) == 'PhaseSecret team/other keeps "A" in it'
        assert not refused(desired, found, gone={"team/other"}) or found.managers == ("helm",)


def test_an_object_whose_owner_mark_was_taken_off_is_not_merged_into() -> None:
    found = observed(desired_secret(of=OTHER), owner="")

    assert refused(desired_secret(entry("X"), **MERGE), found)


# From one policy to another.


def test_an_object_merged_into_by_us_alone_becomes_ours_as_a_whole() -> None:
    merged = desired_secret(entry("A"), **MERGE)

    assert not refused(desired_secret(entry("A")), standing(merged))
    assert refused(desired_secret(entry("A")), standing(merged, by_hand={"X": "eA=="})).endswith(
        "helm, " + merged.manager
    )


def test_an_object_of_ours_may_be_merged_into_from_now_on() -> None:
    assert not refused(desired_secret(entry("A"), **MERGE), standing(desired_secret(entry("A"))))


# In another namespace, without a grant that says adopt.


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(foreign(FieldManager("helm", "Apply", frozenset({"A"}))), id="another program's"),
        pytest.param(foreign(FieldManager("manager", "Update", frozenset({"A"}))), id="one that looks official"),
        pytest.param(
            foreign(FieldManager("helm", "Apply", frozenset({"FREE"}))), id="another program's, with other keys"
        ),
        pytest.param(foreign(), id="an empty one"),
        pytest.param(standing(desired_secret(entry("OTHER"), of=OTHER, **MERGE)), id="one that another merges into"),
        pytest.param(observed(desired_secret(entry("OTHER"), of=OTHER), owner=""), id="one whose mark was taken off"),
    ],
)
@pytest.mark.parametrize("policy", [{}, MERGE, {"creationPolicy": "Orphan"}], ids=["owned", "merged", "orphaned"])
@pytest.mark.parametrize("adopt", [False, True])
def test_an_owner_that_may_not_take_leaves_foreign_targets_alone(
    found: Observed, policy: dict[str, Any], adopt: bool
) -> None:
    desired = desired_secret(entry("A"), adopt=adopt, **policy)

    assert refused(replace(desired, policy=desired.policy.without_taking()), found, gone=("team/other",))


@pytest.mark.parametrize(
    ("policy", "before"),
    [
        pytest.param({}, desired_secret(entry("A")), id="its object"),
        pytest.param(MERGE, desired_secret(entry("A"), **MERGE), id="its part"),
        pytest.param({}, desired_secret(entry("A"), **MERGE), id="an object that it merged into and wants to own"),
        pytest.param(MERGE, desired_secret(entry("A")), id="an object that it owned and wants to merge into"),
    ],
)
def test_an_owner_that_may_not_take_keeps_its_own_targets(policy: dict[str, Any], before: Desired) -> None:
    desired = desired_secret(entry("A"), entry("B"), **policy)

    assert not refused(replace(desired, policy=desired.policy.without_taking()), standing(before))


def test_a_mark_that_was_taken_off_is_put_back_where_the_digest_tells_whose_it_was() -> None:
    desired = desired_secret(entry("A"))
    bounded = replace(desired, policy=desired.policy.without_taking())

    assert not refused(bounded, observed(desired, owner=""))


def test_an_owner_that_may_not_take_leaves_the_keys_of_others_in_an_object_that_it_merged_into() -> None:
    before = desired_secret(entry("A"), **MERGE)
    desired = desired_secret(entry("A"), entry("TAKEN"), adopt=True, **MERGE)
    bounded = replace(desired, policy=desired.policy.without_taking())

    assert not refused(desired, standing(before, by_hand={"TAKEN": "eA=="}))
    assert refused(bounded, standing(before, by_hand={"TAKEN": "eA=="}))
