"""Make entries from the elements of an answer.

Rule: an element without key or value makes the whole answer invalid. An empty text in its place would be written, and
leaving it out would remove a key from the target.
"""

import sys
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.values import ConfigEntry, DynamicKey, Entry, SecretValue
from phase_operator.phase import wire

Made = TypeVar("Made")
# The most characters of a sealed key: four bytes a character, in base64, and what sealing adds.
_LONGEST_SEALED_KEY = 4 * wire.MAX_WORD * 4 // 3 + 200
# Bytes that a text takes which many entries share.
_KEPT = 100


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """An entry of an encrypted app as it was read: in place of its key and its value it has their sealed texts."""

    sealed: Entry

    @property
    def key(self) -> str:
        """The sealed text of its key."""
        return self.sealed.key

    @property
    def value(self) -> str:
        """The sealed text of its value; an empty text is an empty value."""
        return self.sealed.value.reveal()

    def opened(self, key: str, value: str) -> Entry:
        """Return the entry with its key and value in plain text."""
        return replace(self.sealed, key=key, value=SecretValue(value))


class _Elements(Generic[Made]):
    """Makes entries from elements of an answer, one after another; equal texts are kept once."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._texts: dict[str, str] = {}
        self._tags: dict[tuple[str, ...], frozenset[str]] = {(): frozenset()}
        self._distinct: set[str] = set()
        # Bytes that the entries made so far take in memory.
        self.weight = 0

    def made(self, element: object) -> list[Made]:
        """Return what an element becomes; raise ExpectedError."""
        raise NotImplementedError

    def _entry(self, secret: wire.Secret, longest_key: int) -> Entry:
        key, value = self._required(secret.key, "key"), self._required(secret.value, "value")
        path, kind = secret.path or "/", secret.kind
        if max(map(len, (secret.id, path, kind))) > wire.MAX_WORD or len(key) > longest_key:
            raise self._too_long(f"an entry whose key or folder is longer than {wire.MAX_WORD:,} characters")
        make = ConfigEntry if kind == "config" else Entry
        made = make(
            id=secret.id,
            key=key,
            value=SecretValue(value),
            path=self._shared(path),
            tags=self._tagged(secret.tags or ()),
            type=self._shared(kind),
            is_overridden=secret.is_overridden,
        )
        self.weight += made.weight
        return made

    def _required(self, text: str | None, field: str) -> str:
        if text is None:
            raise wire.not_phase(self._host, f"missing at [].{field}")
        return text

    def _shared(self, text: str) -> str:
        if text not in self._texts:
            self._texts[text] = text
            self.weight += sys.getsizeof(text) + _KEPT
        return self._texts[text]

    def _tagged(self, tags: tuple[str, ...]) -> frozenset[str]:
        found = self._tags.get(tags)
        if found is None:
            self._distinct.update(tags)
            if len(self._distinct) > wire.MAX_TAGS or any(len(tag) > wire.MAX_WORD for tag in tags):
                raise self._too_long(
                    f"more than {wire.MAX_TAGS:,} tags, or one longer than {wire.MAX_WORD:,} characters"
                )
            found = self._tags[tags] = frozenset(map(self._shared, tags))
            self.weight += sys.getsizeof(found) + sys.getsizeof(tags) + _KEPT
        return found

    def _too_long(self, what: str) -> Waiting:
        return Waiting(Reason.ANSWER_TOO_LARGE, f"{self._host} answers {what}")


class Entries(_Elements[Entry | DynamicKey]):
    """Makes entries from elements of GET /v1/secrets/."""

    def made(self, element: object) -> list[Entry | DynamicKey]:
        """Return the entry, or the keys of a dynamic secret, which holds no value; raise ExpectedError."""
        secret = wire.read_element(element, wire.SECRET, self._host)
        return self._dynamic(secret) if secret.type == "dynamic" else [self._entry(secret, wire.MAX_WORD)]

    def _dynamic(self, secret: wire.Secret) -> list[Entry | DynamicKey]:
        path = self._shared((secret.path or "/")[: wire.MAX_WORD])
        keys = [DynamicKey(name, path) for name in secret.key_names]
        self.weight += sum(each.weight for each in keys)
        return [*keys]


class SealedEntries(_Elements[SealedEntry]):
    """Makes sealed entries from elements of GET /secrets/, which has no dynamic secrets unless it is asked for them."""

    def made(self, element: object) -> list[SealedEntry]:
        """Return the entry; raise ExpectedError."""
        secret = wire.read_element(element, wire.SEALED_SECRET, self._host)
        return [SealedEntry(self._entry(secret, _LONGEST_SEALED_KEY))]
