"""The Phase of support/push_world.py as the calls of a shell see it, and the Secrets that shells push from.

A process dies where its fuse has burnt down: after any call, and after any write.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import EntryType
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.label_selector import Selector
from phase_operator.core.push.homes import Home
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.looks import Look, Written
from phase_operator.core.push.marks import Mark, with_mark
from phase_operator.core.push.steps import Delete, Post, Put
from phase_operator.core.refs import Kind
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.ports import Credential
from phase_operator.reconcile.pushes.ports import SourceObject
from support.push_world import Phase, Stored


class KilledError(BaseException):
    """The process dies here."""


@dataclass
class Fuse:
    """How many calls and writes a process still makes; None: as many as it wants."""

    left: int | None = None
    # All that was done, in order.
    done: list[str] = field(default_factory=list)

    def burn(self, what: str) -> None:
        """Count what was done, and die after it if that was the last."""
        self.done.append(what)
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise KilledError


class PushServer:
    """One Phase, for any number of clusters."""

    def __init__(self, now: Callable[[], float], seed: int = 0) -> None:
        self._now = now
        self.phase = Phase(random.Random(seed))
        self.phase.now = now()
        self.calls: Counter[str] = Counter()
        # What was sent, by the header of who called.
        self.callers: Counter[str] = Counter()
        # What the next calls of a kind raise: before they do anything, after all of it, or after the first entry.
        self.refused: dict[str, list[ExpectedError]] = {}
        self.lost: dict[str, list[ExpectedError]] = {}
        self.half: dict[str, list[ExpectedError]] = {}
        # An entry that Phase never takes.
        self.poison = ""
        self.has_revisions = True

    def sync(self) -> Phase:
        """Return the server as it is now."""
        self.phase.advance(max(0.0, self._now() - self.phase.now))
        return self.phase

    @property
    def revision(self) -> str:
        """What a probe shows: the moment of the last write, and how many entries there are."""
        versions = sum(each.version for each in self.phase.living())
        return f"{self.phase.moved_at}-{versions}-{len(self.phase.living())}"

    def begin(self, kind: str, credential: Credential) -> Phase:
        """Begin a call; raise what it is refused with."""
        self.calls[kind] += 1
        self.callers[credential.account] += 1
        phase = self.sync()
        if self.refused.get(kind):
            raise self.refused[kind].pop(0)
        return phase

    def end(self, kind: str) -> None:
        """End a call that did all; raise what its caller sees instead of the answer."""
        if self.lost.get(kind):
            raise self.lost[kind].pop(0)


class PushPhase:
    """The calls of one process."""

    def __init__(self, server: PushServer, fuse: Fuse) -> None:
        self.server = server
        self._fuse = fuse

    async def apps(self, base_url: str, credential: Credential, place: Reservation) -> Sequence[App]:
        """List one app."""
        self.server.begin("apps", credential)
        self._fuse.burn("apps")
        return [App("app", "shop"), App("e2ee", "vault", is_encrypted=True)]

    async def environments(
        self, base_url: str, credential: Credential, app_id: str, place: Reservation
    ) -> Sequence[Environment]:
        """List two environments."""
        self.server.begin("environments", credential)
        revision = self.server.revision if self.server.has_revisions else None
        return [Environment("Production", revision), Environment("Staging", revision)]

    async def look(self, credential: Credential, at: PushPlace, now: float, memory: Reservation) -> Look:
        """List entries."""
        phase = self.server.begin("look", credential)
        found = phase.look(at)
        memory.resize(sum(each.weight for several in found.entries.values() for each in several))
        self.server.end("look")
        self._fuse.burn("look")
        return replace(found, at=now)

    async def post(
        self, credential: Credential, step: Post, mark: Mark, memory: Reservation, *, sent_within: float
    ) -> list[Written]:
        """Make entries."""
        assert sent_within > 0
        phase = self.server.begin("post", credential)
        if any(phase.at(step.at, each.place) for each in step.entries):
            raise Waiting(Reason.REQUEST_REFUSED, "Phase answers 409: Duplicate secret found", had_no_effect=True)
        self._check({each.place.key for each in step.entries})
        made: list[Stored] = []
        for each in step.entries:
            if made and self.server.half.get("post"):
                self._fuse.burn("post")
                raise self.server.half["post"].pop(0)
            assert each.value is not None
            comment = with_mark("", mark)
            made.append(phase.add(step.at, each.place, each.value.reveal(), each.type.value, comment))
        self.server.end("post")
        self._fuse.burn("post")
        return [Written(each.id, each.place, each.version) for each in made]

    async def put(
        self, credential: Credential, step: Put, mark: Mark, memory: Reservation, *, sent_within: float
    ) -> list[Written]:
        """Change entries."""
        assert sent_within > 0
        phase = self.server.begin("put", credential)
        self._check({each.entry.place.key for each in step.changes})
        written: list[Written] = []
        for change in step.changes:
            if written and self.server.half.get("put"):
                self._fuse.burn("put")
                raise self.server.half["put"].pop(0)
            stored = phase.entries[change.entry.id]
            if change.value is not None and stored.type != EntryType.SEALED:
                stored.value = change.value.reveal()
            stored.type = stored.type if change.type is None else change.type
            if change.is_marked is not None:
                note = change.entry.note.reveal()
                stored.comment = with_mark(note, mark) if change.is_marked else note
            stored.version += 1
            written.append(Written(stored.id, stored.place, stored.version))
        phase.moved_at = phase.now
        self.server.end("put")
        self._fuse.burn("put")
        return written

    async def delete(self, credential: Credential, step: Delete, memory: Reservation) -> None:
        """Delete entries."""
        phase = self.server.begin("delete", credential)
        if any(phase.entries[each].is_deleted for each in step.ids):
            raise Waiting(Reason.REQUEST_REFUSED, "Phase answers 404: Secret not found: some", had_no_effect=True)
        for each in step.ids:
            phase.delete(phase.entries[each])
        self.server.end("delete")
        self._fuse.burn("delete")

    def _check(self, keys: set[str]) -> None:
        if self.server.poison in keys:
            is_sure = len(keys) == 1
            raise Waiting(Reason.REQUEST_REFUSED, "Phase answers 400: it does not like it", had_no_effect=is_sure)


@dataclass
class Stock:
    """The Secrets and ConfigMaps of a cluster that are pushed from, and those that keep generated values."""

    objects: dict[tuple[Kind, ObjectKey], SourceObject] = field(default_factory=dict)
    homes: dict[ObjectKey, Home] = field(default_factory=dict)
    reads: Counter[str] = field(default_factory=Counter)
    versions: int = 100

    def put(self, name: str, data: Mapping[str, bytes] | None, *, kind: Kind = Kind.SECRET, **fields: object) -> None:
        """Write an object of the namespace; None deletes it."""
        key = ObjectKey(str(fields.pop("namespace", "shop")), name)
        label = str(fields.pop("label", ""))
        self.versions += 1
        if data is None:
            self.objects.pop((kind, key))
            return
        known = self.objects.get((kind, key))
        uid = known.uid if known is not None else f"uid-{self.versions}"
        found = SourceObject(kind, name, uid, str(self.versions), data=data)
        labels = {"label": label} if label else {}
        self.objects[kind, key] = replace(found, labels=labels, **fields)  # type: ignore[arg-type]


class FakeSources:
    """A process's view of a stock."""

    def __init__(self, stock: Stock, fuse: Fuse) -> None:
        self._stock = stock
        self._fuse = fuse
        # Another process writes the home first.
        self.is_beaten = False
        self.errors: list[ExpectedError] = []

    async def look(self, kind: Kind, key: ObjectKey, selectors: Sequence[Selector]) -> SourceObject | None:
        """Return one without its values."""
        if self.errors:
            raise self.errors.pop(0)
        found = self._stock.objects.get((kind, key))
        return replace(found, data=None) if found is not None else None

    async def select(self, namespace: str, selectors: Sequence[Selector], most: int) -> Sequence[SourceObject]:
        """Return those with labels that are asked for."""
        found = [
            replace(each, data=None)
            for (kind, key), each in self._stock.objects.items()
            if kind is Kind.SECRET and key.namespace == namespace and any(s.matches(each.labels) for s in selectors)
        ]
        return found[: most + 1]

    async def read(self, kind: Kind, key: ObjectKey, memory: Reservation) -> SourceObject | None:
        """Return one with its values."""
        self._stock.reads[str(key)] += 1
        found = self._stock.objects.get((kind, key))
        if found is not None and found.data is not None:
            memory.resize(sum(map(len, found.data.values())))
        return found

    async def home(self, key: ObjectKey) -> Home | None:
        """Return a home."""
        return self._stock.homes.get(key)

    async def keep(
        self,
        key: ObjectKey,
        owner: ObjectKey,
        before: Home | None,
        values: Mapping[str, SecretValue],
        rotations: Mapping[str, str],
    ) -> bool:
        """Write into a home that is as it was read."""
        there = self._stock.homes.get(key)
        if (there and (there.uid, there.version)) != (before and (before.uid, before.version)):
            return False
        self._stock.versions += 1
        version = str(self._stock.versions)
        kept = dict(there.values) if there is not None else {}
        said = dict(there.rotations) if there is not None else {}
        self._stock.homes[key] = Home(
            str(owner),
            there.uid if there is not None else f"home-{version}",
            version,
            kept | {name: each.reveal().encode() for name, each in values.items()},
            said | dict(rotations),
        )
        self._fuse.burn("home")
        return True


def lost() -> Transient:
    """Return what a caller sees whose answer was lost."""
    return Transient(Reason.PHASE_UNAVAILABLE, "no answer within 125 s")
