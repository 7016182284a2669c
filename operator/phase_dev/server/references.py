"""Resolve `${...}` in a stored value the way the server does: three patterns, each over the whole value, in this order.

Rule: what cannot be resolved stays as it was written. An environment that the caller may not read ends the resolution
of the value that names it, where it is; a value that refers to that value goes on.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from phase_dev.server.model import normalise_path

MAX_DEPTH = 25

# `${{` is never touched; an inner `${...}` is replaced before the outer one is looked at. The first dot ends the name
# of an environment: a folder or key with a dot can be named in another environment only. Two colons mean another app.
CROSS_APP = re.compile(r"\$\{([^{}]+?)::([^{}]+?)\.([^{}]+)\}")
CROSS_ENV = re.compile(r"\$\{(?![^{}]*::)([^{}.]+)\.([^{}]+)\}")
LOCAL = re.compile(r"\$\{([^{}.]+)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is stored."""

    environment: str
    path: str
    key: str


class Lookup(Protocol):
    """What the resolver asks the installation."""

    def app_environment(self, origin: str, app: str, environment: str) -> str | None:
        """Return the id of a named environment of a named app as seen from the environment `origin`."""

    def sibling_environment(self, origin: str, environment: str) -> str | None:
        """Return the id of a named environment of the same app."""

    def readable(self, environment: str) -> bool:
        """Return whether the caller may read this environment."""

    def stored(self, place: Place) -> str | None:
        """Return the stored value of a place, or None if there is none or more than one."""


class _Unreadable(Exception):
    """The caller may not read an environment that a value refers to."""


# Returns the id of the environment that the parts of a match name, if there is one, and the folder and key.
_Target = Callable[[re.Match[str]], tuple[str | None, str]]


def resolve(value: str, place: Place, lookup: Lookup) -> str:
    """Return the value with its references replaced, as GET shows it."""
    return _resolve(value, place, lookup, (place,))


def split_target(target: str) -> tuple[str, str]:
    """Return folder and key of `KEY`, `path/KEY` or `/path/KEY`; without a folder it is the root."""
    folder, _, key = target.rpartition("/")
    return normalise_path(folder), key


def _resolve(value: str, place: Place, lookup: Lookup, trail: tuple[Place, ...]) -> str:
    here = place.environment
    passes: tuple[tuple[re.Pattern[str], _Target], ...] = (
        (CROSS_APP, lambda match: (lookup.app_environment(here, match[1], match[2]), match[3])),
        (CROSS_ENV, lambda match: (lookup.sibling_environment(here, match[1]), match[2])),
        (LOCAL, lambda match: (here, match[1])),
    )
    for pattern, target_of in passes:
        # The matches are those before the first replacement. Each replaces all that reads like it, also in what an
        # earlier one brought; a reference that occurs twice is therefore replaced twice.
        for match in list(pattern.finditer(value)):
            try:
                brought = _brought(*target_of(match), place, lookup, trail)
            except _Unreadable:
                return value
            if brought is not None:
                value = value.replace(match[0], brought)
    return value


def _brought(
    environment: str | None, target: str, place: Place, lookup: Lookup, trail: tuple[Place, ...]
) -> str | None:
    """Return the value at a target, itself resolved; None leaves the reference as it is."""
    if environment is None:
        return None
    if environment != place.environment and not lookup.readable(environment):
        raise _Unreadable
    found = Place(environment, *split_target(target))
    if found in trail or len(trail) >= MAX_DEPTH:
        return None
    stored = lookup.stored(found)
    return None if stored is None else _resolve(stored, found, lookup, (*trail, found))
