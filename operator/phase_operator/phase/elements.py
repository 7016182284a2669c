"""Make entries from the elements of an answer.

Rule: an element without key or value makes the whole answer invalid. An empty text in its place would be written, and
leaving it out would remove a key from the target.
"""

from sys import getsizeof
from typing import Generic, NamedTuple, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.values import ConfigEntry, DynamicKey, Entry, SecretValue
from phase_operator.phase import wire

Made = TypeVar("Made")
_Fields = tuple[str, str, SecretValue, str, frozenset[str], str, bool]
# The most characters of a sealed key: four bytes a character, in base64, and what sealing adds.
_LONGEST_SEALED_KEY = 4 * wire.MAX_WORD * 4 // 3 + 200
# Bytes of a sealed entry without its texts.
_SEALED = 200
# Bytes that a text takes which many entries share.
_KEPT = 100


class SealedEntry(NamedTuple):
    """An entry of an encrypted app as it was read: in place of its key and its value it has their sealed texts."""

    # A tuple, since there are thousands, and each is made and taken apart once.

    id: str
    # The sealed text of its key.
    key: str
    # Hidden, since it may be in plain text by somebody's mistake.
    hidden: SecretValue
    path: str
    tags: frozenset[str]
    type: str
    is_overridden: bool

    @property
    def value(self) -> str:
        """The sealed text of its value; an empty text is an empty value."""
        return self.hidden.reveal()

    @property
    def weight(self) -> int:
        """Return about how many bytes it takes in memory; texts that many entries share are not counted."""
        return _SEALED + getsizeof(self.id) + getsizeof(self.key) + self.hidden.weight

    def opened(self, key: str, value: str) -> Entry:
        """Return the entry with its key and value in plain text."""
        entry_id, _, _, path, tags, kind, is_overridden = self
        return _class_of(kind)(entry_id, key, SecretValue(value), path, tags, kind, is_overridden)


class _Elements(Generic[Made]):
    """Makes entries from elements of an answer, one after another; equal texts are kept once."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._texts: dict[str, str] = {}
        self._tags: dict[tuple[str, ...], frozenset[str]] = {(): frozenset()}
        self._distinct: set[str] = set()
        # Bytes that the entries made so far take in memory, and those of them for texts that entries share.
        self.weight = self.shared = 0

    def made(self, element: object) -> list[Made]:
        """Return what an element becomes; raise ExpectedError."""
        raise NotImplementedError

    def _fields(self, secret: wire.Secret, longest_key: int) -> _Fields:
        """Return the fields of an entry, in their order; raise ExpectedError if one is missing or too long."""
        key, value = secret.key, secret.value
        if key is None or value is None:
            raise wire.not_phase(self._host, f"missing at [].{'key' if key is None else 'value'}")
        entry_id, path, kind = secret.id, secret.path or "/", secret.kind
        if max(len(entry_id), len(path), len(kind)) > wire.MAX_WORD or len(key) > longest_key:
            raise self._too_long(f"an entry whose key or folder is longer than {wire.MAX_WORD:,} characters")
        tags = self._tagged(secret.tags or ())
        return entry_id, key, SecretValue(value), self._kept(path), tags, self._kept(kind), secret.is_overridden

    def _kept(self, text: str) -> str:
        found = self._texts.get(text)
        if found is None:
            found = self._texts[text] = text
            self._share(getsizeof(text) + _KEPT)
        return found

    def _share(self, size: int) -> None:
        self.shared += size
        self.weight += size

    def _tagged(self, tags: tuple[str, ...]) -> frozenset[str]:
        found = self._tags.get(tags)
        if found is None:
            self._distinct.update(tags)
            if len(self._distinct) > wire.MAX_TAGS or any(len(tag) > wire.MAX_WORD for tag in tags):
                raise self._too_long(
                    f"more than {wire.MAX_TAGS:,} tags, or one longer than {wire.MAX_WORD:,} characters"
                )
            found = self._tags[tags] = frozenset(map(self._kept, tags))
            self._share(getsizeof(found) + getsizeof(tags) + _KEPT)
        return found

    def _too_long(self, what: str) -> Waiting:
        return Waiting(Reason.ANSWER_TOO_LARGE, f"{self._host} answers {what}")


class Entries(_Elements[Entry | DynamicKey]):
    """Makes entries from elements of GET /v1/secrets/."""

    def made(self, element: object) -> list[Entry | DynamicKey]:
        """Return the entry, or the keys of a dynamic secret, which holds no value; raise ExpectedError."""
        secret = wire.read_element(element, wire.SECRET, self._host)
        if secret.type == "dynamic":
            return self._dynamic(secret)
        fields = self._fields(secret, wire.MAX_WORD)
        made = _class_of(secret.kind)(*fields)
        self.weight += made.weight
        return [made]

    def _dynamic(self, secret: wire.Secret) -> list[Entry | DynamicKey]:
        path = self._kept((secret.path or "/")[: wire.MAX_WORD])
        keys = [DynamicKey(name, path) for name in secret.key_names]
        self.weight += sum(each.weight for each in keys)
        return [*keys]


class SealedEntries(_Elements[SealedEntry]):
    """Makes sealed entries from elements of GET /secrets/, which has no dynamic secrets unless it is asked for them."""

    def made(self, element: object) -> list[SealedEntry]:
        """Return the entry; raise ExpectedError."""
        secret = wire.read_element(element, wire.SEALED_SECRET, self._host)
        made = SealedEntry._make(self._fields(secret, _LONGEST_SEALED_KEY))
        self.weight += made.weight
        return [made]


def _class_of(kind: str) -> type[Entry]:
    return ConfigEntry if kind == "config" else Entry
