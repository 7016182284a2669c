"""A status counts by its conditions, and for the spec that it is about."""

from typing import Any

import pytest

from phase_operator.cli.common.standing import conditions, is_current, is_true, ready_of, standing
from unit.cli.things import condition, resource


def test_conditions_are_found_by_their_types() -> None:
    stalled = condition("Stalled", "False")
    body = resource(status={"conditions": [condition("Ready", "True"), stalled, "no condition"]})

    assert conditions(body)["Stalled"] == stalled
    assert ready_of(body) == condition("Ready", "True")


@pytest.mark.parametrize("body", [{}, {"status": None}, {"status": {"conditions": 7}}])
def test_a_condition_that_is_not_there_is_not_true(body: dict[str, Any]) -> None:
    assert ready_of(body) == {}
    assert not is_true(ready_of(body))
    assert standing(body).ready is None


def test_only_true_is_true() -> None:
    assert [is_true(condition("Ready", status)) for status in ("True", "False", "Unknown")] == [True, False, False]


def test_a_status_of_an_older_spec_is_not_current() -> None:
    assert is_current(resource())
    assert not is_current(resource(metadata={"generation": 3}))
