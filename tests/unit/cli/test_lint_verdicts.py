"""lint says of a resource what the API server says: refused because of this field, or accepted.

The same specs are applied to a real API server in tests/manifests/test_crd_on_apiserver.py and its neighbours, and the
two hundred bad ones in tests/manifests/test_bad_specs.py, which compares each verdict with lint's.
"""

from collections.abc import Callable
from typing import Any

import pytest

from manifests import dynamic_specs, push_specs, specs
from manifests.objects import Object
from manifests.specs import Bad, Good
from phase_operator.cli.linting.findings import Level
from phase_operator.cli.linting.resource import findings
from support.cli_files import document

KINDS: tuple[tuple[str, Callable[..., Object], list[Bad], list[Good]], ...] = (
    ("PhaseSecret", specs.phase_secret, specs.BAD, specs.GOOD),
    ("PhaseDynamicSecret", dynamic_specs.phase_dynamic_secret, dynamic_specs.BAD, dynamic_specs.GOOD),
    ("PhasePushSecret", push_specs.phase_push_secret, push_specs.BAD, push_specs.GOOD),
)


def cases(which: int) -> list[Any]:
    return [
        pytest.param(make(**each.spec), each, id=f"{kind}: {each.what}")
        for kind, make, bad, good in KINDS
        for each in (bad, good)[which]
    ]


@pytest.mark.parametrize(("body", "case"), cases(0))
def test_a_bad_spec_is_refused_because_of_the_field_that_the_api_server_names(body: dict[str, Any], case: Bad) -> None:
    found = findings(document(body), schema_only=True)

    errors = [each.field for each in found if each.level is Level.ERROR]
    assert any(field.startswith(case.field) for field in errors), found


@pytest.mark.parametrize(("body", "case"), cases(1))
def test_a_good_spec_has_no_error(body: dict[str, Any], case: Good) -> None:
    assert findings(document(body), schema_only=True) == []
