"""What the next run would change of an object, for every way in which the object can stand there."""

from typing import Any

import pytest

from phase_operator.cli.diffing.changes import Change, Sign, TargetDiff, Verdict, emptied_diff, left_diff, target_diff
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.policy import TargetPolicy
from phase_operator.core.values import ObjectKey
from support.builders import config_entry, desired_config_map, desired_secret, entry, owner, secret_ref
from support.fakes import FakeCluster

RANDOM = b"r" * 32
OTHER = ObjectKey("team", "other")
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}


class There:
    """An object in the cluster."""

    def __init__(self, *applied: Desired, **fields: Any) -> None:
        self._cluster = FakeCluster()
        self._ref = applied[0].ref if applied else secret_ref()
        self._fields = fields
        for each in applied:
            self._cluster.force(each)

    def edited(self, manager: str = "helm", **data: str) -> "There":
        self._cluster.edit(self._ref, data, manager=manager)
        return self

    @property
    def body(self) -> dict[str, Any]:
        stored = self._cluster.objects[self._ref]
        data = {part: stored.part(part) for part in ("data", "binaryData")}
        return {"metadata": stored.metadata(), **data, **self._fields}


def made(*entries: Any, **fields: Any) -> Desired:
    """Return a target as the diff makes it: with random bytes as its digest key."""
    return desired_secret(*entries, digest_key=RANDOM, **fields)


def diff(desired: Desired, there: There | None, ref: TargetRef | None = None) -> TargetDiff:
    return target_diff(ref or secret_ref(), desired, None if there is None else there.body, RANDOM)


def keys(found: TargetDiff) -> list[str]:
    return [f"{each.sign} {each.name}" for each in found.changes if each.what == "key"]


def around(found: TargetDiff) -> list[str]:
    return [f"{each.sign} {each.what} {each.name}" for each in found.changes if each.what != "key"]


def test_an_object_that_is_as_it_should_be_does_not_change() -> None:
    found = diff(made(entry("A"), entry("B")), There(desired_secret(entry("A"), entry("B"))))

    assert (found.verdict, found.changes, found.is_same) == (Verdict.SAME, (), True)


def test_a_missing_object_is_created_with_all_its_keys() -> None:
    found = diff(made(entry("B"), entry("A")), None)

    assert (found.verdict, keys(found), found.exists) == (Verdict.CREATE, ["+ A", "+ B"], False)


def test_keys_are_added_removed_and_changed() -> None:
    there = There(desired_secret(entry("OLD"), entry("SAME"), entry("VALUE", "before")))

    found = diff(made(entry("NEW"), entry("SAME"), entry("VALUE", "after")), there)

    assert found.verdict is Verdict.CHANGE
    assert keys(found) == ["+ NEW", "- OLD", "~ VALUE"]


def test_a_key_that_others_put_into_a_whole_object_is_removed() -> None:
    found = diff(made(entry("A")), There(desired_secret(entry("A"))).edited(THEIRS="text"))

    assert keys(found) == ["- THEIRS"]


def test_a_key_that_was_edited_by_hand_is_changed_back() -> None:
    found = diff(made(entry("A", "right")), There(desired_secret(entry("A", "right"))).edited(A="wrong"))

    assert keys(found) == ["~ A"]


def test_a_merged_share_leaves_the_keys_of_others() -> None:
    there = There(desired_secret(entry("OURS"), entry("GONE"), **MERGE)).edited(THEIRS="text")

    found = diff(made(entry("OURS", "new"), entry("MORE"), **MERGE), there)

    assert keys(found) == ["+ MORE", "- GONE", "~ OURS"]
    assert found.after is not None
    assert sorted(found.after.digests) == ["MORE", "OURS", "THEIRS"]


def test_a_merged_key_that_others_hold_as_well_stays() -> None:
    there = There(desired_secret(entry("SHARED"), entry("OURS"), **MERGE)).edited(SHARED="text")

    found = diff(made(entry("OURS"), **MERGE), there)

    assert keys(found) == []


def test_an_object_of_others_is_refused_with_the_reason_of_the_operator() -> None:
    there = There(desired_secret(entry("A"), of=OTHER))

    found = diff(made(entry("A")), there)

    assert (found.verdict, found.is_same) == (Verdict.REFUSED, False)
    assert found.why.startswith("TargetConflict: ")
    assert "team/other" in found.why


def test_an_object_whose_writer_let_go_of_it_is_taken_over() -> None:
    there = There(desired_secret(entry("A"), of=OTHER))

    found = target_diff(secret_ref(), made(entry("A")), there.body, RANDOM, {"team/other"})

    assert (found.verdict, around(found)) == (Verdict.CHANGE, ["~ owner team/other -> team/shop"])


