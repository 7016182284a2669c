"""A process that dies after any call and any write: the next one goes on, and nothing is there twice or without a mark.

Time is that of tests/support/clock.py: no test waits.
"""

from contextlib import suppress

import pytest

from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.outcome import Pushed
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.ledger import RowState
from phase_operator.core.push.spec import Generated
from support.push_api import lost
from support.push_house import KEY, KilledError, PushCluster, PushHouse, named, person_makes, world

DELETE = Policies(deletion=DeletionPolicy.DELETE)
# More than any of the stories below takes, in calls and writes.
MOST = 40


async def until_it_rests(cluster: PushCluster, dies_after: int, *, lost_calls: bool = False) -> bool:
    """Let a process die after so many calls and writes, and others go on; return whether the first one died."""
    died = False
    house = PushHouse(cluster, dies_after=dies_after)
    try:
        if lost_calls:
            for kind in ("post", "put", "delete"):
                cluster.server.lost[kind] = [lost()]
        await house.rest()
        await house.pass_time(300, step=20)
    except KilledError:
        died = True
    for errors in cluster.server.lost.values():
        errors.clear()
    after = PushHouse(cluster)
    await after.rest()
    await after.pass_time(300, step=20)
    found = after.outcomes[KEY]
    assert isinstance(found, Pushed)
    assert found.ready, found.message
    assert {each.state for each in cluster.ledger().rows.values()} <= {RowState.MADE}
    return died


@pytest.mark.thorough
@pytest.mark.parametrize("lost_calls", [False, True])
async def test_a_death_anywhere_leaves_no_twin_and_nothing_undone(lost_calls: bool) -> None:
    """Entries are made, changed and deleted, in several calls of each kind; a person's entry is beside them."""
    deaths = 0
    for dies_after in range(MOST):
        _, [cluster] = world()
        theirs = person_makes(cluster.server, "THEIRS", "a person's", "a note")
        cluster.stock.put("db", {f"K{each:03d}": b"one" for each in range(70)})
        cluster.stock.put("old", {f"OLD{each:03d}": b"old" for each in range(66)})
        cluster.resource(named("db", "old", policies=DELETE))
        first = PushHouse(cluster)
        await first.rest()
        assert len(cluster.there()) == 136

        cluster.stock.put("db", {f"K{each:03d}": b"two" for each in range(70)})
        cluster.stock.put("new", {f"NEW{each:03d}": b"new" for each in range(66)})
        cluster.stock.put("old", {})
        cluster.resource(named("db", "old", "new", policies=DELETE))
        deaths += await until_it_rests(cluster, dies_after, lost_calls=lost_calls)

        # `there` itself fails at a twin.
        assert cluster.there() == {f"K{each:03d}": "two" for each in range(70)} | {
            f"NEW{each:03d}": "new" for each in range(66)
        }
        assert (theirs.value, theirs.version, theirs.comment, theirs.is_deleted) == ("a person's", 1, "a note", False)
        assert all(each.holder is not None for each in cluster.server.phase.entries.values() if each is not theirs)
        assert cluster.server.phase.twins == 0
        if dies_after > deaths:
            # Nobody died, and nobody would who may make more calls and writes.
            break
    assert 8 < deaths < MOST


@pytest.mark.parametrize("kind", ["post", "put"])
async def test_half_a_batch_of_a_process_that_dies_is_mended(kind: str) -> None:
    halves = 0
    for dies_after in range(12):
        _, [cluster] = world()
        cluster.stock.put("db", {f"K{each}": b"one" for each in range(5)})
        cluster.resource(named("db"))
        if kind == "put":
            await PushHouse(cluster).rest()
            cluster.stock.put("db", {f"K{each}": b"two" for each in range(5)})
        cluster.server.half[kind] = [lost()]
        with suppress(KilledError):
            await PushHouse(cluster, dies_after=dies_after).rest()
        changed = [each for each in cluster.server.phase.living() if each.value == "two" or kind == "post"]
        halves += len(changed) == 1

        cluster.server.half.clear()
        assert not await until_it_rests(cluster, 10_000)
        assert cluster.there() == {f"K{each}": "two" if kind == "put" else "one" for each in range(5)}
        assert cluster.server.phase.twins == 0
    assert halves


async def test_an_entry_is_announced_before_it_is_made() -> None:
    """However early a process dies after Phase has an entry, a ledger names it."""
    for dies_after in range(12):
        _, [cluster] = world()
        cluster.stock.put("db", {f"K{each}": b"one" for each in range(66)})
        cluster.resource(named("db"))
        with suppress(KilledError):
            await PushHouse(cluster, dies_after=dies_after).rest()
        assert {each.place for each in cluster.server.phase.living()} <= set(cluster.ledger().rows)
        assert KEY in cluster.outside or not cluster.server.phase.living()


async def test_a_lost_status_makes_nothing_twice() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"a", "B": b"b"})
    cluster.resource(named("db"))
    await PushHouse(cluster).rest()
    ids = {each.id for each in cluster.server.phase.living()}

    cluster.statuses.clear()
    assert not await until_it_rests(cluster, 10_000)

    assert {each.id for each in cluster.server.phase.living()} == ids
    assert cluster.there() == {"A": "a", "B": "b"}


async def test_a_leader_that_comes_back_late_writes_nothing() -> None:
    """Two processes at once: who wrote the ledger last goes on, and the other one's announcement is refused."""
    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"a"})
    cluster.resource(named("db"))
    old, new = PushHouse(cluster), PushHouse(cluster)
    await new.rest()
    assert cluster.there() == {"A": "a"}
    cluster.stock.put("db", {"A": b"a", "B": b"b"})
    server = cluster.server
    server.calls.clear()

    await old.rest()

    assert server.calls["post"] == server.calls["put"] == server.calls["delete"] == 0
    for _ in range(80):
        cluster.clock.turn(5)
        await old.rest()
        await new.rest()
    assert cluster.there() == {"A": "a", "B": "b"}
    assert server.phase.twins == 0


def with_generated(**fields: object) -> Generated:
    return Generated(**({"key": "SESSION_KEY", "kind": GeneratedKind.PASSWORD} | fields))  # type: ignore[arg-type]


async def test_a_generated_value_is_one_however_often_processes_die() -> None:
    """A death after any write and call, ten restarts, three leaders, a resource that is made anew, and a new key."""
    deaths = 0
    for dies_after in range(MOST):
        _, [cluster] = world()
        spec = named(generated=(with_generated(),), generate_into="made")
        cluster.resource(spec)
        try:
            await PushHouse(cluster, dies_after=dies_after).rest()
        except KilledError:
            deaths += 1
        seen = {each.value for each in cluster.server.phase.living()}
        await until_it_rests(cluster, 10_000)
        value = cluster.there()["SESSION_KEY"]
        assert seen <= {value}
        for _ in range(10):
            await PushHouse(cluster).rest()
        leaders = [PushHouse(cluster) for _ in range(3)]
        for each in leaders:
            await each.rest()
        cluster.remake()
        await until_it_rests(cluster, 10_000)
        cluster.resource(named(generated=(with_generated(key="OTHER"), *spec.generated), generate_into="made"))
        await until_it_rests(cluster, 10_000)

        assert cluster.there()["SESSION_KEY"] == value
        assert {each.value for each in cluster.server.phase.entries.values() if each.place.key == "SESSION_KEY"} == {
            value
        }
        if dies_after > deaths:
            break
    assert 3 < deaths < MOST
