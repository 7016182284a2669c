"""What objects of each namespace take in a memory that all share: nobody takes more than his part."""

from collections import Counter


class NamespaceBytes:
    """Counts bytes by namespace, and knows how many are left of the `most` that one namespace may take."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def left(self, namespace: str) -> int:
        """Return how many bytes more a namespace may take."""
        return self._most - self._taken[namespace]

    def change(self, namespace: str, before: int, after: int) -> None:
        """Count `after` bytes of a namespace in place of `before`; it may take more than are left."""
        self._taken[namespace] += after - before
        if not self._taken[namespace]:
            # Namespaces come and go.
            del self._taken[namespace]
