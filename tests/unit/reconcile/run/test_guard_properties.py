"""The guard under random answers, outages, restarts, edits and suspensions.

Invariants: what Phase's answer lacks once and no more never leaves a target, whatever happened before it was heard;
what Phase still has under its key, as another type or in another folder, has left as soon as that was heard; and when
nothing happens any more, every target holds what Phase holds.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.values import Entry
from support.builders import config_entry, config_map_ref, entry, secret_ref
from support.examples import examples
from support.lying import PersistentWorld

DOWN = Transient(Reason.PHASE_UNAVAILABLE, "down")
ROOT, BELOW, CONFIG = secret_ref("root"), secret_ref("below"), config_map_ref("config")
TARGETS: dict[str, Any] = {
    "managedSecretReferences": [
        {"secretName": "root", "path": "/"},
        {"secretName": "below", "path": "/b", "prefix": "B_"},
    ],
    "managedConfigMapReferences": [{"configMapName": "config"}],
}
SHAPES = {"secret": ("/", False), "below": ("/b", False), "config": ("/", True)}
HOMES = {"secret": ROOT, "below": BELOW, "config": CONFIG}

KEYS = ("A", "C", "D", "E", "F", "G")
Watchdog = list[tuple[Any, ...]]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("lie"), st.sets(st.sampled_from(KEYS))),
        st.tuples(st.just("move"), st.sampled_from(KEYS), st.sampled_from(sorted(SHAPES))),
        st.tuples(st.just("outage"), st.sampled_from([6.0, 30.0])),
        st.tuples(st.just("restart")),
        st.tuples(st.just("edit"), st.sampled_from([5, 6, 7])),
        st.tuples(st.just("suspend")),
        st.tuples(st.just("time"), st.sampled_from([1.0, 7.0])),
    ),
    max_size=9,
)


def made(key: str, owned_fields: str) -> Entry:
    path, is_config = SHAPES[owned_fields]
    ident = f"id-{key}"
    return config_entry(key, path=path, ident=ident) if is_config else entry(key, path=path, ident=ident)


@dataclass
class Model:
    """What Phase truly holds, and the targets that have to follow it."""

    world: PersistentWorld
    shapes: dict[str, str] = field(default_factory=dict)
    # What moved, with the number of true answers before; it has left its target as soon as there is one more.
    moved: dict[str, int] = field(default_factory=dict)
    # What went to another folder while nobody was there who had seen it in the first: no one can tell it from a
    # namesake, so that it leaves no target that would have nothing else.
    unproven: set[str] = field(default_factory=set)
    # How many true answers there were when the process began.
    began: int = 0
    # What the lie lacks.
    lost: set[str] = field(default_factory=set)

    def true(self) -> list[Entry]:
        return [made(key, owned_fields) for key, owned_fields in self.shapes.items()]

    def lie(self) -> tuple[Entry, ...]:
        return tuple(each for each in self.true() if each.key not in self.lost)

    def holds(self, key: str) -> set[str]:
        """Return the targets that hold a key."""
        found = {owned_fields for owned_fields, ref in HOMES.items() if key in self.world.keys(ref)}
        return found | ({"below"} if f"B_{key}" in self.world.keys(BELOW) else set())

    def check(self) -> None:
        for key, at in list(self.moved.items()):
            is_heard = self.world.phase.told_truly > at and not self.is_doubted()
            if is_heard and key not in self.unproven:
                del self.moved[key]
        for key, owned_fields in self.shapes.items():
            if key not in self.moved:
                assert self.holds(key) == {owned_fields}, (key, self.world.status)

    def is_doubted(self) -> bool:
        """Say whether a target doubts an answer, maybe for what is unproven; then it takes nothing of it."""
        return any(self.world.target_status(ref).get("reason") == Reason.ANSWER_DOUBTED for ref in HOMES.values())

    def forget(self) -> None:
        """Note that the process which saw where things were is gone."""
        self.unproven |= set(self.moved)
        self.began = self.world.phase.told_truly

    def end(self) -> None:
        """Check that all is as Phase says."""
        for key, owned_fields in self.shapes.items():
            if self.world.reason != Reason.NO_ENTRIES or key not in self.unproven:
                assert self.holds(key) == {owned_fields}, (key, self.world.status)
        assert self.world.reason == Reason.SYNCED or self.unproven, self.world.status

    async def run(self, seconds: float) -> None:
        end = self.world.clock.monotonic() + seconds
        while self.world.clock.monotonic() < end:
            await self.world.pass_time(1.0)
            self.check()

    async def do(self, step: tuple[Any, ...]) -> None:
        world = self.world
        match step:
            case ("lie", _) if world.phase.lied_last:
                # Said again, it would be believed, and rightly.
                pass
            case ("lie", set(lost)):
                self.lost = lost
                world.phase.lies(*self.lie())
            case ("move", str(key), str(owned_fields)):
                if owned_fields != self.shapes[key]:
                    self.moved[key] = world.phase.told_truly
                    self.unproven |= {key} if world.phase.told_truly == self.began else set()
                self.shapes[key] = owned_fields
                world.phase.is_honest(*self.true())
                if world.phase.lie is not None:
                    # It lacks entries of the truth at the moment of the answer: an old state is no such lie.
                    world.phase.lie = self.lie()
            case ("outage", float(seconds)):
                world.phase.fails(DOWN)
                await self.run(seconds)
                world.phase.works()
            case ("restart",):
                self.forget()
                await world.start()
            case ("edit", int(interval)):
                await world.edit(pollingInterval=interval)
            case ("suspend",):
                self.forget()
                await world.edit(suspend=True)
                await world.edit(suspend=None)
            case ("time", float(seconds)):
                await self.run(seconds)
        self.check()


async def play(plan: Watchdog, fields: dict[str, Any]) -> None:
    world = PersistentWorld({"pollingInterval": 5, **TARGETS, **fields})
    model = Model(world, {key: sorted(SHAPES)[number % 3] for number, key in enumerate(KEYS)})
    world.phase.is_honest(*model.true())
    try:
        await world.start()
        await model.run(1.0)
        for step in plan:
            await model.do(step)
        world.phase.works()
        await model.run(90.0)
        model.end()
    finally:
        await world.stop()


@settings(max_examples=examples(60), deadline=None)
@given(steps, st.sampled_from([{"shrink": 1}, {"shrink": 1, "allowEmpty": True}]))
def test_an_entry_that_is_missing_once_stays_and_one_that_moved_goes(plan: Watchdog, fields: dict[str, Any]) -> None:
    asyncio.run(play(plan, fields))
