"""A hostile tenant beside a good one: what he does costs only himself; and no value is seen anywhere."""

import json

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.outcome import Failed, Pushed
from phase_operator.core.push.ledger import RowState
from phase_operator.core.push.marks import mark_of
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.values import ObjectKey
from support.canary import Canary
from support.push_api import lost
from support.push_house import KEY, KIND, PushHouse, named, person_makes, world


async def test_a_hostile_tenant_costs_only_himself() -> None:
    """Many resources with huge sources and a refused account, beside one good resource with a small one."""
    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"a"})
    theirs = [ObjectKey("mallory", f"push-{number:03d}", KIND) for number in range(100)]
    for number, key in enumerate(theirs):
        cluster.stock.put(f"huge-{number}", {"HUGE": b"x" * (MIB - 1)}, namespace="mallory")
        cluster.resource(named(f"huge-{number}"), key)
    cluster.resource(named("db"))
    denied = Waiting(Reason.ACCESS_DENIED, "Phase answers 403: no", had_no_effect=True)
    server = cluster.server
    begin = server.begin

    def refusing(kind, credential):  # type: ignore[no-untyped-def]
        found = begin(kind, credential)
        if credential.account == "account of mallory":
            raise denied
        return found

    server.begin = refusing  # type: ignore[method-assign]
    house = PushHouse(cluster, memory=80 * MIB)
    await house.rest()
    await house.pass_time(120, step=20)

    good = house.outcomes[KEY]
    assert isinstance(good, Pushed)
    assert good.ready
    assert cluster.there() == {"A": "a"}
    assert all(isinstance(house.outcomes[key], Failed) for key in theirs)
    # Nothing is read for who may not look, and each of his resources has a pause of its own, which grows.
    assert len(cluster.there()) == 1
    assert house.memory.used == house.kept() < 2_000
    assert set(cluster.stock.reads) == {"shop/db"}
    assert server.callers["account of mallory"] <= 5 * len(theirs)
    before = dict(server.callers)
    cluster.stock.put("db", {"A": b"new"})
    house.wake(KEY)
    await house.rest()
    assert cluster.there() == {"A": "new"}
    assert server.callers["account of shop"] - before["account of shop"] <= 5


async def test_sources_that_are_too_large_together_are_told_and_let_go() -> None:
    _, [cluster] = world()
    for number in range(10):
        cluster.stock.put(f"s{number}", {f"K{number}": b"x" * (MIB - 1)})
    cluster.resource(named(*(f"s{number}" for number in range(10))))
    house = PushHouse(cluster, memory=4 * MIB)
    await house.rest()

    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.ANSWER_TOO_LARGE
    assert cluster.there() == {}

    cluster.specs.pop(KEY)
    house.store.remove(KEY)
    house.wake(KEY)
    await house.rest()
    assert house.memory.used == 0


async def test_entries_of_others_are_in_memory_only_while_something_is_done() -> None:
    """People may fill an environment with any number of entries."""
    server, [cluster] = world()
    for number in range(300):
        person_makes(server, f"THEIRS{number}", "a person's")
    cluster.stock.put("db", {"A": b"a", "THEIRS7": b"b"})
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    server.refused["post"] = [Waiting(Reason.ACCESS_DENIED, "Phase answers 403", had_no_effect=True)]
    await house.rest()
    assert house.memory.used == house.kept() < 300 * 2_000

    await house.pass_time(10)
    subject = house.subjects.of(house.store.get(KEY))  # type: ignore[arg-type]
    assert subject.look is not None
    assert {each.key for each in subject.look.entries} == {"A", "THEIRS7"}
    assert house.memory.used == sum(each.weight for several in subject.look.entries.values() for each in several)

    # What was not kept is looked for before a call: nobody's entry is taken for none.
    cluster.stock.put("db", {"A": b"a", "THEIRS8": b"b"})
    house.wake(KEY)
    await house.rest()
    assert set(cluster.there()) == {"A"}
    assert server.calls["post"] == 2


async def test_entries_that_others_mark_as_ours_stay_in_the_share_of_the_namespace() -> None:
    """What is kept of a look at rest is the resource's own, or bears its mark, which anybody may write."""
    server, [cluster] = world()
    cluster.stock.put("db", {"A": b"a"})
    cluster.resource(named("db", "missing"))
    for number in range(500):
        person_makes(server, f"FORGED{number}", "x", mark_of(cluster.name, KEY).comment)
    house = PushHouse(cluster)
    await house.rest()
    await house.pass_time(600, step=60)

    subject = house.subjects.of(house.store.get(KEY))  # type: ignore[arg-type]
    assert subject.look is not None
    assert len(subject.look.entries) == 501
    assert house.memory.used >= 500 * 600


