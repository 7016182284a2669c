"""Who takes which Secrets and ConfigMaps: a change of one concerns those resources and no others.

Rule: what is kept is about objects that a resource takes, and bounded in each namespace. What could not be kept makes
more runs in its own namespace, and never fewer.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from phase_operator.core.label_selector import Selector
from phase_operator.core.push.spec import PushSpec
from phase_operator.core.refs import Kind
from phase_operator.core.values import ObjectKey

# An object of a namespace: its kind and name.
Named = tuple[Kind, str]
Keys = frozenset[ObjectKey]
NOBODY: Keys = frozenset()
# What is kept of a namespace: its objects, and who takes each of them.
MOST_KEPT = 5_000
# What judging an event of one object may cost: one for each resource that names it, and for each selector and each
# requirement in it. If it is more, the event is not judged; nor if all events of some seconds cost too much.
CROWD = 512
MOST_SPENT = 20_000
SPAN = 5.0
# Of an object that was found, and of which no version is known.
ANY_VERSION = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """An object that is taken: a digest of its version, and who takes it."""

    digest: int
    takers: Keys

    @property
    def weight(self) -> int:
        return 1 + len(self.takers)


@dataclass(slots=True)
class Readers:
    """The resources of one namespace, and the objects that they take."""

    pushes: dict[ObjectKey, PushSpec] = field(default_factory=dict)
    _named: dict[Named, set[ObjectKey]] = field(default_factory=dict)
    _selecting: dict[ObjectKey, tuple[Selector, ...]] = field(default_factory=dict)
    # What it costs to judge all selectors.
    _cost: int = 0
    _known: dict[Named, _Known] = field(default_factory=dict)
    _weight: int = 0
    # Those that may take objects that are not known here, since no run has told yet what it found.
    _unsure: set[ObjectKey] = field(default_factory=set)
    # Whether something was not kept, or not judged: then all may take objects that are not known here.
    _is_full: bool = False
    _has_skipped: bool = False
    # What judging has cost until a moment of the clock that is passed.
    _spent: int = 0
    _span_ends: float = 0.0

    def __len__(self) -> int:
        """Return how many objects are kept."""
        return len(self._known)

    def put(self, key: ObjectKey, push: PushSpec) -> None:
        """Take what a resource asks for."""
        self.remove(key)
        self.pushes[key] = push
        self._unsure.add(key)
        if push.selectors:
            self._selecting[key] = push.selectors
            self._cost += _cost(push.selectors)
        for name in _names(push):
            self._named.setdefault(name, set()).add(key)

    def remove(self, key: ObjectKey) -> None:
        """Forget a resource."""
        push = self.pushes.pop(key, None)
        if push is None:
            return
        self._cost -= _cost(self._selecting.pop(key, ()))
        self._unsure.discard(key)
        for name in set(_names(push)):
            self._named[name].discard(key)
            if not self._named[name]:
                del self._named[name]

    def found(self, key: ObjectKey, objects: Mapping[Named, int]) -> None:
        """Take what a run has found: digests of versions by object. It may be older than what a watch has shown."""
        push = self.pushes.get(key)
        if push is None:
            return
        homes = {(Kind.SECRET, push.generate_into): ANY_VERSION} if push.generate_into else {}
        for name, digest in (homes | dict(objects)).items():
            before = self._known.get(name)
            known = _Known(digest, NOBODY) if before is None else before
            self._keep(name, known.digest, known.takers | {key})
        self._unsure.discard(key)

    def may_judge(self, name: Named, now: float) -> bool:
        """Return whether an event of an object may be judged; else it has to be skipped. `now` is of one clock."""
        if now >= self._span_ends:
            self._span_ends, self._spent = now + SPAN, 0
        cost = 1 + len(self._named.get(name, ())) + (self._cost if name[0] is Kind.SECRET else 0)
        self._spent += cost
        return cost <= CROWD and self._spent <= MOST_SPENT

    def skip(self, name: Named) -> None:
        """Take an event that is not judged: `all_concerned` has to be asked soon."""
        self._forget(name)
        self._has_skipped = True

    def all_concerned(self) -> Keys:
        """Return all resources, after events were skipped; what they take is known again when they have told."""
        self._has_skipped = False
        self._unsure.update(self.pushes)
        return frozenset(self.pushes)

    def seen(self, name: Named, labels: Mapping[str, str], digest: int) -> Keys:
        """Return whom a version of an object concerns: who takes it, and who took the one before."""
        before = self._known.get(name)
        if before is not None and before.digest == digest:
            return NOBODY
        now, old = self._takers(name, labels), self._before(name)
        self._keep(name, digest, now)
        return now | old

    def gone(self, name: Named, labels: Mapping[str, str]) -> Keys:
        """Return whom the end of an object concerns; `labels` are its last ones."""
        concerned = self._takers(name, labels) | self._before(name)
        self._forget(name)
        return concerned

    def listed(self, kind: Kind, present: Set[str]) -> Keys:
        """Return whom it concerns that the objects of a kind are these; each of them was passed to `seen` before."""
        concerned: set[ObjectKey] = set(self.pushes if self._is_full or self._has_skipped else self._unsure)
        for name in [each for each in self._known if each[0] is kind and each[1] not in present]:
            concerned |= self._known[name].takers
            self._forget(name)
        # Those who may have taken what is not known are concerned already.
        return frozenset(concerned & self.pushes.keys())

    def _takers(self, name: Named, labels: Mapping[str, str]) -> Keys:
        takers = set(self._named.get(name, ()))
        if name[0] is Kind.SECRET:
            takers |= {
                key for key, selectors in self._selecting.items() if any(each.matches(labels) for each in selectors)
            }
        return frozenset(takers)

    def _before(self, name: Named) -> Keys:
        """Return who took an object as it was, or may have."""
        known = self._known.get(name)
        takers = {key for key in known.takers if key in self.pushes} if known is not None else set()
        if name[0] is Kind.SECRET:
            is_open = known is None and (self._is_full or self._has_skipped)
            takers |= {key for key in self._selecting if is_open or key in self._unsure}
        return frozenset(takers)

    def _keep(self, name: Named, digest: int, takers: Keys) -> None:
        self._forget(name)
        if not takers:
            return
        known = _Known(digest, takers)
        if self._weight + known.weight > MOST_KEPT:
            self._is_full = True
            return
        self._known[name] = known
        self._weight += known.weight

    def _forget(self, name: Named) -> None:
        known = self._known.pop(name, None)
        self._weight -= known.weight if known is not None else 0


class PushReaders:
    """The resources that push, by namespace. A namespace without any takes no memory."""

    def __init__(self) -> None:
        self._namespaces: dict[str, Readers] = {}

    def put(self, key: ObjectKey, push: PushSpec) -> None:
        """Take what a resource asks for; if that is not new, nothing changes."""
        readers = self._namespaces.setdefault(key.namespace, Readers())
        if readers.pushes.get(key) != push:
            readers.put(key, push)

    def drop(self, key: ObjectKey) -> None:
        """Forget a resource, and with the last one of a namespace all that is known of that."""
        readers = self._namespaces.get(key.namespace)
        if readers is None:
            return
        readers.remove(key)
        if not readers.pushes:
            del self._namespaces[key.namespace]

    def found(self, key: ObjectKey, objects: Mapping[Named, int]) -> None:
        """Take what a run of a resource has found."""
        if (readers := self.of(key.namespace)) is not None:
            readers.found(key, objects)

    def of(self, namespace: str) -> Readers | None:
        """Return the resources of a namespace; None if there are none."""
        return self._namespaces.get(namespace)

    def within(self, scope: str) -> list[tuple[str, Readers]]:
        """Return the namespaces of a scope: that one, or all for ""."""
        return [(each, readers) for each, readers in self._namespaces.items() if scope in {"", each}]


def version_digest(uid: str, version: str) -> int:
    """Return what stands for one version of an object in this process; however long they are, it takes eight bytes."""
    return hash((uid, version))


def _cost(selectors: Iterable[Selector]) -> int:
    return sum(1 + len(each.requirements) for each in selectors)


def _names(push: PushSpec) -> list[Named]:
    """Return the objects that a spec names, with the Secret of its generated values."""
    return [*push.named, *([(Kind.SECRET, push.generate_into)] if push.generate_into else [])]
