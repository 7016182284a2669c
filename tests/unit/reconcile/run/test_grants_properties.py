"""Invariant: while a namespace has no grant, no edit of its own touches what it has written elsewhere.

Whatever comes and goes, a grant or a PhaseSecret, takes nothing from others that they have, and all comes to rest.
"""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.values import ObjectKey
from support.builders import TOKEN, entry
from support.examples import examples
from support.fakes import Loop
from unit.reconcile.restarts.test_nothing_to_do_properties import KEYS, POLICIES, Game, Step

TENANTS = ("team", "away")
SHARED = "shared"
WHO = [ObjectKey("team", "one"), ObjectKey("team", "two"), ObjectKey("away", "three"), ObjectKey(SHARED, "four")]
GRANTS = tuple(parse_grant(f"fromLabel=tenant={name},to={SHARED},what=target+adopt") for name in TENANTS)
# A step of a PhaseSecret, or a namespace whose grant ends or comes back.
steps: st.SearchStrategy[Step | str] = st.one_of(
    st.sampled_from(TENANTS),
    st.tuples(
        st.sampled_from(WHO),
        st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(sorted(POLICIES)), max_size=2),
        st.sampled_from(["A", "B", "*"]),
    ),
)


def granted(loop: Loop, namespace: str) -> bool:
    return namespace == SHARED or bool(loop.labels.get(namespace))


def turn_grant(loop: Loop, namespace: str) -> None:
    """End a namespace's grant, or give it back."""
    loop.labels[namespace] = {} if loop.labels.get(namespace) else {"tenant": namespace}
    loop.triggers.namespace_changed(namespace)


def written_by(loop: Loop, namespace: str) -> dict[str, dict[str, str]]:
    """Return what stands that PhaseSecrets of a namespace have written, whole or in part."""
    mark, manager = f"{namespace}/", f"phase-operator/{namespace}/"
    return {
        str(ref): stored.part("data")
        for ref, stored in loop.cluster.objects.items()
        if stored.part("metadata", "annotations").get("secrets.phase.dev/owner", "").startswith(mark)
        or any(name.startswith(manager) and fields for (name, _), fields in stored.owners.items())
    }


@given(st.lists(steps, min_size=2, max_size=8))
@settings(max_examples=examples(40), deadline=None)
def test_without_a_grant_nothing_is_touched_and_nobody_loses_what_he_has(played: list[Step | str]) -> None:
    async def scenario() -> None:
        async with Loop(tenancy=Tenancy(GRANTS)) as loop:
            for name in (*TENANTS, SHARED):
                loop.cluster.tokens[ObjectKey(name, TOKEN.name)] = "token-text"
                loop.labels[name] = {"tenant": name}
            game = Game(loop, place=SHARED)
            loop.phase.holds(*(entry(key, f"new {key}") for key in KEYS))
            for step in played:
                actor = step if isinstance(step, str) else step[0].namespace
                stood, was_granted = written_by(loop, actor), granted(loop, actor)
                had = {each for each in game.ready() if granted(loop, each[0].namespace)}
                if isinstance(step, str):
                    turn_grant(loop, step)
                else:
                    await game.play(step)
                for _ in range(8):
                    await loop.turn(60)

                if not was_granted and not granted(loop, actor):
                    assert written_by(loop, actor) == stood
                changed = {each for each in had if step == actor == each[0].namespace or step[0] == each[0]}
                assert had - changed <= game.ready()
            writes, statuses = len(loop.cluster.writes), len(loop.cluster.status_writes)
            for _ in range(8):
                await loop.turn(60)

            assert (loop.cluster.writes[writes:], loop.cluster.status_writes[statuses:]) == ([], [])
            assert loop.faulty == []

    asyncio.run(scenario())
