"""What is removed, and why nothing else can be."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import phase_operator
from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import CreationPolicy, DeletionPolicy
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.desired import Desired, origin_mark
from phase_operator.core.targets.merge import CoManagers, MergedShare, merge_manager
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.policy import TargetPolicy
from phase_operator.core.targets.removal import (
    Delete,
    Leave,
    Needless,
    Retyped,
    Spent,
    Superseded,
    Unwanted,
    Why,
    Withdraw,
    removal,
)
from phase_operator.core.targets.type_change import copy_of, copy_owner
from phase_operator.core.values import ObjectKey
from support.builders import KEY, desired_secret, entry, owner, secret_ref
from support.fakes import FakeCluster

OTHER = ObjectKey("team", "other")
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}
DELETES = desired_secret(entry("A"), deletionPolicy="Delete")
RETAINS = desired_secret(entry("A"))
PART = desired_secret(entry("A"), entry("B"), **MERGE)
PART_RETAINS = desired_secret(entry("A"), entry("B"), deletionPolicy="Retain", **MERGE)
ELSEWHERE = desired_secret(entry("A"), ref=secret_ref("shop", "elsewhere"), deletionPolicy="Delete")
VERSION = desired_secret(entry("A"), versioned={}, deletionPolicy="Delete")
OLD_VERSION = desired_secret(entry("A"), versioned={})


def standing(desired: Desired, **changes: Any) -> Observed:
    cluster = FakeCluster()
    cluster.force(desired)
    return replace(observe(cluster.objects[desired.ref].metadata()), **changes)


def copied(desired: Desired) -> Observed:
    """Return what a user may make of an object's labels, annotations and data: all but its field managers."""
    cluster = FakeCluster()
    cluster.force(desired)
    made = cluster.objects[desired.ref]
    cluster.delete(desired.ref)
    cluster.edit(
        desired.ref,
        made.part("data"),
        labels=made.part("metadata", "labels"),
        annotations=made.part("metadata", "annotations"),
        manager="kubectl-create",
    )
    return observe(cluster.objects[desired.ref].metadata())


def judged(desired: Desired, found: Observed | None, why: Why, of: Owner | None = None) -> type:
    return type(removal(desired.ref, found, of or owner(), why))


@pytest.mark.parametrize(
    ("desired", "found", "policy", "wanted"),
    [
        pytest.param(DELETES, None, None, Leave, id="nothing there"),
        pytest.param(DELETES, standing(DELETES), None, Delete, id="dropped, Delete"),
        pytest.param(RETAINS, standing(RETAINS), None, Leave, id="dropped, Retain"),
        pytest.param(DELETES, standing(desired_secret(deletionPolicy="Delete", of=OTHER)), None, Leave, id="another's"),
        pytest.param(DELETES, copied(DELETES), None, Leave, id="a copy with all marks"),
        pytest.param(PART, standing(PART), None, Withdraw, id="dropped, Merge"),
        pytest.param(PART, copied(PART), None, Leave, id="a copy of a merged object"),
        pytest.param(PART, standing(PART_RETAINS), None, Leave, id="dropped, Merge, Retain"),
        pytest.param(PART, standing(desired_secret(of=OTHER, **MERGE)), None, Leave, id="another's part"),
        pytest.param(DELETES, standing(DELETES), RETAINS.policy, Leave, id="the spec says Retain by now"),
        pytest.param(RETAINS, standing(RETAINS), DELETES.policy, Leave, id="it does not say that it goes"),
        pytest.param(PART, standing(PART), PART_RETAINS.policy, Leave, id="the spec says Merge, Retain by now"),
        pytest.param(PART, standing(PART), PART.policy, Withdraw, id="as the spec says"),
        pytest.param(RETAINS, standing(RETAINS), PART.policy, Leave, id="it was never merged into"),
        pytest.param(DELETES, standing(DELETES, terminating=True), DELETES.policy, Leave, id="it is going"),
    ],
)
def test_a_target_that_is_not_wanted_any_more_is_removed_as_its_policy_says(
    desired: Desired, found: Observed | None, policy: TargetPolicy | None, wanted: type
) -> None:
    action = removal(desired.ref, found, owner(), Unwanted(policy))

    assert type(action) is wanted
    if isinstance(action, Delete | Withdraw) and found is not None:
        assert (action.uid, action.resource_version) == (found.uid, found.resource_version)


def test_a_collected_target_is_left_to_kubernetes_and_a_merged_share_is_not() -> None:
    assert judged(DELETES, standing(DELETES), Unwanted(is_collected=True)) is Leave
    assert judged(PART, standing(PART), Unwanted(is_collected=True)) is Withdraw


