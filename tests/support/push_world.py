"""Phase with people in its Console, and clusters that push to it: calls are lost, late and half done, processes die.

The Phase here has the odd corners of the real one: a check for duplicates that is a race, batches that are half done,
versions that are counted without a lock, sealed entries that keep their value silently, and ids of deleted entries that
take writes. Values are plain texts, and only this world compares them.
"""

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

from phase_operator.api.v1alpha1.phasepushsecret import UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy, EntryType
from phase_operator.core.push.answers import after_delete, after_post, after_put
from phase_operator.core.push.desired import Desired, desired
from phase_operator.core.push.facts import Facts, Policies
from phase_operator.core.push.ledger import Ledger, PushPlace
from phase_operator.core.push.looks import Listed, Look, Written
from phase_operator.core.push.machine import FRESH, next_step
from phase_operator.core.push.marks import Mark, marks_in, with_mark, without_marks
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import Rule, Source
from phase_operator.core.push.steps import Delete, LookAt, Post, Put, ReadSources, Rest, Step, WriteLedger
from phase_operator.core.refs import Kind
from phase_operator.core.values import SecretValue

AT = PushPlace("https://phase.example", "app", "production")
ELSEWHERE = AT._replace(environment="staging")
KEYS = tuple("ABCD")
# Seconds for which a server works on a call whose answer nobody waits for any more.
_LATEST = 120.0


@cache
def _marked(comment: str) -> Mark | None:
    return next(iter(marks_in(comment)), None)


