"""Invariant: whatever PhaseSecrets that merge into one object, and people, do to it in whatever order, nobody's key is
changed or dropped but by its owner; and what is ours is as Phase says as soon as everybody has run.
"""

import asyncio
import base64
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.core.outcome import TargetResult
from phase_operator.core.targets.removal import Leave
from phase_operator.core.values import ObjectKey
from support.appliers import DROPPED, applier_of
from support.builders import desired_secret, entry, owner, secret_ref, spec
from support.examples import examples
from support.fakes import FakeCluster

SHOP = secret_ref()
A, B = ObjectKey("team", "a"), ObjectKey("team", "b")
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}
KEYS = {A: ("A1", "A2", "BOTH"), B: ("B1", "B2", "BOTH")}
TEXTS = st.sampled_from(["one", "two"])

Step = tuple[str, Any, dict[str, Any]]

wants: st.SearchStrategy[Step] = st.builds(
    lambda who, data: ("wants", who, {key: data[key] for key in sorted(data) if key in KEYS[who]}),
    st.sampled_from([A, B]),
    st.dictionaries(st.sampled_from(["A1", "A2", "B1", "B2", "BOTH"]), TEXTS, min_size=1),
).filter(lambda step: bool(step[2]))
leaves: st.SearchStrategy[Step] = st.builds(lambda who: ("leaves", who, {}), st.sampled_from([A, B]))
foreign: st.SearchStrategy[Step] = st.builds(lambda text: ("edits", None, {"FOREIGN": text}), TEXTS)
by_hand: st.SearchStrategy[Step] = st.builds(
    lambda key, text: ("edits", None, {key: text}), st.sampled_from(["A1", "B1", "BOTH"]), st.sampled_from(["x", None])
)


class Game:
    """Two PhaseSecrets, one object, and people."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.applier = applier_of(self.cluster)
        self.wanted: dict[ObjectKey, dict[str, str]] = {}
        self.foreign: dict[str, str] = {}

    async def play(self, step: Step) -> None:
        """Let one thing happen."""
        kind, who, data = step
        if kind == "wants":
            self.wanted[who] = data
            self.cluster.bodies[who] = {"spec": spec(managedSecretReferences=[{"secretName": "shop", **MERGE}])}
            await self.run(who)
        elif kind == "leaves":
            self.wanted.pop(who, None)
            self.cluster.bodies.pop(who, None)
            assert await self.applier.take_away(SHOP, owner(who), DROPPED) == Leave()
        else:
            self.foreign |= {key: text for key, text in data.items() if key == "FOREIGN"}
            self.cluster.edit(SHOP, {key: None if text is None else encoded(text) for key, text in data.items()})

    async def run(self, who: ObjectKey) -> TargetResult | None:
        """Let a PhaseSecret run."""
        if who not in self.wanted:
            return None
        entries = [entry(key, text) for key, text in self.wanted[who].items()]
        return await self.applier.bring_in_step(desired_secret(*entries, of=who, **MERGE))


def encoded(text: str) -> str:
    """Return text as a Secret holds it."""
    return base64.b64encode(text.encode()).decode()


@given(st.lists(st.one_of(wants, leaves, foreign, by_hand), max_size=12))
@settings(max_examples=examples(150))
def test_nobody_loses_a_key_to_another(steps: list[Any]) -> None:
    async def scenario() -> None:
        game = Game()
        for step in steps:
            await game.play(step)
        results = {who: await game.run(who) for who in (A, B)}

        data = game.cluster.secret(SHOP) if SHOP in game.cluster.objects else {}
        assert {key: data.get(key) for key in game.foreign} == game.foreign
        for who, result in results.items():
            if result is not None and result.ready:
                assert game.wanted[who].items() <= data.items()
        # Nothing is left of what nobody wants: ours goes with us, exactly.
        for who in (A, B):
            await game.applier.take_away(SHOP, owner(who), DROPPED)
        data = game.cluster.secret(SHOP) if SHOP in game.cluster.objects else {}
        assert {key: data.get(key) for key in game.foreign} == game.foreign
        assert all(text == "x" for key, text in data.items() if key not in game.foreign)

    asyncio.run(scenario())


@given(st.lists(st.one_of(wants, leaves, foreign, by_hand), max_size=12))
@settings(max_examples=examples(100))
def test_two_phase_secrets_that_share_an_object_stop_writing_it(steps: list[Any]) -> None:
    async def scenario() -> None:
        game = Game()
        for step in steps:
            await game.play(step)
        for _ in range(2):
            await game.run(A)
            await game.run(B)
        writes = len(game.cluster.writes)

        await game.run(A)
        await game.run(B)

        assert len(game.cluster.writes) == writes

    asyncio.run(scenario())