@pytest.mark.parametrize("desired", [ELSEWHERE, PART], ids=["a whole object", "a part"])
def test_a_target_that_may_not_be_reached_stays_and_the_reason_is_given(desired: Desired) -> None:
    assert removal(desired.ref, standing(desired), owner(), Unwanted(refused="no grant")) == Leave("no grant")


def test_of_what_would_stay_anyway_nothing_is_told() -> None:
    assert removal(RETAINS.ref, standing(RETAINS), owner(), Unwanted(refused="no grant")) == Leave()


# What no status names.


@pytest.mark.parametrize("desired", [DELETES, ELSEWHERE, PART, VERSION], ids=["whole", "elsewhere", "part", "version"])
def test_a_target_that_only_its_marks_show_must_name_its_writer_and_its_place(desired: Desired) -> None:
    found, why = standing(desired), Unwanted(is_recorded=False)

    assert judged(desired, found, why) in (Delete, Withdraw)
    # Another PhaseSecret of the same name, as after `kubectl delete --cascade=orphan`.
    assert judged(desired, found, why, Owner(KEY, "another-uid")) is Leave


@pytest.mark.parametrize("desired", [ELSEWHERE, PART], ids=["elsewhere", "part"])
def test_a_copy_with_the_same_field_managers_is_not_removed(desired: Desired) -> None:
    # As a backup tool does that restores managedFields, too.
    namesake = TargetRef(desired.ref.kind, ObjectKey("clone", desired.ref.key.name))

    assert removal(namesake, standing(desired), owner(), Unwanted(is_recorded=False)) == Leave()


def test_a_target_of_an_older_version_is_found_by_the_status_alone() -> None:
    old = standing(ELSEWHERE, origin="")

    assert judged(ELSEWHERE, old, Unwanted()) is Delete
    assert judged(ELSEWHERE, old, Unwanted(is_recorded=False)) is Leave


# Versions and copies.

BASE = secret_ref()


@pytest.mark.parametrize(
    ("desired", "found", "wanted"),
    [
        pytest.param(OLD_VERSION, standing(OLD_VERSION), Delete, id="ours, whatever its deletionPolicy"),
        pytest.param(OLD_VERSION, copied(OLD_VERSION), Leave, id="a copy with all marks"),
        pytest.param(OLD_VERSION, standing(OLD_VERSION, version_of="other"), Leave, id="of another base"),
        pytest.param(OLD_VERSION, standing(OLD_VERSION, owner="team/other"), Leave, id="another PhaseSecret's"),
        pytest.param(DELETES, standing(DELETES, version_of="shop"), Leave, id="no version's name"),
    ],
)
def test_a_superseded_version_is_ours_and_of_this_base(desired: Desired, found: Observed, wanted: type) -> None:
    assert judged(desired, found, Superseded(BASE)) is wanted


def test_a_version_in_another_namespace_is_not_of_this_base() -> None:
    assert judged(OLD_VERSION, standing(OLD_VERSION), Superseded(secret_ref("shop", "elsewhere"))) is Leave


def test_a_copy_that_we_keep_goes_and_nothing_else_in_its_place() -> None:
    copy, applier = copy_of(DELETES), Owner(copy_owner(KEY), "0a-uid")

    assert judged(copy, standing(copy), Needless(), applier) is Delete
    assert judged(copy, copied(copy), Needless(), applier) is Leave
    assert judged(copy, standing(DELETES), Needless(), applier) is Leave


# Whatever stands there.

OWNERS = st.sampled_from([str(KEY), "team/other", "elsewhere/shop", f"{KEY}#copy", ""])
PARTS = st.lists(
    st.builds(
        lambda key, deletes, origin: MergedShare(
            merge_manager(key), str(KEY), frozenset("A"), frozenset("A"), "", "", b"", "", deletes, origin
        ),
        st.sampled_from([KEY, OTHER]),
        st.booleans(),
        st.sampled_from(["", origin_mark("0a-uid", BASE)]),
    ),
    max_size=2,
).map(tuple)
ANYTHING = st.builds(
    Observed,
    uid=st.just("uid"),
    resource_version=st.just("7"),
    owner=OWNERS,
    digest=st.just("digest"),
    owned_fields=st.sampled_from([b"", b"shape"]),
    foreign_keys=st.just(()),
    terminating=st.booleans(),
    deletes=st.booleans(),
    version_of=st.sampled_from(["", "shop", "other"]),
    origin=st.sampled_from(["", "0a-uid", origin_mark("0a-uid", BASE)]),
    others=st.builds(CoManagers, parts=PARTS),
)
CLAIMS = st.none() | st.builds(TargetPolicy, st.sampled_from(CreationPolicy), st.sampled_from(DeletionPolicy))
REASONS = st.one_of(
    st.builds(Unwanted, CLAIMS, st.booleans(), st.sampled_from(["", "no grant"]), st.booleans()),
    st.builds(Superseded, st.sampled_from([BASE, secret_ref("other"), secret_ref("shop", "elsewhere")])),
    st.just(Needless()),
    st.just(Retyped()),
    st.just(Spent()),
)
PLACES = st.sampled_from([BASE, secret_ref("shop-0123456789"), secret_ref("shop", "elsewhere")])


