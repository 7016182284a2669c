"""The shell around the push machine in a bad world: kills, lost answers, half batches, refusals, people, edits.

What tests/unit/core/push/test_machine_model.py shows of the machine holds for what drives it: nothing of others is
touched, nothing is made twice, and when nothing disturbs any more, Phase has what the sources have.
"""

import random

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.outcome import Pushed
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.spec import Generated
from support.examples import seeds
from support.push_api import lost
from support.push_house import AT, KEY, KilledError, PushCluster, PushHouse, named, person_makes, world
from support.push_world import Stored

STEPS = 60


class Chaos:
    """Two clusters that share one key, a person, and a server that fails."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.server, self.clusters = world("east", "west")
        self.values: dict[str, dict[str, str]] = {}
        self.made: dict[str, set[str]] = {"east": set(), "west": set()}
        self.kills = 0
        self.theirs: list[tuple[Stored, str]] = []
        for each in self.clusters:
            policies = Policies(deletion=DeletionPolicy.DELETE)
            made = (Generated(f"SESSION_{each.name}", GeneratedKind.PASSWORD),)
            each.resource(named("db", policies=policies, generated=made, generate_into="made"))
            self.edit(each)
        self.houses = [PushHouse(each) for each in self.clusters]

    def edit(self, cluster: PushCluster) -> None:
        """Change some values of a source."""
        keys = ["SHARED", *(f"{cluster.name.upper()}{number}" for number in range(60))]
        found = {key: f"{cluster.name}-{self.chance.randrange(4)}" for key in keys if self.chance.random() < 0.8}
        self.values[cluster.name] = found
        cluster.stock.put("db", {key: each.encode() for key, each in found.items()})

    def disturb(self, index: int) -> None:
        """Let something go wrong in a cluster, or be changed by people."""
        chance, cluster = self.chance, self.clusters[index]
        kind = chance.choice(("post", "put", "delete", "look"))
        failures: tuple[ExpectedError, ...] = (
            Waiting(Reason.ACCESS_DENIED, "403", had_no_effect=True),
            Transient(Reason.PHASE_UNAVAILABLE, "503"),
        )
        match chance.randrange(7):
            case 0:
                self.houses[index].fuse.left = chance.randrange(12)
            case 1 if kind != "look":
                self.server.lost[kind] = [lost()]
            case 2 if kind in ("post", "put"):
                self.server.half[kind] = [lost()]
            case 3:
                self.server.refused[kind] = [chance.choice(failures)]
            case 4:
                self.edit(cluster)
            case 5:
                number = len(self.theirs)
                self.theirs.append((person_makes(self.server, f"PERSON{number}", "theirs", "note"), "theirs"))
            case _:
                living = [each for each in self.server.sync().living() if each.holder is not None]
                if living:
                    self.server.phase.delete(chance.choice(living))

    async def step(self) -> None:
        """Let something go wrong, and one cluster go on."""
        index = self.chance.randrange(2)
        self.disturb(index)
        house = self.houses[index]
        house.wake(KEY)
        try:
            await house.probe()
            await house.pass_time(self.chance.choice((5.0, 20.0, 60.0)), step=5)
        except KilledError:
            self.kills += 1
            self.houses[index] = PushHouse(self.clusters[index])
        self.check()

    def check(self) -> None:
        """Fail if somebody else's entry was touched, or a value was generated twice."""
        for stored, value in self.theirs:
            assert (stored.value, stored.version, stored.comment, stored.is_deleted) == (value, 1, "note", False)
        for entry in self.server.phase.entries.values():
            if entry.place.key.startswith("SESSION") and entry.holder is not None:
                self.made[entry.holder.installation].add(entry.value)
        assert self.server.phase.twins == 0

    async def settle(self) -> None:
        """Let all come to rest without trouble."""
        for errors in (self.server.lost, self.server.half, self.server.refused):
            errors.clear()
        for house in self.houses:
            house.fuse.left = None
        for _ in range(5):
            for house in self.houses:
                await house.probe()
                await house.pass_time(200, step=20)


@pytest.mark.parametrize("seed", seeds(6))
async def test_no_trouble_touches_entries_of_others_and_all_converges(seed: int) -> None:
    chaos = Chaos(seed)
    for _ in range(STEPS):
        await chaos.step()
    await chaos.settle()
    chaos.check()

    assert chaos.kills
    living = [each for each in chaos.server.sync().living() if each.of == AT]
    assert len({each.place for each in living}) == len(living)
    assert all(len(values) == 1 for values in chaos.made.values())
    for house, cluster in zip(chaos.houses, chaos.clusters, strict=True):
        wanted = chaos.values[cluster.name]
        there = cluster.there()
        assert {there.pop(f"SESSION_{cluster.name.upper()}")} == chaos.made[cluster.name]
        found = house.outcomes[KEY]
        assert isinstance(found, Pushed), found
        missing = {key: each for key, each in wanted.items() if there.get(key) != each}
        # One of the two has each key that both want, and the other one is told.
        assert set(missing) <= {"SHARED"}
        # What is not wanted stays only where nobody can tell any more whose value it has, and that is told.
        versions = {each.place.key: each.version for each in living if each.holder is not None}
        left = set(there) - set(wanted)
        assert all(versions[key] > 1 for key in left)
        assert found.ready is not (bool(missing) or bool(left)), found
