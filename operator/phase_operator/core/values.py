"""The values that all rooms use: keys of objects, secret text, entries, snapshots.

Rule: secret text does not print. A `SecretValue` shows as ***, and `.reveal()` is called only where bytes are made for
a target (core/content), where references are searched for and resolved (core/source), where a sealed one is opened
(phase/elements), where one is judged for a push or pushed (core/push, phase/push_wire), or where a token is sent to
Phase (phase/credentials) or stored for the operator by a person's command (cli/common/token_secret).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from sys import getsizeof
from typing import NamedTuple, NoReturn

from phase_operator.api import names
from phase_operator.core.digests import framed, keyed

# Bytes of an entry without its texts; the references to it in lists and tuples are included.
_BARE = 200


class ObjectKey(NamedTuple):
    """Namespace and name of a Kubernetes object; for our own resources other than PhaseSecrets, also the kind."""

    # A tuple, since keys are hashed and compared dozens of times in a run.

    namespace: str
    name: str
    # Last, so that keys sort by namespace and name. "" is a PhaseSecret, or the kind that the context implies.
    kind: str = ""

    def __str__(self) -> str:
        """Return the form in marks and messages; keys of PhaseSecrets name no kind."""
        return f"{self.kind}:{self.namespace}/{self.name}" if self.kind else f"{self.namespace}/{self.name}"

    @classmethod
    def read(cls, mark: str) -> "ObjectKey":
        """Parse a mark. Anybody can write one on an object: an invalid mark gives a key that matches no resource."""
        kind, _, place = mark.rpartition(":")
        namespace, _, name = place.partition("/")
        return cls(namespace, name, kind)


def has_ledger(key: ObjectKey) -> bool:
    """Return whether resources of this kind keep in their status what they have outside the cluster."""
    return key.kind in names.LEDGERS


class Unprintable:
    """What must not be seen: it does not print, format or pickle."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled: it would leave the process")


class SecretValue(Unprintable):
    """Text that must not be seen: it compares, hashes and measures, but does not print, format or pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text. Every call of this is a place that a security review looks at."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    @property
    def weight(self) -> int:
        """Return how many bytes the text takes in memory: up to four a letter."""
        return getsizeof(self._text)


@dataclass(frozen=True, slots=True)
class Entry:
    """One key and value of one Phase environment, as it was read: types `secret`, `sealed` and any we do not know."""

    id: str
    key: str
    value: SecretValue
    path: str = "/"
    tags: frozenset[str] = frozenset()
    type: str = "secret"
    # The user whose token reads it has a personal override of its value, which no target gets.
    is_overridden: bool = False
    # Why a reference in its value is not resolved, without a word of the value; "" if all are, or nobody can tell.
    problem: str = ""

    @property
    def source(self) -> str:
        """Where the entry is in Phase, for messages: folder and key, never the value."""
        return f"{self.path.rstrip('/')}/{self.key}"

    @property
    def weight(self) -> int:
        """Return about how many bytes the entry takes in memory; texts that many entries share are not counted."""
        size = _BARE + getsizeof(self.id) + getsizeof(self.key) + getsizeof(self.value._text)
        return size + getsizeof(self.problem) if self.problem else size


@dataclass(frozen=True, slots=True)
class ConfigEntry(Entry):
    """An entry of type `config`: the only class that a ConfigMap's renderer accepts."""

    type: str = "config"


@dataclass(frozen=True, slots=True)
class DynamicKey:
    """A key that a dynamic secret of Phase has while it is leased; it holds no value."""

    key: str
    path: str = "/"

    @property
    def weight(self) -> int:
        """Return about how many bytes it takes in memory."""
        return _BARE + getsizeof(self.key)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answer of Phase to one query at one moment."""

    app_id: str
    entries: tuple[Entry, ...]
    # Digest of everything above: equal revisions mean equal answers. It is not keyed, so it never leaves memory.
    revision: bytes = field(repr=False, default=b"")
    # The memory that its entries take: one place or several, held as long as this snapshot.
    place: object = field(repr=False, compare=False, default=None)
    # Keys of dynamic secrets: no target gets them, and messages name them.
    dynamic: tuple[DynamicKey, ...] = ()

    @classmethod
    def of(
        cls, app_id: str, entries: Iterable[Entry], place: object = None, dynamic: Iterable[DynamicKey] = ()
    ) -> "Snapshot":
        """Return an answer in its normal form: no entry twice, sorted by (path, key, id).

        Entries are equal only if all their fields are: two with the same id that differ are both kept.
        """
        every = list(entries)
        if len({entry.id for entry in every}) == len(every):
            ordered = tuple(sorted(every, key=lambda entry: (entry.path, entry.key, entry.id)))
        else:
            ordered = tuple(sorted(dict.fromkeys(every), key=lambda entry: (entry.path, entry.key, _parts(entry))))
        unread = tuple(sorted(set(dynamic), key=lambda each: (each.path, each.key)))
        return cls(app_id, ordered, _revision(app_id, ordered, unread), place, unread)


def _revision(app_id: str, entries: tuple[Entry, ...], dynamic: tuple[DynamicKey, ...]) -> bytes:
    # The texts are hashed one after another: joined, they would be as large as the answer.
    overridden = (("overridden", entry.id) for entry in entries if entry.is_overridden)
    problems = (("problem", entry.id, entry.problem) for entry in entries if entry.problem)
    places = ((each.path, each.key) for each in dynamic)
    texts = chain.from_iterable(chain([(app_id,)], _parts_of_all(entries), places, overridden, problems))
    return keyed(b"", b"", framed(text.encode("utf-8", "surrogatepass") for text in texts), size=16)


def _parts(entry: Entry) -> tuple[str, ...]:
    return next(_parts_of_all([entry]))


def _parts_of_all(entries: Iterable[Entry]) -> Iterator[tuple[str, ...]]:
    # Entries that follow one another often have the same tags: to sort these takes longer than all else.
    tags, listed = frozenset[str](), ""
    for entry in entries:
        if entry.tags is not tags and entry.tags != tags:
            tags, listed = entry.tags, "\x00".join(sorted(entry.tags))
        yield entry.id, entry.path, entry.key, entry.type, listed, entry.value.reveal()