def test_labels_and_annotations_of_the_template_change() -> None:
    before = {"metadata": {"labels": {"team": "a", "old": "x"}, "annotations": {"note": "n"}}}
    after = {"metadata": {"labels": {"team": "b", "new": "y"}, "annotations": {"note": "n"}}}

    found = diff(made(entry("A"), template=after), There(desired_secret(entry("A"), template=before)))

    assert around(found) == ["+ label new", "~ label team", "- label old"]


def test_a_change_of_the_type_is_refused_unless_the_spec_replaces_the_secret() -> None:
    kind = {"secretType": "kubernetes.io/basic-auth"}
    there = There(desired_secret(entry("username"), entry("password")), type="Opaque")

    refused = diff(made(entry("username"), entry("password"), **kind), there)
    replaced = diff(made(entry("username"), entry("password"), **kind, onTypeChange="Replace"), there)

    assert (refused.verdict, around(refused)) == (Verdict.REFUSED, ["~ type Opaque -> kubernetes.io/basic-auth"])
    assert refused.why.startswith("TypeImmutable")
    assert replaced.verdict is Verdict.REPLACE


def test_an_immutable_object_is_not_written_but_its_labels_are() -> None:
    there = There(desired_secret(entry("A"), immutable=True), immutable=True)

    changed = diff(made(entry("A", "other"), immutable=True), there)
    labelled = diff(made(entry("A"), immutable=True, template={"metadata": {"labels": {"a": "b"}}}), there)

    assert (changed.verdict, changed.why.split(":")[0]) == (Verdict.REFUSED, "TargetImmutable")
    assert (labelled.verdict, around(labelled)) == (Verdict.CHANGE, ["+ label a"])


def test_a_versioned_target_gets_a_new_version_only_for_another_content() -> None:
    version: dict[str, Any] = {"versioned": {"keep": 2}}
    before = desired_secret(entry("A"), **version)

    same = diff(made(entry("A"), **version), There(before, immutable=True))
    other = diff(made(entry("A", "new"), entry("B"), **version), There(before, immutable=True))

    assert same.is_same
    assert (other.verdict, keys(other)) == (Verdict.NEW_VERSION, ["+ B", "~ A"])
    assert other.before is None, "no workload has read a new version before"


def test_a_config_map_is_compared_with_its_binary_data() -> None:
    before, after = desired_config_map(config_entry("A", "x")), desired_config_map(config_entry("A", "y"))

    found = diff(after, There(before, data={}, binaryData={"A": "eA=="}), before.ref)
    same = diff(before, There(before, data={}, binaryData={"A": "eA=="}), before.ref)

    assert (keys(found), same.changes) == (["~ A"], ())


@pytest.mark.parametrize(("policy", "verdict"), [("Delete", Verdict.DELETE), ("Retain", Verdict.LEFT)])
def test_a_target_that_the_spec_names_no_more_goes_or_stays_as_its_mark_says(policy: str, verdict: Verdict) -> None:
    there = There(desired_secret(entry("A"), deletionPolicy=policy))

    found = left_diff(secret_ref(), owner(), there.body, RANDOM)

    assert found is not None
    assert found.verdict is verdict


def test_a_share_that_is_not_named_any_more_loses_its_own_keys() -> None:
    there = There(desired_secret(entry("OURS"), **MERGE)).edited(THEIRS="text")

    found = left_diff(secret_ref(), owner(), there.body, RANDOM)

    assert found is not None
    assert (found.verdict, keys(found)) == (Verdict.WITHDRAW, ["- OURS"])


def test_a_target_that_others_write_by_now_is_no_concern_of_the_resource() -> None:
    there = There(desired_secret(entry("A"), of=OTHER))

    assert left_diff(secret_ref(), owner(), there.body, RANDOM) is None
    assert left_diff(secret_ref(), owner(), None, RANDOM) is None


def test_a_target_without_entries_is_deleted_only_if_its_policy_says_so() -> None:
    delete = desired_secret(entry("A"), deletionPolicy="Delete")
    retain = desired_secret(entry("A"))

    gone = emptied_diff(secret_ref(), owner(), There(delete).body, delete.policy, RANDOM)
    kept = emptied_diff(secret_ref(), owner(), There(retain).body, TargetPolicy(), RANDOM)

    assert gone is not None
    assert (gone.verdict, gone.why, kept) == (Verdict.DELETE, "no entry is left for it", None)


def test_a_change_does_not_print_its_values() -> None:
    found = diff(made(entry("A", "a-secret-text")), None)

    assert "a-secret-text" not in repr(found)
    assert found.changes == (Change(Sign.ADDED, "key", "A", None, b"a-secret-text"),)


def test_hostile_metadata_is_judged_and_does_not_raise() -> None:
    body = {"metadata": {"labels": 3, "annotations": [1], "managedFields": "x"}, "data": {"A": 5, "B": "not base64"}}

    found = target_diff(TargetRef(Kind.SECRET, ObjectKey("team", "shop")), made(entry("A"), adopt=True), body, RANDOM)

    assert found.verdict is Verdict.CHANGE
