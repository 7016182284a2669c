"""What goes with a resource is seen, and is set to Retain before anything is deleted."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.cli.acting.key_changes import KeyState
from phase_operator.cli.common.terminal import print_table
from phase_operator.cli.uninstalling.leavers import HEAD, leaver, losses, obstacles, releasing, retaining
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.values import ObjectKey
from unit.cli.things import HOSTILE, SHOP, resource, target_status

DELETE, MERGE = {"deletionPolicy": "Delete"}, {"creationPolicy": "Merge"}


def spec(*secrets: dict[str, Any], config_maps: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "phaseApp": "shop",
        "managedSecretReferences": [{"secretName": f"s{number}", **each} for number, each in enumerate(secrets)],
    }
    if config_maps is not None:
        found["managedConfigMapReferences"] = [
            {"configMapName": f"c{number}", **each} for number, each in enumerate(config_maps)
        ]
    return found


@pytest.mark.parametrize(
    ("wanted", "deleted"),
    [
        pytest.param(spec({}), (), id="kept by default"),
        pytest.param(spec(DELETE), ("s0",), id="deleted"),
        pytest.param(spec(MERGE), ("s0",), id="merged: its keys go by default"),
        pytest.param(spec({**MERGE, "deletionPolicy": "Retain"}), (), id="merged and kept"),
        pytest.param(spec({"creationPolicy": "Orphan"}), (), id="an orphan"),
        pytest.param(spec({}, DELETE, config_maps=[{}, DELETE]), ("s1", "c1"), id="the second of each"),
        pytest.param({"recursive": 7, **spec({})}, ("s0",), id="a spec that is not valid"),
        pytest.param({}, (), id="no spec"),
    ],
)
def test_targets_that_go_with_a_resource_are_seen(wanted: dict[str, Any], deleted: tuple[str, ...]) -> None:
    assert leaver(resource(spec=wanted)).deletes == deleted
    assert (retaining(resource(spec=wanted)) is None) is (not deleted)


def test_every_target_that_would_go_is_set_to_retain_and_nothing_else_changes() -> None:
    found = resource(spec=spec({"prefix": "A_"}, {**DELETE, "prefix": "B_"}, MERGE, config_maps=[{}]))

    body = retaining(found)

    assert body == {
        "metadata": {"resourceVersion": "7"},
        "spec": {
            "managedSecretReferences": [
                {"secretName": "s0", "prefix": "A_"},
                {"secretName": "s1", "prefix": "B_", "deletionPolicy": "Retain"},
                {"secretName": "s2", "creationPolicy": "Merge", "deletionPolicy": "Retain"},
            ],
            "managedConfigMapReferences": [{"configMapName": "c0"}],
        },
    }
    assert retaining(found | {"spec": found["spec"] | body["spec"]}) is None


def test_a_dynamic_secret_s_targets_are_kept_too() -> None:
    wanted = {"phaseApp": "shop", "dynamicSecret": "bucket", "managedSecretReferences": [{"secretName": "a", **DELETE}]}
    found = resource(names.KIND_PHASE_DYNAMIC_SECRET, spec=wanted)

    body = retaining(found)

    assert body is not None
    assert body["spec"]["managedSecretReferences"] == [{"secretName": "a", "deletionPolicy": "Retain"}]


@pytest.mark.parametrize(
    ("finalizers", "left"),
    [
        (None, None),
        ([], None),
        (["orphan"], None),
        ([names.FINALIZER], []),
        (["foregroundDeletion", names.FINALIZER_OUTSIDE, "other/one"], ["foregroundDeletion", "other/one"]),
        ([names.LEGACY_FINALIZER, names.FINALIZER], []),
        ("garbage", None),
    ],
)
def test_only_our_finalizers_are_taken_off(finalizers: object, left: list[str] | None) -> None:
    body = releasing(resource(metadata={"finalizers": finalizers}))

    assert body == (None if left is None else {"metadata": {"resourceVersion": "7", "finalizers": left}})


def warned(kind: str = names.KIND_PHASE_SECRET, **parts: Any) -> str:
    return " | ".join(leaver(resource(kind, **parts)).warnings)


def test_each_danger_is_told() -> None:
    flux = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    rows = [{"key": "A"}, {"key": "B"}]

    assert warned() == ""
    assert "may make it again" in warned(metadata={"labels": flux})
    assert "leases are revoked" in warned(names.KIND_PHASE_DYNAMIC_SECRET)
    assert "leases" not in warned(names.KIND_PHASE_DYNAMIC_SECRET, spec={"revoke": False})
    assert "are deleted, 2 of them" in warned(
        names.KIND_PHASE_PUSH_SECRET, spec={"deletionPolicy": "Delete"}, status={"entries": rows}
    )
    assert warned(names.KIND_PHASE_PUSH_SECRET, spec={"deletionPolicy": "Retain"}) == ""
    assert '"old"' in warned(status={"targets": [target_status("old", reason="RemovalPending")]})


def test_a_resource_that_already_takes_targets_along_is_an_obstacle() -> None:
    ending = {"deletionTimestamp": "2026-01-01T00:00:00Z"}

    going = leaver(resource(metadata=ending, spec=spec(DELETE)))
    harmless = leaver(resource(metadata=ending, spec=spec({})))
    staying = leaver(resource(spec=spec(DELETE)))

    [told] = obstacles([harmless, going, staying])
    assert '"s0"' in told


def test_the_newest_version_is_the_object_that_has_to_stay() -> None:
    status = {"targets": [target_status(version="shop-0123456789"), target_status("flags", kind="ConfigMap")]}

    assert leaver(resource(status=status)).targets == (
        SHOP._replace(key=ObjectKey("shop", "shop-0123456789")),
        TargetRef(Kind.CONFIG_MAP, ObjectKey("shop", "flags")),
    )


def test_the_list_of_what_goes_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    status = {"targets": [target_status("s0"), target_status("s1")]}
    found = [
        resource(spec=spec({}, DELETE), status=status, metadata={"finalizers": [names.FINALIZER]}),
        resource(names.KIND_PHASE_PUSH_SECRET, spec={}, metadata={"name": "to-phase"}),
    ]

    print_table(HEAD, [leaver(each).row() for each in found])

    assert capsys.readouterr().out == (
        "KIND             NAMESPACE    NAME      TARGETS    SET TO RETAIN    FINALIZERS\n"
        'PhaseSecret      shop         shop      2          "s1"             secrets.phase.dev/targets\n'
        "PhasePushSecret  shop         to-phase  0          -                -\n"
    )


def test_a_row_is_safe_to_print() -> None:
    found = resource(metadata={"finalizers": [HOSTILE]}, spec=spec({**DELETE, "secretName": HOSTILE}))

    assert all(cell.isprintable() for cell in leaver(found).row())
    assert all(each.isprintable() for each in leaver(found).warnings)


def test_a_loss_names_the_object_and_its_keys() -> None:
    other = SHOP._replace(key=ObjectKey("shop", "other"))
    before = {SHOP: KeyState(frozenset({"A", "B"})), other: KeyState(frozenset({"C"}))}

    assert losses(before, {SHOP: KeyState(frozenset({"A", "B", "NEW"})), other: KeyState(frozenset({"C"}))}) == []
    assert losses(before, {SHOP: KeyState(frozenset({"A"})), other: None}) == [
        "Secret shop/other is gone",
        'Secret shop/shop lacks "B"',
    ]
