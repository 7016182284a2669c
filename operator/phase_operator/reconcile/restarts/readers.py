"""Whether the pods that read a target are known to have started with what it holds.

Rule: only a look at all workloads of a namespace can tell, and only one that began after the last write there. Who does
not follow a target, or cannot be looked at, is not known to have read it anew.
"""

from collections.abc import Callable, Iterable

from phase_operator.core.refs import TargetRef
from phase_operator.reconcile.restarts.look import Look


class Readers:
    """What looks have shown of the readers of targets. `wake` is called for a target whose readers are new now."""

    def __init__(self, wake: Callable[[TargetRef], None]) -> None:
        self._wake = wake
        # How often targets of a namespace were written or used for the first time.
        self._writes: dict[str, int] = {}
        # Namespaces that were looked at since, with the targets that some pods may have read before.
        self._behind: dict[str, frozenset[TargetRef]] = {}
        # Targets that somebody has asked about, and whose readers were not known to be new.
        self._asked: set[TargetRef] = set()

    def have_rolled(self, target: TargetRef) -> bool:
        """Return whether all readers of a target are new; else who asks is woken when they are."""
        namespace = target.key.namespace
        if namespace in self._behind and target not in self._behind[namespace]:
            return True
        self._asked.add(target)
        return False

    def touched(self, namespace: str) -> None:
        """Record that a target of a namespace is written, or used for the first time."""
        self._writes[namespace] = self._writes.get(namespace, 0) + 1
        self._behind.pop(namespace, None)

    def begins(self, namespace: str, look: Look) -> None:
        """Record that a look begins."""
        look.writes = self._writes.get(namespace, 0)

    def ended(self, namespace: str, look: Look) -> bool:
        """Take what a look at all workloads has shown; return True if somebody waits for what another look may show."""
        if look.failed or look.writes != self._writes.get(namespace, 0):
            self._behind.pop(namespace, None)
            return False
        behind = self._behind[namespace] = frozenset(look.behind | look.unfollowed)
        of_namespace = {each for each in self._asked if each.key.namespace == namespace}
        for target in sorted(of_namespace - behind):
            self._asked.discard(target)
            self._wake(target)
        return bool(of_namespace & look.behind)

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Forget targets that nobody is admitted to any more."""
        self._asked.difference_update(targets)
