"""The invariant: whatever a spec says, the operator answers with an object or with a reason of the catalogue.

The API server refuses most of these before the operator sees them (tests/manifests/test_bad_specs.py); an older CRD
does not, and what it let in is still stored.
"""

from phase_operator.api.reasons import CATALOGUE
from phase_operator.core.errors import ExpectedError
from phase_operator.core.targets.desired import Desired
from support.builders import config_entry, entry
from support.evaluating import evaluate
from support.mutants import COUNT, RICH, every_change, mutants

ENTRIES = [
    entry("A", "a", tags=["a"]),
    entry("B", "AP8=", tags=["a"]),
    config_entry("C", "c", tags=["a"]),
    entry("DB_HOST", "h", tags=["a"]),
]


def test_the_spec_that_all_are_made_of_is_good() -> None:
    found = evaluate(RICH, ENTRIES)

    assert [type(each) for each in found] == [Desired, Desired, Desired]


def test_the_bad_specs_are_as_many_as_promised_and_the_same_in_every_run() -> None:
    first, second = mutants(), mutants()

    assert len({each.what for each in first}) == COUNT
    assert first == second


def test_each_bad_spec_ends_in_an_object_or_in_a_reason() -> None:
    for mutant in [*mutants(), *every_change()]:
        found = evaluate(mutant.spec, ENTRIES)

        assert found, mutant.what
        for each in found:
            if isinstance(each, ExpectedError):
                assert each.reason in CATALOGUE, mutant.what
                assert each.message, mutant.what
