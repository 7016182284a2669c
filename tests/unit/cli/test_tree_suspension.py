"""What `tree` says of a resource itself."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.cli.tracing.drawing import drawn
from phase_operator.cli.tracing.family import family

READY = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True", "reason": "Synced"}]}
BECAUSE = {names.ANNOTATION_SUSPENDED_BECAUSE: "a migration\x1b[2J"}


@pytest.mark.parametrize(
    ("spec", "annotations", "line"),
    [
        ({}, {}, "PhaseSecret shop/shop: ready"),
        ({"suspend": True}, {}, "PhaseSecret shop/shop: ready, suspended"),
        ({"suspend": True}, BECAUSE, "PhaseSecret shop/shop: ready, suspended because: a migration [2J"),
        # The reason of a suspension that is over says nothing.
        ({"suspend": False}, BECAUSE, "PhaseSecret shop/shop: ready"),
    ],
)
def test_a_tree_says_whether_a_resource_is_suspended_and_why(
    spec: dict[str, Any], annotations: dict[str, str], line: str
) -> None:
    resource = {
        "kind": "PhaseSecret",
        "metadata": {"namespace": "shop", "name": "shop", "generation": 1, "annotations": annotations},
        "spec": {"phaseApp": "shop", **spec},
        "status": READY,
    }

    _, said = drawn(family(resource, lambda _: None, lambda *_: True))

    assert said == f"└─ {line}"
