from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.core.plan import Apply, Keep, Refuse, plan
from phase_operator.core.values import ObjectKey
from support.builders import desired_config_map, desired_secret, entry, observed

DESIRED = desired_secret(entry("A"), entry("B"))
SHAPES = st.sampled_from([DESIRED.shape, b"", b"another"])
DIGESTS = st.sampled_from([DESIRED.digest, "", "another"])
OWNERS = st.sampled_from([str(DESIRED.owner.key), "", "team/another"])
KEYS = st.lists(st.sampled_from(["A", "B", "X", "Y"]), unique=True).map(tuple)
MANAGERS = st.lists(st.sampled_from(["helm", "kubectl-edit"]), unique=True).map(tuple)
OBSERVED = st.builds(
    lambda **changes: observed(DESIRED, **changes),
    owner=OWNERS,
    digest=DIGESTS,
    shape=SHAPES,
    foreign_keys=KEYS,
    managers=MANAGERS,
)


def test_what_does_not_exist_is_made_and_must_not_exist_by_then() -> None:
    assert plan(DESIRED, None) == Apply(resource_version=None)


def test_what_is_as_it_should_be_is_kept() -> None:
    assert plan(DESIRED, observed(DESIRED)) == Keep()


@pytest.mark.parametrize(
    ("changes", "prune"),
    [
        pytest.param({"digest": "another"}, (), id="other content"),
        pytest.param({"digest": ""}, (), id="no digest"),
        pytest.param({"shape": b"another"}, (), id="a field was taken from us"),
        pytest.param({"shape": b""}, (), id="nothing is ours any more but the mark"),
        pytest.param({"foreign_keys": ("X", "Y")}, ("X", "Y"), id="keys of others"),
        pytest.param({"foreign_keys": ("A", "X")}, ("X",), id="keys of others, one of which we want"),
        pytest.param({"foreign_keys": ("A",)}, None, id="only a key of others that we want"),
    ],
)
def test_what_differs_is_applied_under_the_version_that_was_judged(
    changes: dict[str, Any], prune: tuple[str, ...] | None
) -> None:
    found = plan(DESIRED, observed(DESIRED, resource_version="7", **changes))

    assert found == (Keep() if prune is None else Apply("7", prune))


def test_a_hand_edit_of_the_mark_does_not_make_an_object_somebody_elses() -> None:
    found = plan(DESIRED, observed(DESIRED, owner="", shape=b"without the mark"))

    assert found == Apply("7")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"owner": "team/another"}, id="another PhaseSecret's"),
        pytest.param({"owner": "", "shape": b"", "managers": ("helm",)}, id="a tool's"),
        pytest.param({"owner": "", "shape": b""}, id="nobody's that is known"),
        pytest.param({"owner": "other/shop"}, id="a PhaseSecret's of that name elsewhere"),
    ],
)
def test_what_is_not_ours_is_refused(changes: dict[str, Any]) -> None:
    assert isinstance(plan(DESIRED, observed(DESIRED, **changes)), Refuse)


def test_a_refusal_says_whose_it_is() -> None:
    found = plan(DESIRED, observed(DESIRED, owner="", shape=b"", managers=("argocd", "helm")))

    assert isinstance(found, Refuse)
    assert "argocd, helm" in found.why


def test_a_config_map_is_judged_alike() -> None:
    desired = desired_config_map()

    assert plan(desired, None) == Apply(None)
    assert plan(desired, observed(desired)) == Keep()
    assert isinstance(plan(desired, observed(desired, owner=str(ObjectKey("team", "another")))), Refuse)


@given(OBSERVED)
@settings(deadline=None)
def test_nothing_is_written_that_carries_no_sign_of_ours(found: Any) -> None:
    ours = found.owner == str(DESIRED.owner.key) or (found.owner == "" and found.shape != b"")

    assert isinstance(plan(DESIRED, found), Refuse) is not ours


@given(OBSERVED)
@settings(deadline=None)
def test_nothing_is_written_when_nothing_differs_and_nothing_is_pruned_that_we_want(found: Any) -> None:
    action = plan(DESIRED, found)

    match action:
        case Keep():
            assert (found.digest, found.shape) == (DESIRED.digest, DESIRED.shape)
            assert set(found.foreign_keys) <= DESIRED.keys
        case Apply(resource_version=version, prune=prune):
            assert version == found.resource_version
            assert (found.digest, found.shape, prune) != (DESIRED.digest, DESIRED.shape, ())
            assert set(prune) == set(found.foreign_keys) - DESIRED.keys
        case Refuse():
            pass
