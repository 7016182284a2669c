from typing import Any

import pytest

from phase_operator.core.ownership import objection
from phase_operator.core.targets.base import observe
from phase_operator.core.values import ObjectKey
from support.builders import desired_secret, observed, owner


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="mark and fields"),
        pytest.param({"shape": b""}, id="the mark alone"),
        pytest.param({"owner": ""}, id="our fields alone"),
        pytest.param({"managers": ("helm",)}, id="others have fields too"),
    ],
)
def test_an_object_is_ours_by_its_mark_or_by_our_fields(changes: dict[str, Any]) -> None:
    assert objection(observed(desired_secret(), **changes), owner()) is None


def test_a_resource_that_was_made_anew_takes_up_its_targets() -> None:
    assert objection(observed(desired_secret()), owner(uid="another uid")) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"owner": "team/other"}, "team/other", id="another PhaseSecret's mark"),
        pytest.param({"owner": "", "shape": b"", "managers": ("b", "helm")}, "b, helm", id="others manage it"),
    ],
)
def test_an_objection_names_whose_it_is(changes: dict[str, Any], named: str) -> None:
    found = objection(observed(desired_secret(), **changes), owner())

    assert found is not None
    assert found.endswith(named)


def test_an_object_without_a_sign_of_ours_is_somebody_elses() -> None:
    assert objection(observe({}), owner()) is not None


def test_another_resources_target_is_not_ours_even_where_our_fields_stand() -> None:
    assert objection(observed(desired_secret()), owner(ObjectKey("team", "other"))) is not None
