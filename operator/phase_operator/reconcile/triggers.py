"""From an event to the keys that have to run: the only door from the watches to the work queue.

A trigger never runs anything itself. Repeated edits of the same object are answered more and more slowly, so that an
endless stream of edits delays only the owners of that object. Edits of a PhaseSecret have one pace instead: whoever
works on it by hand never waits for long.
"""

from collections.abc import Collection, Iterator

from phase_operator.core.flow.pace import RepeatBackoff, RepeatLimit
from phase_operator.core.refs import TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.admissions import Admissions
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.queue.schedule import Priority
from phase_operator.reconcile.queue.work_queue import WorkQueue
from phase_operator.reconcile.retries import Retries
from phase_operator.reconcile.store import Resources

# So many edits of a PhaseSecret start a run at once; after that one every so many seconds.
_EDITS_AT_ONCE, _EDITS_PAUSE = 5, 5.0


class Triggers:
    """Queues the PhaseSecrets that an event concerns."""

    def __init__(
        self,
        queue: WorkQueue[ObjectKey],
        resources: Resources,
        admissions: Admissions,
        retries: Retries,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._resources = resources
        self._token_users = admissions.tokens
        self._target_users = admissions.targets
        self._retries = retries
        self._clock = clock
        self._edits: RepeatLimit[ObjectKey] = RepeatLimit(_EDITS_AT_ONCE, _EDITS_PAUSE)
        self._target_edits: RepeatBackoff[TargetRef] = RepeatBackoff()
        self._shared_writes: RepeatBackoff[tuple[TargetRef, ObjectKey]] = RepeatBackoff()
        self._token_edits: RepeatBackoff[ObjectKey] = RepeatBackoff()
        self._label_edits: RepeatBackoff[str] = RepeatBackoff()
        self._record_edits: RepeatBackoff[ObjectKey] = RepeatBackoff()

    def resource_changed(self, key: ObjectKey, *, is_first: bool = False) -> None:
        """Queue a PhaseSecret that is seen first or was edited."""
        self._retries.forget(key)
        # A start shows thousands, and none of them was edited; but one that was deleted may come again and again.
        is_edit = not is_first or key in self._edits
        delay = self._edits.wait(key, self._clock.monotonic()) if is_edit else 0.0
        self._add(key, delay)

    def answered(self, key: ObjectKey) -> None:
        """Queue a resource that waits for Phase, or for which an answer of Phase is news."""
        self._add(key)

    def resource_gone(self, key: ObjectKey) -> None:
        """Queue a PhaseSecret that was deleted: its run drops what is kept for it."""
        self._resources.remove(key)
        self._add(key, self._edits.wait(key, self._clock.monotonic()))

    def token_changed(self, key: ObjectKey) -> None:
        """Queue the users of a token Secret that changed."""
        delay = self._token_edits.pause(key, self._clock.monotonic())
        for user in self._token_users.of(key):
            self._add(user, delay)

    def target_changed(self, target: TargetRef) -> None:
        """Queue the owners of a target that another client edited."""
        owners = self._target_users.of(target)
        if not owners:
            return
        delay = self._target_edits.pause(target, self._clock.monotonic())
        for owner in owners:
            self._add(owner, delay)

    def record_changed(self, key: ObjectKey) -> None:
        """Queue the resource whose record of a lease others have changed or deleted."""
        if self._resources.get(key) is None:
            # Anybody may put our marks on an object.
            return
        self._add(key, self._record_edits.pause(key, self._clock.monotonic()))

    def restarts_changed(self, target: TargetRef) -> None:
        """Queue the owners of a target whose restart report has changed."""
        for owner in self._target_users.of(target):
            self._add(owner)

    def namespace_changed(self, namespace: str) -> None:
        """Queue the PhaseSecrets of a namespace whose labels changed: its grants may have changed with them."""
        delay = self._label_edits.pause(namespace, self._clock.monotonic())
        for key in sorted(key for key in self._resources.keys() if key.namespace == namespace):  # noqa: SIM118 - no dict
            self._add(key, delay)

    def run_ended(
        self, key: ObjectKey, *, before: Collection[TargetRef], written: Collection[TargetRef]
    ) -> Iterator[str]:
        """Queue the other owners of each target that a run wrote or gave up.

        `before` is what the PhaseSecret was admitted to when its run began. Yields a sentence for each target that is
        written again and again. The caller must exhaust the iterator.
        """
        moment = self._clock.monotonic()
        for target in (*written, *self._given_up(key, before)):
            self._other_owners(key, target, moment)
        yield from self._written_again(key, written, moment)

    def _given_up(self, key: ObjectKey, before: Collection[TargetRef]) -> list[TargetRef]:
        """Return the targets that a PhaseSecret was admitted to and is not any more."""
        now = self._target_users.uses(key)
        return [target for target in before if target not in now] if before != now else []

    def _other_owners(self, key: ObjectKey, target: TargetRef, moment: float) -> None:
        """Queue the other owners of a target that a run wrote or gave up."""
        others = [each for each in self._target_users.of(target) if each != key]
        # Owners that share an object write it once each; owners in a conflict write it again and again.
        delay = self._shared_writes.pause((target, key), moment) if others else 0.0
        for other in others:
            self._add(other, delay)

    def _written_again(self, key: ObjectKey, written: Collection[TargetRef], moment: float) -> Iterator[str]:
        """Yield a sentence for each of these targets that is written again and again."""
        for target in written:
            if self._target_edits.is_to_tell(target, moment):
                yield f"{target} is changed by others again and again"
            if self._shared_writes.is_to_tell((target, key), moment):
                yield f"{target}, which other PhaseSecrets want as well, is written again and again"

    def _add(self, key: ObjectKey, delay: float = 0.0) -> None:
        """Queue a resource; one that was never in step goes before the others of its namespace, whatever it waits for.

        Somebody waits for it, while the others have their targets.
        """
        self._queue.add(key, delay=delay, priority=Priority.NEW if self._resources.is_new(key) else Priority.CHANGED)