async def test_entries_that_phase_refuses_are_forgotten_with_their_keys() -> None:
    """A source that always has another bad key."""
    _, [cluster] = world()
    house = PushHouse(cluster)
    cluster.resource(named("db"))
    for number in range(5):
        cluster.server.poison = f"POISON{number}"
        cluster.stock.put("db", {f"POISON{number}": b"x", "A": b"a"})
        house.show()
        await house.rest()
        await house.pass_time(900, step=60)

    subject = house.subjects.of(house.store.get(KEY))  # type: ignore[arg-type]
    assert {each.key for each in subject.barred} == {"POISON4"}
    assert cluster.there() == {"A": "a"}


async def test_a_decision_over_what_others_have_written_is_made_beside_the_loop() -> None:
    """Twenty thousand entries with a mark take a quarter of a second."""
    server, [cluster] = world()
    cluster.stock.put("db", {"A": b"a"})
    cluster.resource(named("db"))
    for number in range(300):
        person_makes(server, f"THEIRS{number}", "a person's")
    house = PushHouse(cluster)
    asked: list[int] = []
    run = house.background.run

    async def noted(work, units, namespace):  # type: ignore[no-untyped-def]
        asked.append(units)
        return await run(work, units, namespace)

    house.background.run = noted  # type: ignore[method-assign]
    await house.rest()

    assert max(asked) >= 20 * 300


async def test_values_are_let_go_when_a_push_rests() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"x" * 100_000})
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    await house.rest()

    assert cluster.there().keys() == {"A"}
    assert house.memory.used < 2_000


async def test_values_are_let_go_while_a_call_has_to_wait() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"x" * 100_000})
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    house.server.refused["post"] = [Waiting(Reason.ACCESS_DENIED, "Phase answers 403", had_no_effect=True)] * 99
    await house.rest()
    await house.pass_time(60)

    assert house.server.calls["post"] > 1
    assert house.memory.used < 2_000


async def test_nothing_is_announced_that_cannot_be_sent_at_once() -> None:
    """The account waits for its quota: another process would have to look for what was never sent."""
    _, [cluster] = world()
    other = ObjectKey("shop", "other", KIND)
    for name, key in (("db", KEY), ("web", other)):
        cluster.stock.put(name, {name: b"a"})
        cluster.resource(named(name), key)
    house = PushHouse(cluster)
    await house.rest()
    house.server.refused["put"] = [Transient(Reason.RATE_LIMITED, "Phase answers 429", after=300.0, had_no_effect=True)]
    cluster.stock.put("db", {"db": b"new"})
    house.wake(KEY)
    await house.rest()
    assert house.server.calls["put"] == 1

    cluster.stock.put("web", {"web": b"new"})
    house.wake(other)
    await house.rest()
    await house.pass_time(60)
    assert {each.state for each in cluster.ledger(other).rows.values()} == {RowState.MADE}
    assert house.server.calls["put"] == 1

    await house.pass_time(300)
    assert cluster.there() == {"DB": "new", "WEB": "new"}


async def test_no_value_is_seen_anywhere(canary: Canary) -> None:
    """Not in a status, an Event, a log, an outcome or an error: of values that are pushed, refused, lost or bad."""
    _, [cluster] = world()
    fine, bad, reference = canary.value("fine"), canary.value("bad"), canary.value("reference")
    cluster.stock.put("db", {"FINE": fine.encode(), "BAD": bad.encode() + b"\xff"})
    cluster.stock.put("ref", {"REF": f"{reference}${{OTHER}}".encode(), "POISON": canary.value("poison").encode()})
    cluster.server.poison = "POISON"
    cluster.resource(named("db", "ref"))
    house = PushHouse(cluster)
    cluster.server.lost["post"] = [lost()]

    for round_ in range(4):
        await house.rest()
        await house.pass_time(200, step=20)
        canary.see("outcome", repr(house.outcomes))
        canary.see("status", json.dumps(cluster.statuses[KEY]))
        canary.see("subject", repr(house.subjects.of(house.store.get(KEY))))  # type: ignore[arg-type]
        cluster.stock.put("db", {"FINE": canary.value(f"fine {round_}").encode()})
        house.wake(KEY)
    canary.see("events", repr(cluster.notices))
    canary.see("stock", repr(cluster.stock.objects.keys()))

    assert cluster.there()["FINE"] == canary.value("fine 2")