@given(PLACES, ANYTHING, st.sampled_from([KEY, OTHER, copy_owner(KEY)]), REASONS)
def test_any_object_is_removed_only_if_mark_and_field_manager_name_the_owner(
    ref: TargetRef, found: Observed, who: ObjectKey, why: Why
) -> None:
    action = removal(ref, found, Owner(who, "0a-uid"), why)

    if isinstance(action, Delete):
        assert found.owner == str(who)
        assert found.owned_fields
        # Nobody else may have what is in a record of a lease: its uid has to be the owner's own.
        assert not isinstance(why, Spent) or found.origin == "0a-uid"
    if isinstance(action, Withdraw) and action.manager == names.FIELD_MANAGER:
        # Others have merged into the whole object that it wrote: their keys stay.
        assert found.owner == str(who)
        assert found.owned_fields
    elif isinstance(action, Withdraw):
        assert action.manager == merge_manager(who)
        assert [part for part in found.parts if part.manager == action.manager and part.deletes]
    if isinstance(action, Delete | Withdraw):
        assert not found.terminating
        if isinstance(why, Unwanted):
            assert found.deletes or isinstance(action, Withdraw)
            assert not why.refused


# Nobody else can.


def test_nobody_else_makes_a_removal() -> None:
    with pytest.raises(TypeError):
        Delete("uid", "7", object())  # type: ignore[arg-type]  # what mypy refuses, Python refuses as well
    with pytest.raises(TypeError):
        Withdraw("manager", "uid", "7", "", object())  # type: ignore[arg-type]  # as above


def test_the_means_to_decide_a_removal_stay_in_their_module() -> None:
    root = Path(phase_operator.__file__).parent
    for path in root.rglob("*.py"):
        if path == root / "core" / "targets" / "removal.py":
            continue
        text = path.read_text()
        if "_DECIDED" in text or "_Decision" in text:  # to parse all modules takes seconds
            nodes = list(ast.walk(ast.parse(text)))
            names_used = {node.id for node in nodes if isinstance(node, ast.Name)}
            attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            assert not {"_DECIDED", "_Decision"} & (names_used | attributes), path


def test_one_function_asks_the_api_server_to_delete_and_takes_a_decision() -> None:
    root = Path(phase_operator.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        text = path.read_text()
        if "DELETE" not in text:  # to parse all modules takes seconds
            continue
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            texts = {node.value for node in ast.walk(function) if isinstance(node, ast.Constant)}
            if "DELETE" in texts:
                found.append((path.relative_to(root).as_posix(), ast.unparse(function.args)))
    # The others ask Phase, for the end of a lease or of entries: no module of that edge can reach the API server.
    leases = "self, base_url: str, credential: Credential, place: LeasePlace, lease_id: str, memory: Reservation"
    entries = "self, credential: Credential, step: Delete, memory: Reservation"
    # And a person's command, which can delete no Secret and no ConfigMap.
    command = (
        "self, resource: Resource, namespace: str, name: str, *, orphan: bool=False, only: Mapping[str, str]=_NOTHING"
    )

    assert sorted(found) == [
        ("kube/targets.py", "self, ref: TargetRef, action: Delete"),
        ("kube/user_cluster.py", command),
        ("phase/leases.py", leases),
        ("phase/pushes.py", entries),
    ]


def test_marks_of_ours_are_the_ones_that_are_judged() -> None:
    annotations = DELETES.manifest["metadata"]["annotations"]

    assert annotations[names.ANNOTATION_OWNER] == str(KEY)
    assert annotations[names.ANNOTATION_ON_REMOVAL] == "Delete"
    assert names.ANNOTATION_ORIGIN not in annotations
    assert names.ANNOTATION_ORIGIN in ELSEWHERE.manifest["metadata"]["annotations"]
