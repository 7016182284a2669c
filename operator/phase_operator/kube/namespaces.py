"""The labels of namespaces, as the watch last showed them.

Rule: only labels are stored, and only a change of them is reported. Namespaces are watched only if a grant selects
namespaces by labels.
"""

from collections.abc import Callable, Mapping, Set

from phase_operator.core.json_access import text, texts
from phase_operator.core.values import ObjectKey
from phase_operator.kube.watch import Metadata

_NONE: Mapping[str, str] = {}


class NamespaceLabels:
    """Takes what a watch of namespaces sees."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._labels: dict[str, Mapping[str, str]] = {}

    def of(self, namespace: str) -> Mapping[str, str]:
        """Return the labels of a namespace; none if it is not known."""
        return self._labels.get(namespace, _NONE)

    def listed(self, _: str, present: Set[ObjectKey]) -> None:
        """Take a whole list; a namespace that is not in it is gone."""
        for name in self._labels.keys() - {key.name for key in present}:
            self._put(name, _NONE)

    def seen(self, metadata: Metadata) -> None:
        """Take one namespace."""
        self._put(text(metadata.get("name")), texts(metadata.get("labels")))

    def unreadable(self, key: ObjectKey) -> None:
        """Treat a namespace that cannot be read as one without labels, so that it is granted nothing."""
        self._put(key.name, _NONE)

    def gone(self, metadata: Metadata) -> None:
        """Take one namespace that was deleted."""
        self._put(text(metadata.get("name")), _NONE)

    def _put(self, name: str, labels: Mapping[str, str]) -> None:
        if labels == self.of(name):
            return
        if labels:
            self._labels[name] = labels
        else:
            del self._labels[name]
        self._changed(name)
