"""Invariant: whatever PhaseSecrets want, together or against each other, and however they are edited and deleted, they
come to rest: nothing is written any more, and what a status calls ready stands there and holds what Phase holds.
"""

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from phase_operator.core.values import ObjectKey
from support.builders import entry, phase_secret, secret_ref
from support.examples import examples
from support.fakes import Loop

WHO = [ObjectKey("team", name) for name in ("one", "two", "three")]
POLICIES: dict[str, dict[str, Any]] = {
    "Owner": {},
    "Delete": {"deletionPolicy": "Delete"},
    "adopt": {"adopt": True},
    "Merge": {"creationPolicy": "Merge"},
    "Merge, Retain": {"creationPolicy": "Merge", "deletionPolicy": "Retain"},
    "Merge, adopt": {"creationPolicy": "Merge", "adopt": True},
    "Orphan": {"creationPolicy": "Orphan"},
    "versions": {"versioned": {"keep": 1}},
    "versions, Delete": {"versioned": {"keep": 1}, "deletionPolicy": "Delete"},
    "another type": {
        "secretType": "kubernetes.io/basic-auth",
        "onTypeChange": "Replace",
        "processors": {"A": {"asName": "username"}, "B": {"asName": "password"}},
    },
}
KEYS = ("A", "B")
# Who, what it wants of which name, and which keys; nothing: it is deleted.
Step = tuple[ObjectKey, dict[str, str], str]
steps = st.tuples(
    st.sampled_from(WHO),
    st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(sorted(POLICIES)), max_size=2),
    st.sampled_from(["A", "B", "*"]),
)


class Game:
    """PhaseSecrets that want things in one namespace, and the loop that runs them."""

    def __init__(self, loop: Loop, place: str = "") -> None:
        self.loop = loop
        self.place = {"secretNamespace": place} if place else {}
        self.wanted: dict[ObjectKey, tuple[dict[str, str], str]] = {}
        self.generation = 0

    async def play(self, step: Step) -> None:
        """Let a PhaseSecret be made, edited or deleted."""
        who, targets, keys = step
        self.generation += 1
        if not targets:
            self.wanted.pop(who, None)
            await self.delete(who)
            return
        self.wanted[who] = (targets, keys)
        references = [{"secretName": name, **self.place, **POLICIES[policy]} for name, policy in targets.items()]
        guarded = [who in self.loop.cluster.guarded]
        await self.loop.show(
            phase_secret(
                who,
                uid=f"uid of {who.name}",
                generation=self.generation,
                finalizers=["secrets.phase.dev/targets"] * guarded[0],
                keys={"include": [keys]},
                managedSecretReferences=references,
            )
        )

    async def delete(self, who: ObjectKey) -> None:
        """Let a PhaseSecret go, after its last run if it waits for one."""
        body = self.loop.cluster.bodies.get(who)
        if body is not None and who in self.loop.cluster.guarded:
            ending = {"deletionTimestamp": "2030-01-01T00:00:00Z", "finalizers": ["secrets.phase.dev/targets"]}
            await self.loop.show({**body, "metadata": {**body["metadata"], **ending}})
        self.loop.cluster.statuses.pop(who, None)
        await self.loop.bury(who)

    def ready(self) -> set[tuple[ObjectKey, str]]:
        """Return who has which name."""
        return {
            (who, target["name"])
            for who, (wanted, _) in self.wanted.items()
            for target in self.loop.cluster.statuses.get(who, {}).get("targets", [])
            if target["ready"] and target["name"] in wanted
        }

    def check(self) -> None:
        """Fail if a status calls ready what is not there."""
        for who, (_, keys) in self.wanted.items():
            for target in self.loop.cluster.statuses[who].get("targets", []):
                if target["ready"]:
                    ref = secret_ref(target.get("version") or target["name"])
                    held = set(self.loop.cluster.secret(ref).values())
                    assert held >= {f"new {key}" for key in KEYS if keys in ("*", key)}, (who, target)


@given(st.lists(steps, min_size=2, max_size=6))
@example([(WHO[0], {"x": "versions"}, "A"), (WHO[1], {"x": "versions"}, "B")])
@example([(WHO[0], {"x": "versions"}, "A"), (WHO[1], {"x": "versions, Delete"}, "B"), (WHO[0], {}, "A")])
@example([(WHO[0], {"x": "Merge"}, "*"), (WHO[1], {"x": "Merge, adopt"}, "A"), (WHO[2], {"x": "adopt"}, "B")])
@settings(max_examples=examples(40), deadline=None)
def test_any_resources_come_to_rest_and_report_the_truth(played: list[Step]) -> None:
    async def scenario() -> None:
        async with Loop() as loop:
            game = Game(loop)
            loop.phase.holds(*(entry(key, f"old {key}") for key in KEYS))
            for step in played:
                await game.play(step)
            loop.phase.holds(*(entry(key, f"new {key}") for key in KEYS))
            for _ in range(8):
                await loop.turn(60)
            writes, statuses = len(loop.cluster.writes), len(loop.cluster.status_writes)

            for _ in range(8):
                await loop.turn(60)

            assert loop.cluster.writes[writes:] == []
            assert loop.cluster.status_writes[statuses:] == []
            game.check()

    asyncio.run(scenario())


@given(st.lists(steps, min_size=2, max_size=6))
@example(
    [
        (WHO[0], {"x": "Owner"}, "A"),
        (WHO[0], {"y": "Owner"}, "A"),
        (WHO[1], {"x": "Merge"}, "B"),
        (WHO[0], {"x": "Owner"}, "A"),
    ]
)
@settings(max_examples=examples(40), deadline=None)
def test_no_edit_of_one_resource_takes_a_target_from_another(played: list[Step]) -> None:
    async def scenario() -> None:
        async with Loop() as loop:
            game = Game(loop)
            loop.phase.holds(*(entry(key, f"new {key}") for key in KEYS))
            for step in played:
                before = game.ready()
                await game.play(step)
                for _ in range(8):
                    await loop.turn(60)

                assert {each for each in before if each[0] != step[0]} <= game.ready()
                game.check()

    asyncio.run(scenario())
