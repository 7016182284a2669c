"""Resolve `${...}` in a stored value the way the server does: three patterns, each over the whole value, in this order.

Rule: what cannot be resolved stays as it was written; an environment that the caller may not read stops everything,
and the value comes back as it was stored.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MAX_DEPTH = 25

# `${{` is never touched; an inner `${...}` is replaced before the outer one is looked at; a dot means "environment".
CROSS_APP = re.compile(r"\$\{([^{}$]+?)::([^{}$.:]+)\.([^{}$.]+)\}")
CROSS_ENV = re.compile(r"\$\{([^{}$.:]+)\.([^{}$.]+)\}")
LOCAL = re.compile(r"\$\{([^{}$.]+)\}")


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
        """Return the stored value of a place."""


class _Unreadable(Exception):
    """The caller may not read an environment that a value refers to."""


def resolve(value: str, place: Place, lookup: Lookup) -> str:
    """Return the value with its references replaced, as GET shows it."""
    if "${" not in value:
        return value
    try:
        return _resolve(value, place, lookup, (place,))
    except _Unreadable:
        return value


def split_target(target: str) -> tuple[str, str]:
    """Return folder and key of `KEY`, `path/KEY` or `/path/KEY`; without a folder it is the root."""
    folder, _, key = target.rpartition("/")
    return ("/" + folder.strip("/") if folder.strip("/") else "/"), key


def _resolve(value: str, place: Place, lookup: Lookup, trail: tuple[Place, ...]) -> str:
    def replaced(written: str, environment: str | None, target: str) -> str:
        if environment is None:
            return written
        if environment != place.environment and not lookup.readable(environment):
            raise _Unreadable
        found = Place(environment, *split_target(target))
        if found in trail or len(trail) > MAX_DEPTH:
            return written
        stored = lookup.stored(found)
        if stored is None:
            return written
        return _resolve(stored, found, lookup, (*trail, found)) if "${" in stored else stored

    def cross_app(match: re.Match[str]) -> str:
        app, environment, target = match.groups()
        return replaced(match[0], lookup.app_environment(place.environment, app, environment), target)

    def cross_env(match: re.Match[str]) -> str:
        environment, target = match.groups()
        return replaced(match[0], lookup.sibling_environment(place.environment, environment), target)

    def local(match: re.Match[str]) -> str:
        return replaced(match[0], place.environment, match[1])

    passes: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (CROSS_APP, cross_app),
        (CROSS_ENV, cross_env),
        (LOCAL, local),
    )
    for pattern, replacement in passes:
        value = pattern.sub(replacement, value)
    return value
