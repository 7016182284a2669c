"""How property tests run: no example is judged by its time, since machines are noisy; and CI prints what reproduces.

`make check` takes the profile "check", which tries a quarter of the examples; everything else tries all of them.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None, print_blob=bool(os.environ.get("CI")))
settings.register_profile("check", settings.get_profile("project"), max_examples=25)
settings.load_profile("project")


def examples(count: int) -> int:
    """Return how many examples a property test tries that wants so many: in `make check` a quarter of them."""
    return max(1, count * settings().max_examples // 100)


def seeds(count: int) -> list[object]:
    """Return the seeds of a simulation. Of these, too, `make check` takes a quarter: the others are `thorough`."""
    usual = range(-(-count // 4))
    return [pytest.param(seed, marks=() if seed in usual else pytest.mark.thorough) for seed in range(count)]
