"""What keeps a release from being made, each in a sentence; decided from what was read, before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from phase_dev.release import changelog, versions

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Checkout:
    """What was read in the repository."""

    changed: tuple[str, ...]
    """Files that differ from the commit, or that Git does not know."""
    tags: tuple[str, ...]
    version: str
    changelog: str
    unknown_places: tuple[str, ...] = ()
    """Lines that say the version and that a release would miss."""


def refusals(wanted: str, checkout: Checkout, owner_faults: Sequence[str] = ()) -> list[str]:
    """Return all that is wrong, or nothing."""
    found = [*_about_version(wanted, checkout), *owner_faults]
    if checkout.changed:
        found.append(f"the checkout has changes that are not committed: {_some(checkout.changed)}")
    if checkout.unknown_places:
        found.append(f"a release would miss the version in {_some(checkout.unknown_places)}")
    if not changelog.notes(checkout.changelog, "Unreleased"):
        found.append(f"{changelog.FILE} has nothing under Unreleased: a release says what is new")
    return found


def _about_version(wanted: str, checkout: Checkout) -> list[str]:
    asked = versions.parse(wanted)
    if asked is None:
        return [f'"{wanted}" is no version of a release: it is three numbers, such as VERSION=1.2.3']
    if f"v{wanted}" in checkout.tags:
        return [f"the tag v{wanted} exists: a version is released once"]
    released = [found for tag in checkout.tags if (found := versions.parse(tag.removeprefix("v")))]
    if released and asked < max(released):
        return [f"{wanted} is not newer than the release {_spelled(max(released))}"]
    own = versions.parse(checkout.version)
    if own is not None and asked < own:
        return [f"{wanted} is not newer than {checkout.version}, which the checkout says"]
    return []


def _spelled(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
