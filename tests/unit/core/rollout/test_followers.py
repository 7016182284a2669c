"""What a target says of itself to workloads, and who follows it."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import Followers
from phase_operator.core.errors import Invalid
from phase_operator.core.rollout.followers import ABSENT, Gap, KnownContent, known_content, policies
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.fingerprint import KeyDigests, key_digests_of, merge_key_digests
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.values import ObjectKey
from support.builders import DIGEST_KEY, KEY, config_map_ref, desired_secret, entry, parsed, secret_ref
from support.fakes import FakeCluster

SHOP = secret_ref()
OTHER = ObjectKey("team", "other")
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}


def standing(*desired: Desired) -> dict[str, Any]:
    """Return the metadata of an object that all of these were applied to."""
    cluster = FakeCluster()
    for each in desired:
        cluster.force(each)
    return cluster.objects[SHOP].metadata()


def test_nothing_that_stands_there_holds_nothing() -> None:
    assert known_content(None, DIGEST_KEY) == ABSENT


def test_a_whole_target_says_what_it_holds_and_since_when() -> None:
    desired = desired_secret(entry("A"), entry("B"))

    found = known_content(standing(desired), DIGEST_KEY)

    assert found.content == desired.content
    assert found.written_at


def test_parts_are_put_together() -> None:
    first, second = desired_secret(entry("A"), of=KEY, **MERGE), desired_secret(entry("B"), of=OTHER, **MERGE)

    found = known_content(standing(first, second), DIGEST_KEY).content

    assert isinstance(found, KeyDigests)
    assert first.content is not None
    assert found.read(frozenset({"A"})) == first.content.read(frozenset({"A"}))
    assert found.lacks(["A", "SOMEBODY_ELSES"]) == []


def test_parts_with_very_many_keys_are_told_as_a_whole() -> None:
    small, large = (
        key_digests_of(DIGEST_KEY, "target", {f"K{number}": b"1" for number in range(count)}) for count in (1, 4000)
    )

    found = merge_key_digests([small, large])

    assert found.entries is None
    assert found == merge_key_digests([large, small])
    assert found != merge_key_digests([large])


@pytest.mark.parametrize(
    ("change", "key"),
    [
        pytest.param({}, b"another key" * 3, id="made with a key that was lost"),
        pytest.param({names.ANNOTATION_KEYS: "nonsense"}, DIGEST_KEY, id="edited by hand"),
        pytest.param({names.ANNOTATION_OWNER: ""}, DIGEST_KEY, id="not a target of ours"),
    ],
)
def test_the_content_of_a_target_with_wrong_marks_is_not_known(change: dict[str, str], key: bytes) -> None:
    metadata = standing(desired_secret(entry("A")))
    metadata["annotations"] |= change

    assert known_content(metadata, key).content is Gap.UNKNOWN


@pytest.mark.parametrize(
    "manager", [pytest.param("kubectl", id="somebody else"), pytest.param(merge_manager(KEY), id="a part without mark")]
)
def test_an_object_of_others_is_not_known(manager: str) -> None:
    metadata = {"managedFields": [{"manager": manager, "operation": "Apply", "time": "t", "fieldsV1": {}}, "odd", None]}

    assert known_content(metadata, DIGEST_KEY) == KnownContent(Gap.UNKNOWN)


def test_every_target_has_a_policy_of_its_own() -> None:
    spec = parsed(
        redeployLabelSelector="tier",
        managedSecretReferences=[
            {"secretName": "a"},
            {"secretName": "b", "secretNamespace": "other", "restart": {"workloads": "All", "selector": "app=web"}},
        ],
        managedConfigMapReferences=[{"configMapName": "c", "restart": {"workloads": "None"}}],
    )

    found = policies(spec, "team")

    other = secret_ref("b", "other")
    assert list(found) == [secret_ref("a"), other, config_map_ref("c")]
    assert [policy.followers for policy in found.values()] == [Followers.ANNOTATED, Followers.ALL, Followers.NONE]
    assert [len(policy.selectors) for policy in found.values()] == [1, 2, 1]


def test_a_selector_that_cannot_be_read_is_told_with_its_field() -> None:
    spec = parsed(
        managedSecretReferences=[],
        managedConfigMapReferences=[{"configMapName": "c", "restart": {"selector": "a in ("}}],
    )

    with pytest.raises(Invalid, match=r"spec\.managedConfigMapReferences\[0\]\.restart\.selector: "):
        policies(spec, "team")
