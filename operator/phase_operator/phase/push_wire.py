"""Models of Phase's JSON about entries that are pushed, and the bodies of calls that push.

Rule: no model has a value, so values are dropped where they are parsed: nothing that Phase resolved comes back.
"""

from collections.abc import Iterable
from sys import getsizeof
from typing import Any

from pydantic import Field, TypeAdapter

from phase_operator.core.json_access import text
from phase_operator.core.push import looks
from phase_operator.core.push.desired import Wanted
from phase_operator.core.push.marks import Mark, marks_in, with_mark, without_marks
from phase_operator.core.push.places import EntryPlace, server_key
from phase_operator.core.push.steps import Change
from phase_operator.core.source.folders import normal_path
from phase_operator.core.values import SecretValue
from phase_operator.phase import wire

# Bytes that an entry takes in addition to its texts.
_BARE = 600


class Pushed(wire.Part):
    """An element of the answer to GET, without its value."""

    id: str
    key: str | None = None
    path: str | None = None
    version: int = 0
    type: str | None = None
    tags: tuple[str, ...] | None = None
    # People write it. Only its marks are ever shown.
    comment: str | None = Field(None, repr=False)
    # None of these is a reason to refuse an answer, whatever it holds.
    lifecycle: Any = None
    created_at: Any = Field(None, alias="createdAt")
    name: Any = None
    key_map: Any = Field(None, alias="keyMap")


class Written(wire.Part):
    """An element of the answer to POST or PUT: what says which entry it is, and in which version."""

    id: str
    key: str
    path: str | None = None
    version: int

    @property
    def written(self) -> looks.Written:
        """What is read of it."""
        return looks.Written(self.id, EntryPlace(normal_path(self.path), server_key(self.key)), self.version)


PUSHED: TypeAdapter[Pushed] = TypeAdapter(Pushed)
WRITTEN: TypeAdapter[Written] = TypeAdapter(Written)


class PushedEntries:
    """Makes the entries of a look from elements of an answer; keys of dynamic secrets are places."""

    shared = 0

    def __init__(self, host: str) -> None:
        self._host = host
        self.weight = 0

    def made(self, element: object) -> list[looks.Listed | EntryPlace]:
        """Return what an element becomes; raise Transient(UNEXPECTED_ANSWER)."""
        found = wire.read_element(element, PUSHED, self._host)
        path = normal_path(found.path)
        if found.type == "dynamic":
            keys = wire.key_names(found.key_map, text(found.name) or found.id)
            self.weight += sum(_BARE + getsizeof(each) for each in keys)
            return [EntryPlace(path, server_key(each)) for each in keys]
        if found.key is None or found.version < 1:
            raise wire.not_phase(self._host, f"missing at [].{'key' if found.key is None else 'version'}")
        listed = _listed(found, EntryPlace(path, server_key(found.key)))
        self.weight += listed.weight
        return [listed]


def _listed(found: Pushed, place: EntryPlace) -> looks.Listed:
    comment = found.comment or ""
    return looks.Listed(
        found.id,
        place,
        found.version,
        found.type or "secret",
        frozenset(found.tags or ()),
        marks_in(comment),
        SecretValue(without_marks(comment)),
        text(found.created_at),
        found.lifecycle == "rotating",
    )


class WrittenEntries:
    """Makes what an answer to a write says of each entry."""

    shared = 0

    def __init__(self, host: str) -> None:
        self._host = host
        self.weight = 0

    def made(self, element: object) -> list[looks.Written]:
        """Return what an element becomes; raise Transient(UNEXPECTED_ANSWER)."""
        written = wire.read_element(element, WRITTEN, self._host).written
        self.weight += _BARE + getsizeof(written.id) + getsizeof(written.place.key) + getsizeof(written.place.path)
        return [written]


def posted(entries: Iterable[Wanted], mark: Mark) -> dict[str, Any]:
    """Return the body that makes entries, each with its mark."""
    return {"secrets": [_posted(each, mark) for each in entries]}


def _posted(wanted: Wanted, mark: Mark) -> dict[str, Any]:
    assert wanted.value is not None
    return {
        "key": wanted.place.key,
        "value": wanted.value.reveal(),
        "type": wanted.type.value,
        "path": wanted.place.path,
        "tags": sorted(wanted.tags),
        "comment": with_mark("", mark),
    }


def put(changes: Iterable[Change], mark: Mark) -> dict[str, Any]:
    """Return the body that changes entries; what it leaves out stays as it is, and so does what a comment says else."""
    return {"secrets": [_changed(each, mark) for each in changes]}


def _changed(change: Change, mark: Mark) -> dict[str, Any]:
    body: dict[str, Any] = {"id": change.entry.id}
    if change.value is not None:
        body["value"] = change.value.reveal()
    if change.type is not None:
        body["type"] = change.type
    if change.tags is not None:
        body["tags"] = sorted(change.tags)
    if change.is_marked is not None:
        note = change.entry.note.reveal()
        body["comment"] = with_mark(note, mark) if change.is_marked else note
    return body
