"""From what watches of Secrets and ConfigMaps show to the PhasePushSecrets that take the object.

Rule: the watches list and follow all objects of their scope, by metadata alone. Nothing is kept of an object that
nobody takes. A namespace in which nothing pushes costs one look into a dictionary for each event.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any

from phase_operator.core.flow.pace import RepeatLimit
from phase_operator.core.json_access import mapping, text, texts
from phase_operator.core.push.readers import PushReaders, Readers, version_digest
from phase_operator.core.refs import Kind
from phase_operator.core.values import ObjectKey
from phase_operator.kube.watch import Metadata, key_of
from phase_operator.reconcile.ports import Clock

# So many changes start a run of a resource at once; after that one every so many seconds.
_AT_ONCE, _PAUSE = 5, 5.0
# Seconds in which events share one answer where too many resources take an object.
_TOGETHER = 5.0


class PushWakes:
    """Wakes resources, each at a bounded pace, and knows which writes are theirs."""

    def __init__(
        self,
        readers: PushReaders,
        wake_in: Callable[[ObjectKey, float], None],
        call_later: Callable[[float, Callable[[], None]], Any],
        clock: Clock,
    ) -> None:
        """`wake_in` starts a run in so many seconds or sooner; `call_later` calls a function in so many seconds."""
        self.readers = readers
        self._wake_in = wake_in
        self._call_later = call_later
        self._clock = clock
        self._pace: RepeatLimit[ObjectKey] = RepeatLimit(_AT_ONCE, _PAUSE)
        # Namespaces of which all will be woken.
        self._due: set[str] = set()
        # Homes that are being written: the digest that a watch showed meanwhile, by the Secret and who writes it.
        self._writing: dict[tuple[ObjectKey, ObjectKey], int | None] = {}

    def shown(self, kind: Kind, metadata: Metadata, *, gone: bool = False) -> None:
        """Take an object as a watch showed it, or as it was when it was deleted."""
        key = key_of(metadata)
        readers = self._judging(kind, key)
        if readers is None:
            return
        name = (kind, key.name)
        labels, digest = texts(metadata.get("labels")), _digest(metadata)
        concerned = readers.gone(name, labels) if gone else readers.seen(name, labels, digest)
        for each in concerned:
            if kind is Kind.SECRET and (key, each) in self._writing:
                self._writing[key, each] = digest
            else:
                self._wake(each)

    def lost(self, kind: Kind, key: ObjectKey) -> None:
        """Take an object that cannot be read: it may be another one now."""
        readers = self._judging(kind, key)
        if readers is not None:
            self._wake_all(readers.gone((kind, key.name), {}))

    def listed(self, kind: Kind, scope: str, present: Set[ObjectKey]) -> None:
        """Take a whole list of a scope, whose objects were shown before."""
        names: dict[str, set[str]] = {namespace: set() for namespace, _ in self.readers.within(scope)}
        for key in present:
            if key.namespace in names:
                names[key.namespace].add(key.name)
        for namespace, readers in self.readers.within(scope):
            self._wake_all(readers.listed(kind, names[namespace]))

    @contextmanager
    def writing(self, key: ObjectKey, owner: ObjectKey) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Hold back what the watch shows a resource of its home while it writes that; others are told.

        What is yielded takes the metadata in the answer. The resource is woken if a watch has shown anything else.
        """
        answers: list[Metadata] = []
        self._writing[key, owner] = None
        try:
            yield answers.append
        finally:
            seen = self._writing.pop((key, owner), None)
            if seen is None and answers:
                self._wrote(key, owner, answers[-1])
            elif seen is not None and not (answers and seen == _digest(answers[-1])):
                self._wake(owner)

    def _wrote(self, key: ObjectKey, owner: ObjectKey, metadata: Metadata) -> None:
        """Take the answer to a write for the event that will follow it."""
        readers = self._judging(Kind.SECRET, key)
        if readers is not None:
            concerned = readers.seen((Kind.SECRET, key.name), texts(metadata.get("labels")), _digest(metadata))
            self._wake_all(concerned - {owner})

    def _judging(self, kind: Kind, key: ObjectKey) -> Readers | None:
        """Return those who may take an object; None if nobody does, or if so much is to judge that all are woken."""
        readers, name = self.readers.of(key.namespace), (kind, key.name)
        if readers is None or readers.may_judge(name, self._clock.monotonic()):
            return readers
        readers.skip(name)
        self._all_of(key.namespace)
        return None

    def _all_of(self, namespace: str) -> None:
        """Wake all of a namespace in a moment, once for all events until then."""
        if namespace not in self._due:
            self._due.add(namespace)
            self._call_later(_TOGETHER, lambda: self._flush(namespace))

    def _flush(self, namespace: str) -> None:
        self._due.discard(namespace)
        readers = self.readers.of(namespace)
        if readers is not None:
            self._wake_all(readers.all_concerned())

    def _wake_all(self, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            self._wake(key)

    def _wake(self, key: ObjectKey) -> None:
        self._wake_in(key, self._pace.wait(key, self._clock.monotonic()))


class PushSink:
    """What a watch of all Secrets, or of all ConfigMaps, tells those that take one."""

    def __init__(self, kind: Kind, wakes: PushWakes) -> None:
        self._kind = kind
        self._wakes = wakes

    def seen(self, found: Metadata) -> None:
        """Take one object that was listed, added or changed."""
        self._wakes.shown(self._kind, found)

    def gone(self, found: Metadata) -> None:
        """Take one object that was deleted."""
        self._wakes.shown(self._kind, found, gone=True)

    def listed(self, scope: str, present: Set[ObjectKey]) -> None:
        """Take a whole list of a scope; what is not in it is gone."""
        self._wakes.listed(self._kind, scope, present)

    def unreadable(self, key: ObjectKey) -> None:
        """Wake those that take an object that cannot be read; their runs tell why."""
        self._wakes.lost(self._kind, key)


def _digest(metadata: Metadata) -> int:
    return version_digest(text(mapping(metadata).get("uid")), text(metadata.get("resourceVersion")))
