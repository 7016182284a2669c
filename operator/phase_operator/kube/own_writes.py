"""Our own status writes, as a watch shows them."""

from collections.abc import Mapping
from typing import Any

from phase_operator.core.json_access import mapping, text

# An event follows its write within moments. Versions that no event shows, such as those of deleted objects, are
# forgotten when there are so many.
_MOST = 1000


class OwnVersions:
    """The versions of objects that our status writes made and that no event has shown yet."""

    def __init__(self) -> None:
        # In the order of the writes.
        self._versions: dict[str, None] = {}

    def add(self, answer: Mapping[str, Any]) -> None:
        """Record the version in the answer to a write."""
        if version := resource_version(answer):
            self._versions[version] = None
        if len(self._versions) > _MOST:
            del self._versions[next(iter(self._versions))]

    def has(self, version: str) -> bool:
        """Return whether an event at this version shows a write of ours."""
        return version in self._versions

    def shown_by(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event shows one of the versions, and forget that version."""
        version = resource_version(mapping(event.get("object")))
        if event.get("type") != "MODIFIED" or version not in self._versions:
            return False
        del self._versions[version]
        return True


def resource_version(body: Mapping[str, Any]) -> str:
    """Return the version of an object, empty if it names none."""
    return text(mapping(body.get("metadata")).get("resourceVersion"))