@dataclass(slots=True)
class Stored:
    """An entry of Phase, and what happened to it."""

    id: str
    of: PushPlace
    place: EntryPlace
    value: str
    type: str
    comment: str
    created_at: float
    version: int = 1
    is_deleted: bool = False
    was_restored: bool = False
    # When each mark was last on it, and when a person last changed it and nobody has since.
    marked_at: dict[Mark, float] = field(default_factory=dict)
    unmarked_at: float | None = None
    edited_at: float | None = None

    @property
    def holder(self) -> Mark | None:
        """The mark on it."""
        return _marked(self.comment)


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often something goes wrong, as a part of all steps."""

    kill: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    refused: float = 0.0
    half_done: float = 0.0
    failed_write: float = 0.0
    lost_status: float = 0.0
    person: float = 0.0
    source: float = 0.0
    policy: float = 0.0
    moved: float = 0.0


class LostError(Exception):
    """No answer: nobody knows what the call did."""


class RefusedError(Exception):
    """Nothing was done, for certain."""


class Phase:
    """The server. Whoever writes is a cluster, or a person."""

    def __init__(self, chance: random.Random) -> None:
        self.now = 1_800_000_000.0
        self.moved_at = 0.0
        self.entries: dict[str, Stored] = {}
        self._living: dict[str, Stored] = {}
        self._chance = chance
        # How often a cluster made an entry of which it had one already.
        self.twins = 0
        # What is done later, by calls whose answers were lost.
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._made = 0

    def advance(self, seconds: float) -> None:
        """Let time pass; calls that were under way come to their end."""
        self.now += seconds
        due = [each for each in self._later if each[0] <= self.now]
        self._later = [each for each in self._later if each[0] > self.now]
        for _, act in sorted(due, key=lambda each: each[0]):
            with suppress(LostError):
                act()
        for each in self.living():
            if each.holder is not None:
                each.marked_at[each.holder] = self.now
            else:
                each.unmarked_at = self.now

    def later(self, act: Callable[[], None]) -> None:
        """Do something while the server still works on a lost call."""
        self._later.append((self.now + self._chance.uniform(0, _LATEST), act))

    def living(self) -> list[Stored]:
        """Return the entries that are listed."""
        return list(self._living.values())

    def delete(self, entry: Stored) -> None:
        """Take an entry off the list; writes to its id still succeed."""
        entry.is_deleted = True
        self._living.pop(entry.id, None)
        self.moved_at = self.now

    def restore(self, entry: Stored) -> None:
        """List an entry again: a write of the whole row that was read before it was deleted."""
        entry.is_deleted, entry.was_restored = False, True
        self._living[entry.id] = entry

    def at(self, of: PushPlace, place: EntryPlace) -> list[Stored]:
        """Return the entries of a place in an environment."""
        return [each for each in self.living() if each.place == place and each.of == of]

    def add(self, of: PushPlace, place: EntryPlace, value: str, kind: str, comment: str) -> Stored:
        """Make an entry, without a look for others."""
        self._made += 1
        made = Stored(f"id-{self._made:06d}", of, place, value, kind, comment, self.now)
        if made.holder is not None:
            made.marked_at[made.holder] = self.now
        else:
            made.unmarked_at = self.now
        there = (each for each in self.at(of, place) if not each.was_restored)
        self.twins += made.holder is not None and any(each.holder == made.holder for each in there)
        self.entries[made.id] = self._living[made.id] = made
        self.moved_at = self.now
        return made

    def look(self, at: PushPlace) -> Look:
        """List what there is, without values."""
        listed = (
            Listed(
                each.id,
                each.place,
                each.version,
                each.type,
                marks=marks_in(each.comment),
                note=SecretValue(without_marks(each.comment)),
                created_at=f"{each.created_at:.6f}",
            )
            for each in self.living()
            if each.of == at
        )
        return Look.made(at, self.now, listed)


class Cluster:
    """One PhasePushSecret, its status in the API server, and the process that serves it."""

    def __init__(self, phase: Phase, mark: Mark, chance: random.Random) -> None:
        self.phase = phase
        self.mark = mark
        self.policies = Policies()
        # By key: how often its value changed, and its type. Each key has a source of its own.
        self.sources: dict[str, tuple[int, EntryType]] = dict.fromkeys(KEYS[:3], (1, EntryType.SECRET))
        self.ledger = Ledger()
        self._known_desired: tuple[object, Desired] | None = None
        self.steps: list[Step] = []
        self.at = AT
        self._chance = chance
        self.kill()

    def kill(self) -> None:
        """Let the process die: what is not in the status is forgotten."""
        self._look: Look | None = None
        self._ready: set[str] = set()
        self._refused: set[str] = set()
        self._lost: dict[str, float] = {}
        self._read: set[str] = set()

    def value(self, key: str) -> str:
        """Return the value that a key should have."""
        return f"{self.mark.installation}-{key}-{self.sources[key][0]}"

    def facts(self) -> Facts:
        """Return what this process knows."""
        return Facts(
            self.at,
            self.mark,
            self._desired(),
            self.policies,
            self._look,
            frozenset(self._ready),
            frozenset(self._refused),
            dict(self._lost),
            most_in_call=3,
            bits=self._chance.getrandbits(32),
        )

    def _desired(self) -> Desired:
        made_of = (dict(self.sources), self.ledger, frozenset(self._read))
        if self._known_desired is None or self._known_desired[0] != made_of:
            self._known_desired = (made_of, self._new_desired())
        return self._known_desired[1]

    def _new_desired(self) -> Desired:
        sources = []
        pushed = self.ledger.sources()
        for key, (number, kind) in self.sources.items():
            # As a shell does: a source is read if it moved, or if a verdict asks for it.
            row = pushed.get(EntryPlace("/", key))
            is_known = row is not None and row.version == str(number) and f"Secret/{key}" not in self._read
            data = None if is_known else {key: self.value(key).encode()}
            sources.append(Source(Kind.SECRET, key, str(number), Rule("/", type=kind), data))
        return desired(sources, pushed=pushed)

    def probe(self) -> None:
        """Look again if anything was written in the environment since."""
        if self._look is not None and self.phase.moved_at >= self._look.at:
            self._look = None

    def step(self, trouble: Trouble) -> Step:
        """Take the next step; of a failed call, remember what a shell remembers."""
        step = next_step(self.ledger, self.facts(), self.phase.now)
        self.steps.append(step)
        try:
            self._do(step, trouble)
        except LostError:
            self._look = None
            if isinstance(step, Post | Put):
                self._ready.discard(step.attempt)
                self._lost[step.attempt] = self.phase.now
        except RefusedError:
            self._look = None
            if isinstance(step, Post | Put):
                self._ready.discard(step.attempt)
                self._refused.add(step.attempt)
        return step

    def _do(self, step: Step, trouble: Trouble) -> None:
        match step:
            case LookAt(at):
                self._look = self.phase.look(at)
            case ReadSources(names):
                self._read |= names
            case WriteLedger():
                self._write(step, trouble)
            case Post():
                self._post(step, trouble)
            case Put():
                self._put(step, trouble)
            case Delete():
                self._delete(step, trouble)
            case Rest():
                self._read.clear()

    def _write(self, step: WriteLedger, trouble: Trouble) -> None:
        if self._chance.random() < trouble.failed_write:
            return
        before = {each.attempt for each in self.ledger.rows.values()}
        # What every process has of it is what a status keeps.
        self.ledger = Ledger.read(step.ledger.document())
        self._ready |= {each.attempt for each in step.ledger.rows.values() if each.attempt} - before

    def _send(self, act: Callable[[], None], trouble: Trouble) -> None:
        """Do what a call asks for: at once, late, or never; raise what the client sees."""
        if self._chance.random() < trouble.refused:
            raise RefusedError
        if self._chance.random() < trouble.lost:
            if self._chance.random() < trouble.late:
                self.phase.later(act)
            elif self._chance.random() < 0.7:
                act()
            raise LostError
        act()
        self.phase.advance(self._chance.random())

    def _post(self, step: Post, trouble: Trouble) -> None:
        assert self.phase.now < step.sent_until
        if any(self.phase.at(step.at, each.place) for each in step.entries):
            raise RefusedError
        made: list[Stored] = []

        def act() -> None:
            # The server has looked for duplicates before, so that those of two calls are both made.
            for each in step.entries:
                if made and self._chance.random() < trouble.half_done:
                    raise LostError
                assert each.value is not None
                comment = with_mark("", self.mark)
                made.append(self.phase.add(step.at, each.place, each.value.reveal(), each.type.value, comment))

        self._send(act, trouble)
        assert self._look is not None
        written = (Written(each.id, each.place, each.version) for each in made)
        self._look = after_post(self._look, step, self.mark, written)

    def _put(self, step: Put, trouble: Trouble) -> None:
        assert self.phase.now < step.sent_until
        for change in step.changes:
            self._check_change(change.entry, is_taken=change.is_marked is True)
        # The server reads rows, and writes whole rows: of what came between, the version shows nothing.
        seen = {each.entry.id: replace(self.phase.entries[each.entry.id]) for each in step.changes}

        def act() -> None:
            for number, change in enumerate(step.changes):
                if number and self._chance.random() < trouble.half_done:
                    raise LostError
                row, stored = seen[change.entry.id], self.phase.entries[change.entry.id]
                if change.value is not None and row.type != EntryType.SEALED:
                    stored.value = change.value.reveal()
                else:
                    stored.value = row.value
                stored.type = row.type if change.type is None else change.type
                if change.is_marked is not None:
                    note = change.entry.note.reveal()
                    stored.comment = with_mark(note, self.mark) if change.is_marked else note
                else:
                    stored.comment = row.comment
                stored.version = row.version + 1
                if stored.is_deleted and not row.is_deleted:
                    self.phase.restore(stored)
                stored.edited_at = None
            self.phase.moved_at = self.phase.now

        self._send(act, trouble)
        assert self._look is not None
        ids = [each.entry.id for each in step.changes]
        found = (self.phase.entries[each] for each in ids)
        written = [Written(each.id, each.place, seen[each.id].version + 1) for each in found]
        self._look = after_put(self._look, step, self.mark, written)

    def _delete(self, step: Delete, trouble: Trouble) -> None:
        wanted = self.facts().desired.entries if self.ledger.at == self.at else {}
        for each in step.entries:
            self._check_change(each, is_taken=False)
            stored = self.phase.entries[each.id]
            if each.place not in wanted and stored.edited_at is not None:
                assert self.phase.now - stored.edited_at <= FRESH + 1, f"{stored} is deleted, and was edited"
        if any(self.phase.entries[each].is_deleted for each in step.ids):
            raise RefusedError

        def act() -> None:
            for each in step.ids:
                self.phase.delete(self.phase.entries[each])

        self._send(act, trouble)
        assert self._look is not None
        self._look = after_delete(self._look, step)

    def _check_change(self, entry: Listed, *, is_taken: bool) -> None:
        """Fail if a call names an entry that was not ours a moment ago, and nobody allowed to take it over."""
        stored = self.phase.entries[entry.id]
        if stored.is_deleted:
            # A write to it changes nothing that anybody sees.
            return
        since = self.phase.now - FRESH - 1
        was_ours = stored.holder == self.mark or stored.marked_at.get(self.mark, 0.0) >= since
        was_free = stored.unmarked_at is not None and stored.unmarked_at >= since
        may_take = is_taken and self.policies.update is UpdatePolicy.REPLACE and was_free
        assert was_ours or may_take, f"{self.mark} changes {stored}"


class World:
    """Phase, two clusters that want some of the same entries, and a person."""

    def __init__(self, seed: int, trouble: Trouble) -> None:
        self.chance = random.Random(seed)
        self.trouble = trouble
        self.phase = Phase(self.chance)
        marks = (Mark("east", "shop", "to-phase"), Mark("west", "shop", "to-phase"))
        self.clusters = [Cluster(self.phase, each, self.chance) for each in marks]
        self.people = 0

    def run(self, steps: int) -> None:
        """Take some steps, with trouble."""
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        """Let something go wrong or be changed, and one cluster go on."""
        chance, trouble = self.chance, self.trouble
        cluster = chance.choice(self.clusters)
        if chance.random() < trouble.kill:
            cluster.kill()
        if chance.random() < trouble.lost_status:
            cluster.ledger = Ledger()
            cluster.kill()
        if chance.random() < trouble.person:
            self._meddle()
        if chance.random() < trouble.source:
            self._edit(cluster)
        if chance.random() < trouble.policy:
            update = chance.choice((UpdatePolicy.OWNED, UpdatePolicy.OWNED, UpdatePolicy.REPLACE))
            deletion = chance.choice(list(DeletionPolicy))
            cluster.policies = Policies(update, deletion, replaces_sealed=chance.random() < 0.5)
        if chance.random() < trouble.moved:
            cluster.at = ELSEWHERE if cluster.at == AT else AT
        step = cluster.step(trouble)
        if isinstance(step, Rest):
            self.phase.advance(chance.choice((1.0, 5.0, 20.0)))
            cluster.probe()
        else:
            self.phase.advance(chance.choice((0.0, 0.1, 1.0)))

    def settle(self, seconds: float) -> None:
        """Let all come to rest without trouble: calls under way end, and what is unclear becomes clear."""
        self.trouble = Trouble()
        until = self.phase.now + seconds
        for turn in range(100_000):
            if self.phase.now > until:
                return
            steps = [each.step(self.trouble) for each in self.clusters]
            self.phase.advance(5.0 if all(isinstance(each, Rest) for each in steps) else 0.1)
            if turn % 5 == 0:
                for each in self.clusters:
                    each.probe()
        raise AssertionError("it never comes to rest")

    def _edit(self, cluster: Cluster) -> None:
        key = self.chance.choice(KEYS)
        number, kind = cluster.sources.get(key, (0, EntryType.SECRET))
        if key in cluster.sources and self.chance.random() < 0.3:
            del cluster.sources[key]
            return
        if self.chance.random() < 0.1:
            kind = self.chance.choice((EntryType.SECRET, EntryType.SEALED))
        # A source that comes again has another version than before: no resourceVersion comes twice.
        cluster.sources[key] = (number + self.chance.randrange(1, 1_000_000), kind)

    def _meddle(self) -> None:
        """Let a person do something in the Console."""
        self.people += 1
        phase = self.phase
        living = phase.living()
        if not living or self.chance.random() < 0.2:
            place = EntryPlace("/", self.chance.choice(KEYS))
            if not phase.at(AT, place):
                phase.add(AT, place, f"person-{self.people}", "secret", "")
            return
        entry = self.chance.choice(living)
        match self.chance.choice(("edit", "edit", "unmark", "delete", "note")):
            case "edit":
                if entry.type != EntryType.SEALED:
                    entry.value = f"person-{self.people}"
            case "unmark":
                entry.comment = without_marks(entry.comment)
            case "delete":
                phase.delete(entry)
            case _:
                entry.comment = f"says Ada {self.people}\n{entry.comment}"
        entry.version += 1
        entry.edited_at = phase.moved_at = phase.now


def unsettled(world: World) -> Iterable[str]:
    """Yield what is not as it should be when all has come to rest."""
    for cluster in world.clusters:
        last = cluster.steps[-1]
        if not isinstance(last, Rest):
            yield f"{cluster.mark} does not rest: {last}"
            continue
        told = " ".join(each.text for each in last.problems)
        for key in KEYS:
            place = EntryPlace("/", key)
            there = world.phase.at(cluster.at, place)
            ours = [each for each in there if each.holder == cluster.mark]
            if f'"{place}"' in told:
                continue
            if key in cluster.sources:
                is_right = len(there) == 1 and [each.value for each in ours] == [cluster.value(key)]
                if not is_right or ours[0].type != cluster.sources[key][1]:
                    yield f"{cluster.mark} wants {cluster.value(key)}: {there}"
            elif ours:
                yield f"{cluster.mark} does not want {there}"
