"""A name that nothing in the installation has, told in one sentence."""

from typing import TypeVar

T = TypeVar("T")


class Unknown(Exception):
    """A name that nothing in the installation has."""


def given(found: T | None, otherwise: str) -> T:
    """Return what was found, or tell what is not there."""
    if found is None:
        raise Unknown(otherwise)
    return found
